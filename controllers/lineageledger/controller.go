// Package lineageledger runs one ledgerd per LineageLedger: its volume, token, address, network rules and server.
package lineageledger

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// Reconciler keeps ledgers running.
type Reconciler struct {
	client.Client
	Options
	Events events.EventRecorder

	applier apply.Applier
}

// Options are what the manager's flags say about ledgers.
type Options struct {
	// Image of ledgerd, where the ledger names none.
	Image string
	// ImageAllowlist are the other images that a ledger may name, as in --worker-image-allowlist.
	ImageAllowlist []string
	// ManagerNamespace is where the manager runs, which a ledger's network policy admits; empty outside a pod.
	ManagerNamespace string
	// Endpoint of a ledger, for the look at its size; nil means its Service.
	Endpoint func(namespace, ledger string) string
}

// conflictDelay before another look after somebody else wrote the same object.
const conflictDelay = time.Second

// Setup adds the controller to mgr.
func Setup(mgr ctrl.Manager, options Options) error {
	r := &Reconciler{Client: mgr.GetClient(), Options: options, Events: mgr.GetEventRecorder("datastack-lineageledger")}
	r.applier.Client = r.Client
	if r.Endpoint == nil {
		r.Endpoint = ledgerref.Endpoint
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("lineageledger").
		For(&v1alpha1.LineageLedger{}).
		Owns(&appsv1.StatefulSet{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ServiceAccount{}).
		Owns(&networkingv1.NetworkPolicy{}).
		// The claim has no owner while it is to outlive the ledger, and the pod is owned by the StatefulSet.
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(ledgerOf)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(ledgerOf)).
		// What pipelines and tables record changes the ledger's size.
		Watches(&v1alpha1.ETLPipeline{}, handler.EnqueueRequestsFromMapFunc(ledgerOfWriter)).
		Watches(&v1alpha1.IcebergTable{}, handler.EnqueueRequestsFromMapFunc(ledgerOfWriter)).
		// A ledger that does not answer the look at its size holds one worker for a moment; others go on.
		WithOptions(controller.Options{MaxConcurrentReconciles: 4}).
		Complete(r)
}

// ledgerOf finds the ledger of a child by its labels.
func ledgerOf(_ context.Context, child client.Object) []reconcile.Request {
	labels := child.GetLabels()
	if labels[v1alpha1.LabelKind] != kind || labels[v1alpha1.LabelName] == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{
		Namespace: child.GetNamespace(), Name: labels[v1alpha1.LabelName]}}}
}

// ledgerOfWriter finds the ledger that a pipeline or table records in.
func ledgerOfWriter(_ context.Context, object client.Object) []reconcile.Request {
	var ref *v1alpha1.LocalRef
	switch o := object.(type) {
	case *v1alpha1.ETLPipeline:
		ref = o.Spec.LedgerRef
	case *v1alpha1.IcebergTable:
		ref = o.Spec.LedgerRef
	}
	if ref == nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: object.GetNamespace(), Name: ref.Name}}}
}

// Reconcile brings the children to the spec and the status to what the children show.
func (r *Reconciler) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	ledger := &v1alpha1.LineageLedger{}
	if err := r.Get(ctx, request.NamespacedName, ledger); err != nil {
		return result, client.IgnoreNotFound(err)
	}
	if !ledger.DeletionTimestamp.IsZero() {
		return result, nil // owner references take the children along; volume and token stay unless they have one
	}
	before := ledger.DeepCopy()
	defer func() {
		err = errors.Join(err, client.IgnoreNotFound(apply.Status(ctx, r.Client, before, ledger)))
		r.announce(before, ledger)
		// Somebody wrote in between: what was seen is old, so look again; it is no error.
		if apierrors.IsConflict(err) {
			result, err = ctrl.Result{RequeueAfter: conflictDelay}, nil
		}
	}()

	f, err := r.gather(ctx, ledger)
	if err == nil && refused(ledger, f) == nil {
		err = r.applyChildren(ctx, ledger, f)
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return result, nil // the ledger goes too
	}
	report(ledger, f, err)
	switch {
	case apierrors.IsInvalid(err):
		return result, nil // trying again cannot help; the condition says what the API server refuses
	case f.serving():
		result.RequeueAfter = probeInterval
	}
	return result, err
}
