// Package faultfs is a file layer in memory that fails at a chosen operation and then, as after a power
// cut, keeps an arbitrary part of what was not forced to disk. Killing a process tests nothing of that:
// the page cache survives it.
package faultfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// ErrCrashed is returned by every operation from the crash on.
var ErrCrashed = errors.New("simulated power cut")

// sector is the unit in which unforced bytes reach the disk or not.
const sector = 512

type inode struct {
	data   []byte
	synced int // this many bytes are durable
}

// nameOp is a change to the folder that SyncDir has not made durable yet.
type nameOp func(names map[string]*inode)

// FS is one boot of the machine. Folders are not modelled: a name is its path.
type FS struct {
	mu      sync.Mutex
	rng     *rand.Rand
	live    map[string]*inode
	durable map[string]*inode
	pending []nameOp
	locked  map[string]bool

	budget  int   // changing operations left before the crash, negative for none
	failure error // what the operation out of budget returns
	crashed bool  // whether every later operation fails too
	ops     int
}

// New returns an empty disk. Its choices come from rng.
func New(rng *rand.Rand) *FS {
	return &FS{rng: rng, live: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}, budget: -1}
}

// CrashAfter cuts the power after n more changing operations (create, write, sync, rename, remove, sync
// of a folder). The operation at the cut may take effect in part.
func (f *FS) CrashAfter(n int) { f.arm(n, ErrCrashed) }

// FailOnce lets one operation fail with err after n more changing operations; the machine runs on.
func (f *FS) FailOnce(n int, err error) { f.arm(n, err) }

func (f *FS) arm(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.budget, f.failure = n, err
}

// Ops is the number of changing operations so far.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// Restart returns the disk after a power cut: forced bytes and names, and a random part of the rest.
func (f *FS) Restart() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true // processes of the old boot are dead
	next := New(f.rng)
	for _, op := range f.pending {
		if f.rng.IntN(2) == 0 {
			op(f.durable)
		}
	}
	for _, name := range sortedNames(f.durable) {
		node := &inode{data: f.survivingBytes(f.durable[name])}
		node.synced = len(node.data)
		next.live[name], next.durable[name] = node, node
	}
	return next
}

func (f *FS) survivingBytes(n *inode) []byte {
	end := n.synced + f.rng.IntN(len(n.data)-n.synced+1)
	out := bytes.Clone(n.data[:end])
	for at := n.synced; at < end; at += sector {
		if f.rng.IntN(4) == 0 { // the file grew, but this sector was never written
			clear(out[at:min(at+sector, end)])
		}
	}
	return out
}

func sortedNames(m map[string]*inode) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// change accounts for one changing operation. It returns an error where the operation fails.
func (f *FS) change() error {
	if f.crashed {
		return ErrCrashed
	}
	f.ops++
	if f.budget < 0 {
		return nil
	}
	if f.budget > 0 {
		f.budget--
		return nil
	}
	f.budget = -1
	f.crashed = errors.Is(f.failure, ErrCrashed)
	return f.failure
}

func (f *FS) alive() error {
	if f.crashed {
		return ErrCrashed
	}
	return nil
}

// names applies a folder change now, and durably only at SyncDir.
func (f *FS) names(op nameOp) {
	op(f.live)
	f.pending = append(f.pending, op)
}

// MkdirAll does nothing: folders are not modelled.
func (f *FS) MkdirAll(string) error { return nil }

// List returns the names in a folder.
func (f *FS) List(dir string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, name := range sortedNames(f.live) {
		if filepath.Dir(name) == filepath.Clean(dir) {
			names = append(names, filepath.Base(name))
		}
	}
	return names, f.alive()
}

// ReadFile returns a whole file.
func (f *FS) ReadFile(name string, limit int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.live[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	if int64(len(n.data)) > limit {
		return nil, fmt.Errorf("%s is %d bytes, at most %d are read", name, len(n.data), limit)
	}
	return bytes.Clone(n.data), f.alive()
}

// Create makes an empty file.
func (f *FS) Create(name string) (wal.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.change(); err != nil {
		return nil, err
	}
	n := &inode{}
	f.names(func(m map[string]*inode) { m[name] = n })
	return &file{fs: f, node: n}, nil
}

// Open opens a file for reading.
func (f *FS) Open(name string) (wal.Reader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, ok := f.live[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	return &file{fs: f, node: n}, f.alive()
}

// Rename renames a file.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.change(); err != nil {
		return err
	}
	n, ok := f.live[from]
	if !ok {
		return fmt.Errorf("%s: %w", from, os.ErrNotExist)
	}
	f.names(func(m map[string]*inode) { m[to] = n; delete(m, from) })
	return nil
}

// Remove deletes a file.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.change(); err != nil {
		return err
	}
	f.names(func(m map[string]*inode) { delete(m, name) })
	return nil
}

// SyncDir makes all folder changes durable.
func (f *FS) SyncDir(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.change(); err != nil {
		return err
	}
	for _, op := range f.pending {
		op(f.durable)
	}
	f.pending = nil
	return nil
}

// Lock takes a lock of this boot.
func (f *FS) Lock(name string) (io.Closer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.locked[name] {
		return nil, fmt.Errorf("%s is locked", name)
	}
	f.locked[name] = true
	return unlock{f, name}, f.alive()
}

type unlock struct {
	fs   *FS
	name string
}

func (u unlock) Close() error {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	delete(u.fs.locked, u.name)
	return nil
}

type file struct {
	fs   *FS
	node *inode
}

func (h *file) Write(p []byte) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.change(); err != nil {
		n := h.fs.rng.IntN(len(p) + 1)
		h.node.data = append(h.node.data, p[:n]...)
		return n, err
	}
	h.node.data = append(h.node.data, p...)
	return len(p), nil
}

func (h *file) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.change(); err != nil {
		return err
	}
	h.node.synced = len(h.node.data)
	return nil
}

func (h *file) ReadAt(p []byte, at int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return bytes.NewReader(h.node.data).ReadAt(p, at)
}

func (h *file) Close() error { return nil }
