package lakehouse

import (
	"errors"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Outcome maps an error of this package to the worker's exit code and a reason for conditions. Any other error may succeed
// when it is tried again.
func Outcome(err error) (exitCode int32, reason string) {
	var refusal *Refusal
	var bad *BadData
	var commit *CommitError
	switch {
	case err == nil:
		return runspec.ExitOK, ""
	case errors.As(err, &commit) && commit.Unknown:
		return runspec.ExitRetryable, ReasonCommitUnknown
	case errors.As(err, &bad):
		if bad.Reason == ReasonMissingColumn {
			return runspec.ExitNoInput, bad.Reason
		}
		return runspec.ExitBadData, bad.Reason
	case errors.As(err, &refusal):
		switch refusal.Reason {
		case ReasonTableNotFound, ReasonMissingColumn, ReasonMissingSnapshot:
			return runspec.ExitNoInput, refusal.Reason
		case ReasonMissingMount:
			return runspec.ExitConfig, refusal.Reason
		}
		return runspec.ExitUsage, refusal.Reason
	case errors.As(err, &commit):
		return runspec.ExitRetryable, ReasonCommitConflict
	}
	return runspec.ExitRetryable, "Failed"
}
