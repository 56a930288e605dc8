package lineage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

// entryVersion is the version of outbox entries that this code writes and reads.
const entryVersion = "1"

// Storage holds small files durably: the staging area of the destination. A name has no folders.
type Storage interface {
	// Put writes a file, in place of an old one, and returns once it is durable. No reader sees half of it.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns a file.
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns the names that begin with prefix.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes a file. One that is gone already is no error.
	Delete(ctx context.Context, name string) error
}

// Appender is the part of the ledger client that the outbox needs.
type Appender interface {
	Append(ctx context.Context, records ...record.Record) ([]wire.Appended, error)
}

// Outbox brings records to the ledger over crashes. Order: Prepare, commit the data, Complete; after a
// crash Replay asks storage what became of the commits.
type Outbox struct {
	Storage Storage
	Ledger  Appender
}

type entry struct {
	Version string        `json:"version"`
	Record  record.Record `json:"record"`
}

// ConflictError says that the ledger holds the key with other content. The contradiction is recorded.
type ConflictError struct {
	OperationID string
	// With is the record that holds the key, Index the Conflict record.
	With, Index record.Uint64
}

// Error names both records.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("operation %s is record %s of the ledger with other content; the contradiction is record %s: two runs used one run id, or a retry wrote other data", e.OperationID, e.With, e.Index)
}

func entryName(runID string, r *record.Record) string {
	return fmt.Sprintf("%s@%s@%s.json", runID, r.Type, r.Seq)
}

// Prepare makes the intent to record r durable. Call it before the commit, with what is known by then:
// the destination's snapshot may be missing.
func (o *Outbox) Prepare(ctx context.Context, r record.Record) error {
	r.Normalize()
	if err := r.Validate(); err != nil {
		return fmt.Errorf("lineage record: %w", err)
	}
	data, err := json.Marshal(entry{Version: entryVersion, Record: r})
	if err != nil {
		return fmt.Errorf("encode the outbox entry of %s: %w", r.OperationID, err)
	}
	if err := o.Storage.Put(ctx, entryName(r.RunID, &r), data); err != nil {
		return fmt.Errorf("write the outbox entry of %s: %w", r.OperationID, err)
	}
	return nil
}

// Complete appends the finished record and removes its entry. On an error other than *ConflictError the
// entry stays, and Complete or Replay may be called again.
func (o *Outbox) Complete(ctx context.Context, r record.Record) (wire.Appended, error) {
	r.Normalize()
	results, err := o.Ledger.Append(ctx, r)
	if err != nil {
		return wire.Appended{}, fmt.Errorf("append %s to the ledger: %w", r.OperationID, err)
	}
	if len(results) != 1 {
		return wire.Appended{}, fmt.Errorf("append %s to the ledger: expected 1 result, found %d", r.OperationID, len(results))
	}
	if err := o.Storage.Delete(ctx, entryName(r.RunID, &r)); err != nil {
		return results[0], fmt.Errorf("remove the outbox entry of %s: %w", r.OperationID, err)
	}
	if got := results[0]; got.Conflict {
		conflict := &ConflictError{OperationID: r.OperationID, Index: got.Index}
		if got.ConflictsWith != nil {
			conflict.With = *got.ConflictsWith
		}
		return got, conflict
	}
	return results[0], nil
}

// Discard removes the entry of an operation that will never be committed.
func (o *Outbox) Discard(ctx context.Context, r record.Record) error {
	return o.Storage.Delete(ctx, entryName(r.RunID, &r))
}

// Resolver looks the operation's token up in storage. Where the operation was committed it returns the
// record with its snapshots filled in, and true.
type Resolver func(ctx context.Context, intent record.Record) (finished record.Record, committed bool, err error)

// Replayed says what became of the entries of a run.
type Replayed struct {
	// Recorded were committed, and are in the ledger now.
	Recorded []wire.Appended
	// Pending were not committed. Their entries stay for the attempt that commits them, or for Discard.
	Pending []record.Record
}

// Replay brings the entries that an earlier attempt of a run left to their end. It handles every entry,
// and joins the errors of those that failed, which stay.
func (o *Outbox) Replay(ctx context.Context, runID string, resolve Resolver) (Replayed, error) {
	var out Replayed
	names, err := o.Storage.List(ctx, runID+"@")
	if err != nil {
		return out, fmt.Errorf("list the outbox of run %s: %w", runID, err)
	}
	var errs []error
	for _, name := range names {
		if err := o.replayOne(ctx, name, runID, resolve, &out); err != nil {
			errs = append(errs, fmt.Errorf("outbox entry %s: %w", name, err))
		}
	}
	return out, errors.Join(errs...)
}

func (o *Outbox) replayOne(ctx context.Context, name, runID string, resolve Resolver, out *Replayed) error {
	data, err := o.Storage.Get(ctx, name)
	if err != nil {
		return err
	}
	var e entry
	if err := record.DecodeStrict(data, &e); err != nil {
		return err
	}
	if e.Version != entryVersion || !strings.HasPrefix(name, e.Record.RunID+"@") || e.Record.RunID != runID {
		return fmt.Errorf("expected version %s and run %s, found version %.20q and run %.140q", entryVersion, runID, e.Version, e.Record.RunID)
	}
	finished, committed, err := resolve(ctx, e.Record)
	if err != nil {
		return fmt.Errorf("look the commit up: %w", err)
	}
	if !committed {
		out.Pending = append(out.Pending, e.Record)
		return nil
	}
	appended, err := o.Complete(ctx, finished)
	if appended.LeafHash != "" {
		out.Recorded = append(out.Recorded, appended)
	}
	return err
}
