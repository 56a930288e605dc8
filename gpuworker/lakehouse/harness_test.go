package lakehouse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// lake is a SQLite catalog with its warehouse in a folder, laid out as a pod's mounts are.
type lake struct {
	*Catalog
	dir    string
	mounts Mounts
}

func (l *lake) spec() (v1alpha1.Catalog, v1alpha1.Storage) { return localSpec() }

func localSpec() (v1alpha1.Catalog, v1alpha1.Storage) {
	return v1alpha1.Catalog{Type: v1alpha1.CatalogSQL, SQL: &v1alpha1.SQLCatalog{
			Dialect: v1alpha1.DialectSQLite, ClaimName: "catalog", Path: "catalog.db", Warehouse: "file:///ignored"}},
		v1alpha1.Storage{Type: v1alpha1.StorageVolume, Volume: &v1alpha1.VolumeStorage{ClaimName: "warehouse", Path: "lake"}}
}

func newLake(t *testing.T) *lake {
	t.Helper()
	return openLake(t, t.TempDir())
}

func openLake(t *testing.T, dir string) *lake {
	t.Helper()
	for _, claim := range []string{"catalog", "warehouse"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "volumes", claim), 0o755))
	}
	l := &lake{dir: dir, mounts: Mounts(dir)}
	c, s := l.spec()
	var err error
	l.Catalog, err = OpenCatalog(t.Context(), c, s, l.mounts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func ptr[T any](v T) *T { return &v }

// fields makes schema fields from "name type", "name type required".
func fields(specs ...string) (out []v1alpha1.SchemaField) {
	for _, s := range specs {
		name, typ, _ := strings.Cut(s, " ")
		typ, required := strings.CutSuffix(typ, " required")
		f := v1alpha1.SchemaField{Name: name, Type: typ}
		if required {
			f.Required = ptr(true)
		}
		out = append(out, f)
	}
	return out
}

func tableSpec(name string, fs ...string) v1alpha1.IcebergTableSpec {
	return v1alpha1.IcebergTableSpec{
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"ns"}, Name: name},
		Schema:     v1alpha1.TableSchema{Fields: fields(fs...)},
	}
}

func (l *lake) ensure(t *testing.T, spec v1alpha1.IcebergTableSpec) *Table {
	t.Helper()
	_, err := EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	tbl, err := l.LoadTable(t.Context(), spec.Identifier)
	require.NoError(t, err)
	return tbl
}

// arrowSchema makes one from "name" to type, in order.
func arrowSchema(pairs ...any) *arrow.Schema {
	var fs []arrow.Field
	for i := 0; i < len(pairs); i += 2 {
		fs = append(fs, arrow.Field{Name: pairs[i].(string), Type: pairs[i+1].(arrow.DataType), Nullable: true})
	}
	return arrow.NewSchema(fs, nil)
}

// jsonReader makes one batch from a JSON array of rows.
func jsonReader(t *testing.T, schema *arrow.Schema, rows string) array.RecordReader {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	require.NoError(t, err)
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{batch})
	require.NoError(t, err)
	return r
}

func write(t *testing.T, tbl *Table, r array.RecordReader) FileSet {
	t.Helper()
	set, receipt, err := WriteFiles(t.Context(), tbl, r, WriteOptions{})
	require.NoError(t, err)
	require.Equal(t, set.Rows, receipt.Rows)
	return set
}

func commit(t *testing.T, tbl *Table, req CommitRequest) CommitResult {
	t.Helper()
	res, err := Commit(t.Context(), tbl, req)
	require.NoError(t, err)
	return res
}

// readRows gives every row of a scan as "a|b|c", in file order.
func readRows(t *testing.T, tbl *Table, req ScanRequest) []string {
	t.Helper()
	tbl, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	r, stats, err := Scan(t.Context(), tbl, req)
	require.NoError(t, err)
	defer r.Release()
	var out []string
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, c.ValueStr(i))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	require.NoError(t, r.Err())
	require.EqualValues(t, len(out), stats.Rows())
	return out
}

// filesUnder lists files with a suffix below a folder.
func filesUnder(t *testing.T, dir, suffix string) (out []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, suffix) {
			out = append(out, path)
		}
		return err
	}))
	return out
}

// row is one row of the table that most tests use: id long required, name string, v int.
type row struct {
	id   int64
	name string
	v    int32
}

var rowSchema = arrowSchema("id", arrow.PrimitiveTypes.Int64, "name", arrow.BinaryTypes.String, "v", arrow.PrimitiveTypes.Int32)

func rowsReader(rows ...row) array.RecordReader {
	b := array.NewRecordBuilder(memory.DefaultAllocator, rowSchema)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.Int64Builder).Append(r.id)
		b.Field(1).(*array.StringBuilder).Append(r.name)
		b.Field(2).(*array.Int32Builder).Append(r.v)
	}
	r, err := array.NewRecordReader(rowSchema, []arrow.RecordBatch{b.NewRecordBatch()})
	if err != nil {
		panic(err)
	}
	return r
}

func rowsSpec(name string) v1alpha1.IcebergTableSpec {
	s := tableSpec(name, "id long required", "name string", "v int")
	s.Schema.IdentifierFields = []string{"id"}
	return s
}

func appendRows(ctx context.Context, tbl *Table, token string, rows ...row) (CommitResult, error) {
	set, _, err := WriteFiles(ctx, tbl, rowsReader(rows...), WriteOptions{})
	if err != nil {
		return CommitResult{}, fmt.Errorf("write: %w", err)
	}
	return Commit(ctx, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: token, Writer: "w"})
}

type contextT = context.Context

func tableRetainLast(n int) table.ExpireSnapshotsOpt { return table.WithRetainLast(n) }

func tableOlderThanNow() table.ExpireSnapshotsOpt { return table.WithOlderThan(0) }

func partitionBy(source, transform string) []v1alpha1.PartitionField {
	return []v1alpha1.PartitionField{{Source: source, Transform: transform}}
}
