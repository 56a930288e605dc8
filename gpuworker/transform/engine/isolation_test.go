package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const python = "../../../.venv/engine/bin/python"

func start(t *testing.T, memoryBytes int64) (*Process, string) {
	t.Helper()
	scratch := t.TempDir()
	p, err := Start(t.Context(), python, scratch, memoryBytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p, scratch
}

// numbers gives rows of id and a text, in batches of at most 64Ki rows that are made when they are read.
type numbers struct {
	refs    int
	schema  *arrow.Schema
	next    int64
	rows    int64
	current arrow.RecordBatch
}

func newNumbers(rows int64) *numbers {
	return &numbers{refs: 1, rows: rows, schema: arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil)}
}

func (n *numbers) Next() bool {
	if n.next == n.rows {
		return false
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, n.schema)
	for end := min(n.next+64<<10, n.rows); n.next < end; n.next++ {
		b.Field(0).(*array.Int64Builder).Append(n.next)
		b.Field(1).(*array.StringBuilder).Append("the text of row " + strconv.FormatInt(n.next, 10))
	}
	n.current = b.NewRecordBatch()
	return true
}

func (n *numbers) Schema() *arrow.Schema          { return n.schema }
func (n *numbers) RecordBatch() arrow.RecordBatch { return n.current }
func (n *numbers) Record() arrow.RecordBatch      { return n.current }
func (n *numbers) Err() error                     { return nil }
func (n *numbers) Retain()                        { n.refs++ }
func (n *numbers) Release()                       { n.refs-- }

// count runs a step and gives its number of rows.
func count(ctx context.Context, c *Client, req Request, in array.RecordReader) (int64, error) {
	req.Step = "s"
	r, err := c.Run(ctx, req, in)
	if err != nil {
		return 0, err
	}
	defer r.Release()
	var rows int64
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	return rows, r.Err()
}

func TestAStepThatRunsWildEndsAlone(t *testing.T) {
	p, scratch := start(t, 1<<30)
	wild := map[string]string{
		"hangs":              "while True: pass",
		"hangs in C":         "import time\ntime.sleep(600)",
		"kills itself":       "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
		"leaves the process": "import os\nos._exit(0)",
		"closes every file":  "import os\nos.closerange(3, 256)\ninput",
		"sys.exit":           "import sys\nsys.exit(0)",
		"endless recursion":  "def f(): return f()\nf()",
	}
	var group sync.WaitGroup
	for name, script := range wild {
		group.Go(func() {
			rows, err := count(t.Context(), p.Client, Request{Engine: "polars", Script: script, Timeout: time.Second}, newNumbers(1000))
			if err == nil {
				t.Errorf("%s: ended well with %d rows", name, rows)
			}
		})
	}
	for range 3 {
		group.Go(func() {
			rows, err := count(t.Context(), p.Client, Request{Engine: "polars", Script: "input.filter(pl.col('id') % 2 == 0)"}, newNumbers(200_000))
			if err != nil || rows != 100_000 {
				t.Errorf("beside wild steps: %d rows, %v; want 100000", rows, err)
			}
		})
	}
	group.Wait()
	waitUntilEmpty(t, scratch)
}

func TestTimeLimitSaysSo(t *testing.T) {
	p, _ := start(t, 1<<30)
	for _, req := range []Request{
		{Engine: "polars", Script: "while True: pass"},
		{Engine: "datafusion", Script: "SELECT count(*) FROM input a JOIN input b ON a.id % 2 = b.id % 2 WHERE a.s || b.s < 'the'"},
	} {
		req.Timeout = time.Second
		begun := time.Now()
		_, err := count(t.Context(), p.Client, req, newNumbers(100_000))
		if err == nil || !strings.Contains(err.Error(), "longer than 1 s") {
			t.Errorf("%s: error %v; want the time limit", req.Engine, err)
		}
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("%s: the step ran for %s", req.Engine, took)
		}
	}
}

func TestACancelledStepLeavesNothing(t *testing.T) {
	p, scratch := start(t, 1<<30)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := count(ctx, p.Client, Request{Engine: "datafusion", Script: "SELECT count(*) FROM input a JOIN input b ON a.id % 2 = b.id % 2 WHERE a.s || b.s < 'the'"}, newNumbers(100_000))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v; want the context's", err)
	}
	waitUntilEmpty(t, scratch)
}

// Inputs and results of some hundred MB, with 64 MB for the engine: whole inputs are spooled, sorts spill.
func TestMemoryStaysBounded(t *testing.T) {
	p, scratch := start(t, 64<<20)
	const rows = 4_000_000 // about 150 MB
	for _, req := range []Request{
		{Engine: "datafusion", Script: "SELECT id, s FROM input ORDER BY s"},
		{Engine: "datafusion", Script: "SELECT id + 1 AS id, s FROM input", RowWise: true},
		{Engine: "polars", Script: "input.filter(pl.col('id') >= 0)"},
		{Engine: "polars", Script: "input.with_columns(pl.col('id') + 1)", RowWise: true},
	} {
		begun := time.Now()
		peak := watchMemory(t, p.cmd.Process.Pid)
		n, err := count(t.Context(), p.Client, req, newNumbers(rows))
		if err != nil || n != rows {
			t.Errorf("%s %q: %d rows, %v; want %d", req.Engine, req.Script, n, err, rows)
		}
		// Imports alone take about 200 MB a process; two are alive.
		if used := peak(); used > 900<<20 {
			t.Errorf("%s %q: %d MB resident", req.Engine, req.Script, used>>20)
		} else {
			t.Logf("%s %q: %d MB resident, %s", req.Engine, req.Script, used>>20, time.Since(begun).Round(time.Millisecond))
		}
	}
	waitUntilEmpty(t, scratch)
}

// watchMemory gives the most memory that the group of a process held while one of its processes did.
func watchMemory(t *testing.T, group int) func() int64 {
	t.Helper()
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		for {
			peak = max(peak, largestOf(group))
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(stop); return <-done }
}

// largestOf is the resident memory of the largest process of a group.
func largestOf(group int) (largest int64) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// Fields after the name, which may hold spaces: state, ppid, pgrp, ...; rss in pages is field 24 of all.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 21 && fields[2] == strconv.Itoa(group) {
			pages, _ := strconv.ParseInt(fields[21], 10, 64)
			largest = max(largest, pages*int64(os.Getpagesize()))
		}
	}
	return largest
}

func TestTheEngineSeesNoSecret(t *testing.T) {
	t.Setenv("DATASTACK_TEST_SECRET", "hidden")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hidden")
	p, _ := start(t, 1<<30)
	script := "import os\npl.DataFrame({'v': [v for v in os.environ.values() if 'hidden' in v]}, schema={'v': pl.String})"
	rows, err := count(t.Context(), p.Client, Request{Engine: "polars", Script: script}, newNumbers(1))
	if err != nil || rows != 0 {
		t.Fatalf("%d variables with a secret, error %v; want none", rows, err)
	}
}

func TestStopEndsTheGroupAndItsFiles(t *testing.T) {
	p, scratch := start(t, 1<<30)
	group := p.cmd.Process.Pid
	p.Stop()
	if used := largestOf(group); used != 0 {
		t.Errorf("a process of the engine is still there with %d bytes", used)
	}
	if entries, err := os.ReadDir(scratch); err != nil || len(entries) != 0 {
		t.Errorf("left in scratch: %v, %v", entries, err)
	}
	if _, err := p.Health(t.Context()); err == nil {
		t.Error("a stopped engine answers")
	}
}

func TestStartNamesWhatIsMissing(t *testing.T) {
	for name, tc := range map[string]struct{ python, want string }{
		"no such file":      {filepath.Join(t.TempDir(), "python"), "make engine-venv"},
		"no Python":         {"/bin/false", "ended at once"},
		"engines not there": {"/usr/bin/env", "did not start"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Start(t.Context(), tc.python, t.TempDir(), 1<<30)
			if err == nil {
				p.Stop()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v; want it to contain %q", err, tc.want)
			}
		})
	}
}

// Bytes that are no frames end their connection and nothing else.
func TestGarbageOnTheSocket(t *testing.T) {
	p, _ := start(t, 1<<30)
	for _, garbage := range []string{"GET / HTTP/1.1\r\n\r\n", "H\xff\xff\xff\xff", "H\x00\x00\x00\x02{]", "H\x00\x00\x00\x02{}", "D\x00\x00\x00\x00", "H"} {
		conn, err := net.Dial("unix", p.socket)
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Write([]byte(garbage))
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if uc, ok := conn.(*net.UnixConn); ok {
			_ = uc.CloseWrite()
		}
		answer := make([]byte, 4096)
		n, readErr := conn.Read(answer)
		if n > 0 && answer[0] != frameFailure {
			t.Errorf("%q was answered with %q (%v)", garbage, answer[:n], err)
		}
		if errors.Is(readErr, os.ErrDeadlineExceeded) {
			t.Errorf("%q: no answer and no end", garbage)
		}
		_ = conn.Close()
	}
	if versions, err := p.Health(t.Context()); err != nil || versions["polars"] == "" || versions["datafusion"] == "" {
		t.Fatalf("health after garbage: %v, %v", versions, err)
	}
}

// waitUntilEmpty waits until no spool or spill file is left: children clean up when they end.
func waitUntilEmpty(t *testing.T, scratch string) {
	t.Helper()
	var left []string
	for range 100 {
		left = left[:0]
		_ = filepath.WalkDir(scratch, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				left = append(left, path)
			}
			return nil
		})
		if len(left) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error(fmt.Sprint("left in scratch: ", left))
}
