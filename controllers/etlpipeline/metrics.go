package etlpipeline

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

var (
	runsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "datastack_pipeline_runs_total", Help: "Runs that ended, by outcome (Succeeded, Failed).",
	}, []string{"namespace", "pipeline", "outcome"})
	runSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "datastack_pipeline_run_seconds", Help: "Time from a run's first attempt to its end.",
		Buckets: prometheus.ExponentialBuckets(1, 3, 10),
	}, []string{"namespace", "pipeline"})
	rowsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "datastack_pipeline_rows_total", Help: "Rows of runs that succeeded, by kind (read, written, rejected).",
	}, []string{"namespace", "pipeline", "kind"})
	bytesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "datastack_pipeline_bytes_total", Help: "Stored bytes of runs that succeeded, by kind (read, written).",
	}, []string{"namespace", "pipeline", "kind"})
	fallbacks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "datastack_pipeline_gpu_fallbacks_total", Help: "Attempts that ran on the CPU although a GPU was preferred.",
	}, []string{"namespace", "pipeline"})
)

func init() {
	metrics.Registry.MustRegister(runsTotal, runSeconds, rowsTotal, bytesTotal, fallbacks)
}

func count(p *v1alpha1.ETLPipeline, run *v1alpha1.Run) {
	runsTotal.WithLabelValues(p.Namespace, p.Name, string(run.Phase)).Inc()
	if run.StartTime != nil {
		runSeconds.WithLabelValues(p.Namespace, p.Name).Observe(run.CompletionTime.Sub(run.StartTime.Time).Seconds())
	}
	for what, n := range map[string]int64{"read": run.RowsRead, "written": run.RowsWritten, "rejected": run.RowsRejected} {
		rowsTotal.WithLabelValues(p.Namespace, p.Name, what).Add(float64(n))
	}
	for what, n := range map[string]int64{"read": run.BytesRead, "written": run.BytesWritten} {
		bytesTotal.WithLabelValues(p.Namespace, p.Name, what).Add(float64(n))
	}
}

// forget drops the series of a pipeline that is gone.
func forget(namespace, name string) {
	labels := prometheus.Labels{"namespace": namespace, "pipeline": name}
	for _, vec := range []interface {
		DeletePartialMatch(prometheus.Labels) int
	}{runsTotal, runSeconds, rowsTotal, bytesTotal, fallbacks} {
		vec.DeletePartialMatch(labels)
	}
}
