package lineageledger

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

const (
	dataPath  = "/var/lib/ledgerd"
	tokenPath = "/var/run/ledgerd" //nolint:gosec // a path, not a credential
	portName  = "http"
	userID    = 65532
)

// statefulSet is the one ledgerd of a ledger. A StatefulSet never runs two pods of one name, and the log has one writer.
func statefulSet(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration, image string) *appsac.StatefulSetApplyConfiguration {
	name, labels := serverName(ledger), childLabels(ledger)
	replicas := int32(1)
	if suspended(ledger) {
		replicas = 0
	}
	pod := coreac.PodTemplateSpec().WithLabels(labels).WithSpec(coreac.PodSpec().
		WithServiceAccountName(name).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(30).
		WithSecurityContext(coreac.PodSecurityContext().
			WithRunAsNonRoot(true).WithRunAsUser(userID).WithRunAsGroup(userID).WithFSGroup(userID).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(coreac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(serverContainer(ledger, image)).
		WithVolumes(
			coreac.Volume().WithName("data").WithPersistentVolumeClaim(
				coreac.PersistentVolumeClaimVolumeSource().WithClaimName(name)),
			coreac.Volume().WithName("token").WithSecret(coreac.SecretVolumeSource().
				WithSecretName(ledgerref.TokenSecretName(ledger.Name)).WithDefaultMode(0o440).
				WithItems(coreac.KeyToPath().WithKey(ledgerref.TokenKey).WithPath(ledgerref.TokenKey)))))
	customise(pod, ledger.Spec.Worker)

	return appsac.StatefulSet(name, ledger.Namespace).WithLabels(labels).WithOwnerReferences(owner).
		WithSpec(appsac.StatefulSetSpec().
			WithReplicas(replicas).
			// OrderedReady would wait for a broken pod before it replaces it with a mended one.
			WithPodManagementPolicy(appsv1.ParallelPodManagement).
			WithServiceName(name).
			WithSelector(metaac.LabelSelector().WithMatchLabels(labels)).
			WithTemplate(pod))
}

func serverContainer(ledger *v1alpha1.LineageLedger, image string) *coreac.ContainerApplyConfiguration {
	probe := func(path string) *coreac.ProbeApplyConfiguration {
		return coreac.Probe().WithHTTPGet(coreac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(portName)))
	}
	return coreac.Container().WithName("ledgerd").WithImage(image).WithImagePullPolicy(corev1.PullIfNotPresent).
		WithArgs(serveArgs(ledger)...).
		WithPorts(coreac.ContainerPort().WithName(portName).WithContainerPort(ledgerref.Port)).
		// Opening a long log takes a while; liveness starts once startup has passed.
		WithStartupProbe(probe("/healthz").WithPeriodSeconds(2).WithFailureThreshold(300)).
		WithLivenessProbe(probe("/healthz").WithPeriodSeconds(10)).
		WithReadinessProbe(probe("/readyz").WithPeriodSeconds(2)).
		// The last lines of the log say why ledgerd refused to start; they reach the condition this way.
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithResources(coreac.ResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("128Mi")}).
			WithLimits(corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")})).
		WithSecurityContext(coreac.SecurityContext().
			WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).WithRunAsNonRoot(true).
			WithCapabilities(coreac.Capabilities().WithDrop("ALL"))).
		WithVolumeMounts(
			coreac.VolumeMount().WithName("data").WithMountPath(dataPath),
			coreac.VolumeMount().WithName("token").WithMountPath(tokenPath).WithReadOnly(true))
}
