package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// row is one line of a field table.
type row struct{ path, kind, text string }

// podFields have the types of a pod's own fields; Kubernetes' reference explains them.
var podFields = []string{"affinity", "resources", "engineResources", "tolerations"}

// fieldRows lists the fields below a schema, depth first. A shape that was listed before is only referred to.
func fieldRows(path string, schema apiextensions.JSONSchemaProps) []row {
	w := walker{seen: map[string]string{}}
	w.fields(path, schema)
	return w.rows
}

type walker struct {
	rows []row
	seen map[string]string // shape -> path where it is listed
}

func (w *walker) fields(path string, schema apiextensions.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		child := schema.Properties[name]
		childPath := path + "." + name
		item := child
		if child.Items != nil && child.Items.Schema != nil {
			item = *child.Items.Schema
			childPath += "[]"
		}
		text := prose(child.Description)
		for _, rule := range append(slices.Clone(child.XValidations), itemRules(child)...) {
			text += " Rule: " + prose(rule.Message) + "."
		}
		isPodField := slices.Contains(podFields, name)
		before := ""
		if !isPodField {
			before = w.listedBefore(childPath, item)
		}
		switch {
		case isPodField:
			text += " As in a pod's specification."
		case before != "":
			text += fmt.Sprintf(" Fields as in `%s`.", before)
		}
		kind := typeName(child)
		if slices.Contains(schema.Required, name) {
			kind += ", required"
		}
		w.rows = append(w.rows, row{childPath, kind, text})
		if !isPodField && before == "" {
			w.fields(childPath, item)
		}
	}
}

// itemRules are the rules of a list's items; those of an object are its own.
func itemRules(schema apiextensions.JSONSchemaProps) apiextensions.ValidationRules {
	if schema.Items == nil || schema.Items.Schema == nil {
		return nil
	}
	return schema.Items.Schema.XValidations
}

// listedBefore gives the path where a shape of at least two fields is listed already, and remembers new ones.
func (w *walker) listedBefore(path string, schema apiextensions.JSONSchemaProps) string {
	if len(schema.Properties) < 2 {
		return ""
	}
	shape, err := json.Marshal(schema.Properties)
	if err != nil { // a schema that came from YAML can be written again
		panic(err)
	}
	if before, listed := w.seen[string(shape)]; listed {
		return before
	}
	w.seen[string(shape)] = path
	return ""
}

// typeName says what may be written: the type, its values and its bounds.
func typeName(schema apiextensions.JSONSchemaProps) string {
	name := schema.Type
	switch {
	case schema.XIntOrString:
		name = "quantity"
	case schema.Format == "date-time":
		name = "time"
	case schema.Items != nil && schema.Items.Schema != nil:
		name = "list of " + typeName(*schema.Items.Schema)
	case schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil:
		name = "map of " + typeName(*schema.AdditionalProperties.Schema)
	case len(schema.Enum) > 0:
		values := make([]string, len(schema.Enum))
		for i, value := range schema.Enum {
			values[i] = "`" + strings.Trim(string(value.Raw), `"`) + "`"
		}
		name = strings.Join(values, ", ")
	}
	return name + bounds(schema)
}

func bounds(schema apiextensions.JSONSchemaProps) string {
	switch {
	case schema.Minimum != nil && schema.Maximum != nil:
		return fmt.Sprintf(" (%.0f to %.0f)", *schema.Minimum, *schema.Maximum)
	case schema.Minimum != nil:
		return fmt.Sprintf(" (at least %.0f)", *schema.Minimum)
	case schema.MaxItems != nil:
		return fmt.Sprintf(" (at most %d)", *schema.MaxItems)
	case schema.MaxProperties != nil:
		return fmt.Sprintf(" (at most %d)", *schema.MaxProperties)
	}
	return ""
}
