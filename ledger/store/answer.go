package store

import (
	"fmt"

	"github.com/amdgpu-framework/datastack/ledger/tree"
)

// Checkpoint is the tree at one size.
type Checkpoint struct {
	Size uint64
	Root tree.Hash
}

// Row is one leaf with the proof that it is in the tree of the answer's checkpoint.
type Row struct {
	Index    uint64
	LeafHash tree.Hash
	// Envelope is the leaf's canonical bytes.
	Envelope []byte
	Proof    []tree.Hash
}

// Answer holds rows in order of index, and the checkpoint that their proofs are against.
type Answer struct {
	Rows []Row
	// More says that the window holds further rows, after the last one.
	More       bool
	Checkpoint Checkpoint
}

// Checkpoint returns the tree at a size, or as it is now where size is nil.
func (s *Store) Checkpoint(size *uint64) (Checkpoint, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.checkpoint(size)
}

func (s *Store) checkpoint(size *uint64) (Checkpoint, error) {
	n := s.tree.Size()
	if size != nil {
		if *size > n {
			return Checkpoint{}, fmt.Errorf("size %d: %w: the ledger has %d records", *size, ErrNotFound, n)
		}
		n = *size
	}
	root, err := s.tree.Root(n)
	return Checkpoint{Size: n, Root: root}, err
}

// Get returns one leaf, proven at a size (nil: as it is now).
func (s *Store) Get(index uint64, size *uint64) (Answer, error) {
	return s.answer([]uint64{index}, size)
}

// Lookup returns the records that name a table within a window, proven at a size (nil: as it is now).
func (s *Store) Lookup(table string, w Window, size *uint64) (Answer, error) {
	s.mu.RLock()
	at, err := s.checkpoint(size)
	if err != nil {
		s.mu.RUnlock()
		return Answer{}, err
	}
	found, more := s.idx.find(table, at.Size, w)
	s.mu.RUnlock()
	answer, err := s.answer(found, &at.Size)
	answer.More = more
	return answer, err
}

// answer proves leaves at a size. Leaves never change, so bodies are read without the lock.
func (s *Store) answer(indexes []uint64, size *uint64) (Answer, error) {
	answer, err := s.prove(indexes, size)
	if err != nil {
		return answer, err
	}
	for i := range answer.Rows {
		row := &answer.Rows[i]
		payload, err := s.log.Read(row.Index)
		if err != nil {
			return answer, err
		}
		row.Envelope = payload[1:]
	}
	return answer, nil
}

func (s *Store) prove(indexes []uint64, size *uint64) (Answer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at, err := s.checkpoint(size)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Checkpoint: at, Rows: make([]Row, 0, len(indexes))}
	for _, i := range indexes {
		if i >= at.Size {
			return answer, fmt.Errorf("record %d: %w: the ledger has %d records at this size", i, ErrNotFound, at.Size)
		}
		row := Row{Index: i}
		if row.LeafHash, err = s.tree.Leaf(i); err != nil {
			return answer, err
		}
		if row.Proof, err = s.tree.Inclusion(i, at.Size); err != nil {
			return answer, err
		}
		answer.Rows = append(answer.Rows, row)
	}
	return answer, nil
}

// Consistency proves that the ledger of size from is a prefix of the ledger of size to (nil: now).
func (s *Store) Consistency(from uint64, to *uint64) (older, newer Checkpoint, proof []tree.Hash, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if newer, err = s.checkpoint(to); err != nil {
		return older, newer, nil, err
	}
	if older, err = s.checkpoint(&from); err != nil {
		return older, newer, nil, err
	}
	proof, err = s.tree.Consistency(from, newer.Size)
	return older, newer, proof, err
}
