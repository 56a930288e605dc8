package lakehouse

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
)

var (
	i64    = arrow.PrimitiveTypes.Int64
	str    = arrow.BinaryTypes.String
	utcUS  = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	huge   = &arrow.Decimal128Type{Precision: 38, Scale: 0}
	dec92  = &arrow.Decimal128Type{Precision: 9, Scale: 2}
	dictST = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: str}
)

// oneColumn is a table with the column c, written with one input type and read back.
func TestConversionsThroughATable(t *testing.T) {
	for _, tc := range []struct {
		column string
		in     arrow.DataType
		json   string
		want   []string
		reason string // of the refusal, when there is one
		row    int64
		text   string
	}{
		{"int", arrow.PrimitiveTypes.Int8, `[{"c":-128},{"c":null}]`, []string{"-128", "(null)"}, "", 0, ""},
		{"int", arrow.PrimitiveTypes.Uint16, `[{"c":65535}]`, []string{"65535"}, "", 0, ""},
		{"int", i64, `[{"c":2147483647},{"c":-2147483648}]`, []string{"2147483647", "-2147483648"}, "", 0, ""},
		{"int", i64, `[{"c":1},{"c":2147483648}]`, nil, ReasonValueDoesNotFit, 2, "2147483648 does not fit int32"},
		{"long", arrow.PrimitiveTypes.Uint64, `[{"c":9223372036854775808}]`, nil, ReasonValueDoesNotFit, 1, "9223372036854775808"},
		{"long", huge, `[{"c":"9223372036854775807"},{"c":"-9223372036854775808"}]`, []string{"9223372036854775807", "-9223372036854775808"}, "", 0, ""},
		{"long", huge, `[{"c":"9223372036854775808"}]`, nil, ReasonValueDoesNotFit, 1, "9223372036854775808"},
		{"long", dec92, `[{"c":"1.00"}]`, nil, ReasonTypeMismatch, 0, "cast it in a transformation"},
		{"long", arrow.PrimitiveTypes.Float64, `[{"c":1}]`, nil, ReasonTypeMismatch, 0, `"c" is float64 in the data and long in the table`},
		{"long", str, `[{"c":"1"}]`, nil, ReasonTypeMismatch, 0, "utf8"},
		{"double", arrow.PrimitiveTypes.Float32, `[{"c":1.5}]`, []string{"1.5"}, "", 0, ""},
		{"double", i64, `[{"c":9007199254740992}]`, []string{"9.007199254740992e+15"}, "", 0, ""},
		{"double", i64, `[{"c":0},{"c":0},{"c":9007199254740993}]`, nil, ReasonValueDoesNotFit, 3, "9007199254740993"},
		{"float", arrow.PrimitiveTypes.Int16, `[{"c":-7}]`, []string{"-7"}, "", 0, ""},
		{"float", i64, `[{"c":16777217}]`, nil, ReasonValueDoesNotFit, 1, "16777217"},
		{"float", arrow.PrimitiveTypes.Float64, `[{"c":0.1}]`, nil, ReasonTypeMismatch, 0, "float64"},
		{"decimal(9,2)", arrow.PrimitiveTypes.Int32, `[{"c":9999999}]`, []string{"9999999"}, "", 0, ""},
		{"decimal(9,2)", arrow.PrimitiveTypes.Int32, `[{"c":10000000}]`, nil, ReasonValueDoesNotFit, 1, "10000000"},
		{"decimal(9,2)", &arrow.Decimal128Type{Precision: 12, Scale: 4}, `[{"c":"-1.2300"}]`, []string{"-1.23"}, "", 0, ""},
		{"decimal(9,2)", &arrow.Decimal128Type{Precision: 12, Scale: 4}, `[{"c":"1.2345"}]`, nil, ReasonValueDoesNotFit, 1, "1.2345"},
		{"decimal(38,10)", &arrow.Decimal128Type{Precision: 38, Scale: 10}, `[{"c":"1234567890123456789012345678.0123456789"}]`, []string{"1234567890123456789012345678.0123456789"}, "", 0, ""},
		{"string", arrow.BinaryTypes.LargeString, `[{"c":"ä"},{"c":""},{"c":null}]`, []string{"ä", "", "(null)"}, "", 0, ""},
		{"string", arrow.BinaryTypes.StringView, `[{"c":"a view that is longer than twelve bytes"}]`, []string{"a view that is longer than twelve bytes"}, "", 0, ""},
		{"string", i64, `[{"c":1}]`, nil, ReasonTypeMismatch, 0, "int64"},
		{"binary", arrow.BinaryTypes.LargeBinary, `[{"c":"AAE="}]`, []string{"AAE="}, "", 0, ""},
		{"fixed[2]", arrow.BinaryTypes.Binary, `[{"c":"AAE="},{"c":"AA=="}]`, nil, ReasonValueDoesNotFit, 2, "fixed_size_binary"},
		{"timestamptz", &arrow.TimestampType{Unit: arrow.Nanosecond}, `[{"c":"2013-01-01 05:00:00.123456"}]`, []string{"2013-01-01T05:00:00.123456Z"}, "", 0, ""},
		{"timestamptz", &arrow.TimestampType{Unit: arrow.Nanosecond}, `[{"c":"2013-01-01 05:00:00.123456789"}]`, nil, ReasonValueDoesNotFit, 1, "123456789"},
		{"timestamp", &arrow.TimestampType{Unit: arrow.Second}, `[{"c":"1969-12-31 23:59:59"}]`, []string{"1969-12-31T23:59:59"}, "", 0, ""},
		{"timestamp", utcUS, `[{"c":"2013-01-01 05:00:00Z"}]`, nil, ReasonTypeMismatch, 0, "timestamp"},
		{"date", arrow.FixedWidthTypes.Date64, `[{"c":"1969-12-31"}]`, []string{"1969-12-31"}, "", 0, ""},
		{"date", arrow.FixedWidthTypes.Date64, `[{"c":"2013-01-01"},{"c":371085174374400000}]`, nil, ReasonValueDoesNotFit, 2, "does not fit date32"}, // 2^32 days, which wrap to 1970-01-01
		{"time", arrow.FixedWidthTypes.Time32ms, `[{"c":"05:06:07.008"}]`, []string{"05:06:07.008000"}, "", 0, ""},
		{"boolean", arrow.FixedWidthTypes.Boolean, `[{"c":true},{"c":false},{"c":null}]`, []string{"true", "false", "(null)"}, "", 0, ""},
		{"string", arrow.Null, `[{"c":null},{"c":null}]`, []string{"(null)", "(null)"}, "", 0, ""},
		{"string required", str, `[{"c":"x"},{"c":null}]`, nil, ReasonNullInRequired, 2, "required"},
		{"list<long>", arrow.LargeListOf(arrow.PrimitiveTypes.Int32), `[{"c":[1,2]},{"c":null},{"c":[]},{"c":[3]}]`, []string{"[1,2]", "(null)", "[]", "[3]"}, "", 0, ""},
		{"list<int>", arrow.ListOf(i64), `[{"c":[1]},{"c":[2,4294967296]}]`, nil, ReasonValueDoesNotFit, 2, "4294967296"},
		{"struct<a: long, b: string>", arrow.StructOf(arrow.Field{Name: "b", Type: arrow.BinaryTypes.LargeString, Nullable: true}, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true}),
			`[{"c":{"a":1,"b":"x"}},{"c":null}]`, []string{`{"a":1,"b":"x"}`, "(null)"}, "", 0, ""},
		{"struct<a: long, b: string>", arrow.StructOf(arrow.Field{Name: "a", Type: i64, Nullable: true}), `[{"c":{"a":1}}]`, []string{`{"a":1,"b":null}`}, "", 0, ""},
		{"struct<a: long>", arrow.StructOf(arrow.Field{Name: "z", Type: i64, Nullable: true}), `[{"c":{"z":1}}]`, nil, ReasonTypeMismatch, 0, `no field "z"`},
		{"map<string, long>", arrow.MapOf(arrow.BinaryTypes.LargeString, arrow.PrimitiveTypes.Int32), `[{"c":[{"key":"k","value":7}]},{"c":null}]`, []string{`[{"key":"k","value":7}]`, "(null)"}, "", 0, ""},
	} {
		t.Run(fmt.Sprintf("%s from %s want %s", tc.column, tc.in, tc.reason), func(t *testing.T) {
			l := newLake(t)
			tbl := l.ensure(t, tableSpec("t", "c "+tc.column))
			reader := jsonReader(t, arrowSchema("c", tc.in), tc.json)
			set, _, err := WriteFiles(t.Context(), tbl, reader, WriteOptions{})
			if tc.reason != "" {
				var bad *BadData
				require.ErrorAs(t, err, &bad)
				require.Equal(t, tc.reason, bad.Reason)
				require.Equal(t, tc.row, bad.Row)
				require.Equal(t, "c", bad.Column)
				require.Contains(t, bad.Error(), tc.text)
				require.Empty(t, filesUnder(t, l.dir, ".parquet"), "nothing is left behind")
				return
			}
			require.NoError(t, err)
			commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
			require.Equal(t, tc.want, readRows(t, tbl, ScanRequest{}))
		})
	}
}

func TestDictionaryAndSlicedInput(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, tableSpec("t", "c string", "l list<long>", "s struct<a: long>"))
	schema := arrowSchema("c", dictST, "l", arrow.ListOf(arrow.PrimitiveTypes.Int32), "s", arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true}))
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range 10 {
		require.NoError(t, b.Field(0).AppendValueFromString(fmt.Sprint("v", i%3)))
		if i == 6 {
			b.Field(1).AppendNull()
			b.Field(2).AppendNull()
			continue
		}
		require.NoError(t, b.Field(1).AppendValueFromString(fmt.Sprintf("[%d,%d]", i, i+1)))
		require.NoError(t, b.Field(2).AppendValueFromString(fmt.Sprintf(`{"a":%d}`, i)))
	}
	whole := b.NewRecordBatch()
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{whole.NewSlice(4, 8)})
	require.NoError(t, err)
	set := write(t, tbl, r)
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
	require.Equal(t, []string{`v1|[4,5]|{"a":4}`, `v2|[5,6]|{"a":5}`, `v0|(null)|(null)`, `v1|[7,8]|{"a":7}`}, readRows(t, tbl, ScanRequest{}))
}

func TestColumnsMustFit(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	for name, tc := range map[string]struct {
		schema *arrow.Schema
		json   string
		reason string
		want   string
	}{
		"missing required": {arrowSchema("name", str), `[{"name":"x"}]`, ReasonMissingColumn, `requires column "id"`},
		"unknown":          {arrowSchema("id", i64, "nmae", str), `[{"id":1,"nmae":"x"}]`, ReasonUnknownColumn, "the table has: id, name, v"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := WriteFiles(t.Context(), tbl, jsonReader(t, tc.schema, tc.json), WriteOptions{})
			var bad *BadData
			require.ErrorAs(t, err, &bad)
			require.Equal(t, tc.reason, bad.Reason)
			require.Contains(t, bad.Message, tc.want)
		})
	}
	t.Run("missing optional columns are null", func(t *testing.T) {
		set := write(t, tbl, jsonReader(t, arrowSchema("v", arrow.PrimitiveTypes.Int32, "id", i64), `[{"id":1,"v":2}]`))
		commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
		require.Equal(t, []string{"1|(null)|2"}, readRows(t, tbl, ScanRequest{}))
	})
}

func TestRowNumbersCountOverBatches(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, tableSpec("t", "c int"))
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range 2*writeBatchRows + 10 {
		b.Append(int64(i))
	}
	good := b.NewArray()
	b.AppendValues([]int64{1, 2, 1 << 40}, nil)
	bad := b.NewArray()
	schema := arrowSchema("c", i64)
	r, err := array.NewRecordReader(schema, []arrow.RecordBatch{
		array.NewRecordBatch(schema, []arrow.Array{good}, int64(good.Len())), array.NewRecordBatch(schema, []arrow.Array{bad}, 3)})
	require.NoError(t, err)
	_, _, err = WriteFiles(t.Context(), tbl, r, WriteOptions{})
	var data *BadData
	require.ErrorAs(t, err, &data)
	require.EqualValues(t, 2*writeBatchRows+13, data.Row)
	require.Empty(t, filesUnder(t, l.dir, ".parquet"))
}
