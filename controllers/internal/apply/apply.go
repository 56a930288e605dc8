// Package apply writes children and status with server-side apply, under one field owner.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// FieldOwner is the manager's only field manager.
const FieldOwner = client.FieldOwner("datastack-manager")

// Owner is the controller reference from a child to its custom resource.
func Owner(owner client.Object, scheme *runtime.Scheme) (*metav1ac.OwnerReferenceApplyConfiguration, error) {
	gvk, err := apiutil.GVKForObject(owner, scheme)
	if err != nil {
		return nil, err
	}
	return metav1ac.OwnerReference().
		WithAPIVersion(gvk.GroupVersion().String()).WithKind(gvk.Kind).
		WithName(owner.GetName()).WithUID(owner.GetUID()).
		WithController(true).WithBlockOwnerDeletion(true), nil
}

// Applier applies children and skips a request whose content and target have not
// changed since the last one, so that a quiet system sends no writes.
type Applier struct {
	Client client.Client

	mu   sync.Mutex
	last map[types.UID]applied
}

type applied struct{ content, resourceVersion string }

// Apply sends desired. live is the child as the cache shows it, nil when absent;
// it says whether somebody else changed the child since.
func (a *Applier) Apply(ctx context.Context, desired runtime.ApplyConfiguration, live client.Object) error {
	content, err := fingerprint(desired)
	if err != nil {
		return err
	}
	if live != nil && a.same(live, content) {
		return nil
	}
	if err := a.Client.Apply(ctx, desired, FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply a child: %w", err)
	}
	if live != nil {
		a.remember(live, content)
	}
	return nil
}

func (a *Applier) same(live client.Object, content string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[live.GetUID()] == applied{content, live.GetResourceVersion()}
}

// remember notes the version seen before the request: a request that changed
// something raises the version, and the next pass then sends once more.
func (a *Applier) remember(live client.Object, content string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = map[types.UID]applied{}
	}
	a.last[live.GetUID()] = applied{content, live.GetResourceVersion()}
}

// Forget drops what is remembered of a child that is gone.
func (a *Applier) Forget(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.last, uid)
}

func fingerprint(desired runtime.ApplyConfiguration) (string, error) {
	data, err := json.Marshal(desired)
	if err != nil {
		return "", fmt.Errorf("encode a child: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}
