// Command ledger measures durable appends over HTTP on loopback: server and clients share the machine.
// It prints one JSON object.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/server"
	"github.com/amdgpu-framework/datastack/ledger/store"
)

type result struct {
	Cores            int       `json:"cores"`
	Clients          int       `json:"clients"`
	BatchRecords     int       `json:"batchRecords"`
	SecondsPerRound  float64   `json:"secondsPerRound"`
	RecordsPerSecond []float64 `json:"recordsPerSecond"`
	MedianPerSecond  float64   `json:"medianRecordsPerSecond"`
	P50Ms            float64   `json:"p50Ms"`
	P99Ms            float64   `json:"p99Ms"`
	ReopenSeconds    float64   `json:"reopenSeconds"`
	ReopenedRecords  uint64    `json:"reopenedRecords"`
}

func main() {
	clients := flag.Int("clients", 8, "clients that append at once")
	batch := flag.Int("batch", 10, "records of one append")
	rounds := flag.Int("rounds", 3, "rounds; the median is reported")
	length := flag.Duration("length", 4*time.Second, "length of a round")
	dir := flag.String("dir", "", "folder on the disk to measure (default: a temporary one)")
	flag.Parse()
	if err := measure(*dir, *clients, *batch, *rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "bench ledger:", err)
		os.Exit(1)
	}
}

func measure(parent string, clients, batch, rounds int, length time.Duration) error {
	dir, err := os.MkdirTemp(parent, "ledger-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data, tokenFile := filepath.Join(dir, "data"), filepath.Join(dir, "token")
	if err := os.WriteFile(tokenFile, []byte(rand.Text()), 0o600); err != nil {
		return err
	}
	out := result{Cores: runtime.NumCPU(), Clients: clients, BatchRecords: batch, SecondsPerRound: length.Seconds()}
	var latencies []time.Duration
	s, url, stop, err := start(data, tokenFile)
	if err != nil {
		return err
	}
	for round := range rounds {
		begun := time.Now()
		took, err := load(url, tokenFile, round, clients, batch, length)
		if err != nil {
			return err
		}
		latencies = append(latencies, took...)
		out.RecordsPerSecond = append(out.RecordsPerSecond, float64(len(took)*batch)/time.Since(begun).Seconds())
	}
	written := s.Size()
	if err := stop(); err != nil {
		return err
	}
	begun := time.Now()
	s, err = store.Open(data, store.Options{})
	if err != nil {
		return err
	}
	out.ReopenSeconds, out.ReopenedRecords = time.Since(begun).Seconds(), s.Size()
	if out.ReopenedRecords != written {
		return fmt.Errorf("%d records after reopening, %d were written", out.ReopenedRecords, written)
	}
	slices.Sort(latencies)
	out.P50Ms, out.P99Ms = ms(latencies[len(latencies)/2]), ms(latencies[len(latencies)*99/100])
	sorted := slices.Sorted(slices.Values(out.RecordsPerSecond))
	out.MedianPerSecond = sorted[len(sorted)/2]
	if err := s.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func start(data, tokenFile string) (*store.Store, string, func() error, error) {
	tokens, err := server.LoadTokens([]string{tokenFile})
	if err != nil {
		return nil, "", nil, err
	}
	metrics := server.NewMetrics()
	s, err := store.Open(data, store.Options{OnCommit: metrics.Committed})
	if err != nil {
		return nil, "", nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	h := server.New(s, server.Options{Origin: "bench", Tokens: tokens, Metrics: metrics}).HTTPServer()
	go func() { _ = h.Serve(listener) }() // ends with Shutdown
	stop := func() error {
		if err := h.Shutdown(context.Background()); err != nil {
			return err
		}
		return s.Close()
	}
	return s, "http://" + listener.Addr().String(), stop, nil
}

// load appends from all clients for the length of a round and returns the time of each append.
func load(url, tokenFile string, round, clients, batch int, length time.Duration) ([]time.Duration, error) {
	pool := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: 30 * time.Second}
	end := time.Now().Add(length)
	var mu sync.Mutex
	var all []time.Duration
	var failed error
	var wg sync.WaitGroup
	for n := range clients {
		wg.Go(func() {
			c := &client.Client{URL: url, TokenFile: tokenFile, HTTP: pool}
			var took []time.Duration
			var err error
			for i := 0; err == nil && time.Now().Before(end); i++ {
				records := sample(fmt.Sprintf("r%d-%d", round, n), i*batch, batch)
				begun := time.Now()
				_, err = c.Append(context.Background(), records...)
				took = append(took, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			if err != nil {
				failed = err
			}
		})
	}
	wg.Wait()
	return all, failed
}

// sample makes records of the size that a pipeline's Load has: about 700 bytes in the log.
func sample(run string, first, n int) []record.Record {
	records := make([]record.Record, n)
	for i := range records {
		records[i] = record.Record{Type: record.Load, RunID: run, Seq: record.Uint64(first + i), PipelineID: "bench", //nolint:gosec // counted from 0
			Sources:      []record.Dataset{{Name: "s3://raw/flights/2013-01.csv", Snapshot: "etag-1"}, {Name: "aviation.airlines", Snapshot: "7853723579105552123"}},
			Destinations: []record.Dataset{{Name: fmt.Sprintf("aviation.flights%d", i%16), Snapshot: "7853723579105552124"}},
			Receipts:     []record.Receipt{{Step: "clean", Engine: "datafusion", RowsIn: 1000, RowsOut: 990, Bytes: 1 << 20, DurationMs: 12}},
			RowCount:     record.Count(990), Time: time.Now()}
	}
	return records
}
