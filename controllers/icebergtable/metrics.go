package icebergtable

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

var runsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "datastack_table_runs_total", Help: "Runs for a table that ended, by action (Apply, Refresh) and outcome (Succeeded, Failed).",
}, []string{"namespace", "table", "action", "outcome"})

func init() { metrics.Registry.MustRegister(runsTotal) }

// count the run in status if it ended since before.
func count(before, after *v1alpha1.IcebergTable) {
	was, is := before.Status.LastRun, after.Status.LastRun
	if is == nil || active(is) || was != nil && was.RunID == is.RunID && !active(was) {
		return
	}
	runsTotal.WithLabelValues(after.Namespace, after.Name, is.Trigger, string(is.Phase)).Inc()
}
