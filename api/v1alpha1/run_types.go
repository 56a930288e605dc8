package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RunPhase is how far a run has come.
// +kubebuilder:validation:Enum=Pending;Planning;Running;Committing;Succeeded;Failed
type RunPhase string

// Run phases.
const (
	RunPending    RunPhase = "Pending"
	RunPlanning   RunPhase = "Planning"
	RunRunning    RunPhase = "Running"
	RunCommitting RunPhase = "Committing"
	RunSucceeded  RunPhase = "Succeeded"
	RunFailed     RunPhase = "Failed"
)

// LedgerPosition is where the record of an operation lies in the ledger.
type LedgerPosition struct {
	// Index of the record in the ledger's log, from 0.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Index int64 `json:"index"`

	// LeafHash is SHA-256(0x00 || record), 64 hexadecimal digits.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	LeafHash string `json:"leafHash,omitempty"`

	// Anchored is true once a chain holds a root that covers the record.
	// +optional
	Anchored bool `json:"anchored"`
}

// RunTotals counts what a run moved.
type RunTotals struct {
	// RowsRead from the source.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RowsRead int64 `json:"rowsRead"`

	// RowsWritten to the destination.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RowsWritten int64 `json:"rowsWritten"`

	// RowsRejected went to the rejects file, each with line number and reason.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RowsRejected int64 `json:"rowsRejected"`

	// BytesRead from the source, as stored (compressed).
	// +kubebuilder:validation:Minimum=0
	// +optional
	BytesRead int64 `json:"bytesRead"`

	// BytesWritten to the destination, as stored (compressed).
	// +kubebuilder:validation:Minimum=0
	// +optional
	BytesWritten int64 `json:"bytesWritten"`
}

// Run is one execution: what started it, how far it came, what it moved.
type Run struct {
	// Name of the run; its Jobs and ConfigMap begin with it.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Name string `json:"name,omitempty"`

	// RunID is the token that every commit of this run carries, so that a retry finds what is already done.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RunID string `json:"runID,omitempty"`

	// Trigger that started the run: the tick (RFC 3339), the revision, or the value of the run-at annotation.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Trigger string `json:"trigger,omitempty"`

	// Attempt of the run, from 1; each retry adds one.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Failures counted against backoffLimit; a disruption (eviction, node loss) is an attempt, but not a failure.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Failures int32 `json:"failures,omitempty"`

	// Phase of the run.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`

	// StartTime of the run's first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime of the run; not set while it goes on.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// LastFailureTime of an attempt; the back-off before the next attempt counts from it.
	// +optional
	LastFailureTime *metav1.Time `json:"lastFailureTime,omitempty"`

	// ScheduledTime is the tick, of a scheduled run.
	// +optional
	ScheduledTime *metav1.Time `json:"scheduledTime,omitempty"`

	RunTotals `json:",inline"`

	// SnapshotID of the Iceberg snapshot that the run committed, a decimal number.
	// +kubebuilder:validation:MaxLength=20
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// Ledger is where the record of the run lies.
	// +optional
	Ledger *LedgerPosition `json:"ledger,omitempty"`

	// ErrorCode is the worker's exit code, when the run failed: 64 bad spec, 65 bad data, 66 missing input, 69 engine
	// unavailable, 70 wrong device, 78 unknown RunSpec version, 1 anything that may succeed when tried again.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	ErrorCode int32 `json:"errorCode,omitempty"`

	// Message says what happened: what was expected, what was found, where, and what to do.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`

	// Receipts of the run's steps: which engine ran each, and why.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Receipts []StepReceipt `json:"receipts,omitempty"`
}

// RunSummary is what is kept of a run that is over.
type RunSummary struct {
	// Name of the run.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Name string `json:"name,omitempty"`

	// RunID is the token that the run's commits carry.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RunID string `json:"runID,omitempty"`

	// Attempt that ended the run.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Phase in which the run ended: Succeeded or Failed.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`

	// StartTime of the run's first attempt.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime of the run.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	RunTotals `json:",inline"`

	// SnapshotID of the Iceberg snapshot that the run committed, a decimal number.
	// +kubebuilder:validation:MaxLength=20
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// Ledger is where the record of the run lies.
	// +optional
	Ledger *LedgerPosition `json:"ledger,omitempty"`

	// Message says what happened.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// StepReceipt says how one step of a run was done.
type StepReceipt struct {
	// Step is the transformation's name, or source, destination, ledger.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Step string `json:"step,omitempty"`

	// Engine that ran the step, with its version, such as "datafusion 55.0.0".
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Engine string `json:"engine,omitempty"`

	// Reason why this engine ran it.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Reason string `json:"reason,omitempty"`

	// Device that the step ran on, such as "gfx942 0000:c1:00.0"; empty for the CPU.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Device string `json:"device,omitempty"`

	// RowsIn of the step.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RowsIn int64 `json:"rowsIn"`

	// RowsOut of the step.
	// +kubebuilder:validation:Minimum=0
	// +optional
	RowsOut int64 `json:"rowsOut"`

	// Bytes that the step produced, in memory for a transformation, as stored for source and destination.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Bytes int64 `json:"bytes"`

	// DurationMs is the time that the step took, in milliseconds.
	// +kubebuilder:validation:Minimum=0
	// +optional
	DurationMs int64 `json:"durationMs"`
}

// WorkerStatus is what one worker pod reports about the attempt that it works for. Workers write these items and
// nothing else; the manager reads them and clears them when a run starts.
type WorkerStatus struct {
	// Shard that the worker is: plan, commit, or the number of its share of the input, from 0.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +required
	Shard string `json:"shard"`

	// Run that the worker works for.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Run string `json:"run,omitempty"`

	// RunID of that run.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RunID string `json:"runID,omitempty"`

	// Attempt that the worker works for; a report of an older attempt is ignored.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Attempt int32 `json:"attempt,omitempty"`

	// Pod that the worker runs in.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Pod string `json:"pod,omitempty"`

	// Phase that the worker is in.
	// +optional
	Phase RunPhase `json:"phase,omitempty"`

	// UpdatedAt is when the worker wrote this.
	// +optional
	UpdatedAt *metav1.Time `json:"updatedAt,omitempty"`

	RunTotals `json:",inline"`

	// SnapshotID that the worker committed, a decimal number.
	// +kubebuilder:validation:MaxLength=20
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// Ledger is where the record of the worker's operation lies.
	// +optional
	Ledger *LedgerPosition `json:"ledger,omitempty"`

	// ErrorCode is the worker's exit code, when it failed.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=255
	// +optional
	ErrorCode int32 `json:"errorCode,omitempty"`

	// Message says what happened, or what the worker is doing.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`

	// Receipts of the steps that the worker has done.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Receipts []StepReceipt `json:"receipts,omitempty"`

	// Table facts, from a worker that inspects or changes a table.
	// +optional
	Table *TableFacts `json:"table,omitempty"`
}
