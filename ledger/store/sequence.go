package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// Bounds of group commit.
const (
	maxQueued       = 1024     // requests that wait for the sequencer
	maxBatchRecords = 4096     // records after which a batch takes no further request
	maxBatchBytes   = 16 << 20 // likewise, bytes of records
)

// Result says where one appended record is.
type Result struct {
	// Index and LeafHash are of the record, or of the Conflict record where Conflict is set.
	Index    uint64
	LeafHash [sha256.Size]byte
	// Duplicate says that the leaf was there before.
	Duplicate bool
	// Conflict says that the key was there with other content, at index ConflictsWith.
	Conflict      bool
	ConflictsWith uint64
}

// request is one call of Append.
type request struct {
	records  []record.Record
	contents [][sha256.Size]byte
	texts    [][]byte // canonical records, made outside the sequencer
	results  []Result
	err      error
	done     chan struct{}
}

func newRequest(records []record.Record, now time.Time) (*request, error) {
	req := &request{records: slices.Clone(records), contents: make([][sha256.Size]byte, len(records)),
		texts: make([][]byte, len(records)), done: make(chan struct{})}
	for i := range req.records {
		if req.records[i].Time.IsZero() {
			req.records[i].Time = now.UTC().Truncate(time.Microsecond)
		}
		text, err := record.Canonical(req.records[i])
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		req.texts[i] = text
		content, err := records[i].ContentHash()
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		req.contents[i] = content
	}
	return req, nil
}

// sequence is the only writer: it takes the requests that wait, writes them as one batch, and answers.
// While the disk is busy with one batch the next one gathers.
func (s *Store) sequence() {
	defer close(s.done)
	tick := time.NewTicker(s.opt.HeadInterval)
	defer tick.Stop()
	for {
		select {
		case first := <-s.queue:
			s.commit(s.gather(first))
		case <-tick.C:
			s.writeHead()
		case <-s.quit:
			for len(s.queue) > 0 {
				s.commit(s.gather(<-s.queue))
			}
			s.writeHead()
			return
		}
	}
}

// gather adds the requests that wait already.
func (s *Store) gather(first *request) []*request {
	requests, records := []*request{first}, len(first.records)
	for records < maxBatchRecords {
		select {
		case next := <-s.queue:
			requests = append(requests, next)
			records += len(next.records)
		default:
			return requests
		}
	}
	return requests
}

// batch is a group of requests on their way to the disk. Its leaves are not in tree and index yet.
type batch struct {
	store    *Store
	now      time.Time
	next     uint64
	payloads [][]byte
	leaves   []*leaf
	keys     map[[sha256.Size]byte]*leaf
	last     map[string]uint64
	bytes    int
}

// commit writes requests and answers each. Requests over the byte bound go into further batches.
func (s *Store) commit(requests []*request) {
	for len(requests) > 0 {
		b := &batch{store: s, now: s.opt.Now().UTC().Truncate(time.Microsecond), next: s.log.Next(),
			keys: map[[sha256.Size]byte]*leaf{}, last: map[string]uint64{}}
		n := 0
		for n < len(requests) && (n == 0 || b.bytes < maxBatchBytes) {
			b.take(requests[n])
			n++
		}
		err := b.write()
		for _, req := range requests[:n] {
			if req.err == nil {
				req.err = err
			}
			close(req.done)
		}
		requests = requests[n:]
	}
}

// take gives each record of a request its place. Records placed before one that fails are kept: like any
// append whose answer was lost, appending them again gives their place.
func (b *batch) take(req *request) {
	for i := range req.records {
		result, err := b.place(req.records[i], req.texts[i], req.contents[i])
		if err != nil {
			req.err = fmt.Errorf("record %d: %w", i, err)
			return
		}
		req.results = append(req.results, result)
	}
}

// place finds the record that holds the key, or adds a leaf.
func (b *batch) place(r record.Record, text []byte, content [sha256.Size]byte) (Result, error) {
	key := keyOf(&r)
	held, ok := b.find(key)
	if !ok {
		l, err := b.add(r, text, key, content)
		if err != nil {
			return Result{}, err
		}
		return Result{Index: l.index, LeafHash: l.hash}, nil
	}
	if held.content == content {
		return Result{Index: held.index, LeafHash: held.hash, Duplicate: true}, nil
	}
	return b.conflict(r, content, held.index)
}

// conflict records that a key was offered with other content, once for each such content.
func (b *batch) conflict(r record.Record, content [sha256.Size]byte, with uint64) (Result, error) {
	r.Conflict = &record.ConflictDetail{With: record.Uint64(with), OperationID: r.OperationID, Type: r.Type, ContentHash: hex.EncodeToString(content[:])}
	r.Type = record.Conflict
	r.OperationID = r.Key()
	key := keyOf(&r)
	if held, ok := b.find(key); ok {
		return Result{Index: held.index, LeafHash: held.hash, Duplicate: true, Conflict: true, ConflictsWith: with}, nil
	}
	content, err := r.ContentHash()
	if err != nil {
		return Result{}, err
	}
	text, err := record.Canonical(r)
	if err != nil {
		return Result{}, err
	}
	l, err := b.add(r, text, key, content)
	if err != nil {
		return Result{}, err
	}
	return Result{Index: l.index, LeafHash: l.hash, Conflict: true, ConflictsWith: with}, nil
}

// find looks a key up in this batch and in the index. Reading the index needs no lock here: only this
// goroutine changes it.
func (b *batch) find(key [sha256.Size]byte) (leaf, bool) {
	if l, ok := b.keys[key]; ok {
		return *l, true
	}
	p, ok := b.store.idx.keys[key]
	if !ok {
		return leaf{}, false
	}
	hash, err := b.store.tree.Leaf(p.index)
	return leaf{index: p.index, content: p.content, hash: hash}, err == nil
}

// add seals a record into an envelope at the next index.
func (b *batch) add(r record.Record, text []byte, key, content [sha256.Size]byte) (*leaf, error) {
	env := record.Envelope{Version: record.EnvelopeVersion, Index: record.Uint64(b.next), AppendedAt: b.now}
	tables := r.Tables()
	env.Previous = b.previous(tables)
	var salt [16]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, fmt.Errorf("draw a salt: %w", err)
	}
	env.Salt = hex.EncodeToString(salt[:])
	body, err := env.EncodeAround(text)
	if err != nil {
		return nil, err
	}
	if len(body) >= wal.MaxPayload {
		return nil, fmt.Errorf("sealed record is %d bytes, at most %d are allowed: shorten receipts or dataset lists", len(body), wal.MaxPayload-1)
	}
	l := &leaf{index: b.next, hash: record.LeafHash(body), key: key, content: content, tables: tables, time: r.Time}
	b.payloads = append(b.payloads, append([]byte{bodyEntry}, body...))
	b.leaves = append(b.leaves, l)
	b.keys[key] = l
	for _, t := range tables {
		b.last[t] = b.next
	}
	b.bytes += len(body)
	b.next++
	return l, nil
}

// previous links each table to the leaf that named it last.
func (b *batch) previous(tables []string) map[string]string {
	links := make(map[string]string, len(tables))
	for _, t := range tables {
		last, ok := b.last[t]
		if !ok {
			last, ok = b.store.idx.last(t)
		}
		links[t] = record.NoPrevious
		if ok {
			links[t] = record.Link(last)
		}
	}
	return links
}

// write makes the batch durable, and only then visible.
func (b *batch) write() error {
	if len(b.payloads) == 0 {
		return nil
	}
	start := time.Now()
	if _, err := b.store.log.Append(b.payloads); err != nil {
		return err
	}
	if b.store.opt.OnCommit != nil {
		b.store.opt.OnCommit(len(b.leaves), time.Since(start))
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	for _, l := range b.leaves {
		if err := b.store.apply(l); err != nil {
			return err
		}
	}
	return nil
}
