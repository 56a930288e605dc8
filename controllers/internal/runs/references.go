package runs

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// references are the things of the namespace or node that a RunSpec names and pods mount.
type references struct {
	secrets, claims, hostPaths []string
}

// referencesOf finds every Secret, claim and hostPath in a RunSpec. It walks the
// values by type and field name, so that a new connector's reference is not forgotten.
func referencesOf(spec *runspec.RunSpec) references {
	found := collector{secrets: map[string]bool{}, claims: map[string]bool{}, hostPaths: map[string]bool{}}
	found.walk(reflect.ValueOf(spec.Pipeline))
	found.walk(reflect.ValueOf(spec.Tables))
	if spec.Ledger != nil && spec.Ledger.TokenSecret != "" {
		found.secrets[spec.Ledger.TokenSecret] = true
	}
	return references{sorted(found.secrets), sorted(found.claims), sorted(found.hostPaths)}
}

type collector struct{ secrets, claims, hostPaths map[string]bool }

func (c collector) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			c.walk(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			c.walk(v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			c.walk(it.Value())
		}
	case reflect.Struct:
		c.fields(v)
	}
}

func (c collector) fields(v reflect.Value) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		switch {
		case !field.IsExported():
		case strings.HasSuffix(field.Name, "SecretRef"):
			add(c.secrets, secretName(value))
		case field.Name == "ClaimName" && value.Kind() == reflect.String:
			add(c.claims, value.String())
		case field.Type == reflect.TypeFor[*v1alpha1.HostPathStorage]():
			if !value.IsNil() {
				add(c.hostPaths, value.Elem().FieldByName("Path").String())
			}
		default:
			c.walk(value)
		}
	}
}

// secretName reads the name of a LocalRef or SecretKeyRef, behind a pointer or not.
func secretName(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	return v.FieldByName("Name").String()
}

func add(set map[string]bool, name string) {
	if name != "" {
		set[name] = true
	}
}

func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
