package etlpipeline

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func schedules(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.Schedule = &v1alpha1.Schedule{Cron: "@every 2s"} })
	accepted := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonScheduled)
	if accepted.Status.NextRun == nil {
		t.Fatal("status has no nextRun")
	}
	p.settled(status.CurrentStatus)
	first := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, first)
	p.waitEvent(v1alpha1.ReasonRunSkipped) // a tick passes while the run goes on
	if jobs := p.jobs(); len(jobs) != 1 {
		t.Fatalf("Forbid let a second run start: %v", jobs)
	}
	p.settled(status.CurrentStatus) // a tick in flight shows in phase, not as Reconciling
	kindtest.Succeed(t, first, pods, p.result(first, runspec.OutcomeSucceeded, ""))
	second := p.nextRun(first.Labels[v1alpha1.LabelRun])
	if second.ScheduledTime == nil {
		t.Fatalf("the run is %+v", second)
	}

	job := p.waitJob(1, runspec.PhaseAll)
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Suspend = ptr.To(true) })
	p.finish(job) // the run that goes on ends first
	suspended := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	if suspended.Status.NextRun != nil {
		t.Fatalf("nextRun is %v", suspended.Status.NextRun)
	}
	kindtest.Consistently(t, 3*time.Second, func() string {
		if name := p.get().Status.LastRun.Name; name != second.Name {
			return "run " + name + " started although suspended"
		}
		return ""
	})
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Suspend = nil })
	third := p.nextRun(second.Name)
	if resumed := p.get(); third.ScheduledTime.Before(&metav1.Time{Time: resumed.CreationTimestamp.Add(5 * time.Second)}) {
		t.Errorf("the tick %v of the time of suspension was made up for", third.ScheduledTime)
	}
	job = p.waitJob(1, runspec.PhaseAll)
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Suspend = ptr.To(true) })
	p.finish(job)
	kindtest.Eventually(t, func() string {
		if phase := p.get().Status.Phase; phase != v1alpha1.ReasonSuspended {
			return "the phase is " + phase
		}
		return ""
	})
	p.settled(status.CurrentStatus)
}

// nextRun waits for a run other than the one named.
func (p place) nextRun(before string) *v1alpha1.Run {
	p.t.Helper()
	var run *v1alpha1.Run
	kindtest.Eventually(p.t, func() string {
		run = p.get().Status.LastRun
		if run == nil || run.Name == before {
			return "no run after " + before
		}
		return ""
	})
	return run
}

func replaces(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) {
		s.Schedule = &v1alpha1.Schedule{Cron: "@every 4s", ConcurrencyPolicy: v1alpha1.ConcurrencyReplace}
	})
	first := p.waitJob(1, runspec.PhaseAll)
	kindtest.Run(t, first)
	p.nextRun(first.Labels[v1alpha1.LabelRun])
	p.waitEvent(v1alpha1.ReasonRunReplaced)
	p.finish(p.waitJob(1, runspec.PhaseAll))
	kindtest.Eventually(t, func() string {
		s := p.get().Status
		if slices.Contains(p.jobs(), first.Name) {
			return "the replaced run's Job is still there"
		}
		if len(s.Runs) < 2 || s.Runs[len(s.Runs)-1].Phase != v1alpha1.RunFailed {
			return "the history does not show the replaced run as failed"
		}
		return ""
	})
	p.settled(status.CurrentStatus)
}

func thereAndBack(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	p.finish(p.waitJob(1, runspec.PhaseAll))
	first := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded).Status.LastRun.Name
	original := p.get().Spec.Transformations[0].DataFusion.Query
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Transformations[0].DataFusion.Query = "SELECT 1 FROM input" })
	p.nextRun(first)
	job := p.waitJob(1, runspec.PhaseAll)
	kindtest.Fail(t, job, kindtest.Run(t, job), runspec.ExitBadData, nil, "")
	p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonBadInput)
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Transformations[0].DataFusion.Query = original })
	back := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if back.Status.LastRun.Name != first || len(p.jobs()) != 2 {
		t.Fatalf("the revision that was loaded before was loaded again: %v", p.jobs())
	}
	p.settled(status.CurrentStatus)
}

func failedRevisionComesBack(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	kindtest.Fail(t, job, kindtest.Run(t, job), runspec.ExitBadData, nil, "")
	first := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonBadInput).Status.LastRun.Name
	original := p.get().Spec.Transformations[0].DataFusion.Query
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Transformations[0].DataFusion.Query = "SELECT 1 FROM input" })
	p.nextRun(first)
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Transformations[0].DataFusion.Query = original })
	p.waitCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	again := p.waitJob(1, runspec.PhaseAll)
	kindtest.Eventually(t, func() string {
		if again = p.waitJob(1, runspec.PhaseAll); again.UID == job.UID {
			return "the failed Job is still there"
		}
		return ""
	})
	p.finish(again)
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if done.Status.LastRun.Name != first {
		t.Fatalf("the run is %s, want the first one's name %s", done.Status.LastRun.Name, first)
	}
	p.settled(status.CurrentStatus)
}

func historyIsTrimmed(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.RunHistoryLimit = ptr.To(int32(2)) })
	p.finish(p.waitJob(1, runspec.PhaseAll))
	last := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded).Status.LastRun.Name
	for _, value := range []string{"one", "two", "three"} {
		p.edit(func(e *v1alpha1.ETLPipeline) { e.Annotations = map[string]string{v1alpha1.AnnotationRunAt: value} })
		last = p.nextRun(last).Name
		p.finish(p.waitJob(1, runspec.PhaseAll))
		p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	}
	kindtest.Eventually(t, func() string {
		if s := p.get().Status; len(s.Runs) != 2 || len(p.jobs()) != 2 || s.Runs[0].Name != last {
			return "the history does not hold the newest two runs and their Jobs"
		}
		return ""
	})
	p.settled(status.CurrentStatus)
}

func suspendedWhileRunning(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, job)
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Suspend = ptr.To(true) })
	p.waitCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	kindtest.Fail(t, job, pods, runspec.ExitRetryable, nil, "")
	kindtest.Consistently(t, 500*time.Millisecond, func() string {
		if jobs := p.jobs(); len(jobs) != 1 {
			return "the next attempt started although suspended"
		}
		return ""
	})
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Suspend = ptr.To(false) })
	p.finish(p.waitJob(2, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}
