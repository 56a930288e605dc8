package etlpipeline

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// gpuFinding is what is known of the attempt's GPU, as the condition GPUAvailable says it.
type gpuFinding struct {
	status          metav1.ConditionStatus
	reason, message string
}

// verdict is what to do about an attempt whose pod finds no node.
type verdict string

const (
	keepWaiting verdict = "Wait"
	fallBack    verdict = "FallBack"
	giveUp      verdict = "GiveUp"
)

// beforeStart decides whether an attempt starts without its GPU because no node could
// ever hold it. It returns the reason, or "".
func beforeStart(gpu *v1alpha1.GPU, fits bool, why string) string {
	if !placement.Wanted(gpu) || placement.Required(gpu) || fits || assumed(gpu) {
		return ""
	}
	return why
}

// whileUnschedulable decides about an attempt that the scheduler has found no node for.
func whileUnschedulable(gpu *v1alpha1.GPU, waited time.Duration) (verdict, time.Duration) {
	if !placement.Wanted(gpu) {
		return keepWaiting, 0
	}
	if !placement.Required(gpu) {
		limit := durationOr(gpu.PreferredWait, defaultPreferredWait)
		if waited >= limit {
			return fallBack, 0
		}
		return keepWaiting, limit - waited
	}
	if gpu.ScheduleTimeout == nil {
		return keepWaiting, 0
	}
	if waited >= gpu.ScheduleTimeout.Duration {
		return giveUp, 0
	}
	return keepWaiting, gpu.ScheduleTimeout.Duration - waited
}

// unschedulable describes the wait: a requirement that no node meets, or GPUs that
// are all taken, or something else that the scheduler names.
func unschedulable(gpu *v1alpha1.GPU, fits bool, why string, outcome runs.Outcome) *gpuFinding {
	f := &gpuFinding{status: metav1.ConditionFalse, reason: v1alpha1.ReasonUnschedulable,
		message: fmt.Sprintf("%s, but %s", why, outcome.Why)}
	if !fits && !assumed(gpu) {
		f.reason, f.message = v1alpha1.ReasonNoMatchingNode, why
	}
	return f
}

func assumed(gpu *v1alpha1.GPU) bool { return gpu.AssumeAvailable != nil && *gpu.AssumeAvailable }

func durationOr(d *metav1.Duration, otherwise time.Duration) time.Duration {
	if d != nil {
		return d.Duration
	}
	return otherwise
}

// findGPU notes what the attempt says about its GPU.
func (x *pass) findGPU(spec *runspec.RunSpec, outcome runs.Outcome) {
	gpu := gpuOf(&x.pipeline.Spec)
	if !placement.Wanted(gpu) {
		return
	}
	fits, why := x.explain(gpu)
	switch {
	case spec.Pipeline.GPUFallback != "":
		x.gpu = &gpuFinding{metav1.ConditionFalse, v1alpha1.ReasonFallbackToCPU, spec.Pipeline.GPUFallback}
	case !outcome.Unschedulable.IsZero():
		x.gpu = unschedulable(gpu, fits, why, outcome)
	case !fits && !assumed(gpu) && outcome.State == runs.StateWaiting:
		x.gpu = &gpuFinding{metav1.ConditionFalse, v1alpha1.ReasonNoMatchingNode, why}
	case outcome.State == runs.StateRunning || outcome.State == runs.StateSucceeded:
		x.gpu = &gpuFinding{metav1.ConditionTrue, v1alpha1.ReasonAvailable, why}
	}
}
