// Package ledgerref turns a reference to a LineageLedger into what a worker needs to write records: the address of
// ledgerd and the Secret that holds its token. Both follow from the ledger's name, so no Secret is ever read.
package ledgerref

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

const kind = "LineageLedger"

const (
	// Port on which ledgerd serves its HTTP API.
	Port = 8080
	// TokenKey is the key of the token Secret.
	TokenKey = "token"
)

// ServerName is the name of the children that make up the ledger's server: StatefulSet, Service, claim, account.
func ServerName(ledger string) string { return runs.ChildName(kind, ledger, "server") }

// TokenSecretName is the name of the Secret with the bearer token.
func TokenSecretName(ledger string) string {
	return ledger + "-token-" + runs.Hash(kind, ledger, "token")[:8]
}

// Endpoint is ledgerd's base URL inside the cluster.
func Endpoint(namespace, ledger string) string {
	return fmt.Sprintf("http://%s.%s.svc:%d", ServerName(ledger), namespace, Port)
}

// Resolve answers what goes into a RunSpec. With lineage disabled the ledger is nil. A wait that is not empty says
// which ledger is awaited and what it lacks.
func Resolve(ctx context.Context, c client.Reader, namespace string, ref *v1alpha1.LocalRef, lineage v1alpha1.LineagePolicy) (ledger *runspec.Ledger, wait string, err error) {
	if ref == nil || lineage == v1alpha1.LineageDisabled {
		return nil, "", nil
	}
	var found v1alpha1.LineageLedger
	err = c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &found)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Sprintf("LineageLedger %q does not exist in namespace %s; create it, or correct ledgerRef", ref.Name, namespace), nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("get LineageLedger %s: %w", ref.Name, err)
	}
	if ptr.Deref(found.Spec.Suspend, false) {
		return nil, fmt.Sprintf("LineageLedger %q is suspended and takes no records; set its spec.suspend to false", ref.Name), nil
	}
	if ready, why := conditions.ReadyNow(found.Status.Conditions, found.Generation); !ready {
		return nil, fmt.Sprintf("LineageLedger %q is not ready: %s", ref.Name, why), nil
	}
	return &runspec.Ledger{
		Name:        found.Name,
		Endpoint:    Endpoint(namespace, found.Name),
		TokenSecret: TokenSecretName(found.Name),
		// The outbox lies beside the destination and is replayed, so a short outage of ledgerd need not fail a run.
		OnUnavailable: "Buffer",
	}, "", nil
}
