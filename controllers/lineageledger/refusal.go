package lineageledger

import (
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
	return nil
}
