package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/internal/faultfs"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/store"
	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// TestPowerCuts cuts the power at a seeded operation under several writers, several times a seed. Each
// record that was acknowledged must be at its index once, and each checkpoint seen must still hold.
func TestPowerCuts(t *testing.T) {
	const seeds = 250
	acknowledged := 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 0xBEEF))
		fs := faultfs.New(rng)
		seen := &history{acked: map[string]store.Result{}}
		for boot := range 3 {
			cut := 5 + rng.IntN(60)
			fs.CrashAfter(cut)
			if s, err := store.Open("ledger", options(fs)); err == nil {
				seen.check(t, seed, s)
				run(seen, s, boot)
				s.Close()
			}
			fs = fs.Restart()
		}
		s, err := store.Open("ledger", options(fs))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		seen.check(t, seed, s)
		acknowledged += len(seen.acked)
		must(t, s.Close())
	}
	if acknowledged < seeds {
		t.Errorf("only %d acknowledged records over %d seeds: the cuts come too early to test anything", acknowledged, seeds)
	}
	t.Logf("%d power cuts, %d acknowledged records", 3*seeds, acknowledged)
}

func options(fs wal.FS) store.Options {
	return store.Options{FS: fs, SegmentSize: 6000, HeadInterval: time.Millisecond}
}

// history is what clients know.
type history struct {
	mu    sync.Mutex
	acked map[string]store.Result
	heads []store.Checkpoint
}

// run appends from three writers until the store fails.
func run(h *history, s *store.Store, boot int) {
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			for i := 0; ; i++ {
				batch := []record.Record{load(fmt.Sprintf("r%d-%d", boot, w), i, "a.b", "1"), load("every-boot", i, "c.d", "1")}
				results, err := s.Append(context.Background(), batch)
				if err != nil {
					return
				}
				at, err := s.Checkpoint(nil)
				h.mu.Lock()
				for j, r := range results {
					h.acked[batch[j].OperationID] = r
				}
				if err == nil {
					h.heads = append(h.heads, at)
				}
				h.mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func (h *history) check(t *testing.T, seed uint64, s *store.Store) {
	t.Helper()
	for key, want := range h.acked {
		a, err := s.Get(want.Index, nil)
		if err != nil {
			t.Fatalf("seed %d: acknowledged record %s is gone: %v", seed, key, err)
		}
		if env := verify(t, a)[0]; env.Record.OperationID != key || a.Rows[0].LeafHash != want.LeafHash {
			t.Fatalf("seed %d: index %d holds %s, %s was acknowledged there", seed, want.Index, env.Record.OperationID, key)
		}
	}
	for _, want := range h.heads {
		if got, err := s.Checkpoint(&want.Size); err != nil || got != want {
			t.Fatalf("seed %d: root at size %d is %x, clients saw %x (%v)", seed, want.Size, got.Root, want.Root, err)
		}
	}
	keys := map[string]uint64{}
	for i := range s.Size() {
		a, err := s.Get(i, nil)
		must(t, err)
		env, err := record.DecodeEnvelope(a.Rows[0].Envelope)
		must(t, err)
		if at, twice := keys[env.Record.OperationID]; twice {
			t.Fatalf("seed %d: %s is at %d and at %d", seed, env.Record.OperationID, at, i)
		}
		keys[env.Record.OperationID] = i
	}
}

func TestFullDiskGivesNoFalseAcknowledgement(t *testing.T) {
	for at := range 4 {
		fs := faultfs.New(rand.New(rand.NewPCG(uint64(at), 1)))
		opt := store.Options{FS: fs, HeadInterval: time.Hour}
		s, err := store.Open("ledger", opt)
		must(t, err)
		kept := appendAll(t, s, load("r", 0, "a.b", "1"))[0]
		fs.FailOnce(at, syscall.ENOSPC)
		var failed error
		for i := 1; failed == nil; i++ {
			_, failed = s.Append(context.Background(), []record.Record{load("r", i, "a.b", "1")})
		}
		if !errors.Is(failed, syscall.ENOSPC) {
			t.Fatalf("expected %v, got %v", syscall.ENOSPC, failed)
		}
		if _, err := s.Append(context.Background(), []record.Record{load("r", 99, "a.b", "1")}); !errors.Is(err, wal.ErrPoisoned) {
			t.Fatalf("later append: %v", err)
		}
		if again := appendAll(t, s, load("r", 0, "a.b", "1"))[0]; !again.Duplicate || again.LeafHash != kept.LeafHash {
			t.Fatalf("what is durable is still answered: %+v", again)
		}
		if s.Failed() == nil {
			t.Error("Failed: expected the cause")
		}
		must(t, s.Close())
	}
}

func TestHeadFileFailureIsReportedButHarmless(t *testing.T) {
	fs := faultfs.New(rand.New(rand.NewPCG(1, 1)))
	s, err := store.Open("ledger", store.Options{FS: fs, HeadInterval: time.Hour})
	must(t, err)
	appendAll(t, s, load("r", 0, "a.b", "1"))
	fs.FailOnce(0, syscall.EIO)
	must(t, s.Close()) // writes the head
	if !errors.Is(s.HeadFailed(), syscall.EIO) {
		t.Errorf("HeadFailed: %v", s.HeadFailed())
	}
	s, err = store.Open("ledger", store.Options{FS: fs})
	must(t, err)
	defer s.Close()
	if s.Size() != 1 {
		t.Errorf("expected 1 record, found %d", s.Size())
	}
}
