package connector

import (
	"context"
	"slices"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
)

// icebergTable is a table of the RunSpec, opened when it is needed.
type icebergTable struct {
	env     Env
	object  string
	catalog *lakehouse.Catalog
}

// newTable refuses an object that the RunSpec does not bring, or that names no catalog.
func newTable(env Env, object string) (*icebergTable, error) {
	table, ok := env.Tables[object]
	if !ok {
		names := []string{}
		for name := range env.Tables {
			names = append(names, name)
		}
		slices.Sort(names)
		return nil, fail.Usage("TableNotGiven", "the RunSpec brings no table of the IcebergTable %q; it brings: %s", object, strings.Join(names, ", "))
	}
	if table.Spec.Catalog == nil || table.Spec.Storage == nil {
		return nil, fail.Usage("TableNotGiven", "the IcebergTable %q has no catalog or no storage, and the RunSpec resolves no default; set spec.catalog and spec.storage", object)
	}
	return &icebergTable{env: env, object: object}, nil
}

// load gives the table as it is now.
func (t *icebergTable) load(ctx context.Context) (*lakehouse.Table, error) {
	spec := t.env.Tables[t.object].Spec
	if t.catalog == nil {
		catalog, err := lakehouse.OpenCatalog(ctx, *spec.Catalog, *spec.Storage, t.env.Mounts)
		if err != nil {
			return nil, lakeError(err)
		}
		t.catalog = catalog
	}
	table, err := t.catalog.LoadTable(ctx, spec.Identifier)
	return table, lakeError(err)
}

// name is the dotted identifier.
func (t *icebergTable) name() string {
	id := t.env.Tables[t.object].Spec.Identifier
	return strings.Join(append(slices.Clone(id.Namespace), id.Name), ".")
}

func (t *icebergTable) close() error {
	if t.catalog == nil {
		return nil
	}
	return t.catalog.Close()
}
