package lineageledger

import (
	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

const kind = "LineageLedger"

// childLabels mark every child; the manager's caches hold only what carries them.
func childLabels(ledger *v1alpha1.LineageLedger) map[string]string {
	return map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy,
		v1alpha1.LabelKind:      kind,
		v1alpha1.LabelName:      ledger.Name,
	}
}

func serverName(ledger *v1alpha1.LineageLedger) string { return ledgerref.ServerName(ledger.Name) }
