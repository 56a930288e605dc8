package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/store"
)

// Metrics of one ledger.
type Metrics struct {
	registry *prometheus.Registry
	records  *prometheus.CounterVec
	append   prometheus.Histogram
	commit   prometheus.Histogram
	batch    prometheus.Histogram
	requests *prometheus.CounterVec
}

// NewMetrics returns metrics in a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ledger_appends_total",
			Help: "Records offered, by type and outcome (new, duplicate, conflict)."}, []string{"type", "outcome"}),
		append: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ledger_append_seconds",
			Help: "Time from the arrival of an append to its durable answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ledger_commit_seconds",
			Help: "Time to write one batch and force it to disk.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "ledger_commit_records",
			Help: "Records of one batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 13)}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "ledger_http_requests_total",
			Help: "HTTP requests, by method and status code."}, []string{"method", "code"}),
	}
	m.registry.MustRegister(m.records, m.append, m.commit, m.batch, m.requests, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Committed counts one batch; it is a store.Options.OnCommit.
func (m *Metrics) Committed(records int, took time.Duration) {
	m.batch.Observe(float64(records))
	m.commit.Observe(took.Seconds())
}

// watch adds gauges that read the store.
func (m *Metrics) watch(s *store.Store) {
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ledger_size", Help: "Durable records."}, func() float64 { return float64(s.Size()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ledger_log_failed", Help: "1 while appends are refused since a write failed."},
			func() float64 { return flag(s.Failed() != nil) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ledger_head_failed", Help: "1 while the head file cannot be written."},
			func() float64 { return flag(s.HeadFailed() != nil) }))
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func (m *Metrics) appended(records []record.Record, results []store.Result, took time.Duration) {
	m.append.Observe(took.Seconds())
	for i, r := range results {
		outcome := "new"
		switch {
		case r.Conflict:
			outcome = "conflict"
		case r.Duplicate:
			outcome = "duplicate"
		}
		m.records.WithLabelValues(string(records[i].Type), outcome).Inc()
	}
}

// count counts requests. Methods that no route has share one label, so that clients cannot add any.
func (m *Metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(sw, r)
		method := r.Method
		if method != http.MethodGet && method != http.MethodPost {
			method = "other"
		}
		m.requests.WithLabelValues(method, strconv.Itoa(sw.status)).Inc()
	})
}

// statusWriter remembers the status code.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.MaxBytesReader and others reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
