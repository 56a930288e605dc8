package cpu

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// gather makes one batch of several. The caller keeps its references to the parts.
func gather(schema *arrow.Schema, parts []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(parts) == 1 {
		parts[0].Retain()
		return parts[0], nil
	}
	columns := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, column := range columns {
			if column != nil {
				column.Release()
			}
		}
	}()
	var rows int64
	for _, part := range parts {
		rows += part.NumRows()
	}
	pieces := make([]arrow.Array, len(parts))
	for i := range columns {
		for j, part := range parts {
			pieces[j] = part.Column(i)
		}
		var err error
		if columns[i], err = array.Concatenate(pieces, memory.DefaultAllocator); err != nil {
			return nil, fmt.Errorf("gather column %s: %w", schema.Field(i).Name, err)
		}
	}
	return array.NewRecordBatch(schema, columns, rows), nil
}

func size(batch arrow.RecordBatch) (n int64) {
	for _, column := range batch.Columns() {
		n += int64(column.Data().SizeInBytes()) //nolint:gosec // a batch is far below 2^63 bytes
	}
	return n
}
