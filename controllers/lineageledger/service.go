package lineageledger

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// service gives ledgerd an address that outlives its pod.
func service(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration) *coreac.ServiceApplyConfiguration {
	return coreac.Service(serverName(ledger), ledger.Namespace).
		WithLabels(childLabels(ledger)).WithOwnerReferences(owner).
		WithSpec(coreac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(childLabels(ledger)).
			WithPorts(coreac.ServicePort().WithName(portName).WithProtocol(corev1.ProtocolTCP).
				WithPort(ledgerref.Port).WithTargetPort(intstr.FromString(portName))))
}
