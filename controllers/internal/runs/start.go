package runs

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
)

// Starter creates the objects of runs.
type Starter struct {
	Client client.Client
	// Reader asks the API server itself about a child that is there already: the cache
	// may not show it yet. Nil: Client.
	Reader client.Reader
	Config Config
}

// NamesakeError says that a child of a deleted object of the same name is still
// there; the garbage collector removes it, so the caller tries again.
type NamesakeError struct{ Kind, Name string }

func (e *NamesakeError) Error() string {
	return fmt.Sprintf("%s %s belongs to a deleted object of this name: waiting until it is gone", e.Kind, e.Name)
}

// Pin creates the attempt's immutable ConfigMap and returns the order that it holds.
// When it is there already it answers with what was pinned then: an attempt never changes.
func (s Starter) Pin(ctx context.Context, o Order) (Order, error) {
	cm, err := o.configMap()
	if err != nil {
		return o, err
	}
	if err := s.create(ctx, cm, o.Owner); err != nil {
		return o, err
	}
	o.Spec, err = SpecOf(cm)
	return o, err
}

// Start pins the order and creates what its pods need, and the Job. It is idempotent:
// what is there already is left alone.
func (s Starter) Start(ctx context.Context, o Order) (*batchv1.Job, error) {
	if err := s.Config.Check(o); err != nil {
		return nil, err
	}
	o, err := s.Pin(ctx, o)
	if err != nil {
		return nil, err
	}
	return s.StartPinned(ctx, o)
}

// StartPinned is Start for an order that Pin has answered with.
func (s Starter) StartPinned(ctx context.Context, o Order) (*batchv1.Job, error) {
	if err := s.Config.Check(o); err != nil {
		return nil, err
	}
	for _, child := range []runtime.ApplyConfiguration{o.serviceAccount(), o.role(), o.roleBinding()} {
		if err := s.Client.Apply(ctx, child, apply.FieldOwner, client.ForceOwnership); err != nil {
			return nil, fmt.Errorf("apply the worker's account, role and binding: %w", err)
		}
	}
	job := s.Config.job(o)
	return job, s.create(ctx, job, o.Owner)
}

// create makes obj, or fills it with what is there under its name.
func (s Starter) create(ctx context.Context, obj client.Object, owner metav1.OwnerReference) error {
	kind := kindOf(obj)
	err := s.Client.Create(ctx, obj)
	if err == nil {
		return nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create %s %s: %w", kind, obj.GetName(), err)
	}
	var reader client.Reader = s.Client
	if s.Reader != nil {
		reader = s.Reader
	}
	if err := reader.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
		return fmt.Errorf("read %s %s: %w", kind, obj.GetName(), err)
	}
	controller := metav1.GetControllerOf(obj)
	if controller == nil || controller.UID != owner.UID || obj.GetDeletionTimestamp() != nil {
		return &NamesakeError{Kind: kind, Name: obj.GetName()}
	}
	return nil
}

func kindOf(obj client.Object) string {
	if _, ok := obj.(*corev1.ConfigMap); ok {
		return "ConfigMap"
	}
	return "Job"
}
