package report

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func TestTerminationMessage(t *testing.T) {
	result := &runspec.RunResult{RunID: "r", Attempt: 1, Outcome: runspec.OutcomeSucceeded, SnapshotID: "7853723579105552123"}
	path := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(path, []byte("what an earlier container left, which is longer than the new message by far"+strings.Repeat(" ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Termination(path, result); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back runspec.RunResult
	if err := json.Unmarshal(data, &back); err != nil || back.SnapshotID != result.SnapshotID {
		t.Fatalf("%v: %s", err, data)
	}
	if err := Termination(filepath.Join(t.TempDir(), "none"), result); err == nil {
		t.Fatal("a path that does not exist was taken for written")
	}
	if err := Termination("", result); err != nil {
		t.Fatal(err)
	}
}

func TestMetricsAreServedWhileTheRunGoesOn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := NewMetrics(runspec.ObjectRef{Namespace: "a", Name: "p"})
	address, err := m.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Rows("clean", 41)
	m.Rows("clean", 1)
	m.Step(runspec.Receipt{Step: "clean", Bytes: 7, DurationMs: 1500})
	m.Failed("load")
	response, err := http.Get("http://" + address.String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`datastack_worker_rows_total{namespace="a",pipeline="p",step="clean"} 42`,
		`datastack_worker_bytes_total{namespace="a",pipeline="p",step="clean"} 7`,
		`datastack_worker_seconds_total{namespace="a",pipeline="p",step="clean"} 1.5`,
		`datastack_worker_failures_total{namespace="a",pipeline="p",step="load"} 1`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	cancel()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if r, err := http.Get("http://" + address.String() + "/metrics"); err != nil {
			return
		} else {
			r.Body.Close()
		}
		if time.Now().After(end) {
			t.Fatal("still served after the run's end")
		}
	}
}

func TestNoReportsByHand(t *testing.T) {
	status, err := NewStatus(&runspec.RunSpec{}, "all")
	if status != nil || err != nil {
		t.Fatalf("%v, %v", status, err)
	}
	if err := status.Done(t.Context(), &runspec.RunResult{}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewStatus(&runspec.RunSpec{Report: true}, "all"); err == nil || !strings.Contains(err.Error(), "set report to false") {
		t.Fatalf("outside a pod: %v", err)
	}
}
