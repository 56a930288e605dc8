package lakehouse

import (
	"fmt"
	"testing"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/stretchr/testify/require"
)

// A row group in which nulls and values are equally many is skipped by iceberg-go's own row filter.
func TestScanReturnsRowsBesideNulls(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, tableSpec("t", "v int", "d decimal(9,2)"))
	in := arrowSchema("v", arrow.PrimitiveTypes.Int32, "d", dec92)
	set := write(t, tbl, jsonReader(t, in, `[{"v":7},{"d":"1.00"},{"v":7},{"d":"2.00"}]`))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
	require.Equal(t, []string{"7|(null)", "(null)|1", "7|(null)", "(null)|2"}, readRows(t, tbl, ScanRequest{}))
}

// An empty string in an identity or truncate partition makes iceberg-go write a manifest that engines prune.
func TestEmptyPartitionStringIsRefused(t *testing.T) {
	for transform, refused := range map[string]bool{"identity": true, "truncate[2]": true, "bucket[4]": false} {
		t.Run(transform, func(t *testing.T) {
			l := newLake(t)
			spec := rowsSpec("t")
			spec.PartitionSpec = partitionBy("name", transform)
			tbl := l.ensure(t, spec)
			_, _, err := WriteFiles(t.Context(), tbl, rowsReader(row{1, "a", 1}, row{2, "", 2}), WriteOptions{})
			if !refused {
				require.NoError(t, err)
				return
			}
			var bad *BadData
			require.ErrorAs(t, err, &bad)
			require.Equal(t, ReasonEmptyPartitionString, bad.Reason)
			require.EqualValues(t, 2, bad.Row)
			require.Equal(t, "name", bad.Column)
			require.Empty(t, filesUnder(t, l.dir, ".parquet"))
		})
	}
}

func TestCodecsAndPartitionTransforms(t *testing.T) {
	in := arrowSchema("id", i64, "at", utcUS, "day", arrow.FixedWidthTypes.Date32, "name", str, "amount", dec92, "ok", arrow.FixedWidthTypes.Boolean)
	rows := `[{"id":-7,"at":"1969-12-31 23:59:59.999999Z","day":"1969-12-31","name":"a/b=c","amount":"-1.50","ok":true},
{"id":8,"at":"2013-01-01 05:00:00Z","day":"2013-01-01","name":"50 %","amount":"9999999.99","ok":false},
{"id":9,"at":null,"day":null,"name":null,"amount":null,"ok":null}]`
	want := []string{"-7|1969-12-31T23:59:59.999999Z|1969-12-31|a/b=c|-1.5|true", "8|2013-01-01T05:00:00Z|2013-01-01|50 %|9999999.99|false", "9|(null)|(null)|(null)|(null)|(null)"}
	updated := "8|2013-01-01T05:00:00Z|2014-01-01|50 %|1|true"
	partitions := []string{"", "id identity", "id truncate[10]", "id bucket[4]", "at year", "at month", "at day", "at hour", "day identity", "day month", "name identity", "name truncate[2]", "name bucket[3]", "amount identity", "amount bucket[5]", "ok identity", "name void"}
	codecs := []v1alpha1.ParquetCompression{"Zstd", "Snappy", "LZ4", "None"}
	for i, p := range partitions {
		codec := codecs[i%len(codecs)]
		t.Run(fmt.Sprintf("%s %s", p, codec), func(t *testing.T) {
			l := newLake(t)
			spec := tableSpec("t", "id long required", "at timestamptz", "day date", "name string", "amount decimal(9,2)", "ok boolean")
			spec.Schema.IdentifierFields = []string{"id"}
			spec.Write = &v1alpha1.TableWrite{Compression: codec}
			if p != "" {
				var source, transform string
				_, err := fmt.Sscan(p, &source, &transform)
				require.NoError(t, err)
				spec.PartitionSpec = partitionBy(source, transform)
			}
			tbl := l.ensure(t, spec)
			set := write(t, tbl, jsonReader(t, in, rows))
			commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1"})
			require.ElementsMatch(t, want, readRows(t, tbl, ScanRequest{}))
			// The new row may lie in another partition than the one it replaces.
			set = write(t, tbl, jsonReader(t, in, `[{"id":8,"at":"2013-01-01 05:00:00Z","day":"2014-01-01","name":"50 %","amount":"1.00","ok":true}]`))
			res := commit(t, tbl, CommitRequest{Mode: Upsert, Files: []FileSet{set}, Token: "r2"})
			require.EqualValues(t, 1, res.RowsReplaced)
			require.ElementsMatch(t, []string{want[0], want[2], updated}, readRows(t, tbl, ScanRequest{}))
		})
	}
}

func TestUpsertKeyTypes(t *testing.T) {
	for typ, tc := range map[string]struct {
		in   arrow.DataType
		a, b string
	}{
		"string":        {str, `"a"`, `"ab"`},
		"int":           {arrow.PrimitiveTypes.Int32, `-1`, `1`},
		"date":          {arrow.FixedWidthTypes.Date32, `"1969-12-31"`, `"1970-01-02"`},
		"time":          {arrow.FixedWidthTypes.Time64us, `"01:02:03.000004"`, `"01:02:03.000005"`},
		"timestamptz":   {utcUS, `"1969-12-31 23:59:59Z"`, `"1970-01-01 00:00:01Z"`},
		"decimal(38,2)": {&arrow.Decimal128Type{Precision: 38, Scale: 2}, `"-1.00"`, `"123456789012345678901234567890123456.00"`},
		"binary":        {arrow.BinaryTypes.Binary, `"AAE="`, `"AA=="`},
		"fixed[2]":      {&arrow.FixedSizeBinaryType{ByteWidth: 2}, `"AAE="`, `"AAA="`},
		"boolean":       {arrow.FixedWidthTypes.Boolean, `true`, `false`},
		"uuid":          {&arrow.FixedSizeBinaryType{ByteWidth: 16}, `"AAAAAAAAAAAAAAAAAAAAAA=="`, `"AAAAAAAAAAAAAAAAAAAAAQ=="`},
	} {
		t.Run(typ, func(t *testing.T) {
			l := newLake(t)
			spec := tableSpec("t", "k "+typ+" required", "s string required", "v int")
			spec.Schema.IdentifierFields = []string{"k", "s"}
			tbl := l.ensure(t, spec)
			in := arrowSchema("k", tc.in, "s", str, "v", arrow.PrimitiveTypes.Int32)
			set := write(t, tbl, jsonReader(t, in, fmt.Sprintf(`[{"k":%s,"s":"x","v":1},{"k":%s,"s":"x","v":2},{"k":%s,"s":"y","v":3}]`, tc.a, tc.b, tc.a)))
			commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1"})
			set = write(t, tbl, jsonReader(t, in, fmt.Sprintf(`[{"k":%s,"s":"x","v":10},{"k":%s,"s":"z","v":20}]`, tc.a, tc.b)))
			res := commit(t, tbl, CommitRequest{Mode: Upsert, Files: []FileSet{set}, Token: "r2"})
			require.EqualValues(t, 1, res.RowsReplaced)
			require.ElementsMatch(t, []string{"2", "3", "10", "20"}, readRows(t, tbl, ScanRequest{Columns: []string{"v"}}))
		})
	}
}

func TestSplitsCoverTheTable(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	for i := range 5 {
		_, err := appendRows(t.Context(), tbl, fmt.Sprint(i), row{int64(i), "a", 0}, row{int64(i + 10), "b", 1})
		require.NoError(t, err)
	}
	set := write(t, tbl, rowsReader(row{3, "new", 9}))
	commit(t, tbl, CommitRequest{Mode: Upsert, Files: []FileSet{set}, Token: "u"})
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	plan, err := PlanFiles(t.Context(), now, 0)
	require.NoError(t, err)
	require.Len(t, plan.Splits, 6)
	var rows []string
	for i := range plan.Splits {
		rows = append(rows, readRows(t, tbl, ScanRequest{SnapshotID: plan.SnapshotID, Splits: plan.Splits[i : i+1]})...)
	}
	require.ElementsMatch(t, readRows(t, tbl, ScanRequest{}), rows)
	require.Empty(t, readRows(t, tbl, ScanRequest{Splits: []Split{}}))
}

func TestScanRefusals(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	require.Empty(t, readRows(t, tbl, ScanRequest{}), "an empty table has no rows, and no error")
	for name, tc := range map[string]struct {
		req    ScanRequest
		reason string
	}{
		"column":   {ScanRequest{Columns: []string{"nmae"}}, ReasonMissingColumn},
		"snapshot": {ScanRequest{SnapshotID: 42}, ReasonMissingSnapshot},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Scan(t.Context(), tbl, tc.req)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, tc.reason, refusal.Reason)
		})
	}
	_, _, err := Scan(t.Context(), tbl, ScanRequest{Splits: []Split{{Path: "x", Task: "!"}}})
	require.ErrorContains(t, err, "plan again")
}

func TestScanEndsEarly(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	for i := range 3 {
		_, err := appendRows(t.Context(), tbl, fmt.Sprint(i), row{int64(i), "a", 0})
		require.NoError(t, err)
	}
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	r, stats, err := Scan(t.Context(), now, ScanRequest{})
	require.NoError(t, err)
	require.True(t, r.Next())
	r.Release()
	require.EqualValues(t, 1, stats.Rows())
	require.Equal(t, 3, stats.Files)
}
