package lineageledger

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// networkPolicy admits our pods of the same namespace and the manager (which asks /readyz for the ledger's size) on the
// one port, and lets ledgerd call nobody: it needs nothing. managerNamespace is empty when the manager is not in a pod.
func networkPolicy(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration, managerNamespace string) *networkingac.NetworkPolicyApplyConfiguration {
	from := []*networkingac.NetworkPolicyPeerApplyConfiguration{networkingac.NetworkPolicyPeer().WithPodSelector(
		metaac.LabelSelector().WithMatchLabels(map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}))}
	if managerNamespace != "" {
		from = append(from, networkingac.NetworkPolicyPeer().
			WithNamespaceSelector(metaac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: managerNamespace})).
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(map[string]string{"app.kubernetes.io/component": "manager"})))
	}
	return networkingac.NetworkPolicy(serverName(ledger), ledger.Namespace).
		WithLabels(childLabels(ledger)).WithOwnerReferences(owner).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(childLabels(ledger))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
			WithIngress(networkingac.NetworkPolicyIngressRule().
				WithFrom(from...).
				WithPorts(networkingac.NetworkPolicyPort().WithPort(intstr.FromInt32(ledgerref.Port)))))
}
