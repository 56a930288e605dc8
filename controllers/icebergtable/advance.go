package icebergtable

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

// refused checks again what CEL cannot see.
func refused(table *v1alpha1.IcebergTable, f facts) *runs.RefusedError {
	if f.twin != "" {
		return &runs.RefusedError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"IcebergTable %q already describes this table; delete one of the two, or give this one another identifier", f.twin)}
	}
	if table.Spec.Catalog == nil || table.Spec.Storage == nil {
		return &runs.RefusedError{Reason: v1alpha1.ReasonInvalidSpec, Message: "spec.catalog or spec.storage is not set, and this version of the manager has no catalog and warehouse of its own; " +
			"create the object again with spec.catalog (type sql or rest) and spec.storage"}
	}
	return nil
}

// advance begins or goes on with a run when one is due, and says when to look again.
func (r *Reconciler) advance(ctx context.Context, table *v1alpha1.IcebergTable, f *facts) (time.Duration, error) {
	next, wait := decide(table, f.state(), r.Now())
	switch next {
	case stepNothing:
		return wait, nil
	case stepApply, stepInspect:
		if next == stepApply && f.wait != "" {
			return 0, nil // the ledger's change wakes us
		}
		if err := r.begin(ctx, table, next); err != nil {
			return 0, err
		}
	case stepContinue:
		if f.wait != "" && !inspects(table.Status.LastRun) {
			return 0, nil
		}
	}
	return 0, r.start(ctx, table, f)
}

// begin puts a new run into status. Nothing exists for it yet: a crash here leaves the same decision to the next pass.
func (r *Reconciler) begin(ctx context.Context, table *v1alpha1.IcebergTable, next step) error {
	if err := apply.ClearWorkers(ctx, r.Client, table); err != nil {
		return err
	}
	table.Status.Workers = nil
	trigger := triggerInspect
	if next == stepApply {
		trigger = triggerApply
		table.Status.Revision, table.Status.RunAt = revision(table.Spec), runAt(table)
	}
	table.Status.LastRun = newRun(table, trigger, r.Now())
	return nil
}

// start creates the Job of the attempt in status.
func (r *Reconciler) start(ctx context.Context, table *v1alpha1.IcebergTable, f *facts) error {
	if err := r.prune(ctx, table); err != nil {
		return err
	}
	_, err := r.Runs.Start(ctx, orderOf(table, f.ledger))
	var refusal *runs.RefusedError
	switch {
	case errors.As(err, &refusal):
		f.refusal = refusal
	case apierrors.IsInvalid(err):
		f.refusal = &runs.RefusedError{Reason: v1alpha1.ReasonInvalidSpec,
			Message: "the API server refuses the run's pod; correct spec.worker: " + err.Error()}
	default:
		return err
	}
	return nil
}

// keptAttempts of the run in status, so that the log of the attempt before the present one can still be read.
const keptAttempts = 2

// prune deletes Jobs (their pods go along) and orders of earlier runs and attempts.
func (r *Reconciler) prune(ctx context.Context, table *v1alpha1.IcebergTable) error {
	ours := []client.ListOption{client.InNamespace(table.Namespace),
		client.MatchingLabels{v1alpha1.LabelKind: kind, v1alpha1.LabelName: table.Name}}
	var jobs batchv1.JobList
	if err := r.List(ctx, &jobs, ours...); err != nil {
		return fmt.Errorf("list Jobs: %w", err)
	}
	var orders corev1.ConfigMapList
	if err := r.List(ctx, &orders, ours...); err != nil {
		return fmt.Errorf("list ConfigMaps: %w", err)
	}
	for i := range jobs.Items {
		if err := r.deleteOld(ctx, table, &jobs.Items[i]); err != nil {
			return err
		}
	}
	for i := range orders.Items {
		if err := r.deleteOld(ctx, table, &orders.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) deleteOld(ctx context.Context, table *v1alpha1.IcebergTable, child client.Object) error {
	run := table.Status.LastRun
	attempt, err := strconv.Atoi(child.GetLabels()[v1alpha1.LabelAttempt])
	if err != nil || !metav1.IsControlledBy(child, table) {
		return nil // no child of a run, or one of a deleted namesake, which the garbage collector takes
	}
	if child.GetLabels()[v1alpha1.LabelRun] == run.Name && int32(attempt) > run.Attempt-keptAttempts { //nolint:gosec // attempts are small
		return nil
	}
	uid := child.GetUID()
	err = r.Delete(ctx, child, client.PropagationPolicy(metav1.DeletePropagationBackground), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s of an earlier run: %w", child.GetName(), err)
	}
	return nil
}
