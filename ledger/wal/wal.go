// Package wal is the ledger's write-ahead log: numbered entries in segment files, each with a CRC32C,
// forced to disk before Append returns.
//
// A batch is written only after the batch before it is durable. So a broken entry in front of a later
// batch is corruption and is refused with its position, while a broken entry with no later batch behind
// it is a write that was never acknowledged, and is cut off.
package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"sync"
)

// Sizes of the log.
const (
	// DefaultSegmentSize is the size at which a segment is closed and the next one begun, in bytes.
	DefaultSegmentSize = 64 << 20
	// MaxPayload bounds one entry, in bytes.
	MaxPayload = 4 << 20
	// maxSegmentFile bounds what Open reads into memory at once: a segment and one batch over.
	maxSegmentFile = 1 << 30
)

// ErrPoisoned is returned by every Append after one failed: what the disk holds is unknown until the log
// is opened again.
var ErrPoisoned = errors.New("the log refuses appends since a write failed, and must be opened again")

// ErrClosed is returned by calls on a closed log.
var ErrClosed = errors.New("the log is closed")

// Options of a log. The zero value is usable.
type Options struct {
	// SegmentSize in bytes; 0 means DefaultSegmentSize.
	SegmentSize int64
	// FS is the file layer; nil means the operating system's.
	FS FS
}

// Log is an open log. Append is for one goroutine at a time; Read may run beside it.
type Log struct {
	dir  string
	fs   FS
	max  int64
	id   [16]byte
	lock io.Closer

	mu       sync.RWMutex // guards the fields below against readers
	segments []*segment
	next     uint64
	failed   error
	closed   bool

	active File
	size   int64
}

// segment is one file of the log.
type segment struct {
	path    string
	first   uint64
	offsets []uint32 // where each entry begins
	reader  Reader
}

// Open opens or creates the log in dir and calls replay for each entry in order. It repairs a torn tail
// and returns a *CorruptError where acknowledged bytes have changed, or an error where another process
// holds the log.
func Open(dir string, opt Options, replay func(index uint64, payload []byte) error) (*Log, error) {
	l := &Log{dir: dir, fs: opt.FS, max: opt.SegmentSize}
	if l.fs == nil {
		l.fs = OS{}
	}
	if l.max == 0 {
		l.max = DefaultSegmentSize
	}
	if l.max < 0 || l.max > maxSegmentFile/2 {
		return nil, fmt.Errorf("segment size: expected 1 to %d bytes, found %d", maxSegmentFile/2, l.max)
	}
	if err := l.fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create the log folder: %w", err)
	}
	lock, err := l.fs.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the log folder %s: %w: is another ledgerd running on it?", dir, err)
	}
	l.lock = lock
	if err := l.recover(replay); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// ID is the random identity of the log, the same in each of its segments.
func (l *Log) ID() [16]byte { return l.id }

// Next is the index that the next entry will get, which is the number of entries.
func (l *Log) Next() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.next
}

// Failed returns why the log is poisoned, or nil.
func (l *Log) Failed() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.failed
}

// Append writes the payloads as one batch and returns the index of the first once all are durable.
// On an error none counts as written, and every later Append returns ErrPoisoned.
func (l *Log) Append(payloads [][]byte) (uint64, error) {
	if l.closed {
		return 0, ErrClosed
	}
	if l.failed != nil {
		return 0, fmt.Errorf("%w: %w", ErrPoisoned, l.failed)
	}
	for i, p := range payloads {
		if len(p) > MaxPayload {
			return 0, fmt.Errorf("entry %d of the batch is %d bytes, at most %d are allowed", i, len(p), MaxPayload)
		}
	}
	first := l.next
	if len(payloads) == 0 {
		return first, nil
	}
	if err := l.write(payloads); err != nil {
		l.mu.Lock()
		l.failed = err
		l.mu.Unlock()
		return 0, err
	}
	return first, nil
}

func (l *Log) write(payloads [][]byte) error {
	buf, starts := encodeBatch(l.next, payloads)
	if l.size > headerSize && l.size+int64(len(buf)) > l.max {
		if err := l.roll(); err != nil {
			return fmt.Errorf("begin a new segment: %w", err)
		}
	}
	if l.size+int64(len(buf)) > maxSegmentFile {
		return fmt.Errorf("batch of %d bytes does not fit a segment", len(buf))
	}
	if _, err := l.active.Write(buf); err != nil {
		return fmt.Errorf("write to the log: %w", err)
	}
	if err := l.active.Sync(); err != nil {
		return fmt.Errorf("force the log to disk: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	seg := l.segments[len(l.segments)-1]
	for _, s := range starts {
		seg.offsets = append(seg.offsets, uint32(l.size)+s) //nolint:gosec // at most maxSegmentFile, checked above
	}
	l.size += int64(len(buf))
	l.next += uint64(len(payloads))
	return nil
}

// roll closes the active segment, whose content is durable, and begins the next one.
func (l *Log) roll() error {
	if err := l.active.Close(); err != nil {
		return err
	}
	l.active = nil
	return l.begin(l.next, nil, nil)
}

// begin writes a segment file that starts with content (whole frames) and makes it the active one.
// The file appears under its name only when it is durable.
func (l *Log) begin(first uint64, content []byte, offsets []uint32) error {
	path := filepath.Join(l.dir, segmentName(first))
	file, err := l.fs.Create(path + tmpSuffix)
	if err != nil {
		return err
	}
	l.active = file
	data := append(encodeHeader(first, l.id), content...)
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := l.fs.Rename(path+tmpSuffix, path); err != nil {
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return err
	}
	reader, err := l.fs.Open(path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments, &segment{path: path, first: first, offsets: offsets, reader: reader})
	l.size = int64(len(data))
	return nil
}

// Read returns the payload of one entry, checked against its CRC.
func (l *Log) Read(index uint64) ([]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil, ErrClosed
	}
	if index >= l.next {
		return nil, fmt.Errorf("entry %d does not exist, the log has %d", index, l.next)
	}
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].first > index }) - 1
	seg := l.segments[i]
	offset := int64(seg.offsets[index-seg.first])
	payload, err := readFrame(seg.reader, offset, index)
	if err != nil {
		return nil, &CorruptError{Segment: seg.path, Offset: offset, Index: index, Reason: err.Error()}
	}
	return payload, nil
}

// Close releases files and lock. It does not write.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	var errs []error
	if l.active != nil {
		errs = append(errs, l.active.Close())
	}
	for _, s := range l.segments {
		if s.reader != nil {
			errs = append(errs, s.reader.Close())
		}
	}
	errs = append(errs, l.lock.Close())
	return errors.Join(errs...)
}

func newID() (id [16]byte, err error) {
	_, err = rand.Read(id[:])
	return id, err
}
