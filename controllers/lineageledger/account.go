package lineageledger

import (
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// account is ledgerd's identity. It has no Role and no token: ledgerd asks nothing of the API server.
func account(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration) *coreac.ServiceAccountApplyConfiguration {
	return coreac.ServiceAccount(serverName(ledger), ledger.Namespace).
		WithLabels(childLabels(ledger)).WithOwnerReferences(owner).
		WithAutomountServiceAccountToken(false)
}
