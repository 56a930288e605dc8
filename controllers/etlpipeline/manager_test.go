package etlpipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// TestManagerRestart stops the manager at every step of a run: what follows comes from
// status and Jobs alone.
func TestManagerRestart(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	var run string
	t.Run("starts", func(t *testing.T) {
		startManager(t, 0)
		run = p.waitJob(1, runspec.PhaseAll).Labels[v1alpha1.LabelRun]
	})
	job := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, job)
	kindtest.Fail(t, job, pods, runspec.ExitRetryable, nil, "")
	t.Run("sees the failure", func(t *testing.T) {
		startManager(t, 0)
		p.waitJob(2, runspec.PhaseAll)
	})
	p.finish(p.waitJob(2, runspec.PhaseAll))
	t.Run("sees the success", func(t *testing.T) {
		startManager(t, 0)
		done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		if last := done.Status.LastRun; last.Name != run || last.Failures != 1 || len(p.jobs()) != 2 {
			t.Fatalf("the run is %+v, the Jobs %v", last, p.jobs())
		}
		before := p.get().ResourceVersion
		time.Sleep(2 * time.Second)
		if after := p.get().ResourceVersion; after != before {
			t.Error("the manager writes although nothing changes")
		}
	})
	p.settled(status.CurrentStatus)
}

// TestQuota lets one run go on at once; the others say that they wait.
func TestQuota(t *testing.T) {
	startManager(t, 1)
	var places []place
	for range 3 {
		p := newPlace(t).withDependencies()
		p.pipeline(nil)
		places = append(places, p)
	}
	for left := len(places); left > 0; left-- {
		running, waiting := byQuota(t, places, left)
		if len(waiting) != left-1 {
			t.Fatalf("%d wait, want %d", len(waiting), left-1)
		}
		running.finish(running.waitJob(1, runspec.PhaseAll))
		running.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
		running.settled(status.CurrentStatus)
	}
}

// byQuota waits until exactly one of the unfinished pipelines runs and the others wait.
func byQuota(t *testing.T, places []place, left int) (running place, waiting []place) {
	t.Helper()
	kindtest.Eventually(t, func() string {
		waiting = nil
		count := 0
		for _, p := range places {
			pipeline := p.get()
			switch {
			case pipeline.Status.LastRun == nil || pipeline.Status.LastRun.Phase == v1alpha1.RunSucceeded:
			case kindtest.Condition(pipeline.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonQuotaReached) == "":
				waiting = append(waiting, p)
			case len(p.jobs()) == 1:
				running = p
				count++
			}
		}
		if count != 1 || len(waiting) != left-1 {
			return fmt.Sprintf("%d run and %d wait", count, len(waiting))
		}
		return ""
	})
	return running, waiting
}

// TestDeletedWhileRunning sees that a deleted pipeline gives its place back.
func TestDeletedWhileRunning(t *testing.T) {
	startManager(t, 1)
	first := newPlace(t).withDependencies()
	pipeline := first.pipeline(nil)
	kindtest.Run(t, first.waitJob(1, runspec.PhaseAll))
	second := newPlace(t).withDependencies()
	second.pipeline(nil)
	second.waitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonQuotaReached)
	first.must(apitest.Client.Delete(context.Background(), pipeline, client.PropagationPolicy(metav1.DeletePropagationBackground)))
	second.finish(second.waitJob(1, runspec.PhaseAll))
	second.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	second.settled(status.CurrentStatus)
}
