package api_test

import (
	"flag"
	"maps"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// refusals are the messages that the API server gave to the tests, which run one after another.
var refusals []string

func noteRefusal(err error) {
	if err != nil {
		refusals = append(refusals, err.Error())
	}
}

// everyTestRan is false when -run or -skip picked some.
func everyTestRan() bool {
	return flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
}

// silentRules are the messages of CEL rules that no refusal carried. A rule with a messageExpression counts as heard
// through the words that all of those share.
func silentRules() []string {
	messages := map[string]bool{}
	for _, crd := range readCRDs() {
		collectMessages(*crd.Spec.Versions[0].Schema.OpenAPIV3Schema, messages)
	}
	all := strings.Join(refusals, "\n")
	return slices.DeleteFunc(slices.Sorted(maps.Keys(messages)), func(message string) bool {
		return strings.Contains(all, message)
	})
}

func collectMessages(schema apiextensions.JSONSchemaProps, into map[string]bool) {
	for _, rule := range schema.XValidations {
		message := rule.Message
		if rule.MessageExpression != "" {
			what, _, _ := strings.Cut(message, ":")
			message = what + " "
		}
		into[message] = true
	}
	for _, child := range schema.Properties {
		collectMessages(child, into)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		collectMessages(*schema.Items.Schema, into)
	}
}
