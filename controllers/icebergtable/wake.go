package icebergtable

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// tableOfPod finds the table of a worker pod by its labels: its owner is the Job.
func tableOfPod(_ context.Context, pod client.Object) []reconcile.Request {
	labels := pod.GetLabels()
	if labels[v1alpha1.LabelKind] != kind || labels[v1alpha1.LabelName] == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pod.GetNamespace(), Name: labels[v1alpha1.LabelName]}}}
}

// tablesOfLedger are the tables that may wait for a ledger.
func (r *Reconciler) tablesOfLedger(ctx context.Context, ledger client.Object) []reconcile.Request {
	var tables v1alpha1.IcebergTableList
	if err := r.List(ctx, &tables, client.InNamespace(ledger.GetNamespace())); err != nil {
		log.FromContext(ctx).Error(err, "Finding the tables that wait for a ledger", "ledger", ledger.GetName())
		return nil
	}
	var requests []reconcile.Request
	for i := range tables.Items {
		if ref := tables.Items[i].Spec.LedgerRef; ref != nil && ref.Name == ledger.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&tables.Items[i])})
		}
	}
	return requests
}

// announce sends an event when Ready, its reason or the run's outcome changes: what is new, once.
func (r *Reconciler) announce(before, after *v1alpha1.IcebergTable) {
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if is == nil || was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return
	}
	severity := corev1.EventTypeNormal
	if meta.IsStatusConditionTrue(after.Status.Conditions, v1alpha1.ConditionStalled) ||
		is.Status == metav1.ConditionFalse && is.Reason == v1alpha1.ReasonRunRetrying {
		severity = corev1.EventTypeWarning
	}
	r.Events.Eventf(after, nil, severity, is.Reason, "Reconcile", "%s", is.Message)
}
