// Package connector reads sources and writes destinations. A connector is a file each, behind the two interfaces of this
// file; registry.go lists them. Exactly-once is a property of the sink: it looks for the run's token before it commits.
package connector

import (
	"context"
	"encoding/json"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Env is what a connector needs of its surroundings.
type Env struct {
	// Mounts holds secrets/ and volumes/.
	Mounts lakehouse.Mounts
	// Scratch is an existing folder for files that live as long as the process.
	Scratch string
	Budget  cpu.Budget
	// Tables are the IcebergTables that the RunSpec brings, by object name.
	Tables map[string]runspec.Table
	// Run identifies the run to sinks.
	Run Run
}

// Run is the part of a RunSpec that a sink stamps on what it writes.
type Run struct {
	// ID is the token: equal for all attempts.
	ID         string
	PipelineID string
	Attempt    int32
}

// Dataset names something read or written, for lineage: a file's URI with size and etag, a table with its snapshot.
type Dataset struct {
	// Name is a URI, or an Iceberg identifier with dots.
	Name string `json:"name"`
	// Version is an etag, a modification time or a snapshot id.
	Version string `json:"version,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
}

// Plan is a source's input, pinned: what a retry or a shard reads is what the plan saw. It is plain JSON.
type Plan struct {
	Splits []json.RawMessage `json:"splits"`
	// Inputs are the datasets behind the splits.
	Inputs []Dataset `json:"inputs"`
	// Schema is the source's own state that all readers share, such as the column types that were inferred.
	Schema json.RawMessage `json:"schema,omitempty"`
	// Note is for the receipt: how types were found, how many files were left out as already loaded.
	Note  string `json:"note,omitempty"`
	Bytes int64  `json:"bytes"`
}

// Source reads. Plan and Read may happen in different processes.
type Source interface {
	// Plan lists and pins the input. Nothing there is an error of kind NoInput, which names what was looked for and what
	// exists, except for an incremental source, whose plan may be empty.
	Plan(ctx context.Context) (*Plan, error)
	// Read streams the given splits of a plan, in their order. The caller releases the stream.
	Read(ctx context.Context, plan *Plan, splits []json.RawMessage) (Stream, error)
}

// Stream is a source's rows. Stats are complete when Next has returned false.
type Stream interface {
	array.RecordReader
	Stats() Stats
}

// Stats counts what a stream has read.
type Stats struct {
	Rows     int64
	Bytes    int64
	Rejected int64
	// RejectsFile is a local NDJSON file of the rejected rows; empty when there are none.
	RejectsFile string
}

// Sink writes once per run, in two phases.
type Sink interface {
	// Committed looks for the run's token: what an earlier attempt committed, or nil.
	Committed(ctx context.Context) (*Commit, error)
	// Write stores the rows of one shard where no reader sees them, and returns a manifest for Commit.
	Write(ctx context.Context, shard int, rows array.RecordReader) (*Manifest, error)
	// Commit makes all shards' rows visible at once, or answers what an earlier attempt committed. The plan is that of the
	// run's source; an incremental source's files are remembered with the commit.
	Commit(ctx context.Context, plan *Plan, manifests []*Manifest) (*Commit, error)
	// Discard removes what manifests name; only before a commit was tried.
	Discard(ctx context.Context, manifests []*Manifest) error
	// Output names the destination for lineage, without a version.
	Output() Dataset
	// Staging is a folder of the destination, shared by all of its runs: for manifests, rejects and the outbox. Files that
	// wait for the commit of a run may lie in the folder of its id there.
	Staging() (Store, string)
	Close() error
}

// Manifest is what one shard wrote.
type Manifest struct {
	Shard int   `json:"shard"`
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Files are the lines of dataHash (design §7): path, size and SHA-256 of each file.
	Files []File `json:"files"`
	// Detail is the sink's own.
	Detail json.RawMessage `json:"detail,omitempty"`
}

// File is a written file.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Commit is a committed run.
type Commit struct {
	// SnapshotID is set by tables: a decimal string.
	SnapshotID string `json:"snapshotID,omitempty"`
	Rows       int64  `json:"rows"`
	Bytes      int64  `json:"bytes"`
	// Replayed says that an earlier attempt had committed.
	Replayed bool `json:"replayed,omitempty"`
	// Table is the state after the commit; nil for files.
	Table *runspec.TableState `json:"table,omitempty"`
}

// Store is a folder of objects: a bucket with a prefix, or a directory. Keys are relative, with slashes.
type Store interface {
	// List returns the objects whose key starts with prefix, sorted by key.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Get reads a whole small object, at most limit bytes.
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	// Fetch copies an object into a local file; it fails when the object is no longer the version given (if not empty).
	Fetch(ctx context.Context, key, version, path string) error
	// Put writes an object durably: all of it or nothing.
	Put(ctx context.Context, key string, data []byte) error
	// Upload writes an object from a local file.
	Upload(ctx context.Context, key, path string) error
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// URI names an object to people: s3://bucket/key, file:///path.
	URI(key string) string
}

// Object is one listed object.
type Object struct {
	Key  string
	Size int64
	// Version is the etag, or size and modification time of a local file.
	Version string
}
