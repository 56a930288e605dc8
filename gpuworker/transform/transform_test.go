package transform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

var testEnv *Env

func TestMain(m *testing.M) {
	scratch, err := os.MkdirTemp("", "datastack-transform-")
	if err != nil {
		panic(err)
	}
	process, err := engine.Start(context.Background(), "../../.venv/engine/bin/python", scratch, 1<<30)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	versions, err := process.Health(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testEnv = &Env{Scratch: scratch, Budget: cpu.NewBudget(2 << 30), Engine: process.Client, Versions: versions, Open: openSecond}
	code := m.Run()
	process.Stop()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

var inputSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "k", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "v", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

// input gives n rows in batches of three: id from 0, k of a, b, NULL in turn, v = id / 2.
func input(n int) array.RecordReader {
	var batches []arrow.RecordBatch
	for first := 0; first < n; first += 3 {
		b := array.NewRecordBuilder(memory.DefaultAllocator, inputSchema)
		for id := first; id < min(first+3, n); id++ {
			b.Field(0).(*array.Int64Builder).Append(int64(id))
			if k := id % 3; k == 2 {
				b.Field(1).AppendNull()
			} else {
				b.Field(1).(*array.StringBuilder).Append(string(rune('a' + k)))
			}
			b.Field(2).(*array.Float64Builder).Append(float64(id) / 2)
		}
		batches = append(batches, b.NewRecordBatch())
	}
	reader, err := array.NewRecordReader(inputSchema, batches)
	if err != nil {
		panic(err)
	}
	return reader
}

// openSecond gives the table (k, name) that the glob of a files source stands for in these tests.
func openSecond(_ context.Context, _ string, source v1alpha1.PipelineSource) (array.RecordReader, error) {
	rows := map[string][][2]string{"good": {{"a", "Anna"}, {"b", "Bert"}}, "twice": {{"a", "Anna"}, {"a", "Axel"}}, "none": {}}
	schema := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.BinaryTypes.String}, {Name: "name", Type: arrow.BinaryTypes.String}}, nil)
	found, ok := rows[source.Files.Glob]
	if !ok {
		return nil, fail.NoInput("MissingInput", "no file matches %s", source.Files.Glob)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, r := range found {
		b.Field(0).(*array.StringBuilder).Append(r[0])
		b.Field(1).(*array.StringBuilder).Append(r[1])
	}
	return array.NewRecordReader(schema, []arrow.RecordBatch{b.NewRecordBatch()})
}

func files(glob string) v1alpha1.PipelineSource {
	return v1alpha1.PipelineSource{Type: "files", Files: &v1alpha1.FilesSource{Glob: glob}}
}

func filter(expression string) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "f", Type: "filter", Filter: &v1alpha1.FilterStep{Expression: expression}}
}

func aggregate(by []string, name, expression string) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "a", Type: "aggregate", Aggregate: &v1alpha1.AggregateStep{GroupBy: by, Measures: []v1alpha1.Measure{{Name: name, Expression: expression}}}}
}

func enrich(glob string, join v1alpha1.JoinType, take ...v1alpha1.TakeColumn) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "e", Type: "enrich", Enrich: &v1alpha1.EnrichStep{Source: files(glob), Using: []string{"k"}, Take: take, Join: join}}
}

func dataFusion(query string, rowWise bool, tables ...v1alpha1.NamedSource) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "d", Type: "datafusion", DataFusion: &v1alpha1.DataFusionStep{Query: query, RowWise: &rowWise, Tables: tables}}
}

func polars(script string, rowWise bool, tables ...v1alpha1.NamedSource) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "p", Type: "polars", Polars: &v1alpha1.PolarsStep{Script: script, RowWise: &rowWise, Tables: tables}}
}

// rowsOf reads a chain to its end: each row as text, sorted.
func rowsOf(c *Chain) ([]string, error) {
	var rows []string
	for c.Rows.Next() {
		batch := c.Rows.RecordBatch()
		for i := range int(batch.NumRows()) {
			cells := make([]string, batch.NumCols())
			for j, column := range batch.Columns() {
				cells[j] = strings.Clone(column.ValueStr(i)) // the value dies with the batch
			}
			rows = append(rows, strings.Join(cells, ","))
		}
	}
	slices.Sort(rows)
	return rows, c.Rows.Err()
}

func noProgress(string, int64) {}

func TestSteps(t *testing.T) {
	second := v1alpha1.NamedSource{Name: "people", Source: files("good")}
	for name, tc := range map[string]struct {
		n     int
		chain []v1alpha1.Transformation
		want  []string
	}{
		"no step":                      {2, nil, []string{"0,a,0", "1,b,0.5"}},
		"filter drops false and NULL":  {6, []v1alpha1.Transformation{filter("k = 'a'")}, []string{"0,a,0", "3,a,1.5"}},
		"filter with a line comment":   {3, []v1alpha1.Transformation{filter("id = 1 -- the second")}, []string{"1,b,0.5"}},
		"aggregate by key, NULL too":   {6, []v1alpha1.Transformation{aggregate([]string{"k"}, "n", "count(*)")}, []string{"(null),2", "a,2", "b,2"}},
		"aggregate of all":             {7, []v1alpha1.Transformation{aggregate(nil, "n", "max(id)")}, []string{"6"}},
		"aggregate of nothing":         {0, []v1alpha1.Transformation{aggregate(nil, "n", "count(*)")}, []string{"0"}},
		"enrich left":                  {3, []v1alpha1.Transformation{enrich("good", "")}, []string{"0,a,0,Anna", "1,b,0.5,Bert", "2,(null),1,(null)"}},
		"enrich inner, renamed":        {3, []v1alpha1.Transformation{enrich("good", v1alpha1.JoinInner, v1alpha1.TakeColumn{From: "name", As: "who"})}, []string{"0,a,0,Anna", "1,b,0.5,Bert"}},
		"enrich with an empty table":   {1, []v1alpha1.Transformation{enrich("none", "")}, []string{"0,a,0,(null)"}},
		"datafusion over all":          {6, []v1alpha1.Transformation{dataFusion("SELECT k, sum(id) AS s FROM input GROUP BY k", false)}, []string{"(null),7", "a,3", "b,5"}},
		"datafusion row by row":        {4, []v1alpha1.Transformation{dataFusion("SELECT id * 2 AS d FROM input WHERE id <> 1", true)}, []string{"0", "4", "6"}},
		"datafusion joins itself":      {4, []v1alpha1.Transformation{dataFusion("SELECT a.id FROM input a JOIN input b ON a.id = b.id + 1", false)}, []string{"1", "2", "3"}},
		"datafusion with a table":      {3, []v1alpha1.Transformation{dataFusion("SELECT i.id, p.name FROM input i JOIN people p ON p.k = i.k", false, second)}, []string{"0,Anna", "1,Bert"}},
		"datafusion of nothing":        {0, []v1alpha1.Transformation{dataFusion("SELECT id FROM input", false)}, nil},
		"polars over all":              {6, []v1alpha1.Transformation{polars(`input.group_by("k").agg(pl.col("v").sum())`, false)}, []string{"(null),3.5", "a,1.5", "b,2.5"}},
		"polars row by row":            {4, []v1alpha1.Transformation{polars(`input.filter(pl.col("id") % 2 == 0).select("id")`, true)}, []string{"0", "2"}},
		"polars with a table":          {3, []v1alpha1.Transformation{polars(`input.join(people, on="k").select("id", "name")`, false, second)}, []string{"0,Anna", "1,Bert"}},
		"polars statements and output": {2, []v1alpha1.Transformation{polars("x = 3\noutput = input.select(pl.col('id') + x)", false)}, []string{"3", "4"}},
		"a chain of all engines": {9, []v1alpha1.Transformation{filter("id > 0"), enrich("good", ""), dataFusion("SELECT name, id FROM input", true),
			polars(`input.group_by("name").agg(pl.len().cast(pl.Int64))`, false)}, []string{"(null),3", "Anna,2", "Bert,3"}},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := Run(t.Context(), testEnv, tc.chain, input(tc.n), noProgress)
			if err != nil {
				t.Fatal(err)
			}
			defer chain.Close()
			got, err := rowsOf(chain)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q; want %q", got, tc.want)
			}
			rows := int64(tc.n)
			for i, receipt := range chain.Receipts() {
				if receipt.Step != tc.chain[i].Name || receipt.RowsIn != rows || !strings.Contains(receipt.Engine, " ") {
					t.Errorf("receipt %+v; want step %s with %d rows in", receipt, tc.chain[i].Name, rows)
				}
				rows = receipt.RowsOut
			}
			if rows != int64(len(tc.want)) {
				t.Errorf("the last receipt says %d rows; there are %d", rows, len(tc.want))
			}
		})
	}
}

// TestLargeBatches sends a batch that is larger than one piece of the protocol, both ways.
func TestLargeBatches(t *testing.T) {
	const rows = 1 << 20
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil))
	for id := range int64(rows) {
		b.Field(0).(*array.Int64Builder).Append(id)
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("text number %d", id))
	}
	batch := b.NewRecordBatch()
	for _, step := range []v1alpha1.Transformation{dataFusion("SELECT id, s FROM input", true), dataFusion("SELECT id, s FROM input", false), polars("input", true), polars("input", false)} {
		in, err := array.NewRecordReader(batch.Schema(), []arrow.RecordBatch{batch})
		if err != nil {
			t.Fatal(err)
		}
		chain, err := Run(t.Context(), testEnv, []v1alpha1.Transformation{step, aggregate(nil, "n", "concat(count(*), ' ', sum(id), ' ', sum(length(s)))")}, in, noProgress)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rowsOf(chain)
		if err != nil || len(got) != 1 || got[0] != "1048576 549755289600 18811834" {
			t.Errorf("%s: %q, %v", step.Type, got, err)
		}
		chain.Close()
	}
}

func TestWrongSteps(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		step v1alpha1.Transformation
		code int32
		want []string
	}{
		"filter, unknown column":        {filter("idd > 1"), runspec.ExitNoInput, []string{"step f", "idd", "id, k, v"}},
		"filter, syntax":                {filter("id >"), runspec.ExitUsage, []string{"step f"}},
		"filter, value":                 {filter("k::INT > 1"), runspec.ExitBadData, []string{"step f", "'a'"}},
		"filter, reads a file":          {filter("k IN (SELECT content FROM read_text('" + secret + "'))"), runspec.ExitUsage, []string{"disabled"}},
		"aggregate, unknown column":     {aggregate(nil, "n", "sum(w)"), runspec.ExitNoInput, []string{"w", "id, k, v"}},
		"aggregate, name taken":         {aggregate([]string{"k"}, "k", "count(*)"), runspec.ExitUsage, []string{"measure k"}},
		"enrich, key twice":             {enrich("twice", ""), runspec.ExitBadData, []string{"(k) = (a) more than once"}},
		"enrich, no file":               {enrich("nowhere", ""), runspec.ExitNoInput, []string{"nowhere"}},
		"enrich, unknown taken column":  {enrich("good", "", v1alpha1.TakeColumn{From: "nmae"}), runspec.ExitNoInput, []string{"nmae", "k, name"}},
		"enrich, name taken":            {enrich("good", "", v1alpha1.TakeColumn{From: "name", As: "v"}), runspec.ExitUsage, []string{"column v already"}},
		"datafusion, unknown column":    {dataFusion("SELECT idd FROM input", false), runspec.ExitNoInput, []string{"step d", "idd", "id, k, v"}},
		"datafusion, unknown table":     {dataFusion("SELECT 1 FROM other", false), runspec.ExitUsage, []string{"other", "input"}},
		"datafusion, syntax":            {dataFusion("SELEC 1", false), runspec.ExitUsage, nil},
		"datafusion, no DDL":            {dataFusion("CREATE TABLE x AS SELECT 1", false), runspec.ExitUsage, nil},
		"datafusion, value":             {dataFusion("SELECT CAST(k AS INT) FROM input", true), runspec.ExitBadData, nil},
		"datafusion, table not there":   {dataFusion("SELECT 1 FROM input", false, v1alpha1.NamedSource{Name: "x", Source: files("nowhere")}), runspec.ExitNoInput, []string{"nowhere"}},
		"polars, unknown column":        {polars(`input.select("idd")`, false), runspec.ExitNoInput, []string{"step p", "idd", "id, k, v"}},
		"polars, no frame":              {polars(`1 + 1`, false), runspec.ExitUsage, []string{"LazyFrame"}},
		"polars, syntax":                {polars(`input.select(`, false), runspec.ExitUsage, []string{"line 1"}},
		"polars, exception":             {polars("x = 1\ninput.select(pl.col('k').cast(pl.Int64))", false), runspec.ExitBadData, nil},
		"polars, ends its own process":  {polars("import os\nos._exit(3)", false), runspec.ExitRetryable, []string{"killed"}},
		"datafusion row-wise, bad name": {dataFusion("SELECT nope FROM input", true), runspec.ExitNoInput, []string{"nope"}},
	} {
		t.Run(name, func(t *testing.T) {
			chain, err := Run(t.Context(), testEnv, []v1alpha1.Transformation{tc.step}, input(4), noProgress)
			if err == nil {
				defer chain.Close()
				_, err = rowsOf(chain)
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if code := fail.Code(err); code != tc.code {
				t.Errorf("exit code %d; want %d: %v", code, tc.code, err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hidden") {
				t.Error("a file's content is in the error")
			}
		})
	}
}

// failing is a reader that breaks after its first batch.
type failing struct {
	array.RecordReader
	err error
	n   int
}

func (f *failing) Next() bool {
	f.n++
	return f.n == 1 && f.RecordReader.Next()
}

func (f *failing) Err() error {
	if f.n > 1 {
		return f.err
	}
	return nil
}

func TestAFailingInputIsTheCause(t *testing.T) {
	cause := errors.New("the disk is on fire")
	for _, step := range []v1alpha1.Transformation{filter("true"), aggregate(nil, "n", "count(*)"), dataFusion("SELECT id FROM input", false),
		dataFusion("SELECT id FROM input", true), polars("input", false), polars("input", true)} {
		chain, err := Run(t.Context(), testEnv, []v1alpha1.Transformation{step}, &failing{RecordReader: input(9), err: cause}, noProgress)
		if err == nil {
			_, err = rowsOf(chain)
		}
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v; want %v", step.Type, err, cause)
		}
		chain.Close()
	}
}

func TestACancelledContextEndsAStep(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	chain, err := Run(ctx, testEnv, []v1alpha1.Transformation{polars("import time\ntime.sleep(60)\ninput", false)}, input(3), noProgress)
	if err == nil {
		_, err = rowsOf(chain)
	}
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 10*time.Second {
		t.Fatalf("after %s: %v", time.Since(begun), err)
	}
	chain.Close()
}

func TestCheckNamesWhatThereIs(t *testing.T) {
	err := Check([]v1alpha1.Transformation{{Name: "s", Type: "neuromorphic"}})
	if fail.Code(err) != runspec.ExitEngineUnavailable || !strings.Contains(err.Error(), "aggregate, datafusion, enrich, filter, polars") {
		t.Fatal(err)
	}
}
