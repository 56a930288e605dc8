package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// Client reaches the engine. Its methods are safe for concurrent use: each request has its own connection.
type Client struct{ socket string }

// Versions are the engines that answer, each with its version.
type Versions map[string]string

// dialTimeout bounds one try to reach the socket; healthTimeout one answer, imports included.
const (
	dialTimeout   = 5 * time.Second
	healthTimeout = 60 * time.Second
)

// Request is one step.
type Request struct {
	// Step is the step's name, for messages.
	Step string
	// Engine is polars or datafusion.
	Engine string
	// Script is the Polars script or the SQL query.
	Script string
	// RowWise streams batch by batch; else the engine spools the input to disk first.
	RowWise bool
	Timeout time.Duration
	// Tables are the further inputs, by name.
	Tables map[string]array.RecordReader
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", c.socket)
	if err != nil {
		return nil, fail.NoEngine("EngineUnavailable", "the engine (Polars, DataFusion) does not answer on %s: %w", c.socket, err)
	}
	return conn, nil
}

// Health asks for the engines' versions.
func (c *Client) Health(ctx context.Context) (Versions, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(healthTimeout))
	if err := writeJSON(conn, frameHeader, map[string]string{"op": "health"}); err != nil {
		return nil, err
	}
	var answer struct {
		Engines Versions `json:"engines"`
	}
	kind, size, err := readHead(conn)
	if err != nil {
		return nil, err
	}
	if kind == frameFailure {
		return nil, readFailure(conn, size)
	}
	return answer.Engines, readInto(conn, size, &answer)
}

func readInto(r io.Reader, size int, value any) error {
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	return json.Unmarshal(data, value)
}

// Run sends a step with its input and returns the result while it arrives. The reader owns the input from then on. A
// cancelled context ends both.
func (c *Client) Run(ctx context.Context, req Request, input array.RecordReader) (array.RecordReader, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		input.Release()
		return nil, err
	}
	r := &result{req: req, conn: conn, from: bufio.NewReaderSize(conn, 1<<20), sent: make(chan error, 1)}
	r.refs.Store(1)
	r.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	go func() {
		err := send(conn, req, input)
		if errors.As(err, &inputError{}) {
			_ = conn.Close() // the engine would wait for the rest; after other errors its failure frame is still to be read
		}
		r.sent <- err
	}()
	if err := r.open(); err != nil {
		err = r.because(ctx, err)
		r.close()
		return nil, err
	}
	r.ctx = ctx
	return r, nil
}

// send writes the header, the tables and the input. It releases what it has read.
func send(conn net.Conn, req Request, input array.RecordReader) error {
	defer input.Release()
	names := make([]string, 0, len(req.Tables))
	for name := range req.Tables {
		names = append(names, name)
	}
	defer func() {
		for _, name := range names {
			req.Tables[name].Release()
		}
	}()
	w := bufio.NewWriterSize(conn, 1<<20)
	header := map[string]any{"op": "run", "engine": req.Engine, "script": req.Script, "rowWise": req.RowWise, "tables": names}
	if req.Timeout > 0 {
		header["timeoutSeconds"] = max(1, int64(req.Timeout.Seconds()))
	}
	if err := writeJSON(w, frameHeader, header); err != nil {
		return err
	}
	for _, name := range names {
		if err := sendStream(w, req.Tables[name]); err != nil {
			return err
		}
	}
	if err := sendStream(w, input); err != nil {
		return err
	}
	return w.Flush()
}

// inputError is an error of the reader that feeds a step: it is the cause, and what the engine says of the cut stream is not.
type inputError struct{ error }

func (e inputError) Unwrap() error { return e.error }

func sendStream(to *bufio.Writer, reader array.RecordReader) error {
	data := &dataWriter{to: to}
	w := ipc.NewWriter(data, ipc.WithSchema(reader.Schema()))
	for reader.Next() {
		if err := w.Write(reader.RecordBatch()); err != nil {
			return err
		}
		// The engine works on a batch while the next one is made.
		if err := errors.Join(data.flush(), to.Flush()); err != nil {
			return err
		}
	}
	if err := reader.Err(); err != nil {
		return inputError{err}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return data.end()
}

func unexpected(kind byte) error {
	return fmt.Errorf("the engine sent a frame of type %q where its answer should begin", kind)
}
