// Package etlpipeline runs ETLPipelines: it turns triggers into runs, runs into Jobs,
// and what the workers report into status.
package etlpipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/controllers/internal/schedule"
)

// Reconciler moves pipelines on.
type Reconciler struct {
	// Client reads from the cache; Reader asks the API server itself.
	Client   client.Client
	Reader   client.Reader
	Recorder events.EventRecorder
	Starter  runs.Starter
	Quota    *Quota
	// Now and Backoff are the clock and the wait between attempts.
	Now     func() time.Time
	Backoff func(failures int32) time.Duration
}

// Reconcile does one pass: gather facts, act, compute the status, write it once.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	var pipeline v1alpha1.ETLPipeline
	if err := r.Client.Get(ctx, request.NamespacedName, &pipeline); err != nil {
		if apierrors.IsNotFound(err) {
			forget(request.Namespace, request.Name)
			r.Quota.Release(request.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("get the ETLPipeline: %w", err)
	}
	if pipeline.DeletionTimestamp != nil {
		// The children have owner references; the workers end before their commit.
		r.Quota.Release(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	x := &pass{Reconciler: r, before: pipeline.DeepCopy(), pipeline: &pipeline, now: r.Now()}
	defer func() {
		result, err = x.finish(ctx, err)
	}()
	if err := x.gather(ctx); err != nil {
		return ctrl.Result{}, err
	}
	if x.invalid = x.validate(); x.invalid != nil {
		return ctrl.Result{}, nil
	}
	for _, step := range []func(context.Context) error{x.stopStrays, x.work, x.trigger, x.forgetOld} {
		if err := step(ctx); err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{}, nil
}

// finish turns refusals and waits into status, writes the status, and then announces
// what happened.
func (x *pass) finish(ctx context.Context, err error) (ctrl.Result, error) {
	var refused *runs.RefusedError
	var namesake *runs.NamesakeError
	switch {
	case errors.As(err, &refused):
		x.invalid, err = refused, nil
	case errors.As(err, &namesake):
		x.wait, err = &wait{v1alpha1.ReasonRunPending, namesake.Error()}, nil
		x.after(2 * time.Second)
	case apierrors.IsInvalid(err):
		x.invalid = &runs.RefusedError{Reason: v1alpha1.ReasonInvalidSpec,
			Message: "the API server refuses the run's pod; correct spec.worker: " + err.Error()}
		err = nil
	case apierrors.IsForbidden(err):
		// A ResourceQuota, mostly: it may be lifted at any time.
		log.FromContext(ctx).Error(err, "Waiting until the API server allows a child")
		x.wait, err = &wait{v1alpha1.ReasonRunPending, err.Error()}, nil
		x.after(30 * time.Second)
	case apierrors.IsConflict(err):
		// Decided on a stale read: nothing of it is worth writing.
		return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	if err == nil {
		x.report()
	}
	if writeErr := apply.Status(ctx, x.Client, x.before, x.pipeline); writeErr != nil {
		return x.unwritten(ctx, writeErr, err)
	}
	x.publish()
	return ctrl.Result{RequeueAfter: x.again}, err
}

// unwritten looks again after a conflict (somebody, mostly a worker, wrote first) and
// gives up on an object that is gone.
func (x *pass) unwritten(ctx context.Context, writeErr, err error) (ctrl.Result, error) {
	switch {
	case apierrors.IsNotFound(writeErr):
		return ctrl.Result{}, err
	case apierrors.IsConflict(writeErr):
		log.FromContext(ctx).V(4).Info("Looking again after a conflict")
		return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, err
	}
	return ctrl.Result{}, errors.Join(err, writeErr)
}

func (x *pass) report() {
	f := seen{
		spec: &x.pipeline.Spec, status: x.status(), wait: x.wait, deps: x.deps, gpu: x.gpu,
		previous: meta.FindStatusCondition(x.before.Status.Conditions, v1alpha1.ConditionReady),
	}
	if x.invalid != nil {
		f.invalid = &wait{x.invalid.Reason, x.invalid.Message}
	}
	setStatus(f, x.pipeline.Generation)
}

// validate checks what the schema cannot: the cron line, the manager's own limits, and
// what this manager has no code for.
func (x *pass) validate() *runs.RefusedError {
	spec := &x.pipeline.Spec
	if spec.Mode == v1alpha1.ModeStreaming {
		return &runs.RefusedError{Reason: v1alpha1.ReasonControllerNotAvailable,
			Message: "this manager has no controller for mode Streaming yet: use mode Batch"}
	}
	if spec.Schedule != nil {
		cron, err := schedule.Parse(spec.Schedule.Cron, spec.Schedule.TimeZone)
		if err != nil {
			return &runs.RefusedError{Reason: v1alpha1.ReasonInvalidSpec, Message: err.Error()}
		}
		x.cron = cron
	}
	var refused *runs.RefusedError
	probe := x.order(x.runSpec(&v1alpha1.Run{}, ""), "")
	if errors.As(x.Starter.Config.Check(probe), &refused) {
		return refused
	}
	return nil
}
