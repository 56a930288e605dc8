package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/stretchr/testify/require"
)

const catalogJSON = `"catalog":{"type":"sql","sql":{"dialect":"sqlite","claimName":"catalog","path":"c.db","warehouse":"file:///w"}},"storage":{"type":"volume","volume":{"claimName":"wh"}}`

func specJSON(action, catalog, fields string) string {
	return fmt.Sprintf(`{"version":1,"action":%q,"object":{"kind":"IcebergTable","namespace":"a","name":"t"},"runID":"r","run":"r","attempt":2,
"tables":{"t":{"spec":{%s,"identifier":{"namespace":["n"],"name":"t"},"schema":{"fields":[%s]}}}}}`, action, catalog, fields)
}

// execute runs the command the way main does and gives back the printed result.
func execute(t *testing.T, mounts, spec string, args ...string) (runspec.RunResult, int, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, os.WriteFile(path, []byte(spec), 0o600))
	var out bytes.Buffer
	reported := 0
	cmd := Command(func(runspec.RunResult) error { reported++; return nil })
	cmd.SetOut(&out)
	cmd.SetArgs(append(args, "--spec", path, "--mounts", mounts))
	err := cmd.Execute()
	code := 0
	var exit *ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		require.NoError(t, err)
	}
	var result runspec.RunResult
	if out.Len() > 0 {
		require.Equal(t, 1, reported)
		require.NoError(t, json.Unmarshal(out.Bytes(), &result))
		require.EqualValues(t, code, result.ExitCode)
		return result, code, ""
	}
	return result, code, err.Error()
}

func TestApplyThenInspect(t *testing.T) {
	mounts := t.TempDir()
	for _, claim := range []string{"catalog", "wh"} {
		require.NoError(t, os.MkdirAll(filepath.Join(mounts, "volumes", claim), 0o755))
	}
	one := `{"name":"id","type":"long"}`
	two := one + `,{"name":"name","type":"string"}`

	result, code, _ := execute(t, mounts, specJSON("TableInspect", catalogJSON, one), "inspect")
	require.Equal(t, runspec.ExitNoInput, code)
	require.Equal(t, "TableNotFound", result.Reason)

	result, code, _ = execute(t, mounts, specJSON("TableApply", catalogJSON, two), "apply")
	require.Zero(t, code)
	require.Equal(t, []string{"created"}, result.Table.Changes)
	require.EqualValues(t, 2, result.Attempt)

	result, code, _ = execute(t, mounts, specJSON("TableApply", catalogJSON, two), "apply")
	require.Zero(t, code)
	require.Empty(t, result.Table.Changes)
	uuid := result.Table.UUID

	result, code, _ = execute(t, mounts, specJSON("TableApply", catalogJSON, one), "apply")
	require.Equal(t, runspec.ExitUsage, code)
	require.Equal(t, "DropRefused", result.Reason)
	require.Contains(t, result.Message, "formerNames")
	require.Equal(t, uuid, result.Table.UUID, "a refused table is described too")

	result, code, _ = execute(t, mounts, specJSON("TableInspect", catalogJSON, two), "inspect")
	require.Zero(t, code)
	require.Equal(t, uuid, result.Table.UUID)
	require.True(t, strings.HasPrefix(result.Table.Location, "file://"+mounts+"/volumes/wh/"), result.Table.Location)
}

func TestCommandRefusals(t *testing.T) {
	field := `{"name":"id","type":"long"}`
	for name, tc := range map[string]struct {
		spec, command string
		code          int
		want          string
	}{
		"newer RunSpec": {strings.Replace(specJSON("TableApply", catalogJSON, field), `"version":1`, `"version":9`, 1), "apply", runspec.ExitConfig, "worker image"},
		"other action":  {specJSON("TableInspect", catalogJSON, field), "apply", runspec.ExitUsage, "run the other subcommand"},
		"missing mount": {specJSON("TableApply", catalogJSON, field), "apply", runspec.ExitConfig, "expected claim"},
		"glue":          {specJSON("TableApply", `"catalog":{"type":"glue","glue":{"region":"eu"}},"storage":{"type":"volume","volume":{"claimName":"wh"}}`, field), "apply", runspec.ExitUsage, "use sql"},
		"no catalog":    {specJSON("TableApply", `"suspend":false`, field), "apply", runspec.ExitUsage, "set spec.catalog"},
		"not JSON":      {"kind: x", "apply", runspec.ExitUsage, "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			result, code, message := execute(t, t.TempDir(), tc.spec, tc.command)
			require.Equal(t, tc.code, code)
			require.Contains(t, result.Message+message, tc.want)
		})
	}
}
