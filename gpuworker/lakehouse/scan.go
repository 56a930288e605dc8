package lakehouse

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go/codec"
	"github.com/apache/iceberg-go/table"
)

// ScanRequest says what to read. There is no row filter: iceberg-go's filters return wrong rows in some cases, so the
// caller filters the batches.
type ScanRequest struct {
	// SnapshotID is the state to read; 0 is the newest.
	SnapshotID int64
	// Columns to read, by name; empty is all. They come in the order of the table's schema.
	Columns []string
	// Splits to read; nil is the whole table.
	Splits []Split
}

// Split is one data file of a snapshot with its delete files, as PlanFiles gives it: plain JSON, to be read elsewhere.
type Split struct {
	Path   string `json:"path"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SpecID int    `json:"specID"`
	// Task is the scan task in the library's encoding, base64.
	Task string `json:"task"`
}

// Plan is what a snapshot consists of.
type Plan struct {
	TableUUID  string  `json:"tableUUID"`
	SnapshotID int64   `json:"snapshotID,string"`
	Splits     []Split `json:"splits"`
}

// ScanStats counts while a scan runs; read it when the reader is at its end.
type ScanStats struct {
	Files int
	Bytes int64
	rows  atomic.Int64
}

// Rows is the number of rows given out so far.
func (s *ScanStats) Rows() int64 { return s.rows.Load() }

// scanConcurrency is how many data files are decoded at once: above 1 the library holds an unbounded number of batches.
const scanConcurrency = 1

// PlanFiles lists the data files of a snapshot (0 is the newest), for splitting a read among processes.
func PlanFiles(ctx context.Context, t *Table, snapshotID int64) (Plan, error) {
	scan, err := t.scan(ScanRequest{SnapshotID: snapshotID})
	if err != nil {
		return Plan{}, err
	}
	meta := t.Metadata()
	plan := Plan{TableUUID: meta.TableUUID().String(), SnapshotID: snapshotID}
	if head := meta.CurrentSnapshot(); snapshotID == 0 && head != nil {
		plan.SnapshotID = head.SnapshotID
	}
	tasks, err := scan.PlanFiles(ctx)
	if err != nil {
		return Plan{}, fmt.Errorf("plan the files of table %s: %w", t.Name(), err)
	}
	for _, task := range tasks {
		spec := meta.PartitionSpecByID(int(task.File.SpecID()))
		if spec == nil {
			return Plan{}, fmt.Errorf("%s belongs to partition spec %d, which the table does not have", task.File.FilePath(), task.File.SpecID())
		}
		data, err := codec.EncodeFileScanTask(task, *spec, meta.CurrentSchema(), meta.Version())
		if err != nil {
			return Plan{}, fmt.Errorf("describe the scan of %s: %w", task.File.FilePath(), err)
		}
		plan.Splits = append(plan.Splits, Split{Path: task.File.FilePath(), Rows: task.File.Count(), Bytes: task.File.FileSizeBytes(),
			SpecID: spec.ID(), Task: base64.StdEncoding.EncodeToString(data)})
	}
	slices.SortFunc(plan.Splits, func(a, b Split) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return plan, nil
}

// Scan reads a snapshot as a stream of batches, deleted rows left out. Release the reader to end early. A column or
// snapshot that is not there is a Refusal.
func Scan(ctx context.Context, t *Table, req ScanRequest) (array.RecordReader, *ScanStats, error) {
	scan, err := t.scan(req)
	if err != nil {
		return nil, nil, err
	}
	tasks, err := t.tasks(ctx, scan, req.Splits)
	if err != nil {
		return nil, nil, err
	}
	stats := &ScanStats{Files: len(tasks)}
	for _, task := range tasks {
		stats.Bytes += task.File.FileSizeBytes()
	}
	ctx, cancel := context.WithCancel(ctx)
	schema, batches, err := scan.ReadTasks(ctx, tasks)
	if err != nil {
		cancel()
		return nil, nil, fmt.Errorf("read table %s: %w", t.Name(), err)
	}
	return newBatchReader(schema, batches, cancel, stats), stats, nil
}

func (t *Table) scan(req ScanRequest) (*table.Scan, error) {
	meta := t.Metadata()
	schema := meta.CurrentSchema()
	opts := []table.ScanOption{table.WithMaxConcurrency(scanConcurrency), table.WithScanPlanningMode(table.ScanPlanningLocal)}
	if req.SnapshotID != 0 {
		if meta.SnapshotByID(req.SnapshotID) == nil {
			return nil, refuse(ReasonMissingSnapshot, "", "table %s has no snapshot %d: it expired, or it is of another table", t.Name(), req.SnapshotID)
		}
		opts = append(opts, table.WithSnapshotID(req.SnapshotID))
		if s, err := t.inner.Scan(opts...).Projection(); err == nil {
			schema = s
		}
	}
	for _, name := range req.Columns {
		if _, ok := schema.FindFieldByName(name); !ok {
			return nil, refuse(ReasonMissingColumn, name, "table %s has no column %q; it has: %s", t.Name(), name, quoteList(fieldNames(schema)))
		}
	}
	if len(req.Columns) > 0 {
		opts = append(opts, table.WithSelectedFields(req.Columns...))
	}
	return t.inner.Scan(opts...), nil
}

func (t *Table) tasks(ctx context.Context, scan *table.Scan, splits []Split) ([]table.FileScanTask, error) {
	if splits == nil {
		tasks, err := scan.PlanFiles(ctx)
		if err != nil {
			return nil, fmt.Errorf("plan the files of table %s: %w", t.Name(), err)
		}
		return tasks, nil
	}
	meta := t.Metadata()
	tasks := make([]table.FileScanTask, 0, len(splits))
	for _, s := range splits {
		spec := meta.PartitionSpecByID(s.SpecID)
		data, err := base64.StdEncoding.DecodeString(s.Task)
		if err != nil || spec == nil {
			return nil, errors.Join(fmt.Errorf("the split of %s does not fit table %s (partition spec %d); plan again", s.Path, t.Name(), s.SpecID), err)
		}
		task, err := codec.DecodeFileScanTask(data, *spec, meta.CurrentSchema(), meta.Version())
		if err != nil {
			return nil, fmt.Errorf("read the split of %s: %w", s.Path, err)
		}
		tasks = append(tasks, task)
	}
	return tasks, nil
}

// batchReader is an iterator as a RecordReader.
type batchReader struct {
	refs   atomic.Int64
	schema *arrow.Schema
	next   func() (arrow.RecordBatch, error, bool)
	stop   func()
	cancel context.CancelFunc
	stats  *ScanStats
	batch  arrow.RecordBatch
	err    error
}

func newBatchReader(schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error], cancel context.CancelFunc, stats *ScanStats) *batchReader {
	next, stop := iter.Pull2(batches)
	r := &batchReader{schema: schema, next: next, stop: stop, cancel: cancel, stats: stats}
	r.refs.Store(1)
	return r
}

func (r *batchReader) Retain() { r.refs.Add(1) }

func (r *batchReader) Release() {
	if r.refs.Add(-1) == 0 {
		r.drop()
		r.cancel()
		r.stop()
	}
}

func (r *batchReader) drop() {
	if r.batch != nil {
		r.batch.Release()
		r.batch = nil
	}
}

func (r *batchReader) Schema() *arrow.Schema { return r.schema }

func (r *batchReader) Next() bool {
	r.drop()
	if r.err != nil {
		return false
	}
	batch, err, ok := r.next()
	if err != nil {
		r.err = err
		return false
	}
	if !ok {
		return false
	}
	r.batch = batch
	r.stats.rows.Add(batch.NumRows())
	return true
}

func (r *batchReader) RecordBatch() arrow.RecordBatch { return r.batch }

// Record is RecordBatch under its old name, which the interface still has.
func (r *batchReader) Record() arrow.RecordBatch { return r.batch }

func (r *batchReader) Err() error { return r.err }
