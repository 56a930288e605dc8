package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func TestReadConditions(t *testing.T) {
	for _, c := range []struct {
		name, source string
		want         condition
		wrong        string
	}{
		{"of all kinds", "// ConditionReady is true when it works.\nConditionReady = \"Ready\"", condition{name: "Ready", text: "when it works."}, ""},
		{"of two kinds", "// ConditionX: x is there (A, B).\nConditionX = \"X\"", condition{name: "X", text: "x is there.", kinds: []string{"A", "B"}}, ""},
		{"without comment", "ConditionX = \"X\"", condition{}, "want a comment"},
		{"not a string", "// ConditionX: x.\nConditionX = 1 + 1", condition{}, "want a string literal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "conditions.go")
			if err := os.WriteFile(path, []byte("package p\n\nconst (\n"+c.source+"\n)\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readConditions(path)
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Fatalf("got error %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
				t.Fatalf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

// TestFieldRows: each field has a row, and a shape that comes twice is listed once.
func TestFieldRows(t *testing.T) {
	text := apiextensions.JSONSchemaProps{Type: "string", Description: "A | B\n<c>"}
	place := apiextensions.JSONSchemaProps{Type: "object", Properties: map[string]apiextensions.JSONSchemaProps{"x": text, "y": text}}
	schema := apiextensions.JSONSchemaProps{Type: "object", Required: []string{"a"}, Properties: map[string]apiextensions.JSONSchemaProps{
		"a": place,
		"b": {Type: "array", Items: &apiextensions.JSONSchemaPropsOrArray{Schema: &place}},
	}}
	cell := `A \| B &lt;c&gt;`
	want := []row{
		{"spec.a", "object, required", ""},
		{"spec.a.x", "string", cell},
		{"spec.a.y", "string", cell},
		{"spec.b[]", "list of object", " Fields as in `spec.a`."},
	}
	if got := fieldRows("spec", schema); !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%q\nwant\n%q", got, want)
	}
}
