package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// Defaults of a write, measured: a deeper queue or larger row groups cost gigabytes and win a few percent.
const (
	writeQueueBatches = 2
	writeRowGroupRows = 131072
	writeWorkers      = 2
	// writeBatchRows bounds a batch inside the writer: a huge input batch is cut into slices.
	writeBatchRows = 65536
)

// WriteOptions tune one write.
type WriteOptions struct {
	// TargetFileSize is the size, in bytes, after which a data file is closed. 0 takes the table's.
	TargetFileSize int64
}

// WriteReceipt says what a write did.
type WriteReceipt struct {
	Rows     int64         `json:"rows"`
	Files    int           `json:"files"`
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration"`
	// DataHash is as DataHash computes it.
	DataHash string `json:"dataHash"`
}

// WriteFiles streams the reader into Parquet data files of the table and commits nothing. Columns go by name, with exact
// conversions only. Input that does not fit is a *BadData that names row and column. On any error the files written so
// far are removed.
func WriteFiles(ctx context.Context, t *Table, reader array.RecordReader, opts WriteOptions) (FileSet, WriteReceipt, error) {
	start := time.Now()
	conform, err := newConformer(reader.Schema(), t.Metadata())
	if err != nil {
		return FileSet{}, WriteReceipt{}, err
	}
	log := newFileLog()
	files, err := writeFiles(ctx, log.over(t.inner, t.catalog.inner), conform, reader, opts)
	if err == nil {
		var set FileSet
		if set, err = newFileSet(t.Metadata(), t.Metadata().PartitionSpec(), files, log); err == nil && set.Rows != conform.rows {
			err = fmt.Errorf("the data files hold %d rows and %d were written; this is a defect of the writer", set.Rows, conform.rows)
		}
		if err == nil {
			return set, WriteReceipt{Rows: set.Rows, Files: len(files), Bytes: set.Bytes(), Duration: time.Since(start), DataHash: DataHash(set)}, nil
		}
	}
	return FileSet{}, WriteReceipt{}, errors.Join(err, t.removeFiles(ctx, log.paths()))
}

func writeFiles(ctx context.Context, t *table.Table, conform *conformer, reader array.RecordReader, opts WriteOptions) ([]iceberg.DataFile, error) {
	// The reader is driven from a goroutine of the writer: an error or the caller's cancellation must end it.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	options := []table.WriteRecordOption{
		table.WithRecordBatchBufferSize(writeQueueBatches),
		table.WithParquetRowGroupLimit(writeRowGroupRows),
		table.WithMaxWriteWorkers(writeWorkers),
		table.WithTargetFileSize(opts.TargetFileSize),
	}
	var files []iceberg.DataFile
	for df, err := range table.WriteRecords(ctx, t, conform.out, conformed(ctx, conform, reader, cancel), options...) {
		if err != nil {
			cancel(err)
			// The first cause, with its row and column, not what the writer made of it.
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, err
		}
		files = append(files, df)
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	return files, nil
}

// conformed yields batches that the writer owns and releases.
func conformed(ctx context.Context, c *conformer, reader array.RecordReader, fail context.CancelCauseFunc) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for reader.Next() {
			in := reader.RecordBatch()
			for from := int64(0); from < in.NumRows(); from += writeBatchRows {
				part := in.NewSlice(from, min(from+writeBatchRows, in.NumRows()))
				out, err := c.batch(part)
				part.Release()
				if err == nil && ctx.Err() != nil {
					out.Release()
					err = context.Cause(ctx)
				}
				if err != nil {
					fail(err)
					yield(nil, err)
					return
				}
				if !yield(out, nil) {
					return
				}
			}
		}
		if err := reader.Err(); err != nil {
			fail(err)
			yield(nil, err)
		}
	}
}

// removeTimeout bounds the cleaning up after a failure, which goes on when the run itself was cancelled.
const removeTimeout = 30 * time.Second

// removeFiles removes files that nothing refers to. A file that is not there is no error.
func (t *Table) removeFiles(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	fs, err := t.inner.FS(ctx)
	if err != nil {
		return fmt.Errorf("remove %d unused files: %w", len(paths), err)
	}
	var errs []error
	for _, path := range paths {
		if err := removeFile(fs, path); err != nil {
			errs = append(errs, fmt.Errorf("remove the unused file %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

func removeFile(fs iceio.IO, path string) error {
	if err := fs.Remove(path); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

// Discard removes the data files of sets that will not be committed. It refuses while the table refers to one of them. Call
// it only after a definite failure, and only when no other process can still commit the same sets.
func Discard(ctx context.Context, t *Table, sets ...FileSet) error {
	now, err := t.Reload(ctx)
	if err != nil {
		return err
	}
	paths := map[string]bool{}
	for _, s := range sets {
		for _, f := range s.Written {
			paths[f.Path] = true
		}
	}
	live, err := now.liveFiles(ctx)
	if err != nil {
		return err
	}
	for _, df := range live.data {
		if paths[df.FilePath()] {
			return fmt.Errorf("%s is part of table %s: its commit succeeded after all, so nothing was removed", df.FilePath(), t.Name())
		}
	}
	var list []string
	for path := range paths {
		list = append(list, path)
	}
	return t.removeFiles(ctx, list)
}
