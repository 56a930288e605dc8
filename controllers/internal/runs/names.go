// Package runs starts worker pods for one attempt of a run and says how they ended.
// A run's order is pinned in an immutable ConfigMap; its pods come from Jobs, which
// are created once and never changed.
package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// LabelUID tells the children of an object from those of a deleted namesake.
const LabelUID = "datastack.amdgpu.dev/uid"

// ChildName is a name for a child of the object: its own name and eight hex digits
// of a hash over kind, name and what the child is for. Objects' names have at most
// 40 characters, so a child's has at most 49.
func ChildName(kind, name, purpose string) string {
	return name + "-" + Hash(kind, name, purpose)[:8]
}

// RunName is the name of the run with this token; its Jobs' names start with it.
func RunName(name, runID string) string { return name + "-" + Hash(runID)[:8] }

// AttemptName names one attempt of a run, and the ConfigMap that holds its order.
func AttemptName(run string, attempt int32) string { return fmt.Sprintf("%s-a%d", run, attempt) }

// JobName names the Job of one phase of an attempt. A run in one pod (phase all, or no phase) has the attempt's name.
func JobName(run string, attempt int32, phase runspec.Phase) string {
	if phase == runspec.PhaseAll || phase == "" {
		return AttemptName(run, attempt)
	}
	return AttemptName(run, attempt) + "-" + string(phase)
}

// Hash is the SHA-256, in hex, of the JSON array of its arguments: the array keeps
// ("ab", "c") and ("a", "bc") apart.
func Hash(parts ...string) string {
	data, _ := json.Marshal(parts) // strings always encode
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
