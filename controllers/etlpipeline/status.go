package etlpipeline

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// seen is what the conditions are computed from.
type seen struct {
	spec     *v1alpha1.ETLPipelineSpec
	status   *v1alpha1.ETLPipelineStatus
	invalid  *wait
	wait     *wait
	deps     dependencies
	gpu      *gpuFinding
	previous *metav1.Condition // Ready as it was
}

// setStatus writes phase and conditions for the generation: facts in, words out.
func setStatus(f seen, generation int64) {
	s := f.status
	s.ObservedGeneration = generation
	s.Phase = phaseOf(f)
	verdictOf(f).Apply(&s.Conditions, generation)
	setDependencies(f, generation)
	if f.gpu != nil {
		conditions.Set(&s.Conditions, generation, v1alpha1.ConditionGPUAvailable, f.gpu.status, f.gpu.reason, f.gpu.message)
	} else if !placement.Wanted(gpuOf(f.spec)) {
		meta.RemoveStatusCondition(&s.Conditions, v1alpha1.ConditionGPUAvailable)
	}
}

func phaseOf(f seen) string {
	run := f.status.LastRun
	switch {
	case active(run) && f.wait != nil:
		return string(v1alpha1.RunPending)
	case active(run):
		return string(run.Phase)
	case f.spec.Suspend != nil && *f.spec.Suspend:
		return v1alpha1.ReasonSuspended
	case run != nil:
		return string(run.Phase)
	case f.invalid != nil:
		return ""
	case f.status.NextRun != nil:
		return v1alpha1.ReasonScheduled
	}
	return string(v1alpha1.RunPending)
}

// verdictOf is the pipeline's state in the words of Ready, Reconciling and Stalled.
func verdictOf(f seen) conditions.Verdict {
	run := f.status.LastRun
	switch {
	case f.invalid != nil:
		return conditions.Verdict{Ready: metav1.ConditionFalse, Reason: f.invalid.reason, Message: f.invalid.message, Stalled: true}
	case f.spec.Suspend != nil && *f.spec.Suspend:
		return suspendedVerdict(f)
	case f.spec.Schedule != nil:
		return scheduledVerdict(f)
	case active(run):
		return activeVerdict(f)
	case run == nil || f.wait != nil:
		return progressing(f, "a run of this revision starts")
	case run.Phase == v1alpha1.RunFailed:
		return conditions.Verdict{Ready: metav1.ConditionFalse, Reason: reasonOfRun(run), Message: run.Message, Stalled: true}
	}
	return conditions.Verdict{Ready: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: success(run)}
}

// suspendedVerdict keeps what Ready said; a run that goes on is still reported.
func suspendedVerdict(f seen) conditions.Verdict {
	v := conditions.Verdict{Ready: metav1.ConditionUnknown, Reason: v1alpha1.ReasonSuspended,
		Message: "suspended: no run starts until suspend is false"}
	if f.previous != nil {
		v.Ready = f.previous.Status
	}
	if run := f.status.LastRun; active(run) && run.Phase != v1alpha1.RunPending {
		v.Reconciling = true
		v.Message = fmt.Sprintf("suspended: run %s ends first, and no other starts", run.Name)
	}
	return v
}

// scheduledVerdict judges by the last run that ended; a tick in flight shows in phase.
func scheduledVerdict(f seen) conditions.Verdict {
	if message := f.deps.wait(); message != "" {
		return conditions.Verdict{Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonDependencyNotReady, Message: message, Reconciling: true}
	}
	run := f.status.LastRun
	if active(run) && len(f.status.Runs) > 0 {
		last := f.status.Runs[0]
		if last.Phase == v1alpha1.RunFailed {
			return conditions.Verdict{Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonRunFailed, Message: last.Message}
		}
	} else if run != nil && run.Phase == v1alpha1.RunFailed {
		return conditions.Verdict{Ready: metav1.ConditionFalse, Reason: reasonOfRun(run), Message: run.Message, Stalled: permanent(run)}
	}
	return conditions.Verdict{Ready: metav1.ConditionTrue, Reason: v1alpha1.ReasonScheduled, Message: nextTick(f)}
}

func nextTick(f seen) string {
	if f.status.NextRun == nil {
		return "no further tick"
	}
	return "the next run starts at " + f.status.NextRun.UTC().Format(time.RFC3339)
}

func activeVerdict(f seen) conditions.Verdict {
	run := f.status.LastRun
	return progressing(f, fmt.Sprintf("run %s, attempt %d: %s", run.Name, run.Attempt, run.Phase))
}

func progressing(f seen, message string) conditions.Verdict {
	v := conditions.Verdict{Ready: metav1.ConditionUnknown, Reason: v1alpha1.ReasonProgressing, Message: message, Reconciling: true}
	if f.wait != nil {
		v.Ready, v.Reason, v.Message = metav1.ConditionFalse, f.wait.reason, f.wait.message
	}
	return v
}

func success(run *v1alpha1.Run) string {
	message := fmt.Sprintf("run %s wrote %d rows", run.Name, run.RowsWritten)
	if run.RowsRejected > 0 {
		message += fmt.Sprintf(" and rejected %d", run.RowsRejected)
	}
	if run.Message != "" {
		message += "; " + run.Message
	}
	return message
}

// setDependencies says of each thing that a run needs whether it is there.
func setDependencies(f seen, generation int64) {
	list := &f.status.Conditions
	source := f.deps.sourceWait
	reason := v1alpha1.ReasonDependencyNotReady
	if run := f.status.LastRun; source == "" && run != nil && run.Phase == v1alpha1.RunFailed && run.ErrorCode == runspec.ExitNoInput {
		source, reason = run.Message, v1alpha1.ReasonMissingInput
	}
	available(list, generation, v1alpha1.ConditionSourceReady, reason, source)
	available(list, generation, v1alpha1.ConditionDestinationReady, v1alpha1.ReasonDependencyNotReady, f.deps.destinationWait)
	if f.spec.Lineage == v1alpha1.LineageDisabled {
		meta.RemoveStatusCondition(list, v1alpha1.ConditionLedgerReady)
		conditions.Set(list, generation, v1alpha1.ConditionLineageDisabled, metav1.ConditionTrue,
			v1alpha1.ReasonLineageDisabled, "spec.lineage is Disabled: no operation of this pipeline is recorded")
		return
	}
	meta.RemoveStatusCondition(list, v1alpha1.ConditionLineageDisabled)
	available(list, generation, v1alpha1.ConditionLedgerReady, v1alpha1.ReasonDependencyNotReady, f.deps.ledgerWait)
}

func available(list *[]metav1.Condition, generation int64, condition, reason, lack string) {
	if lack != "" {
		conditions.Set(list, generation, condition, metav1.ConditionFalse, reason, lack)
		return
	}
	conditions.Set(list, generation, condition, metav1.ConditionTrue, v1alpha1.ReasonAvailable, "")
}
