package wal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/amdgpu-framework/datastack/ledger/internal/faultfs"
	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// open opens a log and returns what it replayed.
func open(dir string, opt wal.Options) (*wal.Log, [][]byte, error) {
	var got [][]byte
	l, err := wal.Open(dir, opt, func(index uint64, payload []byte) error {
		if index != uint64(len(got)) {
			return fmt.Errorf("replayed entry %d as number %d", index, len(got))
		}
		got = append(got, bytes.Clone(payload))
		return nil
	})
	return l, got, err
}

func payload(rng *rand.Rand, n int) []byte {
	b := fmt.Appendf(nil, "entry %d ", n)
	return append(b, bytes.Repeat([]byte{byte('a' + n%26)}, rng.IntN(900))...)
}

func TestRoundTripOverSegments(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	l, _, err := open(dir, wal.Options{SegmentSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	id := l.ID()
	var want [][]byte
	for range 40 {
		var batch [][]byte
		for range rng.IntN(6) {
			batch = append(batch, payload(rng, len(want)+len(batch)))
		}
		first, err := l.Append(batch)
		if err != nil || first != uint64(len(want)) {
			t.Fatalf("append: first %d, want %d: %v", first, len(want), err)
		}
		want = append(want, batch...)
	}
	for i, w := range want {
		if got, err := l.Read(uint64(i)); err != nil || !bytes.Equal(got, w) {
			t.Fatalf("read %d: %q, %v", i, got, err)
		}
	}
	if _, err := l.Read(uint64(len(want))); err == nil {
		t.Error("reading past the end: expected an error")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	if len(files) < 3 {
		t.Fatalf("expected several segments, found %v", files)
	}
	l, got, err := open(dir, wal.Options{SegmentSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !slices.EqualFunc(got, want, bytes.Equal) || l.ID() != id {
		t.Fatalf("replayed %d entries of %d, id %x of %x", len(got), len(want), l.ID(), id)
	}
	if got, err := l.Read(uint64(len(want) - 1)); err != nil || !bytes.Equal(got, want[len(want)-1]) {
		t.Fatalf("read after reopening: %q, %v", got, err)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	dir := t.TempDir()
	l, _, err := open(dir, wal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(dir, wal.Options{}); err == nil || !strings.Contains(err.Error(), "another ledgerd") {
		t.Fatalf("second open: expected a lock error, got %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l, _, err = open(dir, wal.Options{})
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append([][]byte{{1}}); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("append on a closed log: %v", err)
	}
	if _, err := l.Read(0); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("read on a closed log: %v", err)
	}
}

// written makes a log of three segments in dir, one entry a batch, and returns the segment paths.
func written(t *testing.T, dir string) (paths []string, entries int) {
	t.Helper()
	l, _, err := open(dir, wal.Options{SegmentSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		if _, err := l.Append([][]byte{bytes.Repeat([]byte{'x'}, 250+i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	paths, _ = filepath.Glob(filepath.Join(dir, "*.wal"))
	if len(paths) != 3 {
		t.Fatalf("expected 3 segments, found %v", paths)
	}
	return paths, 9
}

func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 0x40
		return b
	}
}

func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		harm    func(t *testing.T, paths []string)
		corrupt string // part of the message; empty: the log opens
		lost    int    // entries cut off
	}{
		"payload byte in an early segment": {func(t *testing.T, p []string) { edit(t, p[0], flip(100)) }, "CRC", 0},
		"length byte in an early segment":  {func(t *testing.T, p []string) { edit(t, p[0], flip(36+7)) }, "payload bytes", 0},
		"last byte of an early segment":    {func(t *testing.T, p []string) { edit(t, p[0], flip(-1)) }, "CRC", 0},
		"early segment cut":                {func(t *testing.T, p []string) { edit(t, p[0], func(b []byte) []byte { return b[:len(b)-9] }) }, "payload bytes", 0},
		"early segment cut at a frame":     {func(t *testing.T, p []string) { edit(t, p[0], func(b []byte) []byte { return b[:36+28+250] }) }, "missing or was cut", 0},
		"segment header":                   {func(t *testing.T, p []string) { edit(t, p[1], flip(10)) }, "header CRC", 0},
		"segment magic":                    {func(t *testing.T, p []string) { edit(t, p[1], flip(0)) }, "magic", 0},
		"empty last segment file":          {func(t *testing.T, p []string) { edit(t, p[2], func([]byte) []byte { return nil }) }, "header", 0},
		"middle segment gone":              {func(t *testing.T, p []string) { must(t, os.Remove(p[1])) }, "missing or was cut", 0},
		"first segment gone":               {func(t *testing.T, p []string) { must(t, os.Remove(p[0])) }, "missing or was cut", 0},
		"segment renamed":                  {func(t *testing.T, p []string) { must(t, os.Rename(p[2], p[2][:len(p[2])-5]+"9.wal")) }, "file name", 0},
		"first entry of the last segment":  {func(t *testing.T, p []string) { edit(t, p[2], flip(80)) }, "CRC", 0},
		"its length":                       {func(t *testing.T, p []string) { edit(t, p[2], flip(36+6)) }, "payload bytes", 0},
		"foreign segment": {func(t *testing.T, p []string) {
			other, _ := written(t, t.TempDir())
			data, err := os.ReadFile(other[1])
			must(t, err)
			must(t, os.WriteFile(p[1], data, 0o600))
		}, "belongs to the log", 0},
		"torn tail":           {func(t *testing.T, p []string) { edit(t, p[2], func(b []byte) []byte { return b[:len(b)-1] }) }, "", 1},
		"torn to a few bytes": {func(t *testing.T, p []string) { edit(t, p[2], func(b []byte) []byte { return b[:len(b)-270] }) }, "", 1},
		"zeros behind the tail": {func(t *testing.T, p []string) {
			edit(t, p[2], func(b []byte) []byte { return append(b, make([]byte, 700)...) })
		}, "", 0},
		"half-made segment": {func(t *testing.T, p []string) {
			must(t, os.WriteFile(filepath.Join(filepath.Dir(p[0]), "00000000000000000009.wal.tmp"), []byte("x"), 0o600))
		}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			paths, entries := written(t, dir)
			c.harm(t, paths)
			l, got, err := open(dir, wal.Options{SegmentSize: 1000})
			if c.corrupt != "" {
				var corrupt *wal.CorruptError
				if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.corrupt) {
					t.Fatalf("expected a CorruptError that says %q, got %v", c.corrupt, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != entries-c.lost {
				t.Fatalf("expected %d entries, found %d", entries-c.lost, len(got))
			}
			if first, err := l.Append([][]byte{{'n'}}); err != nil || first != uint64(len(got)) {
				t.Fatalf("append after repair: %d, %v", first, err)
			}
			must(t, l.Close())
			l, again, err := open(dir, wal.Options{SegmentSize: 1000})
			if err != nil || len(again) != len(got)+1 {
				t.Fatalf("after repair and append: %d entries, %v", len(again), err)
			}
			must(t, l.Close())
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTamperedReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	l, _, err := open(dir, wal.Options{})
	must(t, err)
	defer l.Close()
	_, err = l.Append([][]byte{[]byte("one"), []byte("two")})
	must(t, err)
	paths, _ := filepath.Glob(filepath.Join(dir, "*.wal"))
	edit(t, paths[0], flip(-1))
	var corrupt *wal.CorruptError
	if _, err := l.Read(1); !errors.As(err, &corrupt) || corrupt.Index != 1 {
		t.Fatalf("expected a CorruptError for entry 1, got %v", err)
	}
	if got, err := l.Read(0); err != nil || string(got) != "one" {
		t.Fatalf("entry 0: %q, %v", got, err)
	}
}

func TestReplayErrorNamesThePosition(t *testing.T) {
	dir := t.TempDir()
	written(t, dir)
	broken := errors.New("broken")
	_, err := wal.Open(dir, wal.Options{}, func(i uint64, _ []byte) error {
		if i == 4 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "entry 4") {
		t.Fatalf("got %v", err)
	}
}

func TestFailedWritePoisons(t *testing.T) {
	for name, failure := range map[string]error{"disk full": syscall.ENOSPC, "read-only": syscall.EROFS, "input/output": syscall.EIO} {
		for after := range 2 { // the write, then the sync
			t.Run(fmt.Sprintf("%s at operation %d", name, after), func(t *testing.T) {
				fs := faultfs.New(rand.New(rand.NewPCG(7, uint64(after))))
				l, _, err := open("log", wal.Options{FS: fs})
				must(t, err)
				_, err = l.Append([][]byte{[]byte("kept")})
				must(t, err)
				fs.FailOnce(after, failure)
				if _, err := l.Append([][]byte{[]byte("doubtful")}); !errors.Is(err, failure) {
					t.Fatalf("expected %v, got %v", failure, err)
				}
				if _, err := l.Append([][]byte{[]byte("later")}); !errors.Is(err, wal.ErrPoisoned) || !errors.Is(err, failure) {
					t.Fatalf("expected a poisoned log that says why, got %v", err)
				}
				if l.Failed() == nil {
					t.Error("Failed: expected the cause")
				}
				if got, err := l.Read(0); err != nil || string(got) != "kept" {
					t.Fatalf("reads go on: %q, %v", got, err)
				}
				must(t, l.Close())
				l, got, err := open("log", wal.Options{FS: fs})
				must(t, err)
				if len(got) == 0 || string(got[0]) != "kept" {
					t.Fatalf("after reopening: %q", got)
				}
				if _, err := l.Append([][]byte{[]byte("again")}); err != nil {
					t.Fatalf("append after reopening: %v", err)
				}
			})
		}
	}
}

func TestOversizedEntryIsRefusedWithoutPoison(t *testing.T) {
	l, _, err := open(t.TempDir(), wal.Options{})
	must(t, err)
	defer l.Close()
	if _, err := l.Append([][]byte{make([]byte, wal.MaxPayload+1)}); err == nil {
		t.Fatal("expected an error")
	}
	if _, err := l.Append([][]byte{[]byte("ok")}); err != nil {
		t.Fatal(err)
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	l, _, err := open(dir, wal.Options{})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := l.Append([][]byte{[]byte("a"), []byte("bc")}); err != nil {
		f.Fatal(err)
	}
	name := filepath.Join(dir, "00000000000000000000.wal")
	seed, _ := os.ReadFile(name)
	f.Add(seed)
	f.Add(seed[:len(seed)-1])
	f.Add(append(bytes.Clone(seed), seed[36:]...))
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := faultfs.New(rand.New(rand.NewPCG(0, 0)))
		file, err := fs.Create("log/00000000000000000000.wal")
		must(t, err)
		_, err = file.Write(data)
		must(t, err)
		l, got, err := open("log", wal.Options{FS: fs})
		if err != nil {
			return
		}
		must(t, l.Close())
		l, again, err := open("log", wal.Options{FS: fs})
		if err != nil || !slices.EqualFunc(got, again, bytes.Equal) {
			t.Fatalf("a log that opened gives %d entries, opened again %d: %v", len(got), len(again), err)
		}
		must(t, l.Close())
	})
}
