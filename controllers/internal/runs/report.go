package runs

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
const ShardCommit = "commit"

// ReportOf turns a RunResult from a termination message into the form of status.workers.
func ReportOf(r *runspec.RunResult) *v1alpha1.WorkerStatus {
	w := &v1alpha1.WorkerStatus{
		RunID: r.RunID, Attempt: r.Attempt, Phase: v1alpha1.RunFailed,
		RunTotals: v1alpha1.RunTotals{RowsRead: r.RowsRead, RowsWritten: r.RowsWritten, RowsRejected: r.RowsRejected,
			BytesRead: r.BytesRead, BytesWritten: r.BytesWritten},
		SnapshotID: r.SnapshotID, Message: runspec.Truncate(r.Message), ErrorCode: r.ExitCode,
	}
	if r.Outcome == runspec.OutcomeSucceeded {
		w.Phase = v1alpha1.RunSucceeded
	}
	if r.Ledger != nil {
		if index, err := strconv.ParseInt(r.Ledger.Index, 10, 64); err == nil {
			w.Ledger = &v1alpha1.LedgerPosition{Index: index, LeafHash: r.Ledger.LeafHash, Anchored: r.Ledger.Anchored}
		}
	}
	for _, receipt := range r.Receipts {
		w.Receipts = append(w.Receipts, v1alpha1.StepReceipt(receipt))
	}
	if r.Table != nil {
		w.Table = factsOf(r.Table)
	}
	return w
}

func factsOf(t *runspec.TableState) *v1alpha1.TableFacts {
	facts := &v1alpha1.TableFacts{
		Location: t.Location, TableUUID: t.UUID, SchemaID: &t.SchemaID, SpecID: &t.SpecID,
		Rows: &t.Rows, DataFiles: &t.DataFiles, DeleteFiles: &t.DeleteFiles, Bytes: &t.Bytes,
	}
	if t.SnapshotID != "" {
		at := metav1.NewTime(time.UnixMilli(t.SnapshotAt))
		facts.CurrentSnapshot = &v1alpha1.SnapshotInfo{ID: t.SnapshotID, At: &at, Operation: t.Operation}
	}
	return facts
}
