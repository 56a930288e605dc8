package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/lineage"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/table"
	"github.com/amdgpu-framework/datastack/ledger/record"
)

// Table does an IcebergTable's run, and records in the ledger what it made or changed.
func Table(ctx context.Context, o Options) *runspec.RunResult {
	result := table.Run(ctx, o.Spec, o.Mounts)
	if result.Outcome == runspec.OutcomeSucceeded && o.Spec.Ledger != nil {
		if err := recordTable(ctx, o, &result); err != nil {
			finish(&result, err)
		}
	}
	return &result
}

// recordTable records the changes of an apply. A record that the ledger does not take stays in the outbox of the table's
// storage, and the next apply, inspection or pipeline brings it.
func recordTable(ctx context.Context, o Options, result *runspec.RunResult) error {
	spec := o.Spec.Tables[o.Spec.Object.Name].Spec
	store, err := connector.OpenStore(ctx, *spec.Storage, o.Mounts)
	if err != nil {
		return err
	}
	name := strings.Join(append(slices.Clone(spec.Identifier.Namespace), spec.Identifier.Name), ".")
	outbox := &lineage.Outbox{Storage: outboxStorage{staging{store: store, folder: "_datastack/" + name}}, Ledger: newClient(o)}
	if len(result.Table.Changes) == 0 {
		replayFinished(ctx, outbox, "") // an earlier attempt's record may be among them
		return nil
	}
	r := tableRecord(o.Spec, name, result.Table)
	if err := outbox.Prepare(ctx, r); err != nil {
		return err
	}
	appended, err := outbox.Complete(ctx, r)
	switch conflict := (*lineage.ConflictError)(nil); {
	case err == nil:
		result.Ledger = positionOf(appended)
		replayFinished(ctx, outbox, o.Spec.RunID)
	case errors.As(err, &conflict):
		return err
	case o.Spec.Ledger.OnUnavailable == "Block":
		return fmt.Errorf("the table is as declared and the ledger does not take the record of it (onChainUnavailable: Block): %w", err)
	default:
		slog.Warn("keeping the record in the outbox: the ledger cannot be reached", "error", err)
		result.Ledger = &runspec.LedgerPosition{Buffered: true}
	}
	return nil
}

func tableRecord(spec *runspec.RunSpec, name string, state *runspec.TableState) record.Record {
	schema := fmt.Sprint(state.SchemaID)
	run := lineage.Run{ID: spec.RunID, PipelineID: spec.PipelineID, User: spec.User}
	after := record.Dataset{Name: name, Snapshot: "schema-" + schema}
	if slices.Contains(state.Changes, "created") {
		return run.TableCreation(0, after, schema)
	}
	return run.SchemaChange(0, record.Dataset{Name: name}, after, strings.Join(state.Changes, "\n"))
}
