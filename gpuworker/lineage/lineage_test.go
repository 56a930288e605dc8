package lineage_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/gpuworker/lineage"
	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/server"
	"github.com/amdgpu-framework/datastack/ledger/store"
)

var ctx = context.Background()

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// box is an outbox in front of a real ledger on loopback.
func box(t *testing.T) (*lineage.Outbox, *client.Client, *httptest.Server) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("a-token-for-this-test"), 0o600))
	tokens, err := server.LoadTokens([]string{file})
	must(t, err)
	s, err := store.Open(t.TempDir(), store.Options{})
	must(t, err)
	ts := httptest.NewServer(server.New(s, server.Options{Origin: "test", Tokens: tokens, Metrics: server.NewMetrics()}).Handler())
	t.Cleanup(func() { ts.Close(); s.Close() })
	c := &client.Client{URL: ts.URL, TokenFile: file, Tries: 2, Backoff: time.Millisecond}
	return &lineage.Outbox{Storage: lineage.Folder(t.TempDir()), Ledger: c}, c, ts
}

func run(id string) lineage.Run { return lineage.Run{ID: id, PipelineID: "p"} }

func load(id, snapshot string) record.Record {
	return run(id).Load(lineage.Step{Sources: []record.Dataset{{Name: "s3://raw/x.csv"}}, Destinations: []record.Dataset{{Name: "a.b", Snapshot: snapshot}}})
}

func entries(t *testing.T, o *lineage.Outbox) []string {
	t.Helper()
	names, err := o.Storage.List(ctx, "")
	must(t, err)
	return names
}

func TestPrepareCommitComplete(t *testing.T) {
	o, _, _ := box(t)
	must(t, o.Prepare(ctx, load("r1", "")))
	if got := entries(t, o); len(got) != 1 || got[0] != "r1@Load@0.json" {
		t.Fatalf("entries %v", got)
	}
	got, err := o.Complete(ctx, load("r1", "77"))
	must(t, err)
	if got.Index != 0 || got.Duplicate || len(entries(t, o)) != 0 {
		t.Fatalf("completed as %+v, entries %v", got, entries(t, o))
	}
	if again, err := o.Complete(ctx, load("r1", "77")); err != nil || !again.Duplicate || again.LeafHash != got.LeafHash {
		t.Errorf("completing again: %+v, %v", again, err)
	}
	var conflict *lineage.ConflictError
	if _, err := o.Complete(ctx, load("r1", "78")); !errors.As(err, &conflict) || conflict.With != 0 || conflict.Index != 1 {
		t.Errorf("other snapshot under the same key: %v", err)
	}
}

func TestReplayAfterACrash(t *testing.T) {
	o, c, _ := box(t)
	committed := map[string]string{"r1/Load/0": "501"} // what storage knows
	must(t, o.Prepare(ctx, load("r1", "")))
	second := load("r1", "")
	second.Seq, second.OperationID = 1, ""
	must(t, o.Prepare(ctx, second)) // its commit never happened
	must(t, o.Prepare(ctx, load("r10", "")))
	resolve := func(_ context.Context, r record.Record) (record.Record, bool, error) {
		snapshot, ok := committed[r.OperationID]
		r.Destinations[0].Snapshot = snapshot
		return r, ok, nil
	}
	for range 2 { // a replay may be cut off and done again
		got, err := o.Replay(ctx, "r1", resolve)
		must(t, err)
		if len(got.Pending) != 1 || got.Pending[0].OperationID != "r1/Load/1" {
			t.Fatalf("pending %+v", got.Pending)
		}
	}
	answer, err := c.Lookup(ctx, "a.b", client.Query{})
	must(t, err)
	if len(answer.Rows) != 1 || !strings.Contains(string(answer.Rows[0].Envelope), `"snapshot":"501"`) {
		t.Fatalf("ledger holds %+v", answer.Rows)
	}
	if got := strings.Join(entries(t, o), " "); got != "r10@Load@0.json r1@Load@1.json" {
		t.Fatalf("entries %s", got)
	}
	must(t, o.Discard(ctx, second))
	must(t, o.Discard(ctx, second))
	if got := strings.Join(entries(t, o), " "); got != "r10@Load@0.json" {
		t.Fatalf("entries after discarding %s", got)
	}
}

func TestUnreachableLedgerKeepsTheEntry(t *testing.T) {
	o, _, ts := box(t)
	must(t, o.Prepare(ctx, load("r1", "")))
	ts.Close()
	if _, err := o.Complete(ctx, load("r1", "1")); err == nil || !strings.Contains(err.Error(), "after 2 tries") {
		t.Errorf("expected an error after 2 tries, got %v", err)
	}
	if len(entries(t, o)) != 1 {
		t.Error("the entry is gone, and no ledger has the record")
	}
}

func TestReplayErrorsKeepEntries(t *testing.T) {
	o, _, _ := box(t)
	must(t, o.Prepare(ctx, load("r1", "")))
	must(t, o.Storage.Put(ctx, "r1@Load@1.json", []byte("{")))
	must(t, o.Storage.Put(ctx, "r1@Load@2.json", []byte(`{"version":"9","record":{"runID":"r1"}}`)))
	unknown := errors.New("catalog unreachable")
	_, err := o.Replay(ctx, "r1", func(context.Context, record.Record) (record.Record, bool, error) {
		return record.Record{}, false, unknown
	})
	if !errors.Is(err, unknown) || !strings.Contains(err.Error(), "r1@Load@1.json") || !strings.Contains(err.Error(), "version") {
		t.Errorf("expected all three errors, got %v", err)
	}
	if len(entries(t, o)) != 3 {
		t.Errorf("entries %v", entries(t, o))
	}
	if err := o.Prepare(ctx, record.Record{}); err == nil {
		t.Error("an invalid record was prepared")
	}
}

func TestWrongTokenIsNotRetried(t *testing.T) {
	o, c, _ := box(t)
	must(t, os.WriteFile(c.TokenFile, []byte("another-token-entirely"), 0o600))
	var status *client.StatusError
	if _, err := o.Complete(ctx, load("r1", "1")); !errors.As(err, &status) || status.Status != 401 || strings.Contains(err.Error(), "tries") {
		t.Errorf("got %v", err)
	}
}

func TestFolderRefusesPaths(t *testing.T) {
	f := lineage.Folder(t.TempDir())
	for _, name := range []string{"", "a/b", "..", ".hidden", "../x"} {
		if err := f.Put(ctx, name, nil); err == nil {
			t.Errorf("%q: written", name)
		}
	}
	if _, err := f.Get(ctx, "missing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	must(t, f.Put(ctx, "big", make([]byte, 1<<20+1)))
	if _, err := f.Get(ctx, "big"); err == nil {
		t.Error("an entry over the bound was read")
	}
	gone := lineage.Folder(filepath.Join(t.TempDir(), "no"))
	if err := gone.Put(ctx, "x", nil); err == nil {
		t.Error("a folder that does not exist was written")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := f.Put(ended, "x", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDataHash(t *testing.T) {
	a := lineage.File{Path: "s3://b/a.parquet", Size: 3, SHA256: sha256.Sum256([]byte("abc"))}
	b := lineage.File{Path: "s3://b/b c", Size: 0, SHA256: sha256.Sum256(nil)}
	lines := `"s3://b/b c" 0 ` + hex.EncodeToString(b.SHA256[:]) + "\n" + "s3://b/a.parquet 3 " + hex.EncodeToString(a.SHA256[:]) + "\n"
	sum := sha256.Sum256([]byte(lines))
	files := []lineage.File{a, b}
	for range 3 {
		if got := lineage.DataHash(files); got != hex.EncodeToString(sum[:]) {
			t.Errorf("%v: %s", files, got)
		}
		rand.Shuffle(2, func(i, j int) { files[i], files[j] = files[j], files[i] })
	}
	if got := lineage.DataHash(nil); got != "" {
		t.Errorf("of no files: %q", got)
	}
}

func TestTransformationHash(t *testing.T) {
	steps := []lineage.StepText{{Name: "clean", Type: "polars", Text: "input.filter(pl.col('a') < 3)", Engine: "polars", EngineVersion: "1.36"}}
	canonical := `[{"engine":"polars","engineVersion":"1.36","name":"clean","text":"input.filter(pl.col('a') < 3)","type":"polars"}]`
	sum := sha256.Sum256([]byte(canonical))
	if got, err := lineage.TransformationHash(steps); err != nil || got != hex.EncodeToString(sum[:]) {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := lineage.TransformationHash(nil); err != nil || got != "" {
		t.Errorf("of no steps: %q, %v", got, err)
	}
	steps[0].Text = "\xff"
	if _, err := lineage.TransformationHash(steps); err == nil {
		t.Error("text that is not UTF-8 was hashed")
	}
}

func TestBuildersMakeValidRecords(t *testing.T) {
	r, rows := run("r"), uint64(9)
	step := lineage.Step{Sources: []record.Dataset{{Name: "a.b"}}, Rows: &rows}
	for want, got := range map[record.Type]record.Record{
		record.Extract: r.Extract(step), record.Transform: r.Transform(step), record.Load: r.Load(step),
		record.TableCreation: r.TableCreation(0, record.Dataset{Name: "a.b"}, "0"),
		record.SchemaChange:  r.SchemaChange(1, record.Dataset{Name: "a.b", Snapshot: "schema-0"}, record.Dataset{Name: "a.b", Snapshot: "schema-1"}, "add x"),
	} {
		if err := got.Validate(); err != nil || got.Type != want || got.User != record.UnverifiedUser || got.PipelineID != "p" {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
}
