package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// extract stages a shard's rows as an Arrow IPC stream, for the process that runs the steps which need all rows.
func (r *runner) extract(ctx context.Context, shard int, rows array.RecordReader, out *shardOutput) error {
	path := filepath.Join(r.env.Scratch, fmt.Sprintf("extract-%d.arrow", shard))
	defer func() { _ = os.Remove(path) }()
	if err := writeIPC(path, rows); err != nil {
		return err
	}
	key, err := r.staging.upload(ctx, fmt.Sprintf("shard-%d.arrow", shard), path)
	out.Extract = key
	return err
}

func writeIPC(path string, rows array.RecordReader) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := ipc.NewWriter(file, ipc.WithSchema(rows.Schema()), ipc.WithLZ4())
	for rows.Next() {
		if err := w.Write(rows.RecordBatch()); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(rows.Err(), w.Close(), file.Close())
}
