package runspec

import "encoding/json"

// Outcome is how an attempt, or one phase of it, ended.
type Outcome string

const (
	OutcomeSucceeded Outcome = "Succeeded"
	OutcomeFailed    Outcome = "Failed"
)

// Exit codes of the worker. 64 to 78 (named after sysexits.h) mean that trying again cannot help: no retry, `Stalled`.
const (
	ExitOK                = 0
	ExitRetryable         = 1
	ExitUsage             = 64 // a spec that this worker refuses
	ExitBadData           = 65 // rejects over the limit, a value that does not fit
	ExitNoInput           = 66 // a file, column or table that is not there
	ExitEngineUnavailable = 69 // a step's engine is not in this image
	ExitWrongDevice       = 70 // the GPU found is not the GPU asked for
	ExitConfig            = 78 // a RunSpec of another version, a missing mount
)

// Permanent says whether a worker's exit code means that the same attempt would fail again.
func Permanent(exitCode int32) bool { return exitCode >= ExitUsage && exitCode <= ExitConfig }

// MaxResultBytes bounds a RunResult in the termination message (the kubelet keeps 4 KiB).
const MaxResultBytes = 2 << 10

// RunResult is what a worker answers. It goes to standard output, to the termination message and into status.workers.
type RunResult struct {
	RunID   string  `json:"runID"`
	Attempt int32   `json:"attempt"`
	Phase   Phase   `json:"phase"`
	Shard   int32   `json:"shard,omitempty"`
	Outcome Outcome `json:"outcome"`
	// ExitCode is the process's exit code, so that one source says all.
	ExitCode int32 `json:"exitCode"`
	// Reason is a CamelCase word for conditions and events, such as MissingColumn.
	Reason string `json:"reason,omitempty"`
	// Message is for a person: what was expected, found, where, what to do. At most 512 bytes.
	Message string `json:"message,omitempty"`

	RowsRead     int64 `json:"rowsRead,omitempty"`
	RowsWritten  int64 `json:"rowsWritten,omitempty"`
	RowsRejected int64 `json:"rowsRejected,omitempty"`
	BytesRead    int64 `json:"bytesRead,omitempty"`
	BytesWritten int64 `json:"bytesWritten,omitempty"`
	// SnapshotID is the committed Iceberg snapshot: a 63-bit integer as a decimal string.
	SnapshotID string `json:"snapshotID,omitempty"`
	// Replayed says that an earlier attempt had already committed and this one only answered from the token.
	Replayed bool            `json:"replayed,omitempty"`
	Ledger   *LedgerPosition `json:"ledger,omitempty"`
	Receipts []Receipt       `json:"receipts,omitempty"`
	Table    *TableState     `json:"table,omitempty"`
}

// LedgerPosition is where the run's load record stands in the ledger. Index is a decimal string.
type LedgerPosition struct {
	Index    string `json:"index"`
	LeafHash string `json:"leafHash"`
	Anchored bool   `json:"anchored"`
	// Buffered says that the ledger could not be reached and the outbox still holds the record.
	Buffered bool `json:"buffered,omitempty"`
}

// Receipt says who did a step, why that engine, and how much.
type Receipt struct {
	Step       string `json:"step"`
	Engine     string `json:"engine"`
	Reason     string `json:"reason,omitempty"`
	Device     string `json:"device,omitempty"`
	RowsIn     int64  `json:"rowsIn"`
	RowsOut    int64  `json:"rowsOut"`
	Bytes      int64  `json:"bytes"`
	DurationMs int64  `json:"durationMs"`
}

// TableState is an Iceberg table as its current metadata describes it. 63-bit ids are decimal strings.
type TableState struct {
	Location    string `json:"location"`
	UUID        string `json:"uuid"`
	SchemaID    int32  `json:"schemaID"`
	SpecID      int32  `json:"specID"`
	SnapshotID  string `json:"snapshotID,omitempty"`
	SnapshotAt  int64  `json:"snapshotAtMs,omitempty"`
	Operation   string `json:"operation,omitempty"`
	Rows        int64  `json:"rows"`
	DataFiles   int64  `json:"dataFiles"`
	DeleteFiles int64  `json:"deleteFiles"`
	Bytes       int64  `json:"bytes"`
	// Changes lists what an apply did, in words: "created", "added column x".
	Changes []string `json:"changes,omitempty"`
}

// Encode writes the result within MaxResultBytes. Receipts, and then the message's tail, go first: totals, the outcome
// and the snapshot id always stay. Whole receipts are in the ledger and in status.workers.
func (r RunResult) Encode() []byte {
	data, _ := json.Marshal(r) // plain structs of strings and integers cannot fail
	for len(data) > MaxResultBytes && len(r.Receipts) > 0 {
		r.Receipts = r.Receipts[:len(r.Receipts)-1]
		data, _ = json.Marshal(r)
	}
	for len(data) > MaxResultBytes && (len(r.Message) > 64 || r.Table != nil && len(r.Table.Changes) > 0) {
		if r.Table != nil && len(r.Table.Changes) > 0 {
			t := *r.Table
			t.Changes = t.Changes[:len(t.Changes)-1]
			r.Table = &t
		} else {
			r.Message = truncate(r.Message, len(r.Message)*3/4)
		}
		data, _ = json.Marshal(r)
	}
	return data
}

// MaxMessageBytes is the most that Message may hold.
const MaxMessageBytes = 512

// Truncate cuts a message at a character boundary so that it fits MaxMessageBytes.
func Truncate(message string) string { return truncate(message, MaxMessageBytes) }

func truncate(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	cut := n - len(mark)
	for cut > 0 && s[cut]&0xC0 == 0x80 {
		cut--
	}
	return s[:cut] + mark
}
