package icebergtable

import (
	"time"

	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

const (
	// defaultRefresh is the documented default of spec.refreshInterval.
	defaultRefresh = 5 * time.Minute
	// firstBackoff doubles with each failure, up to maxBackoff.
	firstBackoff = 10 * time.Second
	maxBackoff   = 5 * time.Minute
)

// step is what to do next with a table.
type step int

const (
	stepNothing  step = iota
	stepApply         // begin a run that brings the table to the spec
	stepInspect       // begin a run that looks at the table
	stepContinue      // create the Job of the attempt that status names
)

// decide says what is next and, for stepNothing, when to look again (zero: only when something changes). It sees what
// the run in status has come to; job is the state of its Job, empty when that is not there or has ended.
func decide(table *v1alpha1.IcebergTable, job runs.State, now time.Time) (step, time.Duration) {
	run := table.Status.LastRun
	wanted := wantsRun(table)
	switch {
	case job == runs.StateRunning, job == runs.StateWaiting && !wanted:
		return stepNothing, 0 // its Job's end wakes us
	case ptr.Deref(table.Spec.Suspend, false):
		return stepNothing, 0
	case wanted: // also instead of a run that has not got a pod to run yet
		return stepApply, 0
	case active(run):
		if wait := retryAt(run).Sub(now); wait > 0 {
			return stepNothing, wait
		}
		return stepContinue, 0
	case run != nil && run.Phase == v1alpha1.RunFailed:
		return stepNothing, 0 // a person has to change the spec or the annotation
	}
	if wait := refreshAt(table).Sub(now); wait > 0 {
		return stepNothing, wait
	}
	return stepInspect, 0
}

// retryAt derives from status alone, so a restart of the manager changes nothing.
func retryAt(run *v1alpha1.Run) time.Time {
	if run.LastFailureTime == nil || run.Failures == 0 {
		return time.Time{}
	}
	return run.LastFailureTime.Add(backoff(run.Failures))
}

func backoff(failures int32) time.Duration {
	wait := firstBackoff
	for range failures - 1 {
		if wait *= 2; wait >= maxBackoff {
			return maxBackoff
		}
	}
	return wait
}

func refreshAt(table *v1alpha1.IcebergTable) time.Time {
	interval := defaultRefresh
	if table.Spec.RefreshInterval != nil {
		interval = table.Spec.RefreshInterval.Duration
	}
	if table.Status.LastRefresh == nil {
		return time.Time{}
	}
	return table.Status.LastRefresh.Add(interval)
}
