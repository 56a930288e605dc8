package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Mode is what a commit does with the rows that the table holds.
type Mode string

const (
	// Append keeps them.
	Append Mode = "Append"
	// Overwrite replaces all of them.
	Overwrite Mode = "Overwrite"
	// Upsert replaces those whose key is in the new rows, and adds the others.
	Upsert Mode = "Upsert"
)

// maxCommitTries and maxCommitTime bound the commit loop.
const (
	maxCommitTries = 200
	maxCommitTime  = 10 * time.Minute
)

// CommitRequest is one commit: all of its files become visible at once, exactly once per token.
type CommitRequest struct {
	Mode  Mode
	Files []FileSet
	// Token names the run. A second commit with the same token changes nothing and answers with the first one's snapshot.
	Token string
	// Writer names who commits over many runs, the pipelineID. Its last token outlives snapshot expiry.
	Writer string
	// Properties are added to the snapshot's summary.
	Properties map[string]string
	// KeyColumns decide which rows an Upsert replaces. Empty takes the table's identifier fields.
	KeyColumns []string
	// Processed are source files that this commit brings in; ProcessedFiles of the Writer returns them from then on.
	Processed []ProcessedFile
	// BeforeTry, when set, is asked before each try: an error ends the commit (a newer attempt has begun).
	BeforeTry func(context.Context) error
}

// CommitResult is what a commit did.
type CommitResult struct {
	SnapshotID int64
	// Replayed says that an earlier commit of the same token was found and nothing was written.
	Replayed bool
	// Tries counts how often the catalog was asked.
	Tries int
	// Committed is when the snapshot was made.
	Committed time.Time
	// RowsReplaced is the number of rows that an Upsert replaced.
	RowsReplaced int64
}

func (r CommitRequest) validate() error {
	switch {
	case r.Token == "":
		return errors.New("a commit needs a token: it is what makes a retry safe")
	case r.Mode != Append && r.Mode != Overwrite && r.Mode != Upsert:
		return fmt.Errorf("commit mode is %q; expected %s, %s or %s", r.Mode, Append, Overwrite, Upsert)
	case len(r.Processed) > 0 && r.Writer == "":
		return errors.New("processed files are kept per writer; set Writer")
	}
	return nil
}

// Commit makes the files visible, once. Each try looks for the token in the very metadata that the catalog's
// compare-and-swap asserts, so a token found there cannot be committed again, and one not found cannot have been.
// Errors: *BadData (duplicate keys of an upsert), *Refusal, and *CommitError, which says whether the outcome is known.
// Data files are never removed here; see Discard.
func Commit(ctx context.Context, t *Table, req CommitRequest) (CommitResult, error) {
	if err := req.validate(); err != nil {
		return CommitResult{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxCommitTime)
	defer cancel()
	c := &committer{table: t, req: req}
	var unknown bool
	var last error
	for try := 1; try <= maxCommitTries; try++ {
		result, err := c.try(ctx)
		result.Tries = try
		switch {
		case err == nil:
			return result, nil
		case errors.Is(err, errConflict):
			last = err
		case errors.Is(err, errUnknown):
			unknown, last = true, err
		default:
			return result, c.fail(unknown, try, err)
		}
		if err := sleep(ctx, backoff(try)); err != nil {
			return result, &CommitError{Unknown: unknown, Attempts: try, Err: errors.Join(err, last)}
		}
	}
	return CommitResult{}, &CommitError{Unknown: unknown, Attempts: maxCommitTries, Err: last}
}

var (
	// errConflict is a try that the catalog certainly did not accept.
	errConflict = errors.New("another commit came first")
	// errUnknown is a try whose outcome the catalog did not tell.
	errUnknown = errors.New("the outcome of the commit is unknown")
)

type committer struct {
	table  *Table
	req    CommitRequest
	upsert *upsert
}

// fail keeps an earlier unknown outcome visible: a later definite error does not settle it.
func (c *committer) fail(unknown bool, tries int, err error) error {
	if unknown {
		return &CommitError{Unknown: true, Attempts: tries, Err: err}
	}
	return err
}

func (c *committer) try(ctx context.Context) (CommitResult, error) {
	now, err := c.table.Reload(ctx)
	if err != nil {
		return CommitResult{}, err
	}
	meta := now.Metadata()
	files, err := decodeAll(c.req.Files, meta)
	if err != nil {
		return CommitResult{}, err
	}
	if id, found, err := findToken(meta, c.req.Token, c.req.Writer); err != nil || found {
		return CommitResult{SnapshotID: id, Replayed: found, Committed: snapshotTime(meta, id)}, err
	}
	if c.req.BeforeTry != nil {
		if err := c.req.BeforeTry(ctx); err != nil {
			return CommitResult{}, fmt.Errorf("the commit was called off: %w", err)
		}
	}
	log := newFileLog()
	logged := &Table{catalog: now.catalog, ident: now.ident, inner: log.over(now.inner, now.catalog.inner)}
	tx := logged.inner.NewTransaction()
	replaced, err := c.stage(ctx, logged, tx, files)
	if err != nil {
		return CommitResult{}, errors.Join(err, now.removeFiles(ctx, log.paths()))
	}
	committed, err := tx.Commit(ctx)
	switch {
	case err == nil || committed != nil && committed.MetadataLocation() != now.inner.MetadataLocation():
		head := committed.CurrentSnapshot()
		return CommitResult{SnapshotID: head.SnapshotID, Committed: time.UnixMilli(head.TimestampMs), RowsReplaced: replaced}, nil
	case definite(err):
		return CommitResult{}, errors.Join(errConflict, err, now.removeFiles(ctx, log.paths()))
	}
	return CommitResult{}, errors.Join(errUnknown, err)
}

// definite says whether the catalog certainly refused. iceberg-go marks a lost compare-and-swap, but reports a failed
// requirement of an SQL catalog as plain text.
func definite(err error) bool {
	return errors.Is(err, table.ErrCommitFailed) || errors.Is(err, table.ErrCommitDiverged) ||
		strings.Contains(strings.ToLower(err.Error()), "requirement failed")
}

func snapshotTime(meta table.Metadata, id int64) time.Time {
	if s := meta.SnapshotByID(id); s != nil {
		return time.UnixMilli(s.TimestampMs)
	}
	return time.Time{}
}

// stage puts the snapshot, the writer's token and the assertion on main into the transaction.
func (c *committer) stage(ctx context.Context, t *Table, tx *table.Transaction, files []iceberg.DataFile) (replaced int64, err error) {
	summary := iceberg.Properties(maps.Clone(c.req.Properties))
	if summary == nil {
		summary = iceberg.Properties{}
	}
	summary[SummaryToken] = c.req.Token
	if c.req.Writer != "" {
		summary[SummaryWriter] = c.req.Writer
	}
	processed, err := writeProcessed(ctx, t, c.req)
	if err != nil {
		return 0, err
	}
	if processed != "" {
		summary[SummaryProcessed] = processed
	}
	// Pins main: iceberg-go must not replay the commit on another base by itself, whatever the table's properties say.
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return 0, err
	}
	switch c.req.Mode {
	case Append:
		err = stageAppend(ctx, tx, files, summary)
	case Overwrite:
		err = stageOverwrite(ctx, t, tx, files, summary)
	case Upsert:
		replaced, err = c.stageUpsert(ctx, t, tx, files, summary)
	}
	if err != nil || c.req.Writer == "" {
		return replaced, err
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return replaced, err
	}
	head := staged.CurrentSnapshot()
	last := lastCommit{Token: c.req.Token, Snapshot: strconv.FormatInt(head.SnapshotID, 10), Sequence: strconv.FormatInt(head.SequenceNumber, 10), Processed: processed}
	if processed == "" {
		last.Processed, err = processedPath(t.Metadata(), c.req.Writer)
	}
	return replaced, errors.Join(err, tx.SetProperties(iceberg.Properties{propertyWriterPrefix + c.req.Writer: last.encode()}))
}

func stageAppend(ctx context.Context, tx *table.Transaction, files []iceberg.DataFile, summary iceberg.Properties) error {
	if len(files) == 0 {
		// A run of no rows commits too: its token and its processed files have to be kept.
		return tx.AddFiles(ctx, nil, summary, false)
	}
	return tx.AddDataFiles(ctx, files, summary)
}

// stageOverwrite replaces every live file, delete files too: none may stay behind and count.
func stageOverwrite(ctx context.Context, t *Table, tx *table.Transaction, files []iceberg.DataFile, summary iceberg.Properties) error {
	live, err := t.liveFiles(ctx)
	if err != nil {
		return err
	}
	if len(live.data) == 0 && len(live.deletes) == 0 {
		return stageAppend(ctx, tx, files, summary)
	}
	return tx.ReplaceFiles(ctx, live.data, files, live.deletes, summary)
}
