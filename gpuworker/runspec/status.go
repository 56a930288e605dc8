package runspec

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// What the CRD allows in a receipt; a longer text would make the API server refuse the whole report.
const (
	maxReceipts = 32
	maxEngine   = 64
	maxReason   = 256
)

// ShardName is the key under which a worker reports into status.workers: the name of a phase, or the number of a shard.
func ShardName(phase Phase, shard int32) string {
	if phase == PhaseWork {
		return strconv.Itoa(int(shard))
	}
	return string(phase)
}

// WorkerStatus is a result in the form of status.workers, with the phase that the outcome means.
func (r *RunResult) WorkerStatus() *v1alpha1.WorkerStatus {
	w := &v1alpha1.WorkerStatus{
		Shard: ShardName(r.Phase, r.Shard), RunID: r.RunID, Attempt: r.Attempt, Phase: v1alpha1.RunFailed,
		RunTotals: v1alpha1.RunTotals{RowsRead: r.RowsRead, RowsWritten: r.RowsWritten, RowsRejected: r.RowsRejected,
			BytesRead: r.BytesRead, BytesWritten: r.BytesWritten},
		SnapshotID: r.SnapshotID, Message: Truncate(r.Message), ErrorCode: r.ExitCode,
	}
	if r.Outcome == OutcomeSucceeded {
		w.Phase = v1alpha1.RunSucceeded
	}
	if r.Ledger != nil {
		if index, err := strconv.ParseInt(r.Ledger.Index, 10, 64); err == nil {
			w.Ledger = &v1alpha1.LedgerPosition{Index: index, LeafHash: r.Ledger.LeafHash, Anchored: r.Ledger.Anchored}
		}
	}
	for _, receipt := range r.Receipts[:min(len(r.Receipts), maxReceipts)] {
		receipt.Engine, receipt.Reason = truncate(receipt.Engine, maxEngine), truncate(receipt.Reason, maxReason)
		w.Receipts = append(w.Receipts, v1alpha1.StepReceipt(receipt))
	}
	if r.Table != nil {
		w.Table = r.Table.facts()
	}
	return w
}

func (t *TableState) facts() *v1alpha1.TableFacts {
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
