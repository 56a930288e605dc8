package engine

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Frames on the socket: one type byte, a 4-byte big-endian length, the payload. frames.py is the other side.
const (
	frameHeader  = 'H'
	frameData    = 'D'
	frameEnd     = 'Z'
	frameFailure = 'E'
	frameResult  = 'R'

	maxJSON = 1 << 20
	maxData = 64 << 20
	piece   = 4 << 20
)

func writeFrame(w io.Writer, kind byte, payload []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload))) //nolint:gosec // pieces are at most 4 MiB, JSON 1 MiB
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
}

func writeJSON(w io.Writer, kind byte, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(data) > maxJSON {
		return fmt.Errorf("the step's script is over %d bytes", maxJSON)
	}
	return writeFrame(w, kind, data)
}

// readHead reads a frame's type and length; the payload follows.
func readHead(r io.Reader) (kind byte, size int, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, 0, errClosed
		}
		return 0, 0, err
	}
	kind, size = head[0], int(binary.BigEndian.Uint32(head[1:]))
	limit := maxJSON
	if kind == frameData {
		limit = maxData
	}
	if size > limit {
		return 0, 0, fmt.Errorf("the engine sent a frame of %d bytes; the limit is %d", size, limit)
	}
	return kind, size, nil
}

// errClosed is a connection that the engine ended between two frames: its process died, of memory most often.
var errClosed = errors.New("the engine ended the connection: its process was killed, most often for memory; raise worker.engineResources, or see the log of the container engine")

// dataWriter turns an Arrow IPC stream into data frames.
type dataWriter struct {
	to   io.Writer
	held []byte
}

func (w *dataWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		take := min(piece-len(w.held), len(p))
		w.held = append(w.held, p[:take]...)
		p = p[take:]
		if len(w.held) == piece {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *dataWriter) flush() error {
	if len(w.held) == 0 {
		return nil
	}
	err := writeFrame(w.to, frameData, w.held)
	w.held = w.held[:0]
	return err
}

// end sends what is held and marks the end of the stream.
func (w *dataWriter) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	return writeFrame(w.to, frameEnd, nil)
}

// dataReader reads the data frames of an answer as one stream, up to the end frame. A failure frame is its error.
type dataReader struct {
	from io.Reader
	left int
	done bool
}

func (r *dataReader) Read(p []byte) (int, error) {
	for r.left == 0 {
		if r.done {
			return 0, io.EOF
		}
		kind, size, err := readHead(r.from)
		switch {
		case err != nil:
			return 0, err
		case kind == frameData:
			r.left = size
		case kind == frameEnd:
			r.done = true
		case kind == frameFailure:
			return 0, readFailure(r.from, size)
		default:
			return 0, fmt.Errorf("the engine sent a frame of type %q in the middle of the data", kind)
		}
	}
	n, err := r.from.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// drain reads to the end frame.
func (r *dataReader) drain() error {
	_, err := io.Copy(io.Discard, r)
	return err
}
