package store

import (
	"crypto/sha256"
	"sort"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

// index finds leaves by key, and by table and time. It is rebuilt from the log at each start.
type index struct {
	keys   map[[sha256.Size]byte]position
	tables map[string][]mention
}

// position is where a key is, and the content that it has there.
type position struct {
	index   uint64
	content [sha256.Size]byte
}

// mention is one leaf that names a table.
type mention struct {
	index uint64
	nanos int64 // the record's time, since 1970
}

func newIndex() *index {
	return &index{keys: map[[sha256.Size]byte]position{}, tables: map[string][]mention{}}
}

func keyOf(r *record.Record) [sha256.Size]byte { return sha256.Sum256([]byte(r.Key())) }

func (x *index) add(l *leaf) {
	x.keys[l.key] = position{l.index, l.content}
	for _, t := range l.tables {
		x.tables[t] = append(x.tables[t], mention{l.index, l.time.UnixNano()})
	}
}

// last returns the newest leaf that names a table.
func (x *index) last(table string) (uint64, bool) {
	m := x.tables[table]
	if len(m) == 0 {
		return 0, false
	}
	return m[len(m)-1].index, true
}

// Window selects records of a table.
type Window struct {
	// From and To bound the record's time: From <= time < To. A zero time does not bound.
	From, To time.Time
	// After, where set, is the index after which the page begins.
	After *uint64
	// Limit is the most rows of the page, at least 1.
	Limit int
}

// find returns the leaves below size that name a table within a window, and whether there are more.
func (x *index) find(table string, size uint64, w Window) (found []uint64, more bool) {
	all := x.tables[table]
	start := 0
	if w.After != nil {
		start = sort.Search(len(all), func(i int) bool { return all[i].index > *w.After })
	}
	for _, m := range all[start:] {
		if m.index >= size {
			break
		}
		if !w.From.IsZero() && m.nanos < w.From.UnixNano() || !w.To.IsZero() && m.nanos >= w.To.UnixNano() {
			continue
		}
		if len(found) == w.Limit {
			return found, true
		}
		found = append(found, m.index)
	}
	return found, false
}
