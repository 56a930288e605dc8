package run

import (
	"context"
	"errors"
	"os"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// staged reads the rows that shards staged, one shard after the other.
type staged struct {
	ctx     context.Context
	runner  *runner
	keys    []string
	schema  *arrow.Schema
	file    *os.File
	current *ipc.Reader
	err     error
	refs    atomic.Int64
}

// openStaged opens the extracts of all shards; at least one shard has one.
func (r *runner) openStaged(ctx context.Context, outputs []*shardOutput) (*staged, error) {
	s := &staged{ctx: ctx, runner: r}
	s.refs.Store(1)
	for _, out := range outputs {
		if out.Extract != "" {
			s.keys = append(s.keys, out.Extract)
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("no shard left rows in the staging area")
	}
	if err := s.open(); err != nil {
		s.close()
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
		s.current = nil
	}
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

func (s *staged) Schema() *arrow.Schema          { return s.schema }
func (s *staged) RecordBatch() arrow.RecordBatch { return s.current.RecordBatch() }
func (s *staged) Record() arrow.RecordBatch      { return s.current.RecordBatch() }
func (s *staged) Err() error                     { return s.err }
func (s *staged) Retain()                        { s.refs.Add(1) }

func (s *staged) Release() {
	if s.refs.Add(-1) == 0 {
		s.close()
	}
}
