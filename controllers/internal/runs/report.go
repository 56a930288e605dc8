package runs

import (
	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// FinalReport finds the report that a worker wrote into status.workers when it ended
// the given attempt; nil when there is none. In a run of several phases the commit's
// report is the final one; a failed worker's report is final wherever it stands.
func FinalReport(workers []v1alpha1.WorkerStatus, runID string, attempt int32, several bool) *v1alpha1.WorkerStatus {
	var final *v1alpha1.WorkerStatus
	for i := range workers {
		w := &workers[i]
		if w.RunID != runID || w.Attempt != attempt {
			continue
		}
		switch {
		case w.Phase == v1alpha1.RunFailed:
			return w
		case w.Phase == v1alpha1.RunSucceeded && (!several || w.Shard == ShardCommit):
			final = w
		}
	}
	return final
}

// ShardCommit is the shard name under which the commit phase reports.
const ShardCommit = string(runspec.PhaseCommit)
