package run_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// rows writes a CSV file of n rows.
func (p *place) rows(name string, n int) (bytes int64) {
	p.t.Helper()
	file, err := os.Create(p.path(name))
	require.NoError(p.t, err)
	w := bufio.NewWriterSize(file, 1<<20)
	fmt.Fprintln(w, "id,k,amount,day,words")
	line := make([]byte, 0, 128)
	for i := range n {
		line = strconv.AppendInt(line[:0], int64(i), 10)
		line = append(strconv.AppendInt(append(line, ','), int64(i*7919%100_003), 10), ',')
		line = append(strconv.AppendInt(line, int64(i%90_000+10_000), 10), ".25,2026-03-"...)
		line = append(line, byte('1'+i%2), byte('0'+i%10))
		line = append(line, ",carefully packed words of the row\n"...)
		_, _ = w.Write(line) // Flush tells errors
	}
	require.NoError(p.t, w.Flush())
	info, err := file.Stat()
	require.NoError(p.t, err)
	require.NoError(p.t, file.Close())
	return info.Size()
}

var rowsColumns = []string{"id long", "k long", "amount double", "day date", "words string"}

func setting(t *testing.T, name string, otherwise int64) int64 {
	value := os.Getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(value, 10, 64)
	require.NoError(t, err)
	return n
}

// TestKilledWorkerLeavesEachRowOnce kills the worker with SIGKILL at random points and does the run again. SEED repeats
// the points, KILLS sets how many.
func TestKilledWorkerLeavesEachRowOnce(t *testing.T) {
	const n = 60_000
	kills := int(setting(t, "KILLS", 6))
	seed := setting(t, "SEED", time.Now().UnixNano())
	t.Logf("SEED=%d", seed)
	rng := rand.New(rand.NewPCG(uint64(seed), 3))
	p := newPlace(t)
	p.ownEngine(pythonPath)
	endpoint, _ := p.ledgerd("")
	p.ledger = &runspec.Ledger{Name: "audit", Endpoint: endpoint, TokenSecret: "ledger"}
	p.table("t", nil, rowsColumns...)
	p.rows("in.csv", n)
	order := func(i int) *runspec.RunSpec {
		spec := p.order(fmt.Sprint("r", i), csvFrom("in.csv"), tableTo("t", ""), filter("id >= 0"))
		if i%3 == 2 {
			spec.Pipeline.Transformations[0] = datafusion("sql", "SELECT * FROM input WHERE id >= 0", nil)
		}
		spec.Pipeline.Parallelism = int32(i%2 + 1)
		return spec
	}
	cmd, out := p.worker(order(0))
	begun := time.Now()
	require.NoError(t, cmd.Run(), "%s", out)
	whole := time.Since(begun)
	t.Logf("a run takes %s", whole)
	interrupted := 0
	for i := 1; i <= kills; i++ {
		cmd, _ := p.worker(order(i))
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(rng.Int64N(int64(whole) * 11 / 10)))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		if _, snapshots := p.rowsOf("t"); snapshots == i {
			interrupted++
		}
		spec := order(i)
		spec.Attempt = 2
		cmd, out := p.worker(spec)
		require.NoError(t, cmd.Run(), "%s", out)
		require.EqualValues(t, n, decode(t, out).RowsWritten)
		got, snapshots := p.rowsOf("t")
		require.Len(t, got, n*(i+1))
		require.Equal(t, i+1, snapshots, "each run has one snapshot")
		for first := range n { // sorted, so that the copies of a row follow each other
			require.Equal(t, got[first*(i+1)], got[first*(i+1)+i])
		}
	}
	t.Logf("%d of %d kills came before the commit", interrupted, kills)
	require.Positive(t, interrupted, "no kill came before the commit; the test showed nothing")
	lines, _ := p.recorded("ns.t")
	require.Len(t, lines, kills+1, "a record for each run: %v", lines)
	require.Empty(t, p.outbox())
}

func TestTerminatedWorkerLeavesNothing(t *testing.T) {
	p := newPlace(t)
	p.table("t", nil, rowsColumns...)
	p.rows("in.csv", 2_000_000)
	cmd, out := p.worker(p.order("r1", csvFrom("in.csv"), tableTo("t", ""), filter("id >= 0")))
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return len(p.dataFiles()) > 0 }, 30*time.Second, 5*time.Millisecond, "no data file appears")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	err := cmd.Wait()
	require.Error(t, err)
	result := decode(t, out)
	require.EqualValues(t, 1, result.ExitCode)
	require.Equal(t, "Interrupted", result.Reason)
	require.Contains(t, result.Message, "nothing was committed")
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	_, snapshots := p.rowsOf("t")
	require.Zero(t, snapshots)
	require.Empty(t, p.dataFiles())
}

// TestMemoryDoesNotGrowWithTheInput compares the worker's peak memory for an input and for one ten times as large.
func TestMemoryDoesNotGrowWithTheInput(t *testing.T) {
	const bound, n = 600 << 20, 460_000
	p := newPlace(t)
	var peaks, sizes []int64
	for i, rows := range []int{n, 10 * n} {
		sizes = append(sizes, p.rows("in.csv", rows))
		cmd, out := p.worker(p.order(fmt.Sprint("r", i), csvFrom("in.csv"), filesTo("out", ""), filter("k > 10")))
		require.NoError(t, cmd.Run(), "%s", out)
		require.EqualValues(t, rows, decode(t, out).RowsRead)
		peaks = append(peaks, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss<<10)
	}
	t.Logf("input %d and %d MB: peak %d and %d MB", sizes[0]>>20, sizes[1]>>20, peaks[0]>>20, peaks[1]>>20)
	require.Greater(t, sizes[1], int64(280<<20))
	require.Less(t, peaks[1], int64(bound))
}
