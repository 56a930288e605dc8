package cpu

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// pump reads on a goroutine of its own. DuckDB asks for batches on threads of C, on which an iterator that was made
// elsewhere (iter.Pull) cannot be resumed: the Go runtime ends the process.
type pump struct {
	schema  *arrow.Schema
	batches chan arrow.RecordBatch
	quit    chan struct{}
	current arrow.RecordBatch
	err     error // written before batches is closed
	ended   bool
	refs    atomic.Int64
}

// newPump starts reading. The reader is released when the pump's last reference is, or when it is at its end.
func newPump(reader array.RecordReader) *pump {
	p := &pump{schema: reader.Schema(), batches: make(chan arrow.RecordBatch, 1), quit: make(chan struct{})}
	p.refs.Store(1)
	reader.Retain()
	go p.run(reader)
	return p
}

func (p *pump) run(reader array.RecordReader) {
	defer reader.Release()
	defer close(p.batches)
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		select {
		case p.batches <- batch:
		case <-p.quit:
			batch.Release()
			return
		}
	}
	p.err = reader.Err()
}

func (p *pump) Next() bool {
	p.drop()
	batch, ok := <-p.batches
	p.current, p.ended = batch, !ok
	return ok
}

func (p *pump) drop() {
	if p.current != nil {
		p.current.Release()
		p.current = nil
	}
}

// Err is that of the reader, once it is at its end.
func (p *pump) Err() error {
	if p.ended {
		return p.err
	}
	return nil
}

func (p *pump) Schema() *arrow.Schema          { return p.schema }
func (p *pump) RecordBatch() arrow.RecordBatch { return p.current }
func (p *pump) Record() arrow.RecordBatch      { return p.current }
func (p *pump) Retain()                        { p.refs.Add(1) }

// Release lets the goroutine end; it does not wait for it, since a reader may be slow to notice that nobody reads.
func (p *pump) Release() {
	if p.refs.Add(-1) != 0 {
		return
	}
	p.drop()
	close(p.quit)
	go func() {
		for batch := range p.batches {
			batch.Release()
		}
	}()
}
