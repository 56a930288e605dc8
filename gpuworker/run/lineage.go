package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/lineage"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

// maxSources is how many sources a record lists; more become one source with the digest of the list.
const maxSources = 200

// loadRecord is the record of this run's load, as far as it is known before the commit.
func (r *runner) loadRecord(plan *runPlan, manifests []*connector.Manifest) (record.Record, error) {
	if r.Spec.Ledger == nil {
		return record.Record{}, nil
	}
	hash, err := r.transformationHash()
	if err != nil {
		return record.Record{}, err
	}
	files, rows, err := filesOf(manifests)
	if err != nil {
		return record.Record{}, err
	}
	run := lineage.Run{ID: r.Spec.RunID, PipelineID: r.Spec.PipelineID, User: r.Spec.User}
	return run.Load(lineage.Step{
		Sources: datasets(plan.inputs()), Destinations: []record.Dataset{{Name: r.sink.Output().Name}},
		TransformationHash: hash, DataHash: lineage.DataHash(files), Rows: &rows, Receipts: receipts(r.result.Receipts),
	}), nil
}

func filesOf(manifests []*connector.Manifest) (files []lineage.File, rows uint64, err error) {
	for _, m := range manifests {
		rows += uint64(m.Rows) //nolint:gosec // a count
		for _, f := range m.Files {
			file := lineage.File{Path: f.Path, Size: f.Size}
			if n, err := hex.Decode(file.SHA256[:], []byte(f.SHA256)); err != nil || n != sha256.Size {
				return nil, 0, fmt.Errorf("the manifest's hash of %s is %q; expected 64 hexadecimal digits", f.Path, f.SHA256)
			}
			files = append(files, file)
		}
	}
	return files, rows, nil
}

// datasets lists distinct sources.
func datasets(in []connector.Dataset) []record.Dataset {
	seen := map[connector.Dataset]bool{}
	var out []record.Dataset
	var lines strings.Builder
	for _, d := range in {
		if key := (connector.Dataset{Name: d.Name, Version: d.Version}); !seen[key] {
			seen[key] = true
			out = append(out, record.Dataset{Name: d.Name, Snapshot: d.Version})
			fmt.Fprintf(&lines, "%q %q\n", d.Name, d.Version)
		}
	}
	if len(out) <= maxSources {
		return out
	}
	sum := sha256.Sum256([]byte(lines.String()))
	return []record.Dataset{{Name: commonFolder(out), Snapshot: fmt.Sprintf("%d files", len(out)), Digest: hex.EncodeToString(sum[:])}}
}

// commonFolder is the longest folder that all names share.
func commonFolder(sets []record.Dataset) string {
	prefix := sets[0].Name
	for _, d := range sets {
		for !strings.HasPrefix(d.Name, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	if i := strings.LastIndex(prefix, "/"); i > 0 {
		prefix = prefix[:i+1]
	}
	return prefix
}

func receipts(in []runspec.Receipt) []record.Receipt {
	count := func(n int64) record.Uint64 { return record.Uint64(max(n, 0)) }
	out := make([]record.Receipt, len(in))
	for i, r := range in {
		out[i] = record.Receipt{Step: r.Step, Engine: r.Engine, Reason: r.Reason, Device: r.Device,
			RowsIn: count(r.RowsIn), RowsOut: count(r.RowsOut), Bytes: count(r.Bytes), DurationMs: count(r.DurationMs)}
	}
	return out
}

// transformationHash covers each step's whole specification and the version of the engine that ran it.
func (r *runner) transformationHash() (string, error) {
	engines := map[string]string{}
	for _, receipt := range r.result.Receipts {
		engines[receipt.Step] = receipt.Engine
	}
	var steps []lineage.StepText
	for _, t := range r.pipeline.Transformations {
		text, err := json.Marshal(t)
		if err != nil {
			return "", err
		}
		engine, version, _ := strings.Cut(engines[t.Name], " ")
		steps = append(steps, lineage.StepText{Name: t.Name, Type: string(t.Type), Text: string(text), Engine: engine, EngineVersion: version})
	}
	return lineage.TransformationHash(steps)
}

func (r *runner) outbox() *lineage.Outbox {
	return &lineage.Outbox{Storage: outboxStorage{r.staging}, Ledger: newClient(r.Options)}
}

func newClient(o Options) *client.Client {
	return &client.Client{URL: o.Spec.Ledger.Endpoint, TokenFile: filepath.Join(string(o.Mounts), "secrets", o.Spec.Ledger.TokenSecret, "token")}
}

// prepare makes the intent durable before the commit.
func (r *runner) prepare(ctx context.Context, load record.Record) error {
	if r.Spec.Ledger == nil {
		return nil
	}
	return r.outbox().Prepare(ctx, load)
}

// complete appends the record with its snapshot. When the ledger cannot be reached, the outbox keeps the finished record for
// a later run, and the run succeeds unless the ledger's policy is Block.
func (r *runner) complete(ctx context.Context, load record.Record, committed *connector.Commit) error {
	if r.Spec.Ledger == nil {
		return nil
	}
	finished := withSnapshot(load, r.version(committed))
	outbox := r.outbox()
	appended, err := outbox.Complete(ctx, finished)
	if conflict := (*lineage.ConflictError)(nil); errors.As(err, &conflict) {
		return err
	}
	if err != nil {
		return r.unrecorded(ctx, outbox, finished, err)
	}
	r.result.Ledger = positionOf(appended)
	r.bringBuffered(ctx)
	return nil
}

// version names the destination's state after the commit: a table's snapshot, or the manifest of the run in a folder.
func (r *runner) version(c *connector.Commit) string {
	if c.SnapshotID == "" {
		return "manifest-" + r.Spec.RunID
	}
	return c.SnapshotID
}

// bringBuffered brings what a ledger that was away owes to other runs of the destination.
func (r *runner) bringBuffered(ctx context.Context) {
	if r.Spec.Ledger != nil {
		replayFinished(ctx, r.outbox(), r.Spec.RunID)
	}
}

func (r *runner) unrecorded(ctx context.Context, outbox *lineage.Outbox, finished record.Record, cause error) error {
	if err := outbox.Prepare(ctx, finished); err != nil {
		return errors.Join(cause, err)
	}
	if r.Spec.Ledger.OnUnavailable == "Block" {
		return fmt.Errorf("the data is committed and the ledger does not take its record (onChainUnavailable: Block): %w", cause)
	}
	slog.Warn("keeping the record in the outbox: the ledger cannot be reached", "error", cause)
	r.result.Ledger = &runspec.LedgerPosition{Buffered: true}
	r.result.Message = runspec.Truncate(r.result.Message + "the ledger does not take the record, which waits in the outbox for the next run: " + cause.Error())
	return nil
}

// replay brings the record of an earlier attempt's commit to the ledger.
func (r *runner) replay(ctx context.Context, committed *connector.Commit) error {
	if r.Spec.Ledger == nil {
		return nil
	}
	replayed, err := r.outbox().Replay(ctx, r.Spec.RunID, func(_ context.Context, intent record.Record) (record.Record, bool, error) {
		return withSnapshot(intent, r.version(committed)), true, nil
	})
	for _, appended := range replayed.Recorded {
		r.result.Ledger = positionOf(appended)
	}
	if err != nil && r.Spec.Ledger.OnUnavailable != "Block" {
		slog.Warn("leaving records in the outbox", "error", err)
		r.result.Ledger = &runspec.LedgerPosition{Buffered: true}
		return nil
	}
	if err == nil {
		r.bringBuffered(ctx)
	}
	return err
}

// replayFinished brings the records that a ledger which was away left in the outbox. An entry whose destination has a
// snapshot is of a change that happened; others belong to attempts of their own runs.
func replayFinished(ctx context.Context, outbox *lineage.Outbox, except string) {
	names, err := outbox.Storage.List(ctx, "")
	if err != nil {
		slog.Warn("listing the outbox failed", "error", err)
		return
	}
	seen := map[string]bool{except: true}
	for _, name := range names {
		runID, _, _ := strings.Cut(name, "@")
		if seen[runID] {
			continue
		}
		seen[runID] = true
		_, err := outbox.Replay(ctx, runID, func(_ context.Context, intent record.Record) (record.Record, bool, error) {
			return intent, len(intent.Destinations) > 0 && intent.Destinations[0].Snapshot != "", nil
		})
		if err != nil {
			slog.Warn("leaving records in the outbox", "run", runID, "error", err)
			return // the ledger is away: the next run tries again
		}
	}
}

func withSnapshot(r record.Record, snapshotID string) record.Record {
	r.Destinations = slices.Clone(r.Destinations)
	for i := range r.Destinations {
		r.Destinations[i].Snapshot = snapshotID
	}
	return r
}

func positionOf(a wire.Appended) *runspec.LedgerPosition {
	return &runspec.LedgerPosition{Index: a.Index.String(), LeafHash: a.LeafHash, Anchored: a.Anchored}
}
