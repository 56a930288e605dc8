package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/ledger/record"
)

func (r *runner) commitPhase(ctx context.Context) error {
	plan, err := r.readPlan(ctx)
	if err != nil {
		return err
	}
	if r.nothingNew(ctx, plan) {
		r.staging.clear(ctx)
		return nil
	}
	outputs := make([]*shardOutput, r.pipeline.Parallelism)
	for shard := range outputs {
		outputs[shard] = &shardOutput{}
		if err := r.staging.get(ctx, shardFile(shard), outputs[shard]); err != nil {
			return fmt.Errorf("shard %d left no manifest, so its work must be done again: %w", shard, err)
		}
	}
	return r.commit(ctx, plan, outputs)
}

// commit makes the shards' rows visible, once, and records it.
func (r *runner) commit(ctx context.Context, plan *runPlan, outputs []*shardOutput) error {
	if err := r.checkRejects(outputs); err != nil {
		return err
	}
	manifests, err := r.manifests(ctx, outputs)
	if err != nil {
		return err
	}
	r.fill(outputs)
	r.progress.enter(ctx, v1alpha1.RunCommitting)
	load, err := r.loadRecord(plan, manifests)
	if err != nil {
		return err
	}
	if err := errors.Join(ctx.Err(), r.Status.Newest(ctx)); err != nil {
		return err
	}
	// From here on SIGTERM waits: a commit that has begun is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := r.prepare(ctx, load); err != nil {
		return err
	}
	r.given = true
	committed, err := r.sink.Commit(ctx, plan.Source, manifests)
	if err != nil {
		return errors.Join(err, r.refused(ctx, err, load))
	}
	if committed.Replayed {
		// A try whose outcome was unknown, or another process: the outbox has the record of what was committed.
		return r.answer(ctx, committed)
	}
	r.committed(committed)
	return r.record(ctx, func(ctx context.Context) error { return r.complete(ctx, load, committed) })
}

// refused takes back what a commit that was certainly refused, for good, would leave behind.
func (r *runner) refused(ctx context.Context, err error, load record.Record) error {
	if !runspec.Permanent(fail.Code(err)) {
		return nil
	}
	r.given = false
	if r.Spec.Ledger == nil {
		return nil
	}
	return r.outbox().Discard(ctx, load)
}

// answer gives what an earlier attempt committed, and brings its record to the ledger if that is still owed.
func (r *runner) answer(ctx context.Context, committed *connector.Commit) error {
	slog.Info("answering from the token: the run is committed", "run", r.Spec.Run, "snapshot", committed.SnapshotID)
	r.given = true
	committed.Replayed = true
	r.committed(committed)
	if r.Phase == runspec.PhasePlan || r.Phase == runspec.PhaseWork {
		return nil // the commit phase does the rest
	}
	return r.record(ctx, func(ctx context.Context) error { return r.replay(ctx, committed) })
}

// record ends a committed run: lineage first, then the staging area. It has time of its own, and SIGTERM waits.
func (r *runner) record(ctx context.Context, lineage func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := lineage(ctx); err != nil {
		return err
	}
	r.staging.clear(ctx)
	return nil
}

// checkRejects applies the limit to the whole run; each shard has applied it to itself.
func (r *runner) checkRejects(outputs []*shardOutput) error {
	var limit, rejected int64
	if files := r.pipeline.Source.Files; files != nil && files.MaxRejects != nil {
		limit = *files.MaxRejects
	}
	where := ""
	for _, out := range outputs {
		rejected += out.Rejected
		if out.Rejects != "" {
			where += " " + out.Rejects
		}
	}
	if rejected > limit {
		// Whoever commits decides the same, so nobody uses the rows.
		r.written = manifestsOf(outputs)
		return fail.Data("RejectedRows", "%d rows were rejected; source.files.maxRejects allows %d; all of them:%s", rejected, limit, where)
	}
	return nil
}

// manifests are what the sink commits: the shards' own, or one of the steps that need all rows.
func (r *runner) manifests(ctx context.Context, outputs []*shardOutput) ([]*connector.Manifest, error) {
	_, whole := r.chain()
	if len(whole) == 0 {
		return manifestsOf(outputs), nil
	}
	rows, err := r.openStaged(ctx, outputs)
	if err != nil {
		return nil, err
	}
	last := &shardOutput{}
	err = r.through(ctx, whole, rows, last, func(rows array.RecordReader) (err error) {
		last.Manifest, err = r.write(ctx, 0, rows)
		return err
	})
	if err != nil {
		return nil, err
	}
	outputs[0].Receipts = append(outputs[0].Receipts, last.Receipts...)
	return []*connector.Manifest{last.Manifest}, nil
}

func manifestsOf(outputs []*shardOutput) (manifests []*connector.Manifest) {
	for _, out := range outputs {
		if out.Manifest != nil {
			manifests = append(manifests, out.Manifest)
		}
	}
	return manifests
}

// fill puts the shards' totals and receipts into the result.
func (r *runner) fill(outputs []*shardOutput) {
	r.result.RowsRead, r.result.BytesRead, r.result.RowsRejected = 0, 0, 0
	byStep := map[string]int{}
	for _, out := range outputs {
		r.result.RowsRead += out.Rows
		r.result.BytesRead += out.Bytes
		r.result.RowsRejected += out.Rejected
		if out.Rejects != "" {
			r.result.Message = runspec.Truncate(r.result.Message + "rejected rows: " + out.Rejects + " ")
		}
		for _, receipt := range out.Receipts {
			i, seen := byStep[receipt.Step]
			if !seen {
				byStep[receipt.Step] = len(r.result.Receipts)
				r.result.Receipts = append(r.result.Receipts, receipt)
				continue
			}
			sum := &r.result.Receipts[i]
			sum.RowsIn += receipt.RowsIn
			sum.RowsOut += receipt.RowsOut
			sum.Bytes += receipt.Bytes
			sum.DurationMs = max(sum.DurationMs, receipt.DurationMs) // shards overlap
		}
	}
}

func (r *runner) committed(c *connector.Commit) {
	r.result.SnapshotID, r.result.RowsWritten, r.result.BytesWritten = c.SnapshotID, c.Rows, c.Bytes
	r.result.Replayed, r.result.Table = c.Replayed, c.Table
	if !c.Replayed {
		r.result.Receipts = append(r.result.Receipts, runspec.Receipt{Step: "destination", Engine: string(r.pipeline.Destination.Type), RowsIn: c.Rows, RowsOut: c.Rows, Bytes: c.Bytes})
	}
}
