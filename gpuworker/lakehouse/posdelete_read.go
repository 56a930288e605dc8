package lakehouse

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// notYetDeleted leaves out the positions that the data file's delete files already cover.
func notYetDeleted(ctx context.Context, t *Table, task table.FileScanTask, positions []int64) ([]int64, error) {
	if len(positions) == 0 || len(task.DeleteFiles) == 0 {
		return positions, nil
	}
	gone := map[int64]struct{}{}
	for _, del := range task.DeleteFiles {
		if err := readPositionDeletes(ctx, t, del, task.File.FilePath(), gone); err != nil {
			return nil, fmt.Errorf("read the delete file %s: %w", del.FilePath(), err)
		}
	}
	left := make([]int64, 0, len(positions))
	for _, pos := range positions {
		if _, deleted := gone[pos]; !deleted {
			left = append(left, pos)
		}
	}
	return left, nil
}

// readPositionDeletes adds the positions that a delete file holds for one data file.
func readPositionDeletes(ctx context.Context, t *Table, del iceberg.DataFile, target string, into map[int64]struct{}) (err error) {
	fs, err := t.inner.FS(ctx)
	if err != nil {
		return err
	}
	f, err := fs.Open(del.FilePath())
	if err != nil {
		return err
	}
	pf, err := file.NewParquetReader(f, file.WithReadProps(parquet.NewReaderProperties(memory.DefaultAllocator)))
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer func() { err = errors.Join(err, pf.Close()) }()
	reader, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: deleteBatchRows}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	batches, err := reader.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer batches.Release()
	for batches.Next() {
		if err := addPositions(batches.RecordBatch(), target, into); err != nil {
			return err
		}
	}
	return batches.Err()
}

func addPositions(batch arrow.RecordBatch, target string, into map[int64]struct{}) error {
	paths, ok := column(batch, "file_path").(array.StringLike)
	positions, ok2 := column(batch, "pos").(*array.Int64)
	if !ok || !ok2 {
		return fmt.Errorf("expected the columns file_path (string) and pos (long); found %s", batch.Schema())
	}
	for i := range int(batch.NumRows()) {
		if paths.Value(i) == target {
			into[positions.Value(i)] = struct{}{}
		}
	}
	return nil
}

func column(batch arrow.RecordBatch, name string) arrow.Array {
	at := batch.Schema().FieldIndices(name)
	if len(at) != 1 {
		return nil
	}
	return batch.Column(at[0])
}
