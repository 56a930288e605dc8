package lineageledger

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// refusal is why nothing is done until a person changes the spec.
type refusal struct{ reason, message string }

// refused checks again what CEL cannot see.
func refused(ledger *v1alpha1.LineageLedger, f facts) *refusal {
	if ledger.Spec.OnChainUnavailable == v1alpha1.ChainBlock {
		return &refusal{reasonChainNotAvailable, "onChainUnavailable is Block, and this version of ledgerd has no chain, so it would never take a record; " +
			"set onChainUnavailable: Buffer to keep records until they can be anchored"}
	}
	if f.imageRefusal != "" {
		return &refusal{v1alpha1.ReasonImageNotAllowed, f.imageRefusal}
	}
	if message := shrinks(ledger, f.claim); message != "" {
		return &refusal{v1alpha1.ReasonInvalidSpec, message}
	}
	return nil
}

// shrinks says, for a person, that the spec asks for less than the claim already has. CEL refuses it in an update; a
// ledger created again over a larger volume gets past CEL.
func shrinks(ledger *v1alpha1.LineageLedger, live *corev1.PersistentVolumeClaim) string {
	if live == nil {
		return ""
	}
	has, wants := live.Spec.Resources.Requests[corev1.ResourceStorage], volumeOf(ledger).Size
	if wants.Cmp(has) >= 0 {
		return ""
	}
	return fmt.Sprintf("volume.size is %s, but the volume %s that holds the log has %s and cannot shrink; set volume.size to at least %s",
		wants.String(), live.Name, has.String(), has.String())
}
