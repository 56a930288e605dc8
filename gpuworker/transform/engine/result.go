package engine

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// result is the answer to a step, read while it arrives.
type result struct {
	ctx  context.Context
	req  Request
	conn net.Conn
	from *bufio.Reader
	data *dataReader
	ipc  *ipc.Reader
	sent chan error
	stop func() bool
	err  error
	refs atomic.Int64
}

// open waits for the head of the answer.
func (r *result) open() error {
	kind, size, err := readHead(r.from)
	switch {
	case err != nil:
		return err
	case kind == frameFailure:
		return readFailure(r.from, size)
	case kind != frameHeader:
		return unexpected(kind)
	}
	var head struct {
		Engine  string `json:"engine"`
		Version string `json:"version"`
	}
	if err := readInto(r.from, size, &head); err != nil {
		return err
	}
	r.data = &dataReader{from: r.from}
	r.ipc, err = ipc.NewReader(r.data)
	return err
}

func (r *result) Next() bool {
	if r.err != nil || r.ipc == nil {
		return false
	}
	if r.ipc.Next() {
		return true
	}
	r.err = r.because(r.ctx, r.finish())
	return false
}

// finish checks that the stream ended because the engine said so.
func (r *result) finish() error {
	if err := r.ipc.Err(); err != nil {
		return err
	}
	if err := r.data.drain(); err != nil {
		return err
	}
	kind, size, err := readHead(r.from)
	switch {
	case err != nil:
		return err
	case kind == frameFailure:
		return readFailure(r.from, size)
	case kind != frameResult:
		return unexpected(kind)
	}
	return nil
}

// because finds the cause behind an error on the connection: the context, the input, or what the engine said.
func (r *result) because(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failure *Failure
	if errors.As(err, &failure) && failure.Kind != "Protocol" {
		return failure.explain(r.req.Step)
	}
	_ = r.conn.Close()
	select {
	case sendErr := <-r.sent:
		r.sent <- sendErr
		var input inputError
		if errors.As(sendErr, &input) {
			return input.error
		}
	case <-time.After(5 * time.Second):
	}
	if failure != nil {
		return failure.explain(r.req.Step)
	}
	return err
}

func (r *result) Schema() *arrow.Schema          { return r.ipc.Schema() }
func (r *result) RecordBatch() arrow.RecordBatch { return r.ipc.RecordBatch() }
func (r *result) Record() arrow.RecordBatch      { return r.ipc.RecordBatch() }
func (r *result) Err() error                     { return r.err }
func (r *result) Retain()                        { r.refs.Add(1) }

func (r *result) Release() {
	if r.refs.Add(-1) == 0 {
		r.close()
	}
}

// close ends the connection and waits until the input is given back.
func (r *result) close() {
	r.stop()
	_ = r.conn.Close()
	if r.ipc != nil {
		r.ipc.Release()
	}
	<-r.sent //nolint:errcheck // closing the connection may have broken it
}
