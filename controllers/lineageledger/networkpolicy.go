package lineageledger

import (
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// networkPolicy admits our pods of the same namespace on the one port, and lets ledgerd call nobody: it needs nothing.
func networkPolicy(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration) *networkingac.NetworkPolicyApplyConfiguration {
	ourPods := metaac.LabelSelector().WithMatchLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	return networkingac.NetworkPolicy(serverName(ledger), ledger.Namespace).
		WithLabels(childLabels(ledger)).WithOwnerReferences(owner).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(childLabels(ledger))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
			WithIngress(networkingac.NetworkPolicyIngressRule().
				WithFrom(networkingac.NetworkPolicyPeer().WithPodSelector(ourPods)).
				WithPorts(networkingac.NetworkPolicyPort().WithPort(intstr.FromInt32(ledgerref.Port)))))
}
