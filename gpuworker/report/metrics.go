package report

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Metrics counts what a worker's steps do, labelled by pipeline and step.
type Metrics struct {
	registry *prometheus.Registry
	rows     *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	seconds  *prometheus.CounterVec
	failures *prometheus.CounterVec
	labels   prometheus.Labels
}

// NewMetrics makes the counters of one run.
func NewMetrics(object runspec.ObjectRef) *Metrics {
	registry := prometheus.NewRegistry()
	counter := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "datastack_worker_" + name, Help: help}, []string{"namespace", "pipeline", "step"})
		registry.MustRegister(c)
		return c
	}
	return &Metrics{
		registry: registry,
		rows:     counter("rows_total", "Rows that left the step."),
		bytes:    counter("bytes_total", "Bytes that left the step, as its receipt counts them."),
		seconds:  counter("seconds_total", "Seconds that the step took."),
		failures: counter("failures_total", "Runs of the step that failed."),
		labels:   prometheus.Labels{"namespace": object.Namespace, "pipeline": object.Name},
	}
}

func (m *Metrics) with(step string) prometheus.Labels {
	return prometheus.Labels{"namespace": m.labels["namespace"], "pipeline": m.labels["pipeline"], "step": step}
}

// Rows adds rows that left a step while it runs.
func (m *Metrics) Rows(step string, rows int64) { m.rows.With(m.with(step)).Add(float64(rows)) }

// Step adds a finished step's receipt; its rows are counted by Rows.
func (m *Metrics) Step(r runspec.Receipt) {
	m.bytes.With(m.with(r.Step)).Add(float64(r.Bytes))
	m.seconds.With(m.with(r.Step)).Add(float64(r.DurationMs) / 1000)
}

// Failed counts a failure of a step.
func (m *Metrics) Failed(step string) { m.failures.With(m.with(step)).Inc() }

// Serve answers GET /metrics on the address until the context ends. It returns the address in use.
func (m *Metrics) Serve(ctx context.Context, address string) (net.Addr, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics on %s: %w", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	go func() { _ = server.Serve(listener) }()
	return listener.Addr(), nil
}
