package query

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// people makes a table with two rows and returns the request's tables and mounts.
func people(t *testing.T) (map[string]runspec.Table, lakehouse.Mounts) {
	t.Helper()
	dir := t.TempDir()
	storage := v1alpha1.Storage{Type: "hostPath", HostPath: &v1alpha1.HostPathStorage{Path: filepath.Join(dir, "warehouse")}}
	spec := v1alpha1.IcebergTableSpec{
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"hr"}, Name: "people"},
		Catalog:    &v1alpha1.Catalog{Type: "sql", SQL: &v1alpha1.SQLCatalog{Dialect: "sqlite", Path: filepath.Join(dir, "catalog.db"), Warehouse: "file://" + filepath.Join(dir, "warehouse")}},
		Storage:    &storage,
		Schema:     v1alpha1.TableSchema{Fields: []v1alpha1.SchemaField{{Name: "id", Type: "long"}, {Name: "name", Type: "string"}}},
	}
	mounts := lakehouse.Mounts(dir)
	catalog, err := lakehouse.OpenCatalog(t.Context(), *spec.Catalog, storage, mounts)
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close()
	if _, err := lakehouse.EnsureTable(t.Context(), catalog, spec); err != nil {
		t.Fatal(err)
	}
	table, err := catalog.LoadTable(t.Context(), spec.Identifier)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	b.Field(1).(*array.StringBuilder).Append("Anna, the first")
	b.Field(1).AppendNull()
	rows, err := array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
	if err != nil {
		t.Fatal(err)
	}
	files, _, err := lakehouse.WriteFiles(t.Context(), table, rows, lakehouse.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lakehouse.Commit(t.Context(), table, lakehouse.CommitRequest{Mode: lakehouse.Append, Files: []lakehouse.FileSet{files}, Token: "r1", Writer: "w"}); err != nil {
		t.Fatal(err)
	}
	return map[string]runspec.Table{"people": {Spec: spec}}, mounts
}

func TestQuery(t *testing.T) {
	tables, mounts := people(t)
	for name, tc := range map[string]struct{ sql, format, want string }{
		"csv":   {"SELECT id, name FROM people ORDER BY id DESC", FormatCSV, "id,name\n2,\n1,\"Anna, the first\"\n"},
		"table": {"SELECT count(*) AS n FROM people", FormatTable, "  n\n  -\n  2\n"},
		"none":  {"SELECT id FROM people WHERE id > 5", FormatCSV, "id\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Run(t.Context(), Request{Tables: tables, SQL: tc.sql, Mounts: mounts, Format: tc.format}, &out); err != nil {
				t.Fatal(err)
			}
			if out.String() != tc.want {
				t.Errorf("got %q; want %q", out.String(), tc.want)
			}
		})
	}
}

func TestWrongQueries(t *testing.T) {
	tables, mounts := people(t)
	missing := tables["people"]
	missing.Spec.Identifier.Name = "nobody"
	tables["nobody"] = missing
	for name, tc := range map[string]struct{ sql, format, want string }{
		"unknown column": {"SELECT nmae FROM people", FormatCSV, "nmae"},
		"unknown table":  {"SELECT 1 FROM elsewhere", FormatCSV, "(tables: nobody, people)"},
		"no such table":  {"SELECT 1 FROM nobody", FormatCSV, "hr.nobody"},
		"reads files":    {"SELECT * FROM read_text('/etc/passwd')", FormatCSV, "disabled"},
		"format":         {"SELECT 1", "xml", `"xml"; expected table or csv`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), Request{Tables: tables, SQL: tc.sql, Mounts: mounts, Format: tc.format}, &bytes.Buffer{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v; want it to contain %q", err, tc.want)
			}
		})
	}
}
