package runs

import (
	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// ReasonOfExit is the reason, for conditions and events, that a worker's exit code means.
func ReasonOfExit(code int32) string {
	switch code {
	case runspec.ExitUsage:
		return v1alpha1.ReasonBadSpec
	case runspec.ExitBadData:
		return v1alpha1.ReasonBadInput
	case runspec.ExitNoInput:
		return v1alpha1.ReasonMissingInput
	case runspec.ExitEngineUnavailable:
		return v1alpha1.ReasonEngineUnavailable
	case runspec.ExitWrongDevice:
		return v1alpha1.ReasonWrongDevice
	case runspec.ExitConfig:
		return v1alpha1.ReasonVersionMismatch
	}
	return v1alpha1.ReasonRunFailed
}
