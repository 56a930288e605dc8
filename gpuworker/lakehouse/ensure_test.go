package lakehouse

import (
	"sync"
	"testing"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestEnsureCreatesWithDefaults(t *testing.T) {
	l := newLake(t)
	spec := tableSpec("t", "id long required", "at timestamptz", "name string", "fare decimal(9,2)",
		"wind struct<speed: double, dir: int>", "tags list<string>", "extra map<string, list<long>>")
	spec.Schema.IdentifierFields = []string{"id"}
	spec.PartitionSpec = []v1alpha1.PartitionField{{Source: "at", Transform: "month"}, {Source: "id", Transform: "bucket[8]"}, {Source: "wind.dir", Transform: "identity", Name: "d"}}
	spec.SortOrder = []v1alpha1.SortField{{Source: "name", Direction: v1alpha1.SortDescending}}
	spec.Write = &v1alpha1.TableWrite{Compression: "LZ4", TargetFileSize: ptr(resource.MustParse("8Mi"))}
	spec.Properties = map[string]string{"owner": "me"}
	state, err := EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	require.Equal(t, []string{"created"}, state.Changes)
	require.Contains(t, state.Location, "/volumes/warehouse/lake/ns")

	tbl, err := l.LoadTable(t.Context(), spec.Identifier)
	require.NoError(t, err)
	props := tbl.Metadata().Properties()
	require.Equal(t, "lz4raw", props["write.parquet.compression-codec"])
	require.Equal(t, "8388608", props["write.target-file-size-bytes"])
	require.Equal(t, "true", props["write.metadata.delete-after-commit.enabled"])
	require.Equal(t, "me", props["owner"])
	require.Equal(t, 2, tbl.Metadata().Version())
	var names []string
	partitions := tbl.Metadata().PartitionSpec()
	for _, f := range partitions.Fields() {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"at_month", "id_bucket", "d"}, names)

	state, err = EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	require.Empty(t, state.Changes, "a second apply changes nothing")
	location := tbl.inner.MetadataLocation()
	tbl, err = l.LoadTable(t.Context(), spec.Identifier)
	require.NoError(t, err)
	require.Equal(t, location, tbl.inner.MetadataLocation(), "a second apply writes nothing")
}

func TestEvolutionKeepsRows(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, tableSpec("t", "id int required", "airline string", "delay float", "fare decimal(5,2)", "gone string"))
	in := arrowSchema("id", arrow.PrimitiveTypes.Int32, "airline", arrow.BinaryTypes.String, "delay", arrow.PrimitiveTypes.Float32,
		"fare", &arrow.Decimal128Type{Precision: 5, Scale: 2}, "gone", arrow.BinaryTypes.String)
	set := write(t, tbl, jsonReader(t, in, `[{"id":1,"airline":"LH","delay":1.5,"fare":"12.34","gone":"x"}]`))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1"})

	spec := tableSpec("t", "id long", "carrier string", "delay double", "fare decimal(20,2)", "added list<int>")
	spec.Schema.Fields[1].FormerNames = []string{"airline"}
	spec.Schema.Fields[1].Doc = "IATA code"
	spec.Evolution = &v1alpha1.Evolution{AllowDrop: ptr(true)}
	state, err := EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"widened column id from int to long", "made column id optional", "renamed column airline to carrier",
		"changed the doc of column carrier", "widened column delay from float to double", "widened column fare from decimal(5, 2) to decimal(20, 2)",
		"dropped column gone", "added column added (list<int>)"}, state.Changes)
	require.Equal(t, []string{"1|LH|1.5|12.34|(null)"}, readRows(t, tbl, ScanRequest{}))

	// The name of the dropped column comes back as another column: the old values stay gone.
	spec.Schema.Fields = append(spec.Schema.Fields, v1alpha1.SchemaField{Name: "gone", Type: "string"})
	_, err = EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	require.Equal(t, []string{"1|LH|1.5|12.34|(null)|(null)"}, readRows(t, tbl, ScanRequest{}))
	state, err = EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	require.Empty(t, state.Changes)
}

func TestEvolutionSwapsNames(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, tableSpec("t", "a long", "b long"))
	in := arrowSchema("a", arrow.PrimitiveTypes.Int64, "b", arrow.PrimitiveTypes.Int64)
	set := write(t, tbl, jsonReader(t, in, `[{"a":1,"b":2}]`))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1"})
	// b takes the values of a, and the old b goes by another name, in one step.
	spec := tableSpec("t", "c long", "d long")
	spec.Schema.Fields[0].FormerNames = []string{"b"}
	spec.Schema.Fields[1].FormerNames = []string{"a"}
	_, err := EnsureTable(t.Context(), l.Catalog, spec)
	require.NoError(t, err)
	// Columns come in the order of the table: d (it was a), then c (it was b).
	require.Equal(t, []string{"1|2"}, readRows(t, tbl, ScanRequest{Columns: []string{"c", "d"}}))
}

func TestRefusedChangesWriteNothing(t *testing.T) {
	base := func() v1alpha1.IcebergTableSpec {
		s := tableSpec("t", "id long required", "name string", "n int", "amount decimal(9,2)", "at timestamp", "wind struct<speed: double>")
		s.Schema.IdentifierFields = []string{"id"}
		s.PartitionSpec = partitionBy("at", "day")
		s.SortOrder = []v1alpha1.SortField{{Source: "name"}}
		return s
	}
	field := func(s *v1alpha1.IcebergTableSpec, name string) *v1alpha1.SchemaField {
		for i := range s.Schema.Fields {
			if s.Schema.Fields[i].Name == name {
				return &s.Schema.Fields[i]
			}
		}
		panic("no field " + name)
	}
	without := func(s *v1alpha1.IcebergTableSpec, name string) {
		var left []v1alpha1.SchemaField
		for _, f := range s.Schema.Fields {
			if f.Name != name {
				left = append(left, f)
			}
		}
		s.Schema.Fields = left
	}
	l := newLake(t)
	tbl := l.ensure(t, base())
	for name, tc := range map[string]struct {
		change        func(*v1alpha1.IcebergTableSpec)
		reason, field string
		want          string
	}{
		"drop": {func(s *v1alpha1.IcebergTableSpec) { without(s, "n") }, ReasonDropRefused, "n", `list "n" in the new column's formerNames`},
		"drop a partition source": {func(s *v1alpha1.IcebergTableSpec) {
			without(s, "at")
			s.PartitionSpec = nil
			s.Evolution = &v1alpha1.Evolution{AllowDrop: ptr(true)}
		}, ReasonDropRefused, "at", "the source of partition at_day"},
		"drop a sort column": {func(s *v1alpha1.IcebergTableSpec) {
			without(s, "name")
			s.SortOrder = nil
			s.Evolution = &v1alpha1.Evolution{AllowDrop: ptr(true)}
		}, ReasonDropRefused, "name", "sort order"},
		"narrow":               {func(s *v1alpha1.IcebergTableSpec) { field(s, "id").Type = "int" }, ReasonTypeChangeRefused, "id", `"id" is long in the table and declared int`},
		"other kind":           {func(s *v1alpha1.IcebergTableSpec) { field(s, "n").Type = "string" }, ReasonTypeChangeRefused, "n", "Declare int"},
		"decimal scale":        {func(s *v1alpha1.IcebergTableSpec) { field(s, "amount").Type = "decimal(11,4)" }, ReasonTypeChangeRefused, "amount", "same scale"},
		"nested field":         {func(s *v1alpha1.IcebergTableSpec) { field(s, "wind").Type = "struct<speed: double, dir: int>" }, ReasonTypeChangeRefused, "wind", "wind"},
		"optional to required": {func(s *v1alpha1.IcebergTableSpec) { field(s, "name").Required = ptr(true) }, ReasonRequiredRefused, "name", "may hold NULL"},
		"new required column": {func(s *v1alpha1.IcebergTableSpec) {
			s.Schema.Fields = append(s.Schema.Fields, fields("x int required")...)
		}, ReasonRequiredRefused, "x", "new and required"},
		"default": {func(s *v1alpha1.IcebergTableSpec) { field(s, "n").Default = ptr("1") }, ReasonDefaultRefused, "n", "format version 3"},
		"two claim one former name": {func(s *v1alpha1.IcebergTableSpec) {
			without(s, "n")
			s.Schema.Fields = append(s.Schema.Fields, v1alpha1.SchemaField{Name: "p", Type: "int", FormerNames: []string{"n"}}, v1alpha1.SchemaField{Name: "q", Type: "int", FormerNames: []string{"n"}})
		}, ReasonRenameRefused, "q", "both claim"},
		"one claims two": {func(s *v1alpha1.IcebergTableSpec) {
			without(s, "n")
			without(s, "amount")
			s.Schema.Fields = append(s.Schema.Fields, v1alpha1.SchemaField{Name: "p", Type: "int", FormerNames: []string{"n", "amount"}})
		}, ReasonRenameRefused, "p", "the table has both"},
		"identifier":              {func(s *v1alpha1.IcebergTableSpec) { s.Schema.IdentifierFields = nil }, ReasonIdentifierRefused, "identifierFields", "identifierFields are id in the table and declared none"},
		"identifier not required": {func(s *v1alpha1.IcebergTableSpec) { s.Schema.IdentifierFields = []string{"name"} }, ReasonIdentifierRefused, "name", "required: true"},
		"partition spec":          {func(s *v1alpha1.IcebergTableSpec) { s.PartitionSpec[0].Transform = "month" }, ReasonPartitionChangeRefused, "partitionSpec", "day(at) in the table and declared month(at)"},
		"sort order":              {func(s *v1alpha1.IcebergTableSpec) { s.SortOrder[0].Direction = v1alpha1.SortDescending }, ReasonSortOrderChangeRefused, "sortOrder", "not supported yet"},
		"unsuitable transform":    {func(s *v1alpha1.IcebergTableSpec) { s.PartitionSpec = partitionBy("name", "day") }, ReasonInvalidSchema, "name", "does not suit"},
		"unknown transform":       {func(s *v1alpha1.IcebergTableSpec) { s.PartitionSpec = partitionBy("name", "week") }, ReasonInvalidSchema, "name", "expected identity"},
		"unknown source":          {func(s *v1alpha1.IcebergTableSpec) { s.PartitionSpec = partitionBy("nope", "day") }, ReasonInvalidSchema, "nope", "it has: id, name"},
		"bad type":                {func(s *v1alpha1.IcebergTableSpec) { field(s, "n").Type = "integer" }, ReasonInvalidSchema, "n", "not an Iceberg type"},
		"version 3 type":          {func(s *v1alpha1.IcebergTableSpec) { field(s, "at").Type = "timestamp_ns" }, ReasonInvalidSchema, "at", "format version 3"},
		"data path":               {func(s *v1alpha1.IcebergTableSpec) { s.Properties = map[string]string{"write.data.path": "s3://x/y"} }, ReasonPropertyRefused, "write.data.path", "remove it"},
		"copy on write": {func(s *v1alpha1.IcebergTableSpec) {
			s.Properties = map[string]string{"write.delete.mode": "copy-on-write"}
		}, ReasonPropertyRefused, "write.delete.mode", "bring rows back"},
		"storage property": {func(s *v1alpha1.IcebergTableSpec) {
			s.Properties = map[string]string{"s3.endpoint": "http://elsewhere"}
		}, ReasonPropertyRefused, "s3.endpoint", "set in storage"},
		"our own properties": {func(s *v1alpha1.IcebergTableSpec) { s.Properties = map[string]string{"datastack.writer.p": "x"} }, ReasonPropertyRefused, "datastack.writer.p", "writers' own"},
		"unknown codec":      {func(s *v1alpha1.IcebergTableSpec) { s.Write = &v1alpha1.TableWrite{Compression: "Brotli"} }, ReasonPropertyRefused, "write.compression", "use Zstd"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := base()
			tc.change(&spec)
			_, err := EnsureTable(t.Context(), l.Catalog, spec)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, tc.reason, refusal.Reason)
			require.Equal(t, tc.field, refusal.Field)
			require.Contains(t, refusal.Message, tc.want)
			now, err := tbl.Reload(t.Context())
			require.NoError(t, err)
			require.Equal(t, tbl.inner.MetadataLocation(), now.inner.MetadataLocation())
		})
	}
}

func TestEnsureByManyAtOnce(t *testing.T) {
	l := newLake(t)
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Go(func() {
			// Each caller has a connection of its own, as pods have.
			c, s := localSpec()
			cat, err := OpenCatalog(t.Context(), c, s, l.mounts)
			if err != nil {
				errs[i] = err
				return
			}
			defer cat.Close()
			spec := rowsSpec("t")
			if _, errs[i] = EnsureTable(t.Context(), cat, spec); errs[i] != nil {
				return
			}
			spec.Schema.Fields = append(spec.Schema.Fields, fields("extra string")...)
			_, errs[i] = EnsureTable(t.Context(), cat, spec)
		})
	}
	wg.Wait()
	for _, err := range errs {
		// A caller that still declares the first schema sees the second's column as dropped, and is told so.
		var refusal *Refusal
		if err != nil {
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, ReasonDropRefused, refusal.Reason)
		}
	}
	tbl, err := l.LoadTable(t.Context(), rowsSpec("t").Identifier)
	require.NoError(t, err)
	require.Equal(t, []string{"id", "name", "v", "extra"}, fieldNames(tbl.Metadata().CurrentSchema()))
	require.Len(t, filesUnder(t, l.dir, "catalog.db"), 1)
}

func TestParseType(t *testing.T) {
	for in, want := range map[string]string{
		"long": "long", "decimal( 9 , 2 )": "decimal(9, 2)", "fixed[16]": "fixed[16]", "uuid": "uuid",
		"list<struct<a: int, b: map<string, decimal(3,1)>>>": "",
	} {
		typ, err := parseType(in)
		require.NoError(t, err, in)
		if want != "" {
			require.Equal(t, want, typ.String())
		}
	}
	for in, want := range map[string]string{
		"": "not an Iceberg type", "int32": "not an Iceberg type", "list<int": "is not a type", "list<int, int>": "expected list<type>",
		"map<string>": "expected map<type, type>", "struct<a int>": "expected struct<name: type", "struct<a: int, a: long>": "there twice",
		"array<int>": "is not a type", "struct<a: list<int>": "never closed", "decimal(99,2)": "not an Iceberg type", "variant": "format version 3",
		"list<timestamp_ns>": "format version 3",
	} {
		_, err := parseType(in)
		require.ErrorContains(t, err, want, in)
	}
}
