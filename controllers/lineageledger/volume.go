package lineageledger

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// claim holds the log. It is a claim of our own and not a template of the StatefulSet, whose templates cannot grow.
// Without an owner reference it outlives the ledger; a ledger created again under the same name goes on with the log.
// live is the claim that is there, or nil: what somebody made larger stays so, as a volume cannot shrink.
func claim(ledger *v1alpha1.LineageLedger, owner *metaac.OwnerReferenceApplyConfiguration, live *corev1.PersistentVolumeClaim) *coreac.PersistentVolumeClaimApplyConfiguration {
	volume := volumeOf(ledger)
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	if len(volume.AccessModes) > 0 {
		modes = nil
		for _, mode := range volume.AccessModes {
			modes = append(modes, corev1.PersistentVolumeAccessMode(mode))
		}
	}
	size := volume.Size
	if larger := surplus(ledger, live); larger != nil {
		size = *larger
	}
	spec := coreac.PersistentVolumeClaimSpec().WithAccessModes(modes...).
		WithResources(coreac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: size}))
	if volume.StorageClassName != nil {
		spec.WithStorageClassName(*volume.StorageClassName)
	}
	pvc := coreac.PersistentVolumeClaim(serverName(ledger), ledger.Namespace).WithLabels(childLabels(ledger)).WithSpec(spec)
	if purges(ledger) {
		pvc.WithOwnerReferences(owner)
	}
	return pvc
}

// surplus is the size of a claim that is larger than the spec asks for: grown by hand, or left by a ledger of this name.
// CEL refuses a smaller size in an update. Nil: there is none.
func surplus(ledger *v1alpha1.LineageLedger, live *corev1.PersistentVolumeClaim) *resource.Quantity {
	if live == nil {
		return nil
	}
	has, wants := live.Spec.Resources.Requests[corev1.ResourceStorage], volumeOf(ledger).Size
	if has.Cmp(wants) <= 0 {
		return nil
	}
	return &has
}

// volumeOf is the volume asked for, or the documented default.
func volumeOf(ledger *v1alpha1.LineageLedger) v1alpha1.VolumeClaim {
	if ledger.Spec.Volume != nil {
		return *ledger.Spec.Volume
	}
	return v1alpha1.VolumeClaim{Size: resource.MustParse("10Gi")}
}

// purges says whether the volume and the token go with the ledger.
func purges(ledger *v1alpha1.LineageLedger) bool {
	return ledger.Spec.DeletionPolicy == v1alpha1.DeletionPurge
}
