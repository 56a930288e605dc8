package cpu

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Batches are gathered from DuckDB's vectors of 2,048 rows up to either of these: each hand-over to a further step, and
// each write, costs the same for a small batch as for a large one.
const (
	batchRows  = 64 << 10
	batchBytes = 16 << 20
)

// resultReader gives a streaming result as Arrow batches.
type resultReader struct {
	refs    atomic.Int64
	ctx     context.Context
	stop    func() bool
	result  duckdb.Result
	options duckdb.ArrowOptions
	schema  *arrow.Schema
	current arrow.RecordBatch
	err     error
	done    bool
}

func newResultReader(ctx context.Context, result duckdb.Result, stop func() bool) (array.RecordReader, error) {
	r := &resultReader{ctx: ctx, stop: stop, result: result, options: duckdb.ResultGetArrowOptions(&result)}
	r.refs.Store(1)
	n := duckdb.ColumnCount(&result)
	types, names := make([]duckdb.LogicalType, n), make([]string, n)
	for i := range n {
		types[i], names[i] = duckdb.ColumnLogicalType(&result, i), duckdb.ColumnName(&result, i)
	}
	defer func() {
		for i := range types {
			duckdb.DestroyLogicalType(&types[i])
		}
	}()
	schema, problem := duckdb.NewArrowSchema(r.options, types, names)
	if err := takeError(problem); err != nil {
		r.Release()
		return nil, fmt.Errorf("the result's columns as Arrow: %w", err)
	}
	r.schema = schema
	return r, nil
}

func (r *resultReader) Next() bool {
	r.drop()
	if r.done || r.err != nil {
		return false
	}
	var parts []arrow.RecordBatch
	defer func() {
		for _, part := range parts {
			part.Release()
		}
	}()
	for rows, bytes := int64(0), int64(0); rows < batchRows && bytes < batchBytes; {
		part, err := r.fetch()
		if err != nil {
			r.err = err
			return false
		}
		if part == nil {
			r.done = true
			break
		}
		parts = append(parts, part)
		rows += part.NumRows()
		bytes += size(part)
	}
	if len(parts) == 0 {
		return false
	}
	r.current, r.err = gather(r.schema, parts)
	return r.err == nil
}

// fetch takes DuckDB's next vector of rows; nil at the end.
func (r *resultReader) fetch() (arrow.RecordBatch, error) {
	chunk := duckdb.FetchChunk(r.result)
	if chunk.Ptr == nil {
		return nil, r.endOfStream()
	}
	defer duckdb.DestroyDataChunk(&chunk)
	batch, problem := duckdb.DataChunkToArrowArray(r.options, r.schema, chunk)
	if err := takeError(problem); err != nil {
		return nil, fmt.Errorf("rows as Arrow: %w", err)
	}
	return batch, nil
}

// endOfStream tells the end of the rows from an error in the middle: DuckDB gives no chunk for both.
func (r *resultReader) endOfStream() error {
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if message := duckdb.ResultError(&r.result); message != "" {
		return newError(duckdb.ResultErrorType(&r.result), message)
	}
	return nil
}

func (r *resultReader) Schema() *arrow.Schema          { return r.schema }
func (r *resultReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *resultReader) Record() arrow.RecordBatch      { return r.current }
func (r *resultReader) Err() error                     { return r.err }
func (r *resultReader) Retain()                        { r.refs.Add(1) }

func (r *resultReader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.drop()
	r.stop()
	duckdb.DestroyArrowOptions(&r.options)
	duckdb.DestroyResult(&r.result)
}

func (r *resultReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func takeError(problem duckdb.ErrorData) error {
	defer duckdb.DestroyErrorData(&problem)
	if problem.Ptr == nil || !duckdb.ErrorDataHasError(problem) {
		return nil
	}
	return newError(duckdb.ErrorDataErrorType(problem), duckdb.ErrorDataMessage(problem))
}
