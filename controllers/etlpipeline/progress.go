package etlpipeline

import (
	batchv1 "k8s.io/api/batch/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// progress is how far an attempt has come, read from its Jobs alone.
type progress struct {
	// phase goes on, comes next (job is nil), or is the last one (done).
	phase   runspec.Phase
	job     *batchv1.Job
	outcome runs.Outcome
	// done: every phase has succeeded.
	done bool
}

func (x *pass) progressOf(spec *runspec.RunSpec) progress {
	var p progress
	for _, phase := range phasesOf(spec) {
		name := runs.JobName(spec.Run, spec.Attempt, phase)
		p = progress{phase: phase, job: x.job(name)}
		if p.job == nil {
			return p
		}
		p.outcome = runs.Observe(p.job, x.pods[name])
		if p.outcome.State != runs.StateSucceeded {
			return p
		}
	}
	p.done = true
	return p
}

// runPhase is how status names the phase of an attempt whose pods have started.
func runPhase(phase runspec.Phase) v1alpha1.RunPhase {
	switch phase {
	case runspec.PhasePlan:
		return v1alpha1.RunPlanning
	case runspec.PhaseCommit:
		return v1alpha1.RunCommitting
	default:
		return v1alpha1.RunRunning
	}
}

// rank orders the phases of an active run.
func rank(phase v1alpha1.RunPhase) int {
	switch phase {
	case v1alpha1.RunPlanning:
		return 1
	case v1alpha1.RunRunning:
		return 2
	case v1alpha1.RunCommitting:
		return 3
	default:
		return 0
	}
}

// lost says that the phase's Job was seen before and is gone: somebody deleted it.
func (p progress) lost(run *v1alpha1.Run) bool {
	return p.job == nil && rank(run.Phase) >= rank(runPhase(p.phase))
}
