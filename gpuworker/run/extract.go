package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
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

// staged reads the rows that shards staged, one shard after the other.
type staged struct {
	ctx     context.Context
	runner  *runner
	keys    []string
	schema  *arrow.Schema
	file    *os.File
	current *ipc.Reader
	err     error
}

// openStaged opens the extracts of all shards; at least one shard has one.
func (r *runner) openStaged(ctx context.Context, outputs []*shardOutput) (*staged, error) {
	s := &staged{ctx: ctx, runner: r}
	for _, out := range outputs {
		if out.Extract != "" {
			s.keys = append(s.keys, out.Extract)
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("no shard left rows in the staging area")
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.schema = s.current.Schema()
	return s, nil
}

func (s *staged) open() error {
	path, err := s.runner.staging.fetch(s.ctx, s.keys[0], s.runner.env.Scratch)
	if err != nil {
		return err
	}
	s.keys = s.keys[1:]
	if s.file, err = os.Open(path); err != nil {
		return err
	}
	_ = os.Remove(path) // read to the end through the handle
	s.current, err = ipc.NewReader(s.file)
	return err
}

func (s *staged) Next() bool {
	for s.err == nil {
		if s.current.Next() {
			return true
		}
		if s.err = s.current.Err(); s.err != nil || len(s.keys) == 0 {
			return false
		}
		s.close()
		if s.err = s.open(); s.err == nil && !s.current.Schema().Equal(s.schema) {
			s.err = fail.Data("SchemaMismatch", "shards disagree about the columns: %v and %v; give the columns a declared type", s.schema, s.current.Schema())
		}
	}
	return false
}

func (s *staged) close() {
	if s.current != nil {
		s.current.Release()
	}
	_ = s.file.Close()
}

func (s *staged) Schema() *arrow.Schema          { return s.schema }
func (s *staged) RecordBatch() arrow.RecordBatch { return s.current.RecordBatch() }
func (s *staged) Record() arrow.RecordBatch      { return s.current.RecordBatch() }
func (s *staged) Err() error                     { return s.err }
func (s *staged) Retain()                        {}
func (s *staged) Release()                       { s.close() }
