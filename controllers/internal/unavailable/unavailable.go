// Package unavailable answers for kinds whose controller is not part of this version: an object is validated, and its
// conditions say that nothing more happens, rather than staying mute.
package unavailable

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
)

// Object is a kind of ours.
type Object[T any] interface {
	*T
	client.Object
}

type reconciler[T any, P Object[T]] struct {
	client.Client
	kind   string
	status func(P) *v1alpha1.SharedStatus
	events events.EventRecorder
}

// Setup adds a controller that says of each object of the kind that it has none.
func Setup[T any, P Object[T]](mgr ctrl.Manager, kind string, status func(P) *v1alpha1.SharedStatus) error {
	name := strings.ToLower(kind)
	r := &reconciler[T, P]{Client: mgr.GetClient(), kind: kind, status: status, events: mgr.GetEventRecorder("datastack-" + name)}
	return ctrl.NewControllerManagedBy(mgr).Named(name).For(P(new(T))).Complete(r)
}

// Reconcile writes the conditions.
func (r *reconciler[T, P]) Reconcile(ctx context.Context, request ctrl.Request) (result ctrl.Result, err error) {
	object := P(new(T))
	if err := r.Get(ctx, request.NamespacedName, object); err != nil {
		return result, client.IgnoreNotFound(err)
	}
	if !object.GetDeletionTimestamp().IsZero() {
		return result, nil
	}
	before := object.DeepCopyObject().(P)
	defer func() {
		err = errors.Join(err, client.IgnoreNotFound(apply.Status(ctx, r.Client, before, object)))
		if apierrors.IsConflict(err) {
			result, err = ctrl.Result{RequeueAfter: time.Second}, nil
		}
	}()

	status, message := r.status(object), fmt.Sprintf(
		"this version of the manager has no controller for %s: the object is valid, and nothing is done with it", r.kind)
	if meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady) == nil {
		r.events.Eventf(object, nil, corev1.EventTypeWarning, v1alpha1.ReasonControllerNotAvailable, "Reconcile", "%s", message)
	}
	status.ObservedGeneration = object.GetGeneration()
	conditions.Verdict{
		Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonControllerNotAvailable, Message: message, Stalled: true,
	}.Apply(&status.Conditions, object.GetGeneration())
	return result, nil
}
