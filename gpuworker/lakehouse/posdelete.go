package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// deleteBatchRows bounds a batch of a position delete file.
const deleteBatchRows = 65536

// writePositionDeletes writes one delete file for one data file: positions are sorted and unique, as the specification
// asks, and the file names the data file, so that planning reads it for that file only.
func writePositionDeletes(ctx context.Context, t *Table, target iceberg.DataFile, positions []int64) (iceberg.DataFile, error) {
	fs, err := t.inner.FS(ctx)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("%s/data/%s-deletes.parquet", strings.TrimSuffix(t.Location(), "/"), uuid.NewString())
	out, err := fs.(iceio.WriteFileIO).Create(path)
	if err != nil {
		return nil, fmt.Errorf("create the delete file %s: %w", path, err)
	}
	counted := &countingWriter{FileWriter: out}
	if err := encodePositionDeletes(counted, target.FilePath(), positions); err != nil {
		return nil, fmt.Errorf("write the delete file %s: %w", path, err)
	}
	return describePositionDeletes(t.Metadata(), target, path, counted.n, int64(len(positions)))
}

type countingWriter struct {
	iceio.FileWriter
	n int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.FileWriter.Write(p)
	w.n += int64(n)
	return n, err
}

func encodePositionDeletes(out *countingWriter, target string, positions []int64) error {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithStats(true))
	// The Parquet writer closes what it writes to.
	w, err := pqarrow.NewFileWriter(table.PositionalDeleteArrowSchema, out, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return errors.Join(err, out.Close())
	}
	for from := 0; from < len(positions); from += deleteBatchRows {
		part := positions[from:min(from+deleteBatchRows, len(positions))]
		batch := positionDeleteBatch(target, part)
		err := w.WriteBuffered(batch)
		batch.Release()
		if err != nil {
			return errors.Join(err, w.Close())
		}
	}
	return w.Close()
}

func positionDeleteBatch(target string, positions []int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, table.PositionalDeleteArrowSchema)
	defer b.Release()
	paths := b.Field(0).(*array.StringBuilder)
	for range positions {
		paths.Append(target)
	}
	b.Field(1).(*array.Int64Builder).AppendValues(positions, nil)
	return b.NewRecordBatch()
}

func describePositionDeletes(meta table.Metadata, target iceberg.DataFile, path string, size, rows int64) (iceberg.DataFile, error) {
	spec := meta.PartitionSpecByID(int(target.SpecID()))
	if spec == nil {
		return nil, fmt.Errorf("%s belongs to partition spec %d, which the table does not have", target.FilePath(), target.SpecID())
	}
	b, err := iceberg.NewDataFileBuilder(*spec, iceberg.EntryContentPosDeletes, path, iceberg.ParquetFile,
		target.Partition(), partitionLogicalTypes(meta, *spec), nil, rows, size)
	if err != nil {
		return nil, fmt.Errorf("describe the delete file %s: %w", path, err)
	}
	// Equal bounds on file_path are how readers that ignore the referenced file recognise a delete file of one data file.
	pathField := iceberg.PositionalDeleteSchema.Fields()[0].ID
	bound := map[int][]byte{pathField: []byte(target.FilePath())}
	return b.ReferencedDataFile(target.FilePath()).LowerBoundValues(bound).UpperBoundValues(bound).Build(), nil
}

// partitionLogicalTypes says which partition values are not plain numbers or strings in a manifest.
func partitionLogicalTypes(meta table.Metadata, spec iceberg.PartitionSpec) map[int]string {
	out := map[int]string{}
	for _, f := range spec.Fields() {
		source, ok := findField(meta, f.SourceID())
		if !ok {
			continue
		}
		switch f.Transform.ResultType(source.Type).(type) {
		case iceberg.DateType:
			out[f.FieldID] = "date"
		case iceberg.TimeType:
			out[f.FieldID] = "time-micros"
		case iceberg.TimestampType, iceberg.TimestampTzType:
			out[f.FieldID] = "timestamp-micros"
		case iceberg.DecimalType:
			out[f.FieldID] = "decimal"
		case iceberg.UUIDType:
			out[f.FieldID] = "uuid"
		}
	}
	return out
}

// findField looks through all schemas: the source of an old partition field may have been dropped since.
func findField(meta table.Metadata, id int) (iceberg.NestedField, bool) {
	if f, ok := meta.CurrentSchema().FindFieldByID(id); ok {
		return f, true
	}
	for _, s := range meta.Schemas() {
		if f, ok := s.FindFieldByID(id); ok {
			return f, true
		}
	}
	return iceberg.NestedField{}, false
}
