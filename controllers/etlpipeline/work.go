package etlpipeline

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// work moves the active run on by one step.
func (x *pass) work(ctx context.Context) error {
	run := x.status().LastRun
	if !active(run) {
		return nil
	}
	if x.superseded(run) && run.Phase == v1alpha1.RunPending {
		return x.replace(ctx, run, "the spec changed before the attempt had pods")
	}
	if run.StartTime != nil && x.now.Sub(run.StartTime.Time) >= timeout(&x.pipeline.Spec) {
		x.end(v1alpha1.RunFailed, v1alpha1.ReasonRunTimedOut, fmt.Sprintf("the run took longer than %s (timeoutSeconds)", timeout(&x.pipeline.Spec)))
		return nil
	}
	if run.StartTime != nil {
		x.after(run.StartTime.Add(timeout(&x.pipeline.Spec)).Sub(x.now))
	}
	cm := x.orders[runs.AttemptName(run.Name, run.Attempt)]
	switch {
	case cm == nil && run.Phase == v1alpha1.RunPending:
		return x.begin(ctx)
	case cm == nil:
		return x.confirmLost(ctx, run, "ConfigMap")
	}
	spec, err := runs.SpecOf(cm)
	if err != nil {
		return err
	}
	return x.follow(ctx, run, spec)
}

// follow looks at the attempt's Jobs and acts on what they say.
func (x *pass) follow(ctx context.Context, run *v1alpha1.Run, spec *runspec.RunSpec) error {
	p := x.progressOf(spec)
	x.findGPU(spec, p.outcome)
	switch {
	case p.lost(run):
		return x.confirmLost(ctx, run, "Job")
	case p.job == nil && run.Phase == v1alpha1.RunPending:
		// Pinned, by a fallback or before a restart, and not started yet.
		if x.wait = x.obstacle(ctx, run); x.wait != nil {
			return nil
		}
		return x.start(ctx, spec, p.phase)
	case p.job == nil:
		return x.start(ctx, spec, p.phase)
	case p.done:
		return x.complete(ctx, spec, p)
	case p.outcome.State == runs.StateFailed:
		x.failed(run, p.outcome)
		return nil
	case p.outcome.State == runs.StateWaiting:
		run.Phase = runPhase(p.phase)
		return x.waiting(ctx, run, spec, p)
	}
	run.Phase = runPhase(p.phase)
	run.Message = ""
	return nil
}

// waiting deals with an attempt whose worker has not started: nothing is lost by
// replacing it.
func (x *pass) waiting(ctx context.Context, run *v1alpha1.Run, spec *runspec.RunSpec, p progress) error {
	first := p.phase == phasesOf(spec)[0]
	switch {
	case first && x.superseded(run):
		return x.replace(ctx, run, "the spec changed before the worker had started")
	case first && p.job.Annotations[annotationShape] != shapeOf(&x.pipeline.Spec):
		x.retry(run, next{retry: true}, "worker, gpu or parallelism changed before the worker had started")
		return nil
	}
	x.wait = &wait{v1alpha1.ReasonRunPending, p.outcome.Why}
	if p.outcome.Unschedulable.IsZero() || spec.Pipeline.GPUFallback != "" {
		return nil
	}
	gpu := gpuOf(&x.pipeline.Spec)
	what, left := whileUnschedulable(gpu, x.now.Sub(p.outcome.Unschedulable))
	switch what {
	case fallBack:
		return x.retryWithoutGPU(ctx, run, p.outcome)
	case giveUp:
		x.end(v1alpha1.RunFailed, v1alpha1.ReasonUnschedulable, p.outcome.Why)
	case keepWaiting:
		if placement.Wanted(gpu) {
			// Nodes and their labels come and go without touching the pod.
			x.after(30 * time.Second)
		}
		if left > 0 {
			x.after(left)
		}
	}
	return nil
}

// retryWithoutGPU pins the next attempt before status names it: the order is the
// record of the decision, whatever happens in between.
func (x *pass) retryWithoutGPU(ctx context.Context, run *v1alpha1.Run, outcome runs.Outcome) error {
	why := "no GPU within preferredWait: " + outcome.Why
	following := *run
	following.Attempt++
	spec := x.runSpec(&following, why)
	if _, err := x.Starter.Pin(ctx, x.order(spec, phasesOf(spec)[0])); err != nil {
		return err
	}
	x.fellBack(why)
	x.retry(run, next{retry: true}, why)
	return nil
}

// superseded says that the run belongs to a revision that the spec no longer asks for.
func (x *pass) superseded(run *v1alpha1.Run) bool {
	return run.RunID != runID(x.pipeline, x.revision, run.Trigger)
}

// failed acts on a failed attempt.
func (x *pass) failed(run *v1alpha1.Run, outcome runs.Outcome) {
	if report := runs.FinalReport(x.status().Workers, run.RunID, run.Attempt, false); report != nil && report.Phase == v1alpha1.RunFailed && outcome.Result == nil {
		outcome.Message = report.Message
	}
	n := afterFailure(run, outcome, backoffLimit(&x.pipeline.Spec), x.superseded(run))
	if n.retry {
		x.retry(run, n, outcome.Message)
		return
	}
	run.ErrorCode = outcome.ExitCode
	x.end(v1alpha1.RunFailed, n.reason, outcome.Message)
}

// retry makes the next attempt the current one; Jobs of the one before are stopped as
// strays, and nothing starts until they are gone.
func (x *pass) retry(run *v1alpha1.Run, n next, message string) {
	if n.counted {
		run.Failures++
		run.LastFailureTime = &metav1.Time{Time: x.now}
	}
	x.Quota.Release(client.ObjectKeyFromObject(x.pipeline))
	run.Attempt++
	run.Phase = v1alpha1.RunPending
	run.Message = runspec.Truncate(message)
	x.warn(v1alpha1.ReasonRunRetrying, "Retry", "run %s goes on with attempt %d: %s", run.Name, run.Attempt, message)
	x.after(time.Second)
}

// confirmLost asks the API server itself before it believes that a child is gone.
func (x *pass) confirmLost(ctx context.Context, run *v1alpha1.Run, what string) error {
	name := runs.AttemptName(run.Name, run.Attempt)
	if what == "Job" {
		jobs := &metav1.PartialObjectMetadataList{}
		jobs.SetGroupVersionKind(jobListKind)
		if err := x.Reader.List(ctx, jobs, client.InNamespace(x.pipeline.Namespace), client.MatchingLabels{
			v1alpha1.LabelRun: run.Name, v1alpha1.LabelAttempt: fmt.Sprint(run.Attempt)}); err != nil {
			return fmt.Errorf("list the Jobs of %s: %w", name, err)
		}
		if len(jobs.Items) > len(x.attemptJobs(run)) {
			x.after(time.Second) // the cache lags behind
			return nil
		}
	} else {
		cm := &metav1.PartialObjectMetadata{}
		cm.SetGroupVersionKind(configMapKind)
		err := x.Reader.Get(ctx, client.ObjectKey{Namespace: x.pipeline.Namespace, Name: name}, cm)
		if !apierrors.IsNotFound(err) {
			x.after(time.Second)
			return client.IgnoreNotFound(err)
		}
	}
	x.retry(run, next{retry: true}, fmt.Sprintf("the %s of attempt %d was deleted by somebody", what, run.Attempt))
	return nil
}
