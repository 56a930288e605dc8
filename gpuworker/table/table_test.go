package table

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/stretchr/testify/require"
)

const catalogJSON = `"catalog":{"type":"sql","sql":{"dialect":"sqlite","claimName":"catalog","path":"c.db","warehouse":"file:///w"}},"storage":{"type":"volume","volume":{"claimName":"wh"}}`

func specJSON(action, catalog, fields string) string {
	return fmt.Sprintf(`{"version":1,"action":%q,"object":{"kind":"IcebergTable","namespace":"a","name":"t"},"runID":"r","run":"r","attempt":2,
"tables":{"t":{"spec":{%s,"identifier":{"namespace":["n"],"name":"t"},"schema":{"fields":[%s]}}}}}`, action, catalog, fields)
}

// execute does what a RunSpec file says.
func execute(t *testing.T, mounts, spec string) (runspec.RunResult, int) {
	t.Helper()
	parsed, err := runspec.Read(strings.NewReader(spec))
	require.NoError(t, err)
	result := Run(t.Context(), parsed, lakehouse.Mounts(mounts))
	return result, int(result.ExitCode)
}

func TestApplyThenInspect(t *testing.T) {
	mounts := t.TempDir()
	for _, claim := range []string{"catalog", "wh"} {
		require.NoError(t, os.MkdirAll(filepath.Join(mounts, "volumes", claim), 0o755))
	}
	one := `{"name":"id","type":"long"}`
	two := one + `,{"name":"name","type":"string"}`

	result, code := execute(t, mounts, specJSON("TableInspect", catalogJSON, one))
	require.Equal(t, runspec.ExitNoInput, code)
	require.Equal(t, "TableNotFound", result.Reason)

	result, code = execute(t, mounts, specJSON("TableApply", catalogJSON, two))
	require.Zero(t, code)
	require.Equal(t, []string{"created"}, result.Table.Changes)
	require.EqualValues(t, 2, result.Attempt)

	result, code = execute(t, mounts, specJSON("TableApply", catalogJSON, two))
	require.Zero(t, code)
	require.Empty(t, result.Table.Changes)
	uuid := result.Table.UUID

	result, code = execute(t, mounts, specJSON("TableApply", catalogJSON, one))
	require.Equal(t, runspec.ExitUsage, code)
	require.Equal(t, "DropRefused", result.Reason)
	require.Contains(t, result.Message, "formerNames")
	require.Equal(t, uuid, result.Table.UUID, "a refused table is described too")

	result, code = execute(t, mounts, specJSON("TableInspect", catalogJSON, two))
	require.Zero(t, code)
	require.Equal(t, uuid, result.Table.UUID)
	require.True(t, strings.HasPrefix(result.Table.Location, "file://"+mounts+"/volumes/wh/"), result.Table.Location)
}

func TestRefusals(t *testing.T) {
	field := `{"name":"id","type":"long"}`
	glue := `"catalog":{"type":"glue","glue":{"region":"eu"}},"storage":{"type":"volume","volume":{"claimName":"wh"}}`
	for name, tc := range map[string]struct {
		catalog string
		code    int
		want    string
	}{
		"missing mount": {catalogJSON, runspec.ExitConfig, "expected claim"},
		"glue":          {glue, runspec.ExitUsage, "use sql"},
		"no catalog":    {`"suspend":false`, runspec.ExitUsage, "set spec.catalog"},
	} {
		t.Run(name, func(t *testing.T) {
			result, code := execute(t, t.TempDir(), specJSON("TableApply", tc.catalog, field))
			require.Equal(t, tc.code, code)
			require.Equal(t, runspec.OutcomeFailed, result.Outcome)
			require.Contains(t, result.Message, tc.want)
		})
	}
	t.Run("a pipeline", func(t *testing.T) {
		result := Run(t.Context(), &runspec.RunSpec{Action: runspec.ActionPipeline}, lakehouse.Mounts(t.TempDir()))
		require.EqualValues(t, runspec.ExitUsage, result.ExitCode)
	})
}
