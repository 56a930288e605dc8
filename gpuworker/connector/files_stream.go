package connector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// filesStream reads files one after the other.
type filesStream struct {
	refs    atomic.Int64
	ctx     context.Context
	source  *filesSource
	pinned  fileSchema
	splits  []fileSplit
	db      *cpu.Engine
	schema  *arrow.Schema
	file    localFile
	done    func()
	rows    array.RecordReader // of the file; nil between files
	line    int64              // rows of the file so far, rejected ones too
	batch   arrow.RecordBatch
	stats   Stats
	rejects rejectLog
	err     error
}

// start opens the engine and finds the Arrow types of the pinned columns.
func (s *filesStream) start() (err error) {
	s.refs.Store(1)
	if s.db, err = s.source.engine(); err != nil {
		return err
	}
	if len(s.pinned.Columns) == 0 {
		s.schema = arrow.NewSchema(nil, nil) // a plan without files
		return nil
	}
	columns := make([]string, len(s.pinned.Columns))
	for i, c := range s.pinned.Columns {
		columns[i] = fmt.Sprintf("NULL::%s AS %s", c.Type, cpu.Quote(c.Name))
	}
	rows, err := s.db.Query(s.ctx, "SELECT "+strings.Join(columns, ", ")+" LIMIT 0")
	if err != nil {
		s.db.Close()
		return err
	}
	s.schema = rows.Schema()
	rows.Release()
	return nil
}

func (s *filesStream) Next() bool {
	s.drop()
	for s.err == nil {
		if s.rows == nil {
			if len(s.splits) == 0 {
				s.err = s.rejects.close()
				s.stats.RejectsFile = s.rejects.path
				return false
			}
			s.err = s.openNext()
			continue
		}
		if !s.rows.Next() {
			s.err = s.endFile()
			continue
		}
		s.batch, s.err = s.take(s.rows.RecordBatch())
		if s.batch != nil {
			s.stats.Rows += s.batch.NumRows()
			return true
		}
	}
	s.closeFile()
	_ = s.rejects.close() // the error that ended the stream is the one to tell
	s.stats.RejectsFile = s.rejects.path
	return false
}

func (s *filesStream) openNext() (err error) {
	split := s.splits[0]
	s.splits, s.line = s.splits[1:], 0
	if s.file, s.done, err = s.source.fetch(s.ctx, split); err != nil {
		return err
	}
	sql, err := s.source.format.query(s.ctx, s.db, s.file, &s.pinned, s.rejects.limit())
	if err == nil {
		s.rows, err = s.db.Query(s.ctx, sql)
	}
	if err != nil {
		return readError(s.file, err)
	}
	return nil
}

// take gives the good rows of a batch under the pinned schema, or nil when there are none.
func (s *filesStream) take(in arrow.RecordBatch) (arrow.RecordBatch, error) {
	n := s.schema.NumFields()
	start := s.line
	s.line += in.NumRows()
	columns, misfits := s.integers(in, n)
	good := array.NewRecordBatch(s.schema, columns, in.NumRows())
	for i, column := range columns {
		if column != in.Column(i) {
			column.Release() // the batch holds it
		}
	}
	if misfits == nil && (int(in.NumCols()) == n || in.Column(n).NullN() == in.Column(n).Len()) {
		return good, nil
	}
	defer good.Release()
	keep := s.rejects.collect(in, n, misfits, start, s.pinned.Columns)
	defer keep.Release()
	kept, err := compute.FilterRecordBatch(s.ctx, good, keep, compute.DefaultFilterOptions())
	if err != nil || kept.NumRows() > 0 {
		return kept, err
	}
	kept.Release()
	return nil, nil
}

// endFile settles the rejects of a file that was read to its end, and checks that it was not changed meanwhile.
func (s *filesStream) endFile() error {
	err := s.rows.Err()
	s.rows.Release()
	s.rows = nil
	defer s.closeFile()
	if err != nil {
		return readError(s.file, err)
	}
	left, firstLine, err := s.source.format.rejected(s.ctx, s.db)
	if err != nil {
		return readError(s.file, err)
	}
	if here, ok := s.source.store.(local); ok {
		if _, err := here.open(s.file.Key, s.file.Version); err != nil {
			return gone(s.file.uri, err)
		}
	}
	s.stats.Bytes += s.file.Size
	s.stats.Rejected, err = s.rejects.settle(s.file.uri, firstLine, left)
	return err
}

func (s *filesStream) closeFile() {
	if s.rows != nil {
		s.rows.Release()
		s.rows = nil
	}
	if s.done != nil {
		s.done()
		s.done = nil
	}
}

func (s *filesStream) drop() {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
}

func (s *filesStream) Schema() *arrow.Schema          { return s.schema }
func (s *filesStream) RecordBatch() arrow.RecordBatch { return s.batch }
func (s *filesStream) Record() arrow.RecordBatch      { return s.batch }
func (s *filesStream) Err() error                     { return s.err }
func (s *filesStream) Stats() Stats                   { return s.stats }
func (s *filesStream) Retain()                        { s.refs.Add(1) }

func (s *filesStream) Release() {
	if s.refs.Add(-1) == 0 {
		s.drop()
		s.closeFile()
		_ = s.rejects.close()
		s.db.Close()
	}
}

// readError says which file it was, and that its content is the fault when it is.
func readError(f localFile, err error) error {
	var known *fail.Error
	var duck *cpu.Error
	if errors.As(err, &known) || !errors.As(err, &duck) {
		return err
	}
	message := strings.ReplaceAll(duck.Message, f.path, f.uri)
	if !strings.Contains(message, f.uri) {
		message = "file " + f.uri + ": " + message
	}
	if duck.Kind == cpu.KindResources {
		return errors.New(message)
	}
	return fail.Data("BadFile", "%s", message)
}
