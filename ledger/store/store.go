// Package store is the ledger without its HTTP face: it puts records in sequence, makes them durable,
// and answers by index, by table and time, with proofs.
package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/tree"
	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// bodyEntry is the first byte of a log entry that is followed by an envelope. Other kinds may come.
const bodyEntry byte = 1

// ErrClosed is returned by appends to a store that is shutting down.
var ErrClosed = errors.New("the ledger is shutting down: append again, to its successor")

// ErrNotFound is wrapped where an answer needs a leaf or a size that does not exist.
var ErrNotFound = errors.New("not found")

// Options of a store. The zero value is usable.
type Options struct {
	// SegmentSize of the log in bytes; 0 means the log's default.
	SegmentSize int64
	// HeadInterval is how often the head file is written while the ledger grows; 0 means 1 s.
	HeadInterval time.Duration
	// FS is the file layer; nil means the operating system's.
	FS wal.FS
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnCommit, when set, is told of each batch: records and the time that the disk took.
	OnCommit func(records int, took time.Duration)
}

// Store is an open ledger, safe for use by several goroutines.
type Store struct {
	log  *wal.Log
	fs   wal.FS
	head string // path of the head file
	opt  Options

	queue chan *request
	quit  chan struct{} // closed when appends are no longer taken
	done  chan struct{} // closed when the sequencer has ended
	once  sync.Once

	headSize uint64 // size in the head file; the sequencer's
	headErr  atomic.Pointer[error]

	mu   sync.RWMutex // guards tree and index: only the sequencer changes them
	tree *tree.Tree
	idx  *index
}

// Open opens or creates the ledger in dir, and reads its whole log to rebuild tree and indexes. Changed
// or missing records are refused: the log by its checksums, its end by the head file.
func Open(dir string, opt Options) (*Store, error) {
	if opt.FS == nil {
		opt.FS = wal.OS{}
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.HeadInterval == 0 {
		opt.HeadInterval = time.Second
	}
	s := &Store{fs: opt.FS, head: filepath.Join(dir, headFile), opt: opt, tree: tree.New(), idx: newIndex(),
		queue: make(chan *request, maxQueued), quit: make(chan struct{}), done: make(chan struct{})}
	log, err := wal.Open(dir, wal.Options{SegmentSize: opt.SegmentSize, FS: opt.FS}, s.replay)
	if err != nil {
		return nil, err
	}
	s.log = log
	if err := s.checkHead(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go s.sequence()
	return s, nil
}

// replay takes one entry of the log into tree and index.
func (s *Store) replay(i uint64, payload []byte) error {
	if len(payload) == 0 || payload[0] != bodyEntry {
		return fmt.Errorf("expected an entry of kind %d, found %.1x: a newer ledgerd wrote it, use that one", bodyEntry, payload)
	}
	body := payload[1:]
	env, err := record.DecodeEnvelope(body)
	if err != nil {
		return err
	}
	content, err := env.Record.ContentHash()
	if err != nil {
		return err
	}
	return s.apply(&leaf{index: i, hash: record.LeafHash(body), key: keyOf(&env.Record), content: content,
		tables: env.Record.Tables(), time: env.Record.Time})
}

// leaf is what tree and index keep of one record.
type leaf struct {
	index   uint64
	hash    [sha256.Size]byte
	key     [sha256.Size]byte
	content [sha256.Size]byte
	tables  []string
	time    time.Time
}

// apply takes a durable leaf into tree and index.
func (s *Store) apply(l *leaf) error {
	if err := s.tree.Append(l.hash); err != nil {
		return fmt.Errorf("append leaf %d to the tree: %w", l.index, err)
	}
	s.idx.add(l)
	return nil
}

// LogID is the random identity of the ledger's log.
func (s *Store) LogID() [16]byte { return s.log.ID() }

// Failed returns why appends are refused until the ledger is opened again, or nil.
func (s *Store) Failed() error { return s.log.Failed() }

// Size is the number of durable records.
func (s *Store) Size() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tree.Size()
}

// Close finishes the appends that were taken, writes the head and closes the log.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.quit) })
	<-s.done
	return s.log.Close()
}

// Append puts records in sequence and returns, in their order, where each is, once all are durable.
// The records must be normalised and valid (record.Decode). On an error of ctx the records may still be
// appended: appending again gives the answer.
func (s *Store) Append(ctx context.Context, records []record.Record) ([]Result, error) {
	req, err := newRequest(records, s.opt.Now())
	if err != nil {
		return nil, err
	}
	select {
	case <-s.quit:
		return nil, ErrClosed
	default:
	}
	select {
	case s.queue <- req:
	case <-s.quit:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-req.done:
		return req.results, req.err
	case <-s.done: // the sequencer ended: it answered before, or never will
		select {
		case <-req.done:
			return req.results, req.err
		default:
			return nil, ErrClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
