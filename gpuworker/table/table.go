// Package table is the worker's part for an IcebergTable: it makes the table as declared, or reads what it is.
package table

import (
	"context"
	"errors"
	"fmt"

	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Run does a RunSpec of action TableApply or TableInspect. The result holds the table's state, or why it was refused; a
// refused table that exists is described too.
func Run(ctx context.Context, spec *runspec.RunSpec, mounts lakehouse.Mounts) runspec.RunResult {
	result := runspec.RunResult{RunID: spec.RunID, Attempt: spec.Attempt, Phase: runspec.PhaseAll, Outcome: runspec.OutcomeSucceeded}
	state, err := run(ctx, spec, mounts)
	if state.UUID != "" {
		result.Table = &state
		result.SnapshotID = state.SnapshotID
	}
	if err != nil {
		result.Outcome = runspec.OutcomeFailed
		result.ExitCode, result.Reason = lakehouse.Outcome(err)
		result.Message = runspec.Truncate(err.Error())
	}
	return result
}

func run(ctx context.Context, spec *runspec.RunSpec, mounts lakehouse.Mounts) (state runspec.TableState, err error) {
	if spec.Action != runspec.ActionTableApply && spec.Action != runspec.ActionTableInspect {
		return state, &lakehouse.Refusal{Reason: lakehouse.ReasonInvalidConfiguration,
			Message: fmt.Sprintf("action is %q; this command does %s and %s", spec.Action, runspec.ActionTableApply, runspec.ActionTableInspect)}
	}
	declared := spec.Tables[spec.Object.Name].Spec
	if declared.Catalog == nil || declared.Storage == nil {
		return state, &lakehouse.Refusal{Reason: lakehouse.ReasonInvalidConfiguration,
			Message: fmt.Sprintf("table %q has no catalog or no storage, and the RunSpec resolves no default; set spec.catalog and spec.storage", spec.Object.Name)}
	}
	catalog, err := lakehouse.OpenCatalog(ctx, *declared.Catalog, *declared.Storage, mounts)
	if err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, catalog.Close()) }()
	if spec.Action == runspec.ActionTableApply {
		return lakehouse.EnsureTable(ctx, catalog, declared)
	}
	t, err := catalog.LoadTable(ctx, declared.Identifier)
	if err != nil {
		return state, err
	}
	return t.State(), nil
}
