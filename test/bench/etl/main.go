// Command etl times batch ETL into an Iceberg table beside its peers, on the same files in the same run, in turns.
//
//	go run ./test/bench/etl -scale 1 -repeat 5 > bench.json
//
// The data is TPC-H lineitem, made by tpchgen-cli. Each measurement is one whole process. The peers are PyIceberg (same
// catalog kind, same codec, one append) and DuckDB writing Parquet with zstd (no table format: a floor, not a rival).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Measurement is one peer's figures over the same input. MB are 10^6 bytes.
type Measurement struct {
	Name        string    `json:"name"`
	Seconds     []float64 `json:"seconds"`
	Median      float64   `json:"medianSeconds"`
	CPUSeconds  float64   `json:"medianCPUSeconds"`
	PeakRSSMB   float64   `json:"peakRSSMB"`
	InputMBps   float64   `json:"inputMBPerSecond"`
	ArrowMBps   float64   `json:"arrowMBPerSecond"`
	RatioToOurs float64   `json:"timeRatioToOurs"`
	cpu         []float64
}

// Case is one row of the table of targets.
type Case struct {
	What       string         `json:"what"`
	Rows       int64          `json:"rows"`
	InputBytes int64          `json:"inputBytes"`
	ArrowBytes int64          `json:"arrowBytes"`
	Results    []*Measurement `json:"results"`
}

// Report is what the command prints.
type Report struct {
	Cores  int    `json:"cores"`
	Scale  string `json:"scale"`
	Repeat int    `json:"repeat"`
	Cases  []Case `json:"cases"`
}

func main() {
	scale := flag.String("scale", "1", "TPC-H scale factor")
	repeat := flag.Int("repeat", 5, "measurements per peer")
	worker := flag.String("worker", "bin/gpuworker", "the worker binary")
	python := flag.String("python", ".venv/test/bin/python", "a Python with pyiceberg and duckdb")
	peers := flag.String("peers", "test/bench/etl/peers.py", "the peers' script")
	flag.Parse()
	if err := run(*scale, *repeat, *worker, *python, *peers); err != nil {
		fmt.Fprintln(os.Stderr, "etl bench:", err)
		os.Exit(1)
	}
}

func run(scale string, repeat int, worker, python, peers string) error {
	dir, err := os.MkdirTemp("", "datastack-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := filepath.Join(dir, "mounts", "volumes", "data")
	report := Report{Cores: runtime.GOMAXPROCS(0), Scale: scale, Repeat: repeat}
	for _, format := range []string{"parquet", "csv"} {
		if err := generate(python, scale, format, data); err != nil {
			return err
		}
		c, err := measure(dir, data, format, repeat, worker, python, peers)
		if err != nil {
			return err
		}
		report.Cases = append(report.Cases, *c)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(report)
}

func generate(python, scale, format, dir string) error {
	cmd := exec.Command(filepath.Join(filepath.Dir(python), "tpchgen-cli"), format, "-s", scale, "--tables", "lineitem", "--output-dir", dir)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

func measure(dir, data, format string, repeat int, worker, python, peers string) (*Case, error) {
	input := filepath.Join(data, "lineitem."+format)
	info, err := os.Stat(input)
	if err != nil {
		return nil, err
	}
	c := &Case{What: format + " -> Iceberg, zstd", InputBytes: info.Size()}
	facts, err := exec.Command(python, peers, "facts", input).Output()
	if err != nil {
		return nil, fmt.Errorf("count rows and Arrow bytes: %w", explain(err))
	}
	if err := json.Unmarshal(facts, c); err != nil {
		return nil, err
	}
	ours := &Measurement{Name: "gpuworker"}
	c.Results = []*Measurement{ours, {Name: "pyiceberg"}, {Name: "duckdb parquet only"}}
	for i := range repeat {
		for _, m := range c.Results {
			out := filepath.Join(dir, fmt.Sprintf("out-%s-%d", format, i))
			var cmd *exec.Cmd
			if m == ours {
				cmd, err = workerCommand(dir, worker, format, i)
			} else {
				cmd = exec.Command(python, peers, m.Name, input, out)
			}
			if err != nil {
				return nil, err
			}
			if err := m.time(cmd); err != nil {
				return nil, err
			}
			_ = os.RemoveAll(out)
		}
	}
	for _, m := range c.Results {
		m.Median, m.CPUSeconds = median(m.Seconds), median(m.cpu)
		m.InputMBps = float64(c.InputBytes) / 1e6 / m.Median
		m.ArrowMBps = float64(c.ArrowBytes) / 1e6 / m.Median
		m.RatioToOurs = m.Median / ours.Median
	}
	return c, nil
}

// time runs one process and takes wall time, CPU time of it and its children, and peak memory.
func (m *Measurement) time(cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", m.Name, err, stderr.String())
	}
	m.Seconds = append(m.Seconds, time.Since(begin).Seconds())
	state := cmd.ProcessState
	m.cpu = append(m.cpu, (state.UserTime() + state.SystemTime()).Seconds())
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		m.PeakRSSMB = max(m.PeakRSSMB, float64(usage.Maxrss)*1024/1e6)
	}
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func explain(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	return err
}

// workerCommand makes a fresh table and returns the command of one run into it.
func workerCommand(dir, worker, format string, i int) (*exec.Cmd, error) {
	table, run, err := specs(dir, format, i)
	if err != nil {
		return nil, err
	}
	mounts := filepath.Join(dir, "mounts")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, worker, "table", "apply", "--spec", table, "--mounts", mounts).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("make the table: %w\n%s", err, out)
	}
	return exec.Command(worker, "run", "--spec", run, "--mounts", mounts), nil
}
