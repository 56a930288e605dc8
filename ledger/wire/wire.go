// Package wire holds the bodies of the ledger's HTTP API, for server and clients alike. Integers are
// decimal strings.
package wire

import (
	"encoding/json"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

// Bounds of the API.
const (
	// MaxBodyBytes bounds the body of a request.
	MaxBodyBytes = 8 << 20
	// MaxBatch bounds the records of one request.
	MaxBatch = 1000
	// MaxRows bounds, and DefaultRows sets, the rows of one page of an answer.
	MaxRows     = 1000
	DefaultRows = 100
)

// Batch is the body of POST /v1/records for several records; for one, the record itself is the body.
type Batch struct {
	Records []json.RawMessage `json:"records"`
}

// Appended answers the append of one record, which is durable when the answer arrives.
type Appended struct {
	// Index of the leaf that holds the record, or the Conflict record where Conflict is set.
	Index record.Uint64 `json:"index"`
	// LeafHash is the hex hash of that leaf.
	LeafHash string `json:"leafHash"`
	// OperationID is the key of the record.
	OperationID string `json:"operationID"`
	// Duplicate says that the leaf was there before this append.
	Duplicate bool `json:"duplicate"`
	// Conflict says that the key was there with other content. ConflictsWith is the index of that record.
	Conflict      bool           `json:"conflict"`
	ConflictsWith *record.Uint64 `json:"conflictsWith,omitempty"`
	// Anchored says whether a chain holds a root over this leaf.
	Anchored bool `json:"anchored"`
}

// AppendedBatch answers a Batch, in its order.
type AppendedBatch struct {
	Results []Appended `json:"results"`
}

// Checkpoint is the state of the tree at a size.
type Checkpoint struct {
	// Origin names the ledger.
	Origin string `json:"origin"`
	// Size is the number of leaves.
	Size record.Uint64 `json:"size"`
	// RootHash is the base64 root at that size.
	RootHash string `json:"rootHash"`
	// Note is the body of the C2SP checkpoint: origin, size and root, a line each.
	Note string `json:"note"`
	// Signed says whether a signature vouches for Note.
	Signed bool `json:"signed"`
	// Anchored says whether a chain holds this root.
	Anchored bool `json:"anchored"`
}

// Row is one leaf of an answer.
type Row struct {
	// Index of the leaf.
	Index record.Uint64 `json:"index"`
	// LeafHash is the hex hash of the leaf.
	LeafHash string `json:"leafHash"`
	// Envelope is the leaf in RFC 8785 form; LeafHash is SHA-256(0x00 || Envelope).
	Envelope json.RawMessage `json:"envelope"`
	// Proof is the RFC 6962 inclusion proof in base64 against the checkpoint of the answer.
	Proof []string `json:"proof"`
}

// Answer is the body of GET /v1/records/{index} (one row) and GET /v1/tables/{table}/records.
type Answer struct {
	// Table that was asked for, empty in an answer about one index.
	Table string `json:"table,omitempty"`
	// Rows in order of index.
	Rows []Row `json:"rows"`
	// NextAfter, where set, is the `after` of the next page. Ask it with size= the size of Checkpoint.
	NextAfter *record.Uint64 `json:"nextAfter,omitempty"`
	// Checkpoint that the proofs are against.
	Checkpoint Checkpoint `json:"checkpoint"`
	// Anchored says whether a chain holds the root of Checkpoint.
	Anchored bool `json:"anchored"`
}

// Consistency is the body of GET /v1/proof/consistency.
type Consistency struct {
	From Checkpoint `json:"from"`
	To   Checkpoint `json:"to"`
	// Proof is the RFC 6962 consistency proof in base64.
	Proof    []string `json:"proof"`
	Anchored bool     `json:"anchored"`
}

// Error is the body of every answer that is not 2xx.
type Error struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what is wrong and what to do.
type ErrorDetail struct {
	// Code is a word for programs, such as InvalidRecord.
	Code string `json:"code"`
	// Message is for people.
	Message string `json:"message"`
}
