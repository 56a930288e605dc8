package transform

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// runEnrich joins the rows with a second table, which is loaded first. A key that it holds twice would multiply rows, so
// that is an error.
func runEnrich(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error) {
	second, err := env.Open(ctx, t.Name, t.Enrich.Source)
	if err != nil {
		in.Release()
		return nil, err
	}
	defer second.Release()
	sql, keys, err := enrichSQL(t, in.Schema(), second.Schema())
	if err != nil {
		in.Release()
		return nil, err
	}
	return query(ctx, env, t.Name, sql, in, func(db *cpu.Engine) error {
		if err := db.View("second_stream", second); err != nil {
			return err
		}
		if err := db.Exec("CREATE TABLE second AS FROM second_stream"); err != nil {
			if cause := second.Err(); cause != nil {
				return cause
			}
			return explain(t.Name, err, second.Schema())
		}
		return uniqueKeys(ctx, db, t.Name, keys)
	})
}

// enrichSQL is the join, and the key columns of the second table.
func enrichSQL(t v1alpha1.Transformation, input, second *arrow.Schema) (sql string, keys []string, err error) {
	e := t.Enrich
	pairs := slices.Clone(e.OnPairs)
	for _, name := range e.Using {
		pairs = append(pairs, v1alpha1.JoinPair{Input: name, Source: name})
	}
	var on []string
	for _, p := range pairs {
		if !input.HasField(p.Input) {
			return "", nil, missing(t.Name, "the input", p.Input, input)
		}
		if !second.HasField(p.Source) {
			return "", nil, missing(t.Name, "the second table", p.Source, second)
		}
		on = append(on, "input."+cpu.Quote(p.Input)+" = second."+cpu.Quote(p.Source))
		keys = append(keys, p.Source)
	}
	take := e.Take
	if len(take) == 0 {
		for _, f := range second.Fields() {
			if !slices.Contains(keys, f.Name) {
				take = append(take, v1alpha1.TakeColumn{From: f.Name})
			}
		}
	}
	columns := []string{"input.*"}
	for _, c := range take {
		as := c.As
		if as == "" {
			as = c.From
		}
		if !second.HasField(c.From) {
			return "", nil, missing(t.Name, "the second table", c.From, second)
		}
		if input.HasField(as) {
			return "", nil, fail.Usage("BadSpec", "step %s: the input has a column %s already; give the taken column another name with `as`", t.Name, as)
		}
		columns = append(columns, "second."+cpu.Quote(c.From)+" AS "+cpu.Quote(as))
	}
	join := " LEFT JOIN "
	if e.Join == v1alpha1.JoinInner {
		join = " JOIN "
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM input" + join + "second ON " + strings.Join(on, " AND "), keys, nil
}

func missing(step, where, column string, schema *arrow.Schema) error {
	return fail.NoInput("MissingColumn", "step %s: %s has no column %s; its columns are: %s", step, where, column, strings.Join(names(schema), ", "))
}

// uniqueKeys refuses a second table that holds a key twice. NULL keys match nothing, so they may repeat.
func uniqueKeys(ctx context.Context, db *cpu.Engine, step string, keys []string) error {
	list := strings.Join(quoteAll(keys), ", ")
	var notNull []string
	for _, key := range quoteAll(keys) {
		notNull = append(notNull, key+" IS NOT NULL")
	}
	rows, err := db.Query(ctx, "SELECT row("+list+")::VARCHAR FROM second WHERE "+strings.Join(notNull, " AND ")+" GROUP BY "+list+" HAVING count(*) > 1 LIMIT 1")
	if err != nil {
		return err
	}
	defer rows.Release()
	if rows.Next() && rows.RecordBatch().NumRows() > 0 {
		return fail.Data("DuplicateKey", "step %s: the second table holds the key (%s) = %s more than once, which would multiply rows; make it unique first",
			step, strings.Join(keys, ", "), rows.RecordBatch().Column(0).ValueStr(0))
	}
	return rows.Err()
}
