package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
)

// tableSink writes an Iceberg table: data files first, then one commit that carries the run's token.
type tableSink struct {
	env   Env
	mode  lakehouse.Mode
	table *icebergTable
	// at is the table as it was when the sink was opened: what shards write for.
	at    *lakehouse.Table
	store Store
}

func openTableSink(ctx context.Context, env Env, spec v1alpha1.IcebergTableDestination) (*tableSink, error) {
	if spec.Branch != "" && spec.Branch != "main" {
		return nil, fail.Usage("UnsupportedBranch", "destination branch is %q; only main can be written yet, so remove branch", spec.Branch)
	}
	s := &tableSink{env: env, mode: lakehouse.Append}
	switch spec.Mode {
	case "", v1alpha1.WriteAppend:
	case v1alpha1.WriteOverwrite:
		s.mode = lakehouse.Overwrite
	case v1alpha1.WriteUpsert:
		s.mode = lakehouse.Upsert
	default:
		return nil, fail.Usage("BadSpec", "destination mode is %q; expected %s, %s or %s", spec.Mode, v1alpha1.WriteAppend, v1alpha1.WriteOverwrite, v1alpha1.WriteUpsert)
	}
	var err error
	if s.table, err = newTable(env, spec.TableRef.Name); err != nil {
		return nil, err
	}
	if s.store, err = OpenStore(ctx, *env.Tables[spec.TableRef.Name].Spec.Storage, env.Mounts); err != nil {
		return nil, err
	}
	if s.at, err = s.table.load(ctx); err != nil {
		return nil, errors.Join(err, s.table.close())
	}
	return s, nil
}

func (s *tableSink) Committed(ctx context.Context) (*Commit, error) {
	now, err := s.at.Reload(ctx)
	if err != nil {
		return nil, lakeError(err)
	}
	found, err := lakehouse.FindCommit(now, s.env.Run.ID, s.env.Run.PipelineID)
	if err != nil || found == nil {
		return nil, lakeError(err)
	}
	state := now.State()
	return &Commit{SnapshotID: strconv.FormatInt(found.SnapshotID, 10), Rows: found.Rows, Bytes: found.Bytes, Replayed: true, Table: &state}, nil
}

func (s *tableSink) Write(ctx context.Context, shard int, rows array.RecordReader) (*Manifest, error) {
	set, _, err := lakehouse.WriteFiles(ctx, s.at, rows, lakehouse.WriteOptions{})
	if cause := rows.Err(); cause != nil {
		return nil, cause // what ended the rows, not what the writer made of it
	}
	if err != nil {
		return nil, lakeError(err)
	}
	m := &Manifest{Shard: shard, Rows: set.Rows, Bytes: set.Bytes()}
	for _, f := range set.Written {
		m.Files = append(m.Files, File(f))
	}
	m.Detail, err = json.Marshal(set)
	return m, err
}

// Commit may be asked again after an error: the table itself answers whether the run was committed.
func (s *tableSink) Commit(ctx context.Context, plan *Plan, manifests []*Manifest) (*Commit, error) {
	sets, out, err := s.sets(manifests)
	if err != nil {
		return nil, err
	}
	request := lakehouse.CommitRequest{Mode: s.mode, Files: sets, Token: s.env.Run.ID, Writer: s.env.Run.PipelineID}
	var pinned fileSchema
	if plan != nil && json.Unmarshal(plan.Schema, &pinned) == nil && pinned.Incremental {
		for _, in := range plan.Inputs {
			request.Processed = append(request.Processed, lakehouse.ProcessedFile{Path: in.Name, Size: in.Bytes, ETag: in.Version})
		}
	}
	result, err := lakehouse.Commit(ctx, s.at, request)
	if err != nil {
		return nil, lakeError(err)
	}
	if result.Replayed {
		return s.replayed(ctx)
	}
	now, err := s.at.Reload(ctx)
	if err != nil {
		return nil, lakeError(err)
	}
	state := now.State()
	out.SnapshotID, out.Table = strconv.FormatInt(result.SnapshotID, 10), &state
	return out, nil
}

func (s *tableSink) replayed(ctx context.Context) (*Commit, error) {
	out, err := s.Committed(ctx)
	if err == nil && out == nil {
		err = fmt.Errorf("table %s answered that run %s is committed, and then did not show it; try again", s.table.name(), s.env.Run.ID)
	}
	return out, err
}

func (s *tableSink) sets(manifests []*Manifest) (sets []lakehouse.FileSet, out *Commit, err error) {
	out = &Commit{}
	for _, m := range manifests {
		var set lakehouse.FileSet
		if err := json.Unmarshal(m.Detail, &set); err != nil {
			return nil, nil, fmt.Errorf("the manifest of shard %d is not that of a table: %w", m.Shard, err)
		}
		sets = append(sets, set)
		out.Rows += m.Rows
		out.Bytes += m.Bytes
	}
	return sets, out, nil
}

func (s *tableSink) Discard(ctx context.Context, manifests []*Manifest) error {
	sets, _, err := s.sets(manifests)
	if err != nil {
		return err
	}
	return lakeError(lakehouse.Discard(ctx, s.at, sets...))
}

func (s *tableSink) processed(ctx context.Context) ([]lakehouse.ProcessedFile, error) {
	files, err := lakehouse.ProcessedFiles(ctx, s.at, s.env.Run.PipelineID)
	return files, lakeError(err)
}

func (s *tableSink) Output() Dataset { return Dataset{Name: s.table.name()} }

// Staging lies beside the table's folder, not in it: the removal of orphan files must not take it.
func (s *tableSink) Staging() (Store, string) {
	return s.store, path.Join("_datastack", s.table.name())
}

func (s *tableSink) Close() error { return s.table.close() }
