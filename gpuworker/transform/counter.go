package transform

import (
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
)

// stage is one running step. Steps overlap, so its time is from its start to its last row, upstream work included.
type stage struct {
	name, engine, reason string
	begun                time.Time
	took                 time.Duration
	progress             func(step string, rows int64)
	in, out              *counter
}

// counter counts what passes through a reader.
type counter struct {
	array.RecordReader
	rows, bytes atomic.Int64
	each        func(rows int64)
	end         func()
}

func (c *counter) Next() bool {
	if !c.RecordReader.Next() {
		if c.end != nil {
			c.end()
			c.end = nil
		}
		return false
	}
	batch := c.RecordReader.RecordBatch()
	c.rows.Add(batch.NumRows())
	for _, column := range batch.Columns() {
		c.bytes.Add(int64(column.Data().SizeInBytes())) //nolint:gosec // a batch is far below 2^63 bytes
	}
	if c.each != nil {
		c.each(batch.NumRows())
	}
	return true
}
