// Package run does what a RunSpec says: plan, work, commit, and the record of it in the ledger. The same file gives the
// same result in a pod and by hand.
package run

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/report"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform"
)

// Options are the surroundings of a run.
type Options struct {
	Spec   *runspec.RunSpec
	Mounts lakehouse.Mounts
	Phase  runspec.Phase
	// Shard counts from 0, in phase work.
	Shard int
	// EnginePython is the Python that runs the engine by hand; a pod has a socket instead.
	EnginePython string
	// Status and Metrics may be nil.
	Status  *report.Status
	Metrics *report.Metrics
}

// commitTimeout bounds a commit, which SIGTERM no longer stops.
const commitTimeout = 5 * time.Minute

// recordTimeout bounds what follows a commit: the ledger's tries, buffered records, and the removal of staged files.
const recordTimeout = 2 * time.Minute

// Pipeline does one phase of an ETLPipeline's run, or all of them. It always gives a result; an error is in it.
func Pipeline(ctx context.Context, o Options) *runspec.RunResult {
	result := &runspec.RunResult{RunID: o.Spec.RunID, Attempt: o.Spec.Attempt, Phase: o.Phase, Shard: int32(o.Shard), Outcome: runspec.OutcomeSucceeded} //nolint:gosec // far below 2^31 shards
	r := &runner{Options: o, result: result, pipeline: o.Spec.Pipeline}
	err := r.run(ctx)
	if err != nil && !r.given {
		r.discard()
	}
	r.close()
	if err != nil && ctx.Err() != nil && !r.given {
		// Whatever the signal broke off on its way, trying again is right.
		err = errInterrupted
	}
	finish(result, err)
	if err != nil && o.Metrics != nil {
		o.Metrics.Failed(string(o.Phase))
	}
	return result
}

func finish(result *runspec.RunResult, err error) {
	if err == nil {
		return
	}
	result.Outcome, result.ExitCode = runspec.OutcomeFailed, fail.Code(err)
	result.Reason, result.Message = fail.Reason(err, "Failed"), runspec.Truncate(err.Error())
}

var errInterrupted = &fail.Error{Code: runspec.ExitRetryable, Reason: "Interrupted", Message: "stopped by a signal before the commit; nothing was committed; start the run again"}

// runner is one process's part of a run.
type runner struct {
	Options
	pipeline *runspec.Pipeline
	result   *runspec.RunResult
	env      connector.Env
	steps    *transform.Env
	source   connector.Source
	sink     connector.Sink
	staging  staging
	progress progress
	// seconds are the plans of the sources that steps read beside the source, by their spec.
	seconds map[string]*connector.Plan
	// written is what this process gave to the sink; given says that a commit may use it, so that it must stay.
	written []*connector.Manifest
	given   bool
	closers []func()
}

func (r *runner) run(ctx context.Context) error {
	if err := r.open(ctx); err != nil {
		return err
	}
	committed, err := r.sink.Committed(ctx)
	if err != nil {
		return err
	}
	if committed != nil {
		return r.answer(ctx, committed)
	}
	if err := r.openEngine(ctx); err != nil {
		return err
	}
	switch r.Phase {
	case runspec.PhasePlan:
		return r.planPhase(ctx)
	case runspec.PhaseWork:
		return r.workPhase(ctx)
	case runspec.PhaseCommit:
		return r.commitPhase(ctx)
	case runspec.PhaseAll:
		return r.allPhases(ctx)
	}
	return nil // open has refused other phases
}

// open checks the order and opens both ends; nothing is read or written yet.
func (r *runner) open(ctx context.Context) error {
	if r.pipeline == nil {
		return fail.Usage("BadSpec", "the RunSpec has no pipeline; `gpuworker table` does tables")
	}
	if phases := []runspec.Phase{runspec.PhaseAll, runspec.PhasePlan, runspec.PhaseWork, runspec.PhaseCommit}; !slices.Contains(phases, r.Phase) {
		return fail.Usage("BadSpec", "phase is %q; expected one of %v", r.Phase, phases)
	}
	if r.Phase == runspec.PhaseWork && (r.Shard < 0 || r.Shard >= int(r.pipeline.Parallelism)) {
		return fail.Usage("BadSpec", "shard is %d; the run has shards 0 to %d", r.Shard, r.pipeline.Parallelism-1)
	}
	if err := transform.Check(r.pipeline.Transformations); err != nil {
		return err
	}
	scratch, err := r.scratch()
	if err != nil {
		return err
	}
	r.env = connector.Env{Mounts: r.Mounts, Scratch: scratch, Budget: cpu.DetectBudget(), Tables: r.Spec.Tables,
		Run: connector.Run{ID: r.Spec.RunID, PipelineID: r.Spec.PipelineID, Attempt: r.Spec.Attempt}}
	if r.source, err = connector.OpenSource(ctx, r.env, r.pipeline.Source); err != nil {
		return err
	}
	if r.sink, err = connector.OpenSink(ctx, r.env, r.pipeline.Destination); err != nil {
		return err
	}
	r.closers = append(r.closers, func() { _ = r.sink.Close() })
	if err := connector.Link(r.source, r.sink); err != nil {
		return err
	}
	store, folder := r.sink.Staging()
	r.staging = staging{store: store, folder: folder, run: r.Spec.RunID, attempt: r.Spec.Attempt}
	r.progress.runner = r
	return nil
}

// scratch is a folder of this process in the bounded emptyDir, or a temporary folder by hand.
func (r *runner) scratch() (string, error) {
	dir, err := r.Mounts.Scratch("run-")
	if err != nil {
		return "", err
	}
	r.closers = append(r.closers, func() { _ = os.RemoveAll(dir) })
	return dir, nil
}

func (r *runner) close() {
	for i := len(r.closers) - 1; i >= 0; i-- {
		r.closers[i]()
	}
}

// allPhases does the whole run in one process; with several shards, one after the other.
func (r *runner) allPhases(ctx context.Context) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	if r.nothingNew(ctx, plan) {
		return nil
	}
	r.progress.enter(ctx, v1alpha1.RunRunning)
	outputs := make([]*shardOutput, r.pipeline.Parallelism)
	for shard := range outputs {
		if outputs[shard], err = r.work(ctx, plan, shard); err != nil {
			return err
		}
	}
	return r.commit(ctx, plan, outputs)
}

// nothingNew ends a run of an incremental source that found no new file.
func (r *runner) nothingNew(ctx context.Context, plan *runPlan) bool {
	if !plan.noFiles {
		return false
	}
	r.bringBuffered(ctx)
	r.result.Message = "no new files"
	r.result.Receipts = []runspec.Receipt{{Step: "source", Engine: "none", Reason: plan.Source.Note}}
	return true
}

// write gives rows to the sink and remembers that this process did.
func (r *runner) write(ctx context.Context, shard int, rows array.RecordReader) (*connector.Manifest, error) {
	manifest, err := r.sink.Write(ctx, shard, rows)
	if err == nil {
		r.written = append(r.written, manifest)
	}
	return manifest, err
}

// discard removes what this process wrote, before any commit was tried. What cannot be removed is not referenced by anything.
func (r *runner) discard() {
	if len(r.written) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := r.sink.Discard(ctx, r.written); err != nil {
		slog.Warn("leaving files that no table or manifest names", "error", err)
	}
}
