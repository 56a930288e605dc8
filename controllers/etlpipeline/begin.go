package etlpipeline

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// trigger looks whether a run is due, and makes it the last run in status. Nothing is
// created before that status is written: a pass on a stale read then ends in a
// conflict instead of a second run.
func (x *pass) trigger(ctx context.Context) error {
	s := x.status()
	if suspended(x.pipeline) {
		s.NextRun = nil
		return nil
	}
	t := timingOf(x.pipeline, x.revision, x.cron, x.now)
	x.promise(t)
	if t.due == nil {
		if x.cron != nil {
			s.Revision = x.revision
		}
		return nil
	}
	if active(s.LastRun) {
		if t.due.tick.IsZero() || x.pipeline.Spec.Schedule.ConcurrencyPolicy != v1alpha1.ConcurrencyReplace {
			x.whileActive(t.due)
			return nil
		}
		x.end(v1alpha1.RunFailed, v1alpha1.ReasonRunReplaced, "stopped for the tick of "+t.due.value)
	}
	return x.newRun(ctx, t.due)
}

// promise notes the next tick, and says when one was missed by too much.
func (x *pass) promise(t timing) {
	s := x.status()
	if t.next.IsZero() {
		s.NextRun = nil
		return
	}
	s.NextRun = &metav1.Time{Time: t.next}
	x.after(t.next.Sub(x.now))
	if !t.skipped.IsZero() {
		s.LastScheduleTime = &metav1.Time{Time: t.skipped}
		x.warn(v1alpha1.ReasonRunSkipped, "Schedule", "the tick of %s is past its starting deadline", t.skipped.Format(time.RFC3339))
	}
}

// whileActive skips a tick; a new revision or a request by hand waits for the run's end.
func (x *pass) whileActive(due *trigger) {
	if due.tick.IsZero() {
		return
	}
	x.status().LastScheduleTime = &metav1.Time{Time: due.tick}
	x.warn(v1alpha1.ReasonRunSkipped, "Schedule", "skipped the tick of %s: run %s goes on", due.value, x.status().LastRun.Name)
}

// newRun makes the trigger's run the last run, unless it has succeeded before.
// It changes nothing while Jobs of an earlier run of the same name are being removed.
func (x *pass) newRun(ctx context.Context, t *trigger) error {
	s := x.status()
	id := runID(x.pipeline, x.revision, t.value)
	name := runs.RunName(x.pipeline.Name, id)
	x.after(time.Second)
	if gone, err := x.clearNamesake(ctx, name); err != nil || !gone {
		return err
	}
	s.PipelineID, s.Revision = pipelineID(x.pipeline), x.revision
	if t.runAt != "" {
		s.RunAt = t.runAt
	}
	s.LastRun = &v1alpha1.Run{Name: name, RunID: id, Trigger: t.value, Attempt: 1, Phase: v1alpha1.RunPending}
	if !t.tick.IsZero() {
		s.LastScheduleTime = &metav1.Time{Time: t.tick}
		s.LastRun.ScheduledTime = s.LastScheduleTime
	}
	for _, old := range s.Runs {
		if old.RunID == id && old.Phase == v1alpha1.RunSucceeded {
			s.LastRun = revived(old)
		}
	}
	return nil
}

// revived answers a trigger whose run has succeeded before (a spec edited back).
func revived(old v1alpha1.RunSummary) *v1alpha1.Run {
	return &v1alpha1.Run{
		Name: old.Name, RunID: old.RunID, Trigger: triggerRevision, Attempt: old.Attempt, Phase: old.Phase,
		StartTime: old.StartTime, CompletionTime: old.CompletionTime, RunTotals: old.RunTotals,
		SnapshotID: old.SnapshotID, Ledger: old.Ledger,
		Message: "this revision was loaded before and is not loaded again; set the annotation " + v1alpha1.AnnotationRunAt + " to a new value to load it again",
	}
}

// replace starts the active run's trigger over, for the revision that the spec asks
// for now. Nothing of the old revision has been written.
func (x *pass) replace(ctx context.Context, run *v1alpha1.Run, why string) error {
	t := &trigger{value: run.Trigger}
	if run.ScheduledTime != nil {
		t.tick = run.ScheduledTime.Time
	}
	name := runs.RunName(x.pipeline.Name, runID(x.pipeline, x.revision, t.value))
	if gone, err := x.clearNamesake(ctx, name); err != nil || !gone {
		x.after(time.Second)
		return err
	}
	if run.StartTime != nil {
		x.end(v1alpha1.RunFailed, v1alpha1.ReasonRunReplaced, why)
	}
	return x.newRun(ctx, t)
}

// begin starts an attempt that has no order yet, once everything that it needs is there.
func (x *pass) begin(ctx context.Context) error {
	run := x.status().LastRun
	if x.wait = x.obstacle(ctx, run); x.wait != nil {
		return nil
	}
	if run.StartTime == nil {
		run.StartTime = &metav1.Time{Time: x.now}
	}
	if err := apply.ClearWorkers(ctx, x.Client, x.before); err != nil {
		return err
	}
	fallback := x.gpuBeforeStart()
	spec := x.runSpec(run, fallback)
	order, err := x.Starter.Pin(ctx, x.order(spec, phasesOf(spec)[0]))
	if err != nil {
		return err
	}
	return x.start(ctx, order.Spec, order.Phase)
}

// start creates the Job of a phase. The pinned order says what the attempt does.
func (x *pass) start(ctx context.Context, spec *runspec.RunSpec, phase runspec.Phase) error {
	run := x.status().LastRun
	if run.StartTime == nil {
		run.StartTime = &metav1.Time{Time: x.now}
	}
	if _, err := x.Starter.StartPinned(ctx, x.order(spec, phase)); err != nil {
		return err
	}
	if phase == phasesOf(spec)[0] {
		x.note(v1alpha1.ReasonRunStarted, "Start", "run %s, attempt %d started", run.Name, run.Attempt)
	}
	run.Phase = runPhase(phase)
	x.findGPU(spec, runs.Outcome{State: runs.StateWaiting})
	return nil
}

// obstacle is why an attempt cannot start yet.
func (x *pass) obstacle(ctx context.Context, run *v1alpha1.Run) *wait {
	if suspended(x.pipeline) {
		return &wait{v1alpha1.ReasonSuspended, "the next attempt starts when suspend is false again"}
	}
	if x.strays > 0 {
		return &wait{v1alpha1.ReasonRunPending, "pods of the attempt before are being stopped"}
	}
	if message := x.deps.wait(); message != "" {
		return &wait{v1alpha1.ReasonDependencyNotReady, message}
	}
	if run.LastFailureTime != nil {
		if left := run.LastFailureTime.Add(x.Backoff(run.Failures)).Sub(x.now); left > 0 {
			x.after(left)
			return &wait{v1alpha1.ReasonRunRetrying, run.Message}
		}
	}
	running, err := x.running(ctx)
	if err != nil || !x.Quota.Admit(client.ObjectKeyFromObject(x.pipeline), running, x.now) {
		x.after(2 * time.Second)
		return &wait{v1alpha1.ReasonQuotaReached, fmt.Sprintf("%d runs go on, which is the most that the manager starts at once", x.Quota.Max)}
	}
	return nil
}

// running are the pipelines whose status shows a run with pods.
func (x *pass) running(ctx context.Context) ([]types.NamespacedName, error) {
	if x.Quota.Max <= 0 {
		return nil, nil
	}
	var all v1alpha1.ETLPipelineList
	if err := x.Client.List(ctx, &all); err != nil {
		return nil, err
	}
	var names []types.NamespacedName
	for i := range all.Items {
		p := &all.Items[i]
		if run := p.Status.LastRun; active(run) && run.Phase != v1alpha1.RunPending && p.DeletionTimestamp == nil {
			names = append(names, client.ObjectKeyFromObject(p))
		}
	}
	return names, nil
}

// gpuBeforeStart decides, once for the attempt, whether it runs without its GPU.
func (x *pass) gpuBeforeStart() string {
	gpu := gpuOf(&x.pipeline.Spec)
	if !placement.Wanted(gpu) {
		return ""
	}
	fits, why := x.explain(gpu)
	fallback := beforeStart(gpu, fits, why)
	if fallback != "" {
		x.fellBack(fallback)
	}
	return fallback
}

func (x *pass) fellBack(why string) {
	x.warn(v1alpha1.ReasonFallbackToCPU, "Place", "the run goes on without a GPU: %s", why)
	fallbacks.WithLabelValues(x.pipeline.Namespace, x.pipeline.Name).Inc()
}
