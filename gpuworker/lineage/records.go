// Package lineage makes the worker's lineage records and brings each to the ledger, over crashes.
package lineage

import (
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

// Run is what all records of one run share.
type Run struct {
	// ID is the runID.
	ID string
	// PipelineID names the pipeline.
	PipelineID string
	// User is the verified author, empty where nobody vouched for one.
	User string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Step is the outcome of one operation of a run.
type Step struct {
	// Seq tells operations of one type within the run apart, from 0.
	Seq uint64
	// Sources and Destinations are what was read and written, at their snapshots.
	Sources, Destinations []record.Dataset
	// TransformationHash, from TransformationHash; empty where nothing was transformed.
	TransformationHash string
	// DataHash, from DataHash; empty where no data was added.
	DataHash string
	// Rows read (Extract) or written; nil where not known.
	Rows *uint64
	// Receipts of the steps behind it.
	Receipts []record.Receipt
}

// Extract records that sources were read.
func (r Run) Extract(s Step) record.Record { return r.record(record.Extract, s, nil) }

// Transform records that data was changed on its way from sources to destinations.
func (r Run) Transform(s Step) record.Record { return r.record(record.Transform, s, nil) }

// Load records that data was committed to destinations.
func (r Run) Load(s Step) record.Record { return r.record(record.Load, s, nil) }

// TableCreation records that a table was made, with the id of its first schema.
func (r Run) TableCreation(seq uint64, table record.Dataset, schemaID string) record.Record {
	return r.record(record.TableCreation, Step{Seq: seq, Destinations: []record.Dataset{table}}, map[string]string{"schemaID": schemaID})
}

// SchemaChange records that a table's schema changed, with a line for each change. The table is source
// and destination; Snapshot of each is a word for its schema, such as "schema-3".
func (r Run) SchemaChange(seq uint64, before, after record.Dataset, changes string) record.Record {
	return r.record(record.SchemaChange, Step{Seq: seq, Sources: []record.Dataset{before}, Destinations: []record.Dataset{after}},
		map[string]string{"changes": changes})
}

func (r Run) record(t record.Type, s Step, attributes map[string]string) record.Record {
	now := r.Now
	if now == nil {
		now = time.Now
	}
	out := record.Record{Type: t, RunID: r.ID, Seq: record.Uint64(s.Seq), Sources: s.Sources, Destinations: s.Destinations,
		TransformationHash: s.TransformationHash, DataHash: s.DataHash, Receipts: s.Receipts, Attributes: attributes,
		User: r.User, PipelineID: r.PipelineID, Time: now()}
	if s.Rows != nil {
		out.RowCount = record.Count(*s.Rows)
	}
	out.Normalize()
	return out
}
