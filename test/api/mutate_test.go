package api_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// edits maps a path such as spec.source.files.glob or spec.users.0.name to the value that it gets; nil removes it.
type edits map[string]any

// sample gives a copy of an object of config/samples, in the tests' namespace.
func sample(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	path := filepath.Join("..", "..", "config", "samples", strings.ToLower(kind)+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range decode(t, text) {
		if object.GetKind() == kind && object.GetName() == name {
			object.SetNamespace(namespace)
			return object
		}
	}
	t.Fatalf("%s has no %s %s", path, kind, name)
	return nil
}

// edit changes an object; a path that leads through something that is not there makes it, so that a test cannot
// change nothing by mistake.
func edit(t *testing.T, object *unstructured.Unstructured, changes edits) {
	t.Helper()
	for path, value := range changes {
		set(t, object.Object, strings.Split(path, "."), value)
	}
}

func set(t *testing.T, node any, path []string, value any) {
	t.Helper()
	last := len(path) == 1
	switch node := node.(type) {
	case map[string]any:
		switch {
		case last && value == nil:
			if _, there := node[path[0]]; !there {
				t.Fatalf("cannot remove %s: it is not there", path[0])
			}
			delete(node, path[0])
		case last:
			node[path[0]] = value
		default:
			if node[path[0]] == nil {
				node[path[0]] = map[string]any{}
			}
			set(t, node[path[0]], path[1:], value)
		}
	case []any:
		index, err := strconv.Atoi(path[0])
		if err != nil || index >= len(node) {
			t.Fatalf("no item %s in a list of %d", path[0], len(node))
		}
		if last {
			node[index] = value
			return
		}
		set(t, node[index], path[1:], value)
	default:
		t.Fatalf("%s leads into a %T", path[0], node)
	}
}
