package api_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// decode reads all our objects of a YAML stream; objects of other groups are left out.
func decode(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(&object.Object)
		if err != nil {
			if err.Error() == "EOF" {
				return objects
			}
			t.Fatalf("decode: %v", err)
		}
		if object.GroupVersionKind().GroupVersion() == v1alpha1.GroupVersion {
			objects = append(objects, object)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// documents finds every YAML text that a user may copy: the samples, and the code blocks of README.md and docs/.
func documents(t *testing.T) map[string][]byte {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string][]byte{}
	for _, dir := range []string{"config/samples", "docs", "README.md"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(root, path)
			switch filepath.Ext(path) {
			case ".yaml":
				found[name] = text
			case ".md":
				var blocks [][]byte
				for _, match := range yamlBlock.FindAllSubmatch(text, -1) {
					blocks = append(blocks, match[1])
				}
				found[name] = bytes.Join(blocks, []byte("\n---\n"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestAcceptsEverySample(t *testing.T) {
	kinds := map[string]int{}
	for name, text := range documents(t) {
		for _, object := range decode(t, text) {
			t.Run(name+"/"+object.GetKind()+"/"+object.GetName(), func(t *testing.T) {
				object.SetNamespace(namespace)
				if err := apply(t.Context(), object, client.DryRunAll); err != nil {
					t.Error(err)
				}
			})
			if strings.HasPrefix(name, "config/samples/") {
				kinds[object.GetKind()]++
			}
		}
	}
	for _, kind := range []string{"DatabendCluster", "ETLPipeline", "IcebergTable", "LineageLedger", "ReverseETLSync"} {
		if kinds[kind] == 0 {
			t.Errorf("config/samples has no %s", kind)
		}
	}
}
