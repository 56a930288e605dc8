// Package icebergtable keeps Iceberg tables as their IcebergTable says. It touches no table itself: a worker pod applies
// the schema or looks at the table, and the controller turns its answer into status.
package icebergtable

import (
	"context"
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

// Reconciler keeps tables.
type Reconciler struct {
	client.Client
	// Uncached reads pods that have just ended.
	Uncached client.Reader
	Runs     runs.Starter
	Events   events.EventRecorder
	Now      func() time.Time
}

// conflictDelay before another look after somebody else wrote the same object.
const conflictDelay = time.Second

// Setup adds the controller to mgr.
func Setup(mgr ctrl.Manager, config runs.Config) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Uncached: mgr.GetAPIReader(),
		Runs:   runs.Starter{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Config: config},
		Events: mgr.GetEventRecorder("datastack-icebergtable"),
		Now:    time.Now,
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("icebergtable").
		For(&v1alpha1.IcebergTable{}).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(tableOfPod)).
		Watches(&v1alpha1.ETLPipeline{}, handler.EnqueueRequestsFromMapFunc(tableOfPipeline)).
		Watches(&v1alpha1.LineageLedger{}, handler.EnqueueRequestsFromMapFunc(r.tablesOfLedger)).
		Complete(r)
}

// Reconcile takes in what the last run came to, begins what is due, and reports both.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	table := &v1alpha1.IcebergTable{}
	if err := r.Get(ctx, request.NamespacedName, table); err != nil {
		return result, client.IgnoreNotFound(err)
	}
	if !table.DeletionTimestamp.IsZero() {
		return result, nil // runs go by their owner references; the table itself stays
	}
	before := table.DeepCopy()
	defer func() {
		before.SetResourceVersion(table.GetResourceVersion()) // raised when this pass cleared status.workers
		err = errors.Join(err, client.IgnoreNotFound(apply.Status(ctx, r.Client, before, table)))
		// Somebody wrote in between: what was seen is old, so look again; it is no error.
		if apierrors.IsConflict(err) {
			result, err = ctrl.Result{RequeueAfter: conflictDelay}, nil
			return
		}
		if err == nil {
			count(before, table)
		}
		r.announce(before, table)
	}()

	f, err := r.gather(ctx, table)
	if err == nil {
		f.refusal = refused(table, f)
	}
	if err == nil && f.outcome != nil {
		f.ended = absorb(&table.Status, *f.outcome, r.Now())
	}
	learn(&table.Status, f.commits)
	if err == nil && f.refusal == nil {
		result.RequeueAfter, err = r.advance(ctx, table, &f)
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return result, nil // the table's object goes too
	}
	f.failure = err
	report(table, f)
	return result, err
}
