package cpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func open(t *testing.T, o Options) *Engine {
	t.Helper()
	o.TempDir = t.TempDir()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// answer gives every row as its values joined by '|'.
func answer(t *testing.T, e *Engine, sql string) ([]string, error) {
	t.Helper()
	r, err := e.Query(t.Context(), sql)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	var rows []string
	for r.Next() {
		batch := r.RecordBatch()
		for i := range int(batch.NumRows()) {
			cells := make([]string, batch.NumCols())
			for c := range cells {
				cells[c] = strings.Clone(batch.Column(c).ValueStr(i)) // a batch's memory goes with it
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	return rows, r.Err()
}

func TestQueryTypes(t *testing.T) {
	e := open(t, Options{})
	rows, err := answer(t, e, `SELECT 1::INT, 2.50::DECIMAL(9,2), 'x', NULL::DATE, DATE '2013-01-31', TIMESTAMP '2013-01-31 05:15:00.000001', [1, 2], {'a': 1}, true`)
	if err != nil {
		t.Fatal(err)
	}
	want := `1|2.5|x|(null)|2013-01-31|2013-01-31T05:15:00.000001|[1,2]|{"a":1}|true`
	if len(rows) != 1 || rows[0] != want {
		t.Fatalf("got  %q\nwant %q", rows, want)
	}
}

func TestQueryGathersBatchesAndKeepsAllRows(t *testing.T) {
	e := open(t, Options{})
	const n = 1_000_003
	r, err := e.Query(t.Context(), fmt.Sprintf("SELECT i, 'text ' || (i %% 97) AS s, CASE WHEN i %% 5 > 0 THEN i END AS v, [i, i + 1] AS l FROM range(%d) t(i)", n))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var next int64
	batches := 0
	for r.Next() {
		batch := r.RecordBatch()
		batches++
		ids, texts := batch.Column(0).(*array.Int64), batch.Column(1).(*array.String)
		values, lists := batch.Column(2).(*array.Int64), batch.Column(3).(*array.List)
		for i := range int(batch.NumRows()) {
			first, _ := lists.ValueOffsets(i)
			if ids.Value(i) != next || texts.Value(i) != fmt.Sprint("text ", next%97) || values.IsNull(i) != (next%5 == 0) ||
				lists.ListValues().(*array.Int64).Value(int(first)) != next {
				t.Fatalf("row %d: %d, %q, %v, list %v", next, ids.Value(i), texts.Value(i), values.IsNull(i), lists.ValueStr(i))
			}
			next++
		}
	}
	if r.Err() != nil || next != n {
		t.Fatalf("%d rows, error %v; want %d", next, r.Err(), n)
	}
	if limit := n/batchRows + 3; batches > limit {
		t.Fatalf("%d rows came in %d batches; want at most %d", n, batches, limit)
	}
}

// An error in the middle of a stream must not look like its end.
func TestErrors(t *testing.T) {
	e := open(t, Options{})
	if err := e.Exec("CREATE TABLE t AS SELECT i AS number, CASE WHEN i = 400000 THEN 'x' ELSE '1' END AS word FROM range(500000) r(i)"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		sql, column, message string
		kind                 Kind
	}{
		"missing column":           {"SELECT numbr FROM t", "numbr", "numbr", KindMissingColumn},
		"missing qualified column": {"SELECT t.numbr FROM t", "numbr", "numbr", KindMissingColumn},
		"quoted missing column":    {`SELECT "a b" FROM t`, "a b", "a b", KindMissingColumn},
		"syntax":                   {"SELEC 1", "", "syntax error", KindStatement},
		"unknown function":         {"SELECT nofunc(number) FROM t", "", "nofunc", KindStatement},
		"unknown table":            {"SELECT * FROM u", "", "u does not exist", KindStatement},
		"bad value at the end":     {"SELECT word::INT FROM t", "", "Could not convert string 'x' to INT32", KindData},
		"overflow":                 {"SELECT 9223372036854775807 + number FROM t", "", "Overflow", KindData},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := answer(t, e, tc.sql)
			var known *Error
			if !errors.As(err, &known) {
				t.Fatalf("error %v; want an *Error", err)
			}
			if known.Kind != tc.kind || known.Column != tc.column || !strings.Contains(known.Message, tc.message) {
				t.Fatalf("got kind %s, column %q, message %q; want %+v", known.Kind, known.Column, known.Message, tc)
			}
			if strings.Contains(known.Message, "LINE 1") {
				t.Fatalf("the statement is in the message: %q", known.Message)
			}
		})
	}
	if rows, err := answer(t, e, "SELECT count(*) FROM t"); err != nil || rows[0] != "500000" {
		t.Fatalf("the engine does not work on after errors: %v, %v", rows, err)
	}
}

func TestViewReadsArrowOnce(t *testing.T) {
	e := open(t, Options{})
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	var batches []arrow.RecordBatch
	for b := range 10 {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := range 1000 {
			builder.Field(0).(*array.Int64Builder).Append(int64(b*1000 + i))
			builder.Field(1).(*array.StringBuilder).AppendString(fmt.Sprint(i % 3))
		}
		batches = append(batches, builder.NewRecordBatch())
	}
	reader, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.View("odd name", reader); err != nil {
		t.Fatal(err)
	}
	rows, err := answer(t, e, `SELECT s, count(*), sum(id) FROM "odd name" GROUP BY s ORDER BY s`)
	if err != nil {
		t.Fatal(err)
	}
	if want := wantGroups(); fmt.Sprint(rows) != fmt.Sprint(want) {
		t.Fatalf("got %v; want %v", rows, want)
	}
}

// wantGroups is the answer over the view, computed without the engine.
func wantGroups() (rows []string) {
	for k := range 3 {
		count, sum := 0, 0
		for id := range 10000 {
			if id%1000%3 == k {
				count++
				sum += id
			}
		}
		rows = append(rows, fmt.Sprintf("%d|%d|%d", k, count, sum))
	}
	return rows
}

// arrow_scan accepts filters and column lists without applying them, so a view must not be offered any.
func TestViewUnderFiltersAndColumnLists(t *testing.T) {
	for _, noFiles := range []bool{false, true} {
		for sql, want := range map[string]string{
			"SELECT b FROM v WHERE a = 7":                                          "[70]",
			"SELECT c FROM v WHERE b BETWEEN 20 AND 30 ORDER BY a":                 "[c2 c3]",
			"SELECT count(*) FROM v WHERE c IS NOT NULL":                           "[90]",
			"SELECT count(*) FROM v":                                               "[100]",
			"SELECT max(b) FROM v WHERE c IN ('c5', 'c6')":                         "[60]",
			"SELECT x.b FROM (VALUES (3), (4)) k(a) JOIN v x USING (a) ORDER BY 1": "[30 40]",
			"SELECT a FROM v ORDER BY b DESC LIMIT 2":                              "[99 98]",
		} {
			e := open(t, Options{NoFiles: noFiles})
			if err := e.View("v", threeColumns()); err != nil {
				t.Fatal(err)
			}
			if rows, err := answer(t, e, sql); err != nil || fmt.Sprint(rows) != want {
				t.Errorf("%s: got %v, %v; want %s", sql, rows, err, want)
			}
		}
	}
}

// threeColumns has a from 0 to 99, b = 10 a, and c = "c<a>", NULL for every tenth row, in batches of 30.
func threeColumns() array.RecordReader {
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}, {Name: "b", Type: arrow.PrimitiveTypes.Int32},
		{Name: "c", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	var batches []arrow.RecordBatch
	for first := 0; first < 100; first += 30 {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for i := first; i < min(first+30, 100); i++ {
			builder.Field(0).(*array.Int64Builder).Append(int64(i))
			builder.Field(1).(*array.Int32Builder).Append(int32(i * 10))
			if i%10 == 0 {
				builder.Field(2).AppendNull()
			} else {
				builder.Field(2).(*array.StringBuilder).Append(fmt.Sprint("c", i))
			}
		}
		batches = append(batches, builder.NewRecordBatch())
	}
	reader, err := array.NewRecordReader(schema, batches)
	if err != nil {
		panic(err)
	}
	return reader
}

func TestCancelledQueryEnds(t *testing.T) {
	e := open(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begun := time.Now()
	r, err := e.Query(ctx, "SELECT a.i + b.i FROM range(10000000) a(i), range(10000000) b(i) WHERE a.i + b.i < 0")
	if err == nil {
		for r.Next() {
		}
		err = r.Err()
		r.Release()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v; want the context's", err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Fatalf("the query went on for %s", took)
	}
	if rows, err := answer(t, e, "SELECT 1"); err != nil || rows[0] != "1" {
		t.Fatalf("the engine does not work on: %v, %v", rows, err)
	}
}

func TestReleaseBeforeTheEndFreesTheEngine(t *testing.T) {
	e := open(t, Options{})
	r, err := e.Query(t.Context(), "SELECT i FROM range(100000000) t(i)")
	if err != nil {
		t.Fatal(err)
	}
	if !r.Next() {
		t.Fatal(r.Err())
	}
	r.Release()
	if rows, err := answer(t, e, "SELECT 2"); err != nil || rows[0] != "2" {
		t.Fatalf("got %v, %v", rows, err)
	}
}

func TestNoFilesRefusesFiles(t *testing.T) {
	e := open(t, Options{NoFiles: true})
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SELECT * FROM read_csv(" + Literal(secret) + ")",
		"SELECT * FROM " + Literal(secret),
		"SELECT content FROM read_text(" + Literal(secret) + ")",
		"COPY (SELECT 1) TO " + Literal(secret+".out"),
		"ATTACH " + Literal(secret+".db") + " AS d",
		"INSTALL httpfs",
	} {
		rows, err := answer(t, e, sql)
		var known *Error
		if !errors.As(err, &known) || known.Kind != KindStatement {
			t.Errorf("%s: got %v, %v; want a refused statement", sql, rows, err)
		}
	}
	if rows, err := answer(t, e, "SET enable_external_access = true"); err == nil {
		t.Errorf("access to files could be switched on again: %v", rows)
	}
	if rows, err := answer(t, e, "SELECT count(*) FROM range(10)"); err != nil || rows[0] != "10" {
		t.Fatalf("got %v, %v", rows, err)
	}
}

func TestMemoryLimitSpills(t *testing.T) {
	e := open(t, Options{MemoryLimit: 96 << 20, Threads: 1, UnorderedRows: true})
	// 3 million rows of about 60 bytes do not fit in 96 MiB.
	rows, err := answer(t, e, `SELECT count(*), min(d), max(d) FROM (SELECT DISTINCT md5(i::VARCHAR) || i AS d FROM range(3000000) t(i))`)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(rows[0], "3000000|") {
		t.Fatalf("got %v", rows)
	}
}

func TestQuoting(t *testing.T) {
	e := open(t, Options{})
	for _, name := range []string{`plain`, `two words`, `a"b`, `select`, `x'); DROP TABLE t; --`, `é`} {
		rows, err := answer(t, e, "SELECT "+Literal(name)+" AS "+Quote(name))
		if err != nil || rows[0] != name {
			t.Errorf("%q: got %v, %v", name, rows, err)
		}
	}
}
