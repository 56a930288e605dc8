package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// TestEveryFieldIsExplained reads the CRDs as kubectl explain does: each field has a description, each CEL rule a
// message, and no field a default, which Argo CD would show as drift.
func TestEveryFieldIsExplained(t *testing.T) {
	crds := readCRDs()
	if len(crds) != 5 {
		t.Fatalf("want 5 CRDs in %s, found %d", crdDir, len(crds))
	}
	for _, crd := range crds {
		for _, version := range crd.Spec.Versions {
			fields, rules := explain(t, crd.Spec.Names.Kind, *version.Schema.OpenAPIV3Schema)
			if fields < 50 || rules < 10 {
				t.Errorf("%s: found %d fields and %d rules only; does the walk still see the schema?", crd.Name, fields, rules)
			}
		}
	}
}

// readCRDs reads what config/crd ships; the tests cannot go on without it.
func readCRDs() []apiextensions.CustomResourceDefinition {
	paths, err := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	if err != nil {
		panic(err)
	}
	crds := make([]apiextensions.CustomResourceDefinition, len(paths))
	for i, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		if err := yaml.UnmarshalStrict(text, &crds[i]); err != nil {
			panic(fmt.Errorf("%s: %w", path, err))
		}
	}
	return crds
}

// explain walks a schema and gives how many fields and rules it saw.
func explain(t *testing.T, path string, schema apiextensions.JSONSchemaProps) (fields, rules int) {
	t.Helper()
	for _, rule := range schema.XValidations {
		rules++
		if rule.Message == "" {
			t.Errorf("%s: rule without message: %s", path, rule.Rule)
		}
	}
	if schema.Default != nil {
		t.Errorf("%s: has the default %s; defaults live in code", path, schema.Default.Raw)
	}
	if schema.Type == "number" {
		t.Errorf("%s: is a float; use a quantity, an integer or a decimal string", path)
	}
	visit := func(name string, child apiextensions.JSONSchemaProps) {
		f, r := explain(t, name, child)
		fields, rules = fields+f, rules+r
	}
	for name, child := range schema.Properties {
		fields++
		// The API server fills in the text of metadata.
		if child.Description == "" && name != "metadata" {
			t.Errorf("%s.%s has no description", path, name)
		}
		visit(path+"."+name, child)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		visit(path+"[]", *schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		visit(path+"{}", *schema.AdditionalProperties.Schema)
	}
	return fields, rules
}
