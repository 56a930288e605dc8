package etlpipeline

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func badInput(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	const message = `column "dep_delai" does not exist; the input has carrier, dep_delay, flight`
	kindtest.Fail(t, job, kindtest.Run(t, job), runspec.ExitNoInput, p.result(job, runspec.OutcomeFailed, message), "")
	stalled := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonMissingInput)
	if run := stalled.Status.LastRun; run.Message != message || run.ErrorCode != runspec.ExitNoInput || run.Attempt != 1 {
		t.Fatalf("the last run is %+v", run)
	}
	p.waitCondition(v1alpha1.ConditionSourceReady, metav1.ConditionFalse, v1alpha1.ReasonMissingInput)
	p.settled(status.FailedStatus)
	p.waitEvent(v1alpha1.ReasonMissingInput)

	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Annotations = map[string]string{v1alpha1.AnnotationRunAt: "the file is there now"}
	})
	kindtest.Eventually(t, func() string {
		if run := p.get().Status.LastRun; !strings.HasPrefix(run.Trigger, "run-at") {
			return "the annotation started no run"
		}
		return ""
	})
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func retries(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.BackoffLimit = ptr.To(int32(1)) })
	first := p.waitJob(1, runspec.PhaseAll)
	kindtest.Fail(t, first, kindtest.Run(t, first), 137, nil, "out of memory")
	second := p.waitJob(2, runspec.PhaseAll)
	if run := p.get().Status.LastRun; run.Failures != 1 || run.LastFailureTime == nil {
		t.Fatalf("the run is %+v", run)
	}
	p.waitEvent(v1alpha1.ReasonRunRetrying)
	kindtest.Fail(t, second, kindtest.Run(t, second), runspec.ExitRetryable, p.result(second, runspec.OutcomeFailed, "the store does not answer"), "")
	failed := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRunFailed)
	if run := failed.Status.LastRun; run.Message != "the store does not answer" || run.Attempt != 2 {
		t.Fatalf("the run is %+v", run)
	}
	p.settled(status.FailedStatus)
}

func disruption(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.BackoffLimit = ptr.To(int32(0)) })
	job := p.waitJob(1, runspec.PhaseAll)
	kindtest.Disrupt(t, job, kindtest.Run(t, job))
	p.finish(p.waitJob(2, runspec.PhaseAll))
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if run := done.Status.LastRun; run.Failures != 0 || run.Attempt != 2 {
		t.Fatalf("the run is %+v", run)
	}
	p.settled(status.CurrentStatus)
}

func jobDeleted(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.BackoffLimit = ptr.To(int32(0)) })
	job := p.waitJob(1, runspec.PhaseAll)
	kindtest.Run(t, job)
	p.waitCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	p.must(apitest.Client.Delete(t.Context(), job, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	p.finish(p.waitJob(2, runspec.PhaseAll))
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if done.Status.LastRun.Failures != 0 {
		t.Fatalf("the run is %+v", done.Status.LastRun)
	}
	p.settled(status.CurrentStatus)
}

func timesOut(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.TimeoutSeconds = ptr.To(int64(10)) })
	job := p.waitJob(1, runspec.PhaseAll)
	if limit := job.Spec.Template.Spec.ActiveDeadlineSeconds; limit == nil || *limit > 10 {
		t.Fatalf("the pod's own limit is %v", limit)
	}
	kindtest.Run(t, job)
	failed := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRunTimedOut)
	if !strings.Contains(failed.Status.LastRun.Message, "timeoutSeconds") {
		t.Fatalf("the message is %q", failed.Status.LastRun.Message)
	}
	kindtest.Eventually(t, func() string {
		if jobs := p.jobs(); len(jobs) > 0 {
			return "the Job goes on: " + jobs[0]
		}
		return ""
	})
	p.settled(status.FailedStatus)
}

func editWhileWaiting(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	kindtest.Unschedulable(t, job, time.Now(), "0/3 nodes are available: 3 Insufficient cpu.")
	kindtest.Eventually(t, func() string {
		ready := meta.FindStatusCondition(p.get().Status.Conditions, v1alpha1.ConditionReady)
		if !strings.Contains(ready.Message, "Insufficient cpu") {
			return "the message does not say what the scheduler says: " + ready.Message
		}
		return ""
	})
	waiting := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRunPending)
	if waiting.Status.Phase != string(v1alpha1.RunPending) {
		t.Fatalf("the phase is %s although no worker has started", waiting.Status.Phase)
	}
	first := waiting.Status.LastRun.Name
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Worker = &v1alpha1.Worker{Image: "registry.example/etl:2"} })
	second := p.waitJob(2, runspec.PhaseAll)
	if image := second.Spec.Template.Spec.Containers[0].Image; image != "registry.example/etl:2" {
		t.Fatalf("the second attempt's image is %s", image)
	}
	kindtest.Unschedulable(t, second, time.Now(), "no")
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Transformations[0].DataFusion.Query = "SELECT 2 FROM input" })
	kindtest.Eventually(t, func() string {
		if p.get().Status.LastRun.Name == first {
			return "the run of the old revision still waits"
		}
		return ""
	})
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

// resourceQuota: what the namespace does not allow now may be allowed later.
func resourceQuota(t *testing.T) {
	p := newPlace(t).withDependencies()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "none"}}
	quota.Spec.Hard = corev1.ResourceList{"count/jobs.batch": resource.MustParse("0")}
	p.must(apitest.Client.Create(t.Context(), quota))
	quota.Status.Hard, quota.Status.Used = quota.Spec.Hard, quota.Spec.Hard
	p.must(apitest.Client.Status().Update(t.Context(), quota))
	p.pipeline(nil)
	waiting := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRunPending)
	if c := meta.FindStatusCondition(waiting.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "exceeded quota") {
		t.Fatalf("the message is %q", c.Message)
	}
	p.settled(status.InProgressStatus)
	p.must(apitest.Client.Delete(t.Context(), quota))
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Labels = map[string]string{"look": "again"} })
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func refusedSpecs(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.Worker = &v1alpha1.Worker{Image: "evil.example/miner:1"} })
	p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonImageNotAllowed)
	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Spec.Worker = nil
		e.Spec.Source.Files.Storage = v1alpha1.Storage{Type: v1alpha1.StorageHostPath, HostPath: &v1alpha1.HostPathStorage{Path: "/etc"}}
	})
	p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonHostPathNotAllowed)
	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Spec.Source.Files.Storage = v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{Bucket: "landing"}}
		e.Spec.Schedule = &v1alpha1.Schedule{Cron: "0 0 30 2 *"}
	})
	never := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	if len(p.jobs()) > 0 || never.Status.LastRun != nil {
		t.Fatalf("something started: %v, %+v", p.jobs(), never.Status.LastRun)
	}
	p.settled(status.FailedStatus)
	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Spec.Schedule = nil
		e.Spec.Worker = &v1alpha1.Worker{Resources: &corev1.ResourceRequirements{ // more asked for than allowed
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
			Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}}
	})
	bad := p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidSpec)
	if c := meta.FindStatusCondition(bad.Status.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "spec.worker") {
		t.Fatalf("the message is %q", c.Message)
	}
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Spec.Worker = nil })
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}
