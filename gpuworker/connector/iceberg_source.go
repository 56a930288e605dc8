package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go/table"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
)

// tableSource reads one snapshot of an Iceberg table; a split is a data file with its delete files.
type tableSource struct {
	spec  v1alpha1.IcebergTableSource
	table *icebergTable
}

// tablePlan is a plan's Schema for tables.
type tablePlan struct {
	TableUUID  string `json:"tableUUID"`
	SnapshotID int64  `json:"snapshotID,string"`
}

func openTableSource(env Env, spec v1alpha1.IcebergTableSource) (*tableSource, error) {
	t, err := newTable(env, spec.TableRef.Name)
	if err != nil {
		return nil, err
	}
	return &tableSource{spec: spec, table: t}, nil
}

// Plan pins the snapshot and lists its data files. A table without a snapshot has no rows, which is no error.
func (s *tableSource) Plan(ctx context.Context) (*Plan, error) {
	t, err := s.table.load(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	id, err := s.snapshot(t.Metadata())
	if err != nil {
		return nil, err
	}
	files, err := lakehouse.PlanFiles(ctx, t, id)
	if err != nil {
		return nil, lakeError(err)
	}
	plan := &Plan{Splits: []json.RawMessage{}, Note: fmt.Sprintf("snapshot %d", files.SnapshotID)}
	if plan.Schema, err = json.Marshal(tablePlan{files.TableUUID, files.SnapshotID}); err != nil {
		return nil, err
	}
	for _, split := range files.Splits {
		data, err := json.Marshal(split)
		if err != nil {
			return nil, err
		}
		plan.Splits = append(plan.Splits, data)
		plan.Bytes += split.Bytes
	}
	plan.Inputs = []Dataset{{Name: t.Name(), Version: strconv.FormatInt(files.SnapshotID, 10), Bytes: plan.Bytes}}
	return plan, nil
}

// snapshot is the id that the spec names; 0 is the newest.
func (s *tableSource) snapshot(meta table.Metadata) (int64, error) {
	switch {
	case s.spec.SnapshotID != "":
		id, err := strconv.ParseInt(s.spec.SnapshotID, 10, 64)
		if err != nil {
			return 0, fail.Usage("BadSpec", "snapshotID is %q; expected a decimal number below 2^63", s.spec.SnapshotID)
		}
		return id, nil
	case s.spec.Ref != "":
		snapshot := meta.SnapshotByName(s.spec.Ref)
		if snapshot == nil {
			var names []string
			for name := range meta.Refs() {
				names = append(names, name)
			}
			return 0, fail.NoInput(lakehouse.ReasonMissingSnapshot, "table %s has no branch or tag %q; it has: %s", s.table.name(), s.spec.Ref, strings.Join(names, ", "))
		}
		return snapshot.SnapshotID, nil
	case s.spec.AsOf != nil:
		var id int64
		for entry := range meta.SnapshotLogs() {
			if entry.TimestampMs <= s.spec.AsOf.UnixMilli() {
				id = entry.SnapshotID
			}
		}
		if id == 0 {
			return 0, fail.NoInput(lakehouse.ReasonMissingSnapshot, "table %s had no snapshot yet at %s", s.table.name(), s.spec.AsOf.UTC().Format("2006-01-02T15:04:05Z"))
		}
		return id, nil
	}
	return 0, nil
}

// Read streams the data files of the splits out of the planned snapshot.
func (s *tableSource) Read(ctx context.Context, plan *Plan, splits []json.RawMessage) (Stream, error) {
	var pinned tablePlan
	if err := json.Unmarshal(plan.Schema, &pinned); err != nil {
		return nil, fmt.Errorf("the plan's schema is not that of a table: %w", err)
	}
	request := lakehouse.ScanRequest{SnapshotID: pinned.SnapshotID, Columns: s.spec.Columns, Splits: []lakehouse.Split{}}
	for _, raw := range splits {
		var split lakehouse.Split
		if err := json.Unmarshal(raw, &split); err != nil {
			return nil, fmt.Errorf("the plan's split is not a data file: %w", err)
		}
		request.Splits = append(request.Splits, split)
	}
	if s.spec.Filter != "" {
		request.Columns = nil // the filter may name others
	}
	t, err := s.table.load(ctx)
	if err != nil {
		return nil, err
	}
	if found := t.Metadata().TableUUID().String(); found != pinned.TableUUID {
		s.close()
		return nil, fail.NoInput("InputChanged", "table %s was replaced after the run was planned (planned: %s, found: %s); start a new run", s.table.name(), pinned.TableUUID, found)
	}
	rows, stats, err := lakehouse.Scan(ctx, t, request)
	if err != nil {
		s.close()
		return nil, lakeError(err)
	}
	out := &tableStream{RecordReader: rows, scan: stats, release: []func(){rows.Release, s.close}}
	out.refs.Store(1)
	if s.spec.Filter != "" {
		if err := s.filter(ctx, out); err != nil {
			out.Release()
			return nil, err
		}
	}
	return out, nil
}

// filter puts an engine that can open no file between the scan and the reader.
func (s *tableSource) filter(ctx context.Context, out *tableStream) error {
	db, err := cpu.Open(cpu.Options{MemoryLimit: s.table.env.Budget.DuckDB, TempDir: s.table.env.Scratch, NoFiles: true})
	if err != nil {
		return err
	}
	out.release = append([]func(){db.Close}, out.release...)
	if err := db.View("input", out.RecordReader); err != nil {
		return err
	}
	columns := "*"
	if len(s.spec.Columns) > 0 {
		var quoted []string
		for _, name := range s.spec.Columns {
			quoted = append(quoted, cpu.Quote(name))
		}
		columns = strings.Join(quoted, ", ")
	}
	schema := out.RecordReader.Schema()
	filtered, err := db.Query(ctx, "SELECT "+columns+" FROM input WHERE (\n"+s.spec.Filter+"\n)")
	if err == nil {
		out.release = append([]func(){filtered.Release}, out.release...)
		out.inner, out.RecordReader = out.RecordReader, filtered
		return nil
	}
	if known := (*cpu.Error)(nil); errors.As(err, &known) && known.Kind == cpu.KindMissingColumn {
		var names []string
		for _, f := range schema.Fields() {
			names = append(names, f.Name)
		}
		return fail.NoInput(lakehouse.ReasonMissingColumn, "table %s has no column %q; it has: %s", s.table.name(), known.Column, strings.Join(names, ", "))
	}
	return fail.Usage("BadFilter", "source.icebergTable.filter: %v", err)
}

func (s *tableSource) close() {
	_ = s.table.close() // only connections for reading
	s.table.catalog = nil
}

// tableStream is a scan, or a filter over one.
type tableStream struct {
	array.RecordReader
	refs    atomic.Int64
	inner   array.RecordReader
	scan    *lakehouse.ScanStats
	rows    int64
	release []func()
}

func (t *tableStream) Next() bool {
	if !t.RecordReader.Next() {
		return false
	}
	t.rows += t.RecordBatch().NumRows()
	return true
}

func (t *tableStream) Err() error {
	if t.inner != nil && t.inner.Err() != nil {
		return lakeError(t.inner.Err())
	}
	err := t.RecordReader.Err()
	if known := (*cpu.Error)(nil); errors.As(err, &known) && known.Kind == cpu.KindData {
		return fail.Data("BadData", "source.icebergTable.filter: %s", known.Message)
	}
	return lakeError(err)
}

func (t *tableStream) Stats() Stats { return Stats{Rows: t.rows, Bytes: t.scan.Bytes} }
func (t *tableStream) Retain()      { t.refs.Add(1) }

func (t *tableStream) Release() {
	if t.refs.Add(-1) == 0 {
		for _, release := range t.release {
			release()
		}
	}
}
