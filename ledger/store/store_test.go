package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/store"
	"github.com/amdgpu-framework/datastack/ledger/tree"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// load is a Load of a table by a run.
func load(run string, seq int, table, snapshot string) record.Record {
	r := record.Record{RunID: run, Type: record.Load, Seq: record.Uint64(seq), Time: noon.Add(time.Duration(seq) * time.Minute),
		Sources:      []record.Dataset{{Name: "s3://raw/" + table + ".csv"}},
		Destinations: []record.Dataset{{Name: table, Snapshot: snapshot}}}
	r.Normalize()
	return r
}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, store.Options{SegmentSize: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func appendAll(t *testing.T, s *store.Store, records ...record.Record) []store.Result {
	t.Helper()
	results, err := s.Append(context.Background(), records)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// verify checks every row of an answer against its checkpoint with an implementation of other authors.
func verify(t *testing.T, a store.Answer) []record.Envelope {
	t.Helper()
	var envelopes []record.Envelope
	for _, row := range a.Rows {
		leaf := rfc6962.DefaultHasher.HashLeaf(row.Envelope)
		if tree.Hash(leaf) != row.LeafHash {
			t.Fatalf("row %d: leaf hash does not belong to the envelope", row.Index)
		}
		hashes := make([][]byte, len(row.Proof))
		for i := range row.Proof {
			hashes[i] = row.Proof[i][:]
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, row.Index, a.Checkpoint.Size, leaf, hashes, a.Checkpoint.Root[:]); err != nil {
			t.Fatalf("row %d: %v", row.Index, err)
		}
		env, err := record.DecodeEnvelope(row.Envelope)
		if err != nil {
			t.Fatal(err)
		}
		if uint64(env.Index) != row.Index {
			t.Fatalf("row %d holds the envelope of %d", row.Index, env.Index)
		}
		envelopes = append(envelopes, env)
	}
	return envelopes
}

func TestRepeatsAndConflicts(t *testing.T) {
	s := open(t, t.TempDir())
	first := appendAll(t, s, load("r1", 0, "a.b", "10"))[0]
	if first.Index != 0 || first.Duplicate || first.Conflict {
		t.Fatalf("first append: %+v", first)
	}
	again := load("r1", 0, "a.b", "10")
	again.Time, again.User, again.Receipts = noon.Add(time.Hour), "other", []record.Receipt{{Step: "x"}}
	if got := appendAll(t, s, again)[0]; got.Index != 0 || !got.Duplicate || got.Conflict || got.LeafHash != first.LeafHash {
		t.Fatalf("repeat with other time, user and receipts: %+v", got)
	}
	other := load("r1", 0, "a.b", "11")
	c1 := appendAll(t, s, other)[0]
	if c1.Index != 1 || c1.Duplicate || !c1.Conflict || c1.ConflictsWith != 0 {
		t.Fatalf("other content: %+v", c1)
	}
	if c2 := appendAll(t, s, other)[0]; c2.Index != 1 || !c2.Duplicate || !c2.Conflict {
		t.Fatalf("other content again: %+v", c2)
	}
	if s.Size() != 2 {
		t.Fatalf("expected 2 records, found %d", s.Size())
	}
	a, err := s.Get(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	env := verify(t, a)[0]
	if env.Record.Type != record.Conflict || env.Record.Conflict.With != 0 || env.Record.Conflict.OperationID != "r1/Load/0" || env.Record.Destinations[0].Snapshot != "11" {
		t.Fatalf("conflict record: %+v", env.Record)
	}
	a, err = s.Get(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if env := verify(t, a)[0]; env.Record.User != record.UnverifiedUser || !env.Record.Time.Equal(noon) {
		t.Fatalf("the first append sets user and time: %+v", env.Record)
	}
}

func TestRepeatsWithinOneBatch(t *testing.T) {
	s := open(t, t.TempDir())
	got := appendAll(t, s, load("r", 0, "a.b", "1"), load("r", 0, "a.b", "1"), load("r", 0, "a.b", "2"), load("r", 1, "a.b", "3"))
	want := []struct {
		index     uint64
		dup, conf bool
	}{{0, false, false}, {0, true, false}, {1, false, true}, {2, false, false}}
	for i, w := range want {
		if got[i].Index != w.index || got[i].Duplicate != w.dup || got[i].Conflict != w.conf {
			t.Errorf("record %d: %+v, want %+v", i, got[i], w)
		}
	}
}

func TestPreviousLinksMakeATableGapless(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	appendAll(t, s, load("r", 0, "a.b", "1"), load("r", 1, "c.d", "1"), load("r", 2, "a.b", "2"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir) // links go on over a restart
	appendAll(t, s, load("r", 3, "a.b", "3"))
	a, err := s.Lookup("a.b", store.Window{Limit: 10}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := record.NoPrevious
	for _, env := range verify(t, a) {
		if env.Previous["a.b"] != want {
			t.Errorf("record %d: previous is %q, want %q", env.Index, env.Previous["a.b"], want)
		}
		want = record.Link(uint64(env.Index))
	}
	if len(a.Rows) != 3 {
		t.Fatalf("expected 3 rows, found %d", len(a.Rows))
	}
}

func TestLookupByTimeAndPage(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 25 {
		appendAll(t, s, load("r", i, "a.b", fmt.Sprint(i)), load("r", 100+i, "c.d", fmt.Sprint(i)))
	}
	window := store.Window{From: noon.Add(3 * time.Minute), To: noon.Add(13 * time.Minute), Limit: 4}
	var seqs []uint64
	at, err := s.Checkpoint(nil)
	if err != nil {
		t.Fatal(err)
	}
	for page := 0; ; page++ {
		a, err := s.Lookup("a.b", window, &at.Size)
		if err != nil {
			t.Fatal(err)
		}
		for _, env := range verify(t, a) {
			seqs = append(seqs, uint64(env.Record.Seq))
		}
		if a.Checkpoint != at {
			t.Fatalf("page %d is against another checkpoint", page)
		}
		if !a.More {
			break
		}
		appendAll(t, s, load("late", page, "a.b", "9")) // must not appear in later pages
		window.After = &a.Rows[len(a.Rows)-1].Index
	}
	if want := "[3 4 5 6 7 8 9 10 11 12]"; fmt.Sprint(seqs) != want {
		t.Errorf("got %v, want %s", seqs, want)
	}
	if a, err := s.Lookup("no.table", store.Window{Limit: 1}, nil); err != nil || len(a.Rows) != 0 || a.More {
		t.Errorf("unknown table: %+v, %v", a, err)
	}
	past := uint64(1000)
	for name, call := range map[string]func() error{
		"get":         func() error { _, err := s.Get(1000, nil); return err },
		"lookup":      func() error { _, err := s.Lookup("a.b", window, &past); return err },
		"consistency": func() error { _, _, _, err := s.Consistency(1000, nil); return err },
	} {
		if err := call(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s past the end: %v", name, err)
		}
	}
}

func TestManyWriters(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const writers, each = 16, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r := load("shared", i, fmt.Sprintf("t.%d", i%3), "1") // every writer appends the same records
				if _, err := s.Append(context.Background(), []record.Record{r}); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	if s.Size() != each {
		t.Fatalf("expected each record once, %d in all, found %d", each, s.Size())
	}
	before, err := s.Checkpoint(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(context.Background(), []record.Record{load("x", 0, "a.b", "1")}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if after, err := open(t, dir).Checkpoint(nil); err != nil || after != before {
		t.Fatalf("checkpoint after reopening: %+v, want %+v: %v", after, before, err)
	}
}

func TestConsistencyOverRestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for i := range 9 {
		appendAll(t, s, load("r", i, "a.b", "1"))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	appendAll(t, s, load("r", 9, "a.b", "1"))
	for from := uint64(0); from <= 10; from++ {
		older, newer, hashes, err := s.Consistency(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw := make([][]byte, len(hashes))
		for i := range hashes {
			raw[i] = hashes[i][:]
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, from, newer.Size, raw, older.Root[:], newer.Root[:]); err != nil {
			t.Errorf("from %d: %v", from, err)
		}
	}
}

func TestChangedHistoryIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, dir string)
		want string
	}{
		"last record cut off": {func(t *testing.T, dir string) {
			path := lastSegment(t, dir)
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, data[:len(data)-1], 0o600))
		}, "missing"},
		"last segment gone": {func(t *testing.T, dir string) { must(t, os.Remove(lastSegment(t, dir))) }, "missing"},
		"log of another ledger": {func(t *testing.T, dir string) {
			for _, f := range segments(t, dir) {
				must(t, os.Remove(f))
			}
		}, "belongs to the log"},
		"head edited": {func(t *testing.T, dir string) {
			path := filepath.Join(dir, "head.json")
			text, err := os.ReadFile(path)
			must(t, err)
			var h map[string]string
			must(t, json.Unmarshal(text, &h))
			h["root"] = strings.Repeat("0", 64)
			text, err = json.Marshal(h)
			must(t, err)
			must(t, os.WriteFile(path, text, 0o600))
		}, "records have changed"},
		"head unreadable": {func(t *testing.T, dir string) {
			must(t, os.WriteFile(filepath.Join(dir, "head.json"), []byte("{"), 0o600))
		}, "decode JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			for i := range 30 {
				appendAll(t, s, load("r", i, "a.b", "1"))
			}
			must(t, s.Close())
			c.harm(t, dir)
			s, err := store.Open(dir, store.Options{})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("expected an error that says %q, got %v", c.want, err)
			}
		})
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("expected several segments, found %v (%v)", paths, err)
	}
	return paths
}

func lastSegment(t *testing.T, dir string) string {
	paths := segments(t, dir)
	return paths[len(paths)-1]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
