package etlpipeline

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

// Setup adds the controller to the manager. maxConcurrentRuns bounds runs in all
// namespaces together; 0 is no bound.
func Setup(mgr ctrl.Manager, config runs.Config, maxConcurrentRuns int) error {
	r := &Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(),
		Recorder: mgr.GetEventRecorder("etlpipeline"),
		Starter:  runs.Starter{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Config: config},
		Quota:    &Quota{Max: maxConcurrentRuns},
		Now:      time.Now, Backoff: backoff,
	}
	return r.SetupWithManager(mgr)
}

// SetupWithManager watches pipelines, their Jobs and pods, and what they wait for.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("etlpipeline").
		// Most of a pass is waiting for the API server.
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		For(&v1alpha1.ETLPipeline{}).
		Owns(&batchv1.Job{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ofPod)).
		Watches(&v1alpha1.IcebergTable{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor)).
		Watches(&v1alpha1.LineageLedger{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor)).
		Complete(r)
}

// ofPod finds a pod's pipeline by label: a pod's owner is its Job.
func ofPod(_ context.Context, pod client.Object) []reconcile.Request {
	labels := pod.GetLabels()
	if labels[v1alpha1.LabelKind] != kind {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: pod.GetNamespace(), Name: labels[v1alpha1.LabelName]}}}
}

// waitingFor finds the pipelines of the namespace that need the table or ledger.
func (r *Reconciler) waitingFor(ctx context.Context, object client.Object) []reconcile.Request {
	var all v1alpha1.ETLPipelineList
	if err := r.Client.List(ctx, &all, client.InNamespace(object.GetNamespace())); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing the pipelines that wait for an object", "object", object.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range all.Items {
		if refersTo(&all.Items[i].Spec, object) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
