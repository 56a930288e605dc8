package wal_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/amdgpu-framework/datastack/ledger/internal/faultfs"
	"github.com/amdgpu-framework/datastack/ledger/wal"
)

// TestPowerCuts cuts the power at a seeded operation, several times a seed, and checks that what was
// acknowledged is there in order, and that nothing appears which was never written.
func TestPowerCuts(t *testing.T) {
	const seeds = 600
	cuts, torn := 0, 0
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 0xC0FFEE))
		fs := faultfs.New(rng)
		var attempted [][]byte // by index, the last payload that was tried there
		acked := 0
		for range 4 {
			fs.CrashAfter(rng.IntN(40))
			l, got, err := open("log", wal.Options{FS: fs, SegmentSize: 3000})
			if err == nil {
				check(t, seed, got, attempted, acked)
				torn += len(attempted) - len(got)
				attempted, acked = attempted[:len(got)], len(got)
				for {
					var batch [][]byte
					for range 1 + rng.IntN(4) {
						batch = append(batch, payload(rng, rng.IntN(1000)))
					}
					attempted = append(attempted, batch...)
					if _, err := l.Append(batch); err != nil {
						break
					}
					acked = len(attempted)
				}
			}
			cuts++
			fs = fs.Restart()
		}
		l, got, err := open("log", wal.Options{FS: fs, SegmentSize: 3000})
		if err != nil {
			t.Fatalf("seed %d: open after the last power cut: %v", seed, err)
		}
		check(t, seed, got, attempted, acked)
		must(t, l.Close())
	}
	if torn == 0 {
		t.Error("no power cut lost an unacknowledged write: the fault layer tests nothing")
	}
	t.Logf("%d power cuts from %d seeds, %d unacknowledged entries lost", cuts, seeds, torn)
}

func check(t *testing.T, seed uint64, got, attempted [][]byte, acked int) {
	t.Helper()
	if len(got) < acked || len(got) > len(attempted) {
		t.Fatalf("seed %d: %d entries after the cut, %d were acknowledged, %d attempted", seed, len(got), acked, len(attempted))
	}
	for i := range got {
		if !bytes.Equal(got[i], attempted[i]) {
			t.Fatalf("seed %d: entry %d is %.40q, %.40q was written", seed, i, got[i], attempted[i])
		}
	}
}
