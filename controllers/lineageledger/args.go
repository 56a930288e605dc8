package lineageledger

import (
	"fmt"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// serveArgs is ledgerd's command line; the image's entry point is the binary.
func serveArgs(ledger *v1alpha1.LineageLedger) []string {
	return []string{
		"serve",
		"--data", dataPath + "/log", // a folder of its own: a volume may hold lost+found
		"--listen", fmt.Sprintf(":%d", ledgerref.Port),
		"--token-file", tokenPath + "/" + ledgerref.TokenKey,
		"--origin", ledger.Namespace + "/" + ledger.Name,
	}
}
