package icebergtable

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(offset time.Duration) *metav1.Time { return ptr.To(metav1.NewTime(noon.Add(offset))) }

// settled is a table whose spec was applied a minute ago.
func settled(change ...func(*v1alpha1.IcebergTable)) *v1alpha1.IcebergTable {
	table := newTable("ns")
	table.Status.Revision = revision(table.Spec)
	table.Status.LastRefresh = at(-time.Minute)
	table.Status.LastRun = &v1alpha1.Run{Name: "flights-1", RunID: "id", Trigger: triggerApply, Attempt: 1, Phase: v1alpha1.RunSucceeded}
	for _, c := range change {
		c(table)
	}
	return table
}

func TestDecide(t *testing.T) {
	suspend := func(table *v1alpha1.IcebergTable) { table.Spec.Suspend = ptr.To(true) }
	newSpec := func(table *v1alpha1.IcebergTable) { table.Spec.Schema.Fields[0].Type = "string" }
	again := func(table *v1alpha1.IcebergTable) {
		table.Annotations = map[string]string{v1alpha1.AnnotationRunAt: "now"}
	}
	due := func(table *v1alpha1.IcebergTable) { table.Status.LastRefresh = at(-time.Hour) }
	phase := func(phase v1alpha1.RunPhase) func(*v1alpha1.IcebergTable) {
		return func(table *v1alpha1.IcebergTable) { table.Status.LastRun.Phase = phase }
	}
	failed := func(times int32, ago time.Duration) func(*v1alpha1.IcebergTable) {
		return func(table *v1alpha1.IcebergTable) {
			table.Status.LastRun.Phase, table.Status.LastRun.Failures = v1alpha1.RunPending, times
			table.Status.LastRun.LastFailureTime = at(-ago)
		}
	}
	for name, tc := range map[string]struct {
		table *v1alpha1.IcebergTable
		job   runs.State
		want  step
		wait  time.Duration
	}{
		"a new table is made":                          {newTable("ns"), "", stepApply, 0},
		"a suspended new table is left alone":          {func() *v1alpha1.IcebergTable { t := newTable("ns"); suspend(t); return t }(), "", stepNothing, 0},
		"a settled table is looked at later":           {settled(), "", stepNothing, 4 * time.Minute},
		"a settled table is looked at when due":        {settled(due), "", stepInspect, 0},
		"its own interval counts":                      {settled(func(t *v1alpha1.IcebergTable) { t.Spec.RefreshInterval = &metav1.Duration{Duration: 30 * time.Second} }), "", stepInspect, 0},
		"a suspended table is not looked at":           {settled(due, suspend), "", stepNothing, 0},
		"a new spec is applied":                        {settled(newSpec), "", stepApply, 0},
		"a suspended table keeps its old spec":         {settled(newSpec, suspend), "", stepNothing, 0},
		"the annotation applies again":                 {settled(again), "", stepApply, 0},
		"a running Job is let finish":                  {settled(newSpec, phase(v1alpha1.RunRunning)), runs.StateRunning, stepNothing, 0},
		"a Job without a pod gives way to a new spec":  {settled(newSpec, phase(v1alpha1.RunPending)), runs.StateWaiting, stepApply, 0},
		"a Job without a pod is waited for":            {settled(phase(v1alpha1.RunPending)), runs.StateWaiting, stepNothing, 0},
		"a failed run waits for a person":              {settled(phase(v1alpha1.RunFailed), due), "", stepNothing, 0},
		"a failed run gives way to a new spec":         {settled(phase(v1alpha1.RunFailed), newSpec), "", stepApply, 0},
		"a first retry waits 10 s":                     {settled(failed(1, 4*time.Second)), "", stepNothing, 6 * time.Second},
		"a third retry waits 40 s":                     {settled(failed(3, 30*time.Second)), "", stepNothing, 10 * time.Second},
		"a late retry waits 5 min":                     {settled(failed(30, time.Minute)), "", stepNothing, 4 * time.Minute},
		"a retry starts when it is due":                {settled(failed(1, 11*time.Second)), "", stepContinue, 0},
		"a run whose Job was never made goes on":       {settled(phase(v1alpha1.RunPending)), "", stepContinue, 0},
		"a new spec does not wait for an old back-off": {settled(failed(5, time.Second), newSpec), "", stepApply, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, wait := decide(tc.table, tc.job, noon)
			if got != tc.want || wait != tc.wait {
				t.Errorf("step %d, wait %s; want step %d, wait %s", got, wait, tc.want, tc.wait)
			}
		})
	}
}

func TestRunsAreNamedByWhatTheyDo(t *testing.T) {
	table := settled()
	table.Generation = 1
	first := applyID(table)
	for name, change := range map[string]func(*v1alpha1.IcebergTable){
		"another object of this name": func(t *v1alpha1.IcebergTable) { t.UID = "other" },
		"another schema":              func(t *v1alpha1.IcebergTable) { t.Spec.Schema.Fields[0].Type = "string" },
		"the same schema later":       func(t *v1alpha1.IcebergTable) { t.Generation = 5 },
		"the annotation":              func(t *v1alpha1.IcebergTable) { t.Annotations = map[string]string{v1alpha1.AnnotationRunAt: "now"} },
	} {
		other := table.DeepCopy()
		change(other)
		if applyID(other) == first {
			t.Errorf("%s: the run's token is the same", name)
		}
	}
	later := table.DeepCopy()
	later.Status.LastRun, later.Status.Conditions = nil, []metav1.Condition{{Type: "Ready"}}
	if applyID(later) != first {
		t.Error("the token depends on status, so a pass that is repeated would start a second run")
	}
}

func TestRevisionCoversTheTableAndNothingElse(t *testing.T) {
	base := newTable("ns").Spec
	for name, tc := range map[string]struct {
		change func(*v1alpha1.IcebergTableSpec)
		moves  bool
	}{
		"schema":    {func(s *v1alpha1.IcebergTableSpec) { s.Schema.IdentifierFields = []string{"id"} }, true},
		"evolution": {func(s *v1alpha1.IcebergTableSpec) { s.Evolution = &v1alpha1.Evolution{AllowDrop: ptr.To(true)} }, true},
		"partitioning": {func(s *v1alpha1.IcebergTableSpec) {
			s.PartitionSpec = []v1alpha1.PartitionField{{Source: "id", Transform: "identity"}}
		}, true},
		"properties":      {func(s *v1alpha1.IcebergTableSpec) { s.Properties = map[string]string{"a": "b"} }, true},
		"suspend":         {func(s *v1alpha1.IcebergTableSpec) { s.Suspend = ptr.To(true) }, false},
		"refreshInterval": {func(s *v1alpha1.IcebergTableSpec) { s.RefreshInterval = &metav1.Duration{Duration: time.Hour} }, false},
		"worker":          {func(s *v1alpha1.IcebergTableSpec) { s.Worker = &v1alpha1.Worker{PriorityClassName: "low"} }, false},
		"deletionPolicy":  {func(s *v1alpha1.IcebergTableSpec) { s.DeletionPolicy = v1alpha1.DeletionPurge }, false},
	} {
		spec := *base.DeepCopy()
		tc.change(&spec)
		if (revision(spec) != revision(base)) != tc.moves {
			t.Errorf("%s: a new revision: %v, want %v", name, !tc.moves, tc.moves)
		}
	}
}
