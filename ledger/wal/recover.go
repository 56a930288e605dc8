package wal

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

const (
	segmentSuffix = ".wal"
	tmpSuffix     = ".tmp"
)

// CorruptError says where acknowledged bytes of the log have changed or are missing.
type CorruptError struct {
	// Segment is the path of the file.
	Segment string
	// Offset is the position in it, in bytes.
	Offset int64
	// Index is the entry that should be there.
	Index uint64
	// Reason says what was expected and what was found.
	Reason string
}

// Error names file, position, entry and the way out.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("log segment %s is corrupt at byte %d (entry %d): %s: restore the file from a backup or mirror; the log is not repaired by dropping records",
		e.Segment, e.Offset, e.Index, e.Reason)
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// recover reads all segments, replays their entries and leaves the log ready to append.
func (l *Log) recover(replay func(uint64, []byte) error) error {
	names, err := l.segmentNames()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		if l.id, err = newID(); err != nil {
			return err
		}
		if err := l.begin(0, nil, nil); err != nil {
			return fmt.Errorf("create the first segment: %w", err)
		}
		return nil
	}
	for i, name := range names {
		last := i == len(names)-1
		if err := l.recoverSegment(name, i == 0, last, replay); err != nil {
			return err
		}
	}
	return nil
}

// segmentNames lists the segments in order and removes files that a crash left half made.
func (l *Log) segmentNames() ([]string, error) {
	all, err := l.fs.List(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list the log folder: %w", err)
	}
	var names []string
	for _, name := range all {
		switch {
		case strings.HasSuffix(name, segmentSuffix):
			names = append(names, name)
		case strings.HasSuffix(name, segmentSuffix+tmpSuffix):
			if err := l.fs.Remove(filepath.Join(l.dir, name)); err != nil {
				return nil, fmt.Errorf("remove a half-made segment: %w", err)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func (l *Log) recoverSegment(name string, firstSegment, last bool, replay func(uint64, []byte) error) error {
	path := filepath.Join(l.dir, name)
	data, err := l.fs.ReadFile(path, maxSegmentFile)
	if err != nil {
		return fmt.Errorf("read log segment: %w", err)
	}
	if err := l.checkHeader(path, data, firstSegment); err != nil {
		return err
	}
	offsets, end, err := l.replaySegment(path, data, last, replay)
	if err != nil {
		return err
	}
	first := l.next - uint64(len(offsets))
	if last {
		// Written anew: after a failed fsync pages may read back well and yet never reach the disk.
		if err := l.begin(first, data[headerSize:end], offsets); err != nil {
			return fmt.Errorf("secure the last segment: %w", err)
		}
		return nil
	}
	reader, err := l.fs.Open(path)
	if err != nil {
		return fmt.Errorf("open log segment: %w", err)
	}
	l.segments = append(l.segments, &segment{path: path, first: first, offsets: offsets, reader: reader})
	return nil
}

func (l *Log) checkHeader(path string, data []byte, firstSegment bool) error {
	first, id, err := decodeHeader(data)
	switch {
	case err != nil:
		return &CorruptError{Segment: path, Index: l.next, Reason: err.Error()}
	case first != l.next:
		return &CorruptError{Segment: path, Index: l.next, Reason: fmt.Sprintf("expected a segment that begins with entry %d, found %d: a segment before it is missing or was cut", l.next, first)}
	case segmentName(first) != filepath.Base(path):
		return &CorruptError{Segment: path, Index: l.next, Reason: fmt.Sprintf("expected the file name %s", segmentName(first))}
	case firstSegment:
		l.id = id
	case id != l.id:
		return &CorruptError{Segment: path, Index: l.next, Reason: fmt.Sprintf("segment belongs to the log %x, expected %x", id, l.id)}
	}
	return nil
}

// replaySegment walks the frames and returns where each begins and where the last intact one ends.
func (l *Log) replaySegment(path string, data []byte, last bool, replay func(uint64, []byte) error) (offsets []uint32, end int, err error) {
	at := headerSize
	for at < len(data) {
		f, err := decodeFrame(data[at:])
		if err == nil && f.index != l.next {
			err = fmt.Errorf("expected entry %d, found entry %d", l.next, f.index)
		}
		if err != nil {
			if !last || laterBatch(data[at:], l.next) {
				return nil, 0, &CorruptError{Segment: path, Offset: int64(at), Index: l.next, Reason: err.Error()}
			}
			return offsets, at, nil // torn: this batch was never acknowledged
		}
		if err := replay(f.index, f.payload); err != nil {
			return nil, 0, fmt.Errorf("log segment %s, byte %d, entry %d: %w", path, at, f.index, err)
		}
		offsets = append(offsets, uint32(at))
		at += f.size
		l.next++
	}
	return offsets, at, nil
}
