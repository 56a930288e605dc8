package etlpipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// What status holds at most; the ledger has all receipts.
const (
	maxReceipts = 32
	maxRuns     = 10
)

// complete ends a run whose Jobs have all succeeded. The result comes from the object
// as the API server has it, else from the termination message, else from a commit
// that is started again and answers from the token.
func (x *pass) complete(ctx context.Context, spec *runspec.RunSpec, p progress) error {
	run := x.status().LastRun
	report, err := x.result(ctx, spec, p)
	if err != nil {
		return err
	}
	if report == nil {
		return x.askAgain(ctx, run, spec, p)
	}
	run.RunTotals = report.RunTotals
	run.SnapshotID, run.Ledger = report.SnapshotID, report.Ledger
	run.Receipts = clipped(report.Receipts)
	x.end(v1alpha1.RunSucceeded, v1alpha1.ReasonRunSucceeded, report.Message)
	return nil
}

func (x *pass) result(ctx context.Context, spec *runspec.RunSpec, p progress) (*v1alpha1.WorkerStatus, error) {
	var fresh v1alpha1.ETLPipeline
	if err := x.Reader.Get(ctx, client.ObjectKeyFromObject(x.pipeline), &fresh); err != nil {
		return nil, fmt.Errorf("read the workers' reports: %w", err)
	}
	report := runs.FinalReport(fresh.Status.Workers, spec.RunID, spec.Attempt, spec.Pipeline.Parallelism > 1)
	if report != nil && report.Phase == v1alpha1.RunSucceeded {
		return report, nil
	}
	if r := p.outcome.Result; r != nil && r.RunID == spec.RunID {
		return r.WorkerStatus(), nil
	}
	return nil, nil
}

// askAgain starts the commit of a run whose result was lost with its pod. When even
// the commit's result is lost, the next attempt finds the token.
func (x *pass) askAgain(ctx context.Context, run *v1alpha1.Run, spec *runspec.RunSpec, p progress) error {
	name := runs.JobName(run.Name, run.Attempt, runspec.PhaseCommit)
	if p.phase == runspec.PhaseCommit {
		x.retry(run, next{retry: true, counted: true}, "the commit's result was lost")
		return nil
	}
	job := x.job(name)
	if job == nil {
		return x.start(ctx, spec, runspec.PhaseCommit)
	}
	run.Phase = v1alpha1.RunCommitting
	switch outcome := runs.Observe(job, x.pods[name]); outcome.State {
	case runs.StateFailed:
		x.failed(run, outcome)
	case runs.StateSucceeded:
		p = progress{phase: runspec.PhaseCommit, job: job, outcome: outcome, done: true}
		return x.complete(ctx, spec, p)
	}
	return nil
}

// clipped cuts receipts to what the schema takes: those of a termination message have
// not been through it.
func clipped(receipts []v1alpha1.StepReceipt) []v1alpha1.StepReceipt {
	receipts = slices.Clone(receipts[:min(len(receipts), maxReceipts)])
	for i := range receipts {
		r := &receipts[i]
		r.Step, r.Engine = clip(r.Step, 63), clip(r.Engine, 64)
		r.Reason, r.Device = clip(r.Reason, 256), clip(r.Device, 128)
	}
	return receipts
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// end closes the active run and files it in the history.
func (x *pass) end(phase v1alpha1.RunPhase, reason, message string) {
	s := x.status()
	run := s.LastRun
	for _, own := range ownReasons {
		if reason == own {
			message = reason + ": " + message
		}
	}
	run.Phase, run.Message = phase, runspec.Truncate(message)
	run.CompletionTime = &metav1.Time{Time: x.now}
	if phase == v1alpha1.RunSucceeded {
		run.ErrorCode = 0
	}
	s.Runs = append([]v1alpha1.RunSummary{summary(run)}, s.Runs...)
	s.Runs = s.Runs[:min(len(s.Runs), maxRuns)]
	x.Quota.Release(client.ObjectKeyFromObject(x.pipeline))
	x.announce(run, reason)
}

func summary(run *v1alpha1.Run) v1alpha1.RunSummary {
	return v1alpha1.RunSummary{
		Name: run.Name, RunID: run.RunID, Attempt: run.Attempt, Phase: run.Phase,
		StartTime: run.StartTime, CompletionTime: run.CompletionTime, RunTotals: run.RunTotals,
		SnapshotID: run.SnapshotID, Ledger: run.Ledger, Message: run.Message,
	}
}

func (x *pass) announce(run *v1alpha1.Run, reason string) {
	x.finished = append(x.finished, run.DeepCopy())
	if run.Phase == v1alpha1.RunFailed {
		x.warn(reason, "Run", "run %s failed after %d attempts: %s", run.Name, run.Attempt, run.Message)
		return
	}
	x.note(reason, "Run", "run %s wrote %d rows (read %d, rejected %d), snapshot %s",
		run.Name, run.RowsWritten, run.RowsRead, run.RowsRejected, orNone(run.SnapshotID))
	if run.RowsRejected > 0 {
		x.warn(v1alpha1.ReasonRejectedRows, "Run", "run %s rejected %d rows: the rejects file has line numbers and reasons", run.Name, run.RowsRejected)
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
