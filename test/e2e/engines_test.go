package e2e

import (
	"os"
	"os/exec"
	"testing"
)

// TestOtherEnginesReadTheSameRows reads the demo's tables with PyIceberg and with DuckDB's iceberg extension and compares
// them with what DuckDB computes from the CSV files directly.
func TestOtherEnginesReadTheSameRows(t *testing.T) {
	catalog, err := catalogFile(t.Context(), demoNamespace)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../.venv/test/bin/python", "reread.py", catalog, store.endpoint)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+store.accessKeyID, "AWS_SECRET_ACCESS_KEY="+store.secretAccessKey)
	out, err := cmd.CombinedOutput()
	t.Logf("\n%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
