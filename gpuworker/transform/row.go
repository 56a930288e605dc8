package transform

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// runFilter keeps the rows for which the expression is true.
func runFilter(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error) {
	return query(ctx, env, t.Name, "SELECT * FROM input WHERE (\n"+t.Filter.Expression+"\n)", in, nil)
}

// runAggregate groups the whole input.
func runAggregate(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error) {
	columns := quoteAll(t.Aggregate.GroupBy)
	for _, m := range t.Aggregate.Measures {
		if slices.Contains(t.Aggregate.GroupBy, m.Name) {
			in.Release()
			return nil, fail.Usage("BadSpec", "step %s: measure %s has the name of a groupBy column; give it another name", t.Name, m.Name)
		}
		columns = append(columns, "(\n"+m.Expression+"\n) AS "+cpu.Quote(m.Name))
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM input"
	if len(t.Aggregate.GroupBy) > 0 {
		sql += " GROUP BY " + strings.Join(quoteAll(t.Aggregate.GroupBy), ", ")
	}
	return query(ctx, env, t.Name, sql, in, nil)
}

// query runs SQL over the view `input`, and further views if given, in an engine of its own that cannot open files: an
// expression must not read what the worker's container holds, credentials above all. It owns the readers.
func query(ctx context.Context, env *Env, step, sql string, in array.RecordReader, prepare func(*cpu.Engine) error) (array.RecordReader, error) {
	db, err := cpu.Open(cpu.Options{MemoryLimit: env.Budget.DuckDB, TempDir: env.Scratch, NoFiles: true})
	if err != nil {
		in.Release()
		return nil, err
	}
	q := &queryReader{db: db, in: in, step: step, columns: in.Schema()}
	q.refs.Store(1)
	if prepare != nil {
		err = prepare(db)
	}
	if err == nil {
		err = db.View("input", in)
	}
	if err == nil {
		q.RecordReader, err = db.Query(ctx, sql)
	}
	if err != nil {
		err = q.explain(err)
		q.close()
		return nil, err
	}
	return q, nil
}

// queryReader is a query's result; it holds the engine until it is released.
type queryReader struct {
	array.RecordReader
	db      *cpu.Engine
	in      array.RecordReader
	step    string
	columns *arrow.Schema
	refs    atomic.Int64
}

func (q *queryReader) Err() error {
	if err := q.RecordReader.Err(); err != nil {
		return q.explain(err)
	}
	return nil
}

func (q *queryReader) Retain() { q.refs.Add(1) }

func (q *queryReader) Release() {
	if q.refs.Add(-1) == 0 {
		q.close()
	}
}

func (q *queryReader) close() {
	if q.RecordReader != nil {
		q.RecordReader.Release()
	}
	q.db.Close()
	q.in.Release()
}

// explain prefers the input's own error: what DuckDB says of a cut stream is not the cause.
func (q *queryReader) explain(err error) error {
	if cause := q.in.Err(); cause != nil {
		return cause
	}
	return explain(q.step, err, q.columns)
}

func explain(step string, err error, columns *arrow.Schema) error {
	var known *cpu.Error
	if !errors.As(err, &known) {
		return err
	}
	switch known.Kind {
	case cpu.KindMissingColumn:
		return fail.NoInput("MissingColumn", "step %s: column not found: %s; the columns are: %s", step, known.Column, strings.Join(names(columns), ", "))
	case cpu.KindStatement:
		return fail.Usage("BadScript", "step %s: %s", step, known.Message)
	case cpu.KindData:
		return fail.Data("BadData", "step %s: %s", step, known.Message)
	}
	return fmt.Errorf("step %s: %w", step, err)
}

func names(schema *arrow.Schema) []string {
	out := make([]string, 0, schema.NumFields())
	for _, f := range schema.Fields() {
		out = append(out, f.Name)
	}
	return out
}

func quoteAll(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = cpu.Quote(name)
	}
	return out
}
