package lakehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crashChild makes the test binary be a worker that commits until it is killed.
const crashChild = "LAKEHOUSE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashChild); dir != "" {
		fmt.Fprintln(os.Stderr, runCrashChild(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashModes are the commits of a worker, in this order; each uses a third of the ids.
var crashModes = []Mode{Append, Upsert, Upsert, Append}

func crashRows(run int) (out []row) {
	for i := range 50 {
		// Runs 1 and 2 replace rows of the ones before.
		out = append(out, row{int64(min(run, 1)*25 + i + run/3*1000), "x", int32(run)})
	}
	return out
}

func runCrashChild(dir string) error {
	ctx := context.Background()
	c, s := localSpec()
	cat, err := OpenCatalog(ctx, c, s, Mounts(dir))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return crashRun(ctx, cat)
}

// crashRun is what an attempt does: write, and commit with the run's token.
func crashRun(ctx context.Context, cat *Catalog) error {
	tbl, err := cat.LoadTable(ctx, rowsSpec("t").Identifier)
	if err != nil {
		return err
	}
	for run, mode := range crashModes {
		set, _, err := WriteFiles(ctx, tbl, rowsReader(crashRows(run)...), WriteOptions{})
		if err != nil {
			return err
		}
		req := CommitRequest{Mode: mode, Files: []FileSet{set}, Token: fmt.Sprint("run", run), Writer: "w", Processed: []ProcessedFile{{Path: fmt.Sprint("f", run)}}}
		if _, err := Commit(ctx, tbl, req); err != nil {
			return err
		}
	}
	return nil
}

// TestKilledWorkerLeavesEachRowOnce kills a worker with SIGKILL at random points and runs the attempt again. SEED repeats
// the points, KILLS sets how many.
func TestKilledWorkerLeavesEachRowOnce(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("KILLS"))
	if err != nil {
		kills = 8
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("SEED=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	want := map[int64]row{}
	for run := range crashModes {
		for _, r := range crashRows(run) {
			want[r.id] = r
		}
	}
	var expect []string
	for _, r := range want {
		expect = append(expect, fmt.Sprintf("%d|%s|%d", r.id, r.name, r.v))
	}
	// Kills fall within the time that a whole run takes on this machine.
	begun := time.Now()
	first := newLake(t)
	first.ensure(t, rowsSpec("t"))
	require.NoError(t, crashRun(t.Context(), first.Catalog))
	whole := time.Since(begun)
	interrupted := 0
	for range kills {
		l := newLake(t)
		tbl := l.ensure(t, rowsSpec("t"))
		killWorker(t, l.dir, time.Duration(rng.Int64N(int64(whole))))
		now, err := tbl.Reload(t.Context())
		require.NoError(t, err)
		if n := len(now.Metadata().Snapshots()); n < len(crashModes) {
			interrupted++
		}
		require.NoError(t, crashRun(t.Context(), l.Catalog))
		require.ElementsMatch(t, expect, readRows(t, tbl, ScanRequest{}))
		now, err = tbl.Reload(t.Context())
		require.NoError(t, err)
		require.Len(t, now.Metadata().Snapshots(), len(crashModes), "each run has one snapshot")
		require.EqualValues(t, len(expect), now.State().Rows)
		processed, err := ProcessedFiles(t.Context(), now, "w")
		require.NoError(t, err)
		require.Len(t, processed, len(crashModes))
	}
	require.Positive(t, interrupted, "no kill came before the worker's end; the test showed nothing")
}

// killWorker starts a worker and kills it some time after it has opened the catalog.
func killWorker(t *testing.T, dir string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashChild+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	ready := make([]byte, len("ready\n"))
	_, err = out.Read(ready)
	require.NoError(t, err)
	time.Sleep(after)
	_ = cmd.Process.Kill() // it may have ended by itself
	_ = cmd.Wait()
}
