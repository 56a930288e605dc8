package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

// EnsureTable makes the table be as the spec declares it: creates namespace and table, or changes columns and
// properties. It may run any number of times, by any number of callers. What would lose data or is not supported is a
// *Refusal, and then nothing was written. The state's Changes say what was done.
func EnsureTable(ctx context.Context, c *Catalog, spec v1alpha1.IcebergTableSpec) (runspec.TableState, error) {
	d, err := declare(spec)
	if err != nil {
		return runspec.TableState{}, err
	}
	ident := identifier(spec.Identifier)
	var last error
	for try := 1; try <= maxCommitTries; try++ {
		state, err := c.ensure(ctx, ident, d)
		var refusal *Refusal
		if err == nil || errors.As(err, &refusal) && refusal.Reason != ReasonTableNotFound || ctx.Err() != nil || !again(err) {
			return state, err
		}
		last = err
		if err := sleep(ctx, backoff(try)); err != nil {
			return state, errors.Join(err, last)
		}
	}
	return runspec.TableState{}, &CommitError{Attempts: maxCommitTries, Err: last}
}

// again says whether another look at the table can help: somebody else was faster, or the outcome is unknown. The plan is
// made anew from what the table is then, so doing so twice does no harm.
func again(err error) bool {
	return definite(err) || errors.Is(err, catalog.ErrTableAlreadyExists) || busy(err) || isNotExist(err)
}

func (c *Catalog) ensure(ctx context.Context, ident table.Identifier, d *declaration) (runspec.TableState, error) {
	t, err := c.load(ctx, ident)
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal.Reason == ReasonTableNotFound {
		return c.create(ctx, ident, d)
	}
	if err != nil {
		return runspec.TableState{}, err
	}
	plan, err := planEvolution(d, t.Metadata())
	if err != nil {
		return t.State(), err
	}
	if plan.empty() {
		return t.State(), nil
	}
	tx := t.inner.NewTransaction()
	// Others may append meanwhile: only the schema is asserted, by the update itself.
	if err := plan.apply(tx); err != nil {
		return t.State(), err
	}
	changed, err := tx.Commit(ctx)
	if err != nil {
		return t.State(), fmt.Errorf("change table %s: %w", t.Name(), err)
	}
	state := (&Table{catalog: c, ident: ident, inner: changed}).State()
	state.Changes = plan.words
	return state, nil
}

func (c *Catalog) create(ctx context.Context, ident table.Identifier, d *declaration) (runspec.TableState, error) {
	for depth := 1; depth < len(ident); depth++ {
		err := c.inner.CreateNamespace(ctx, ident[:depth], nil)
		if err != nil && !errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
			// Two creators at once: the database may report the second one's row as a constraint, not as a namespace.
			if exists, checkErr := c.inner.CheckNamespaceExists(ctx, ident[:depth]); checkErr != nil || !exists {
				return runspec.TableState{}, fmt.Errorf("create namespace %s: %w", strings.Join(ident[:depth], "."), err)
			}
		}
	}
	schema, err := d.schema()
	if err != nil {
		return runspec.TableState{}, err
	}
	spec, err := d.partitionSpec(schema)
	if err != nil {
		return runspec.TableState{}, err
	}
	order, err := d.sortOrder(schema)
	if err != nil {
		return runspec.TableState{}, err
	}
	inner, err := c.inner.CreateTable(ctx, ident, schema, catalog.WithPartitionSpec(spec), catalog.WithSortOrder(order), catalog.WithProperties(d.creationProperties()))
	if err != nil {
		if exists, checkErr := c.inner.CheckTableExists(ctx, ident); checkErr == nil && exists {
			err = errors.Join(catalog.ErrTableAlreadyExists, err)
		}
		return runspec.TableState{}, fmt.Errorf("create table %s: %w", strings.Join(ident, "."), err)
	}
	state := (&Table{catalog: c, ident: ident, inner: inner}).State()
	state.Changes = []string{"created"}
	return state, nil
}

// State describes the table from its metadata and the summary of its newest snapshot; no data is read.
func (t *Table) State() runspec.TableState {
	meta := t.Metadata()
	state := runspec.TableState{
		Location: meta.Location(), UUID: meta.TableUUID().String(),
		SchemaID: int32(meta.CurrentSchema().ID), SpecID: int32(meta.DefaultPartitionSpec()), //nolint:gosec // Iceberg's IDs are int32
	}
	head := meta.CurrentSnapshot()
	if head == nil {
		return state
	}
	state.SnapshotID = strconv.FormatInt(head.SnapshotID, 10)
	state.SnapshotAt = head.TimestampMs
	if head.Summary == nil {
		return state
	}
	state.Operation = string(head.Summary.Operation)
	total := func(key string) int64 {
		n, err := strconv.ParseInt(head.Summary.Properties["total-"+key], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	// Each position delete takes one row; equality deletes take an unknown number, which their writers alone could tell.
	state.Rows = total("records") - total("position-deletes")
	state.DataFiles, state.DeleteFiles, state.Bytes = total("data-files"), total("delete-files"), total("files-size")
	return state
}
