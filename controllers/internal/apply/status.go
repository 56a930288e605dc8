package apply

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// workers is the one status field that belongs to the worker pods.
const workers = "workers"

// Status applies the status of after when it differs from before, all but
// status.workers. It is bound to before's uid and resourceVersion, so a decision
// made on a stale read fails with a conflict; the new resourceVersion lands in after.
func Status(ctx context.Context, c client.Client, before, after client.Object) error {
	oldStatus, err := statusOf(before)
	if err != nil {
		return err
	}
	newStatus, err := statusOf(after)
	if err != nil {
		return err
	}
	if equality.Semantic.DeepEqual(oldStatus, newStatus) {
		return nil
	}
	gvk, err := apiutil.GVKForObject(after, c.Scheme())
	if err != nil {
		return err
	}
	patch := &unstructured.Unstructured{Object: map[string]any{"status": newStatus}}
	patch.SetGroupVersionKind(gvk)
	patch.SetNamespace(after.GetNamespace())
	patch.SetName(after.GetName())
	patch.SetUID(before.GetUID())
	patch.SetResourceVersion(before.GetResourceVersion())
	if err := c.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(patch), FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the status: %w", err)
	}
	after.SetResourceVersion(patch.GetResourceVersion())
	return nil
}

// ClearWorkers empties status.workers, whoever owns its items. Server-side apply
// cannot remove items of other owners, hence a JSON patch, bound to this very object.
func ClearWorkers(ctx context.Context, c client.Client, obj client.Object) error {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return err
	}
	if items, found, _ := unstructured.NestedSlice(status, "status", workers); !found || len(items) == 0 {
		return nil
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/uid", "value": obj.GetUID()},
		{"op": "test", "path": "/metadata/resourceVersion", "value": obj.GetResourceVersion()},
		{"op": "remove", "path": "/status/" + workers},
	})
	if err != nil {
		return err
	}
	// The answer goes into a copy: it would overwrite what obj's status holds by now.
	answer := obj.DeepCopyObject().(client.Object)
	err = c.Status().Patch(ctx, answer, client.RawPatch(types.JSONPatchType, patch), FieldOwner)
	if apierrors.IsInvalid(err) {
		// A test of the patch failed: the object has changed since it was read.
		return apierrors.NewConflict(schema.GroupResource{Resource: obj.GetName()}, workers, err)
	}
	if err != nil {
		return fmt.Errorf("clear status.workers: %w", err)
	}
	obj.SetResourceVersion(answer.GetResourceVersion())
	return nil
}

func statusOf(obj client.Object) (map[string]any, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, fmt.Errorf("read the status of %s: %w", obj.GetName(), err)
	}
	status, _ := content["status"].(map[string]any)
	delete(status, workers)
	return status, nil
}
