// Package record defines what the ledger keeps: one record per data operation, the envelope that the
// ledger puts around it, and their one canonical form (RFC 8785), over which leaves are hashed.
//
// A record holds no JSON numbers: RFC 8785 numbers are doubles and would round 64-bit identifiers, so
// every integer is a decimal string.
package record

import (
	"strings"
	"time"
)

// Type says which kind of operation a record describes.
type Type string

// The types of record. Conflict is written by the ledger only.
const (
	Extract       Type = "Extract"
	Transform     Type = "Transform"
	Load          Type = "Load"
	Query         Type = "Query"
	TableCreation Type = "TableCreation"
	TableDrop     Type = "TableDrop"
	SchemaChange  Type = "SchemaChange"
	DataDelete    Type = "DataDelete"
	Compaction    Type = "Compaction"
	Maintenance   Type = "Maintenance"
	Sync          Type = "Sync"
	Rebuilt       Type = "Rebuilt"
	Conflict      Type = "Conflict"
)

// Types lists every type that a client may append.
var Types = []Type{Extract, Transform, Load, Query, TableCreation, TableDrop, SchemaChange, DataDelete,
	Compaction, Maintenance, Sync, Rebuilt}

// UnverifiedUser is the user of a record whose author nobody vouched for.
const UnverifiedUser = "unverified"

// Record is one data operation. Together RunID, Type and Seq are its key: appending the same key twice
// with equal content is one record.
type Record struct {
	// OperationID is RunID/Type/Seq. It may be left empty when appending; the ledger fills it in.
	OperationID string `json:"operationID"`
	// Type is the kind of operation.
	Type Type `json:"type"`
	// RunID names the run that did the operation.
	RunID string `json:"runID"`
	// Seq tells operations of one type within one run apart, from 0.
	Seq Uint64 `json:"seq"`
	// Sources are the datasets that were read, sorted by name.
	Sources []Dataset `json:"sources,omitempty"`
	// Destinations are the datasets that were written, sorted by name.
	Destinations []Dataset `json:"destinations,omitempty"`
	// TransformationHash is the lower-case hex SHA-256 of the canonical steps, empty where there are none.
	TransformationHash string `json:"transformationHash,omitempty"`
	// DataHash is the lower-case hex SHA-256 of the data that the operation added, empty where it added none.
	DataHash string `json:"dataHash,omitempty"`
	// RowCount is the number of rows written (or read, for an Extract), where it is known.
	RowCount *Uint64 `json:"rowCount,omitempty"`
	// Receipts say which engine did each step, and why.
	Receipts []Receipt `json:"receipts,omitempty"`
	// Attributes are further facts, such as the columns that a schema change added.
	Attributes map[string]string `json:"attributes,omitempty"`
	// User is the author of the operation, or UnverifiedUser.
	User string `json:"user"`
	// PipelineID names the pipeline, across renames of its object.
	PipelineID string `json:"pipelineID,omitempty"`
	// Time is when the operation happened, UTC, to the microsecond. The ledger sets it when it is zero.
	Time time.Time `json:"time"`
	// Conflict is set by the ledger in records of type Conflict.
	Conflict *ConflictDetail `json:"conflict,omitempty"`
}

// Dataset is a table or file set that was read or written, at one version.
type Dataset struct {
	// Name is a dotted table identifier such as "aviation.flights", or a URI such as "s3://bucket/key".
	Name string `json:"name"`
	// Snapshot is the snapshot id of a table (a decimal string), or the version of a file.
	Snapshot string `json:"snapshot,omitempty"`
	// Digest is the lower-case hex SHA-256 of the content or of the list of files, where it is known.
	Digest string `json:"digest,omitempty"`
}

// Receipt says how one step was done.
type Receipt struct {
	Step       string `json:"step"`
	Engine     string `json:"engine"`
	Reason     string `json:"reason,omitempty"`
	Device     string `json:"device,omitempty"`
	RowsIn     Uint64 `json:"rowsIn"`
	RowsOut    Uint64 `json:"rowsOut"`
	Bytes      Uint64 `json:"bytes"`
	DurationMs Uint64 `json:"durationMs"`
}

// ConflictDetail says which record an append contradicted: the same key, other content.
type ConflictDetail struct {
	// With is the index of the record that holds the key.
	With Uint64 `json:"with"`
	// OperationID is the key that was offered again.
	OperationID string `json:"operationID"`
	// Type is the type that was offered.
	Type Type `json:"type"`
	// ContentHash is the hex content hash of what was offered.
	ContentHash string `json:"contentHash"`
}

// Key returns RunID/Type/Seq; of a Conflict record it is RunID/Conflict/<hash of what was offered>,
// so that offering the same contradiction twice leaves one Conflict record.
func (r *Record) Key() string {
	last := r.Seq.String()
	if r.Conflict != nil {
		last = r.Conflict.id()
	}
	return strings.Join([]string{r.RunID, string(r.Type), last}, "/")
}

// Tables returns the distinct names of sources and destinations, in order of first appearance.
func (r *Record) Tables() []string {
	names := make([]string, 0, len(r.Sources)+len(r.Destinations))
	seen := make(map[string]bool, cap(names))
	for _, side := range [][]Dataset{r.Sources, r.Destinations} {
		for _, d := range side {
			if !seen[d.Name] {
				seen[d.Name] = true
				names = append(names, d.Name)
			}
		}
	}
	return names
}

// Count returns a pointer to n, for Record.RowCount.
func Count(n uint64) *Uint64 {
	v := Uint64(n)
	return &v
}
