package lineageledger

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
)

// applyChildren brings every child to what the spec says.
func (r *Reconciler) applyChildren(ctx context.Context, ledger *v1alpha1.LineageLedger, f facts) error {
	owner, err := apply.Owner(ledger, r.Scheme())
	if err != nil {
		return err
	}
	// A pod that serves has its token; asking again at each pass would be a write for nothing.
	if !f.serving() {
		if err := createToken(ctx, r.Client, ledger); err != nil {
			return err
		}
	}
	// The server comes last: what it mounts is there by then.
	for _, child := range []struct {
		desired runtime.ApplyConfiguration
		live    client.Object
	}{
		{account(ledger, owner), orNil(f.account)},
		{service(ledger, owner), orNil(f.service)},
		{networkPolicy(ledger, owner, r.ManagerNamespace), orNil(f.policy)},
		{claim(ledger, owner, f.claim), orNil(f.claim)},
		{statefulSet(ledger, owner, r.Image), orNil(f.server)},
	} {
		if err := r.applier.Apply(ctx, child.desired, child.live); err != nil {
			return err
		}
	}
	return nil
}

// orNil turns a typed nil pointer into a nil interface, which is how absence reads elsewhere.
func orNil[T any, P interface {
	*T
	client.Object
}](obj P) client.Object {
	if obj == nil {
		return nil
	}
	return obj
}
