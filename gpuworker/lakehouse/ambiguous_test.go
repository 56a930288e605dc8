package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"github.com/stretchr/testify/require"
)

// lossyCatalog is a real catalog behind a connection that fails: before the commit arrives, or after, when the answer is
// lost.
type lossyCatalog struct {
	catalog.Catalog
	applied []bool // what happens to the next commits: applied and the answer lost, or lost on the way
	calls   int
}

var errLost = errors.New("connection reset by peer")

func (c *lossyCatalog) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	c.calls++
	if len(c.applied) == 0 {
		return c.Catalog.CommitTable(ctx, ident, reqs, updates)
	}
	apply := c.applied[0]
	c.applied = c.applied[1:]
	if apply {
		if _, _, err := c.Catalog.CommitTable(ctx, ident, reqs, updates); err != nil {
			return nil, "", err
		}
	}
	return nil, "", errLost
}

func TestLostAnswersCommitOnce(t *testing.T) {
	for _, mode := range []Mode{Append, Overwrite, Upsert} {
		for _, applied := range [][]bool{{true}, {false}, {false, true}, {false, false, false}} {
			t.Run(fmt.Sprint(mode, applied), func(t *testing.T) {
				l := newLake(t)
				tbl := l.ensure(t, rowsSpec("t"))
				_, err := appendRows(t.Context(), tbl, "before", row{1, "old", 0})
				require.NoError(t, err)
				set := write(t, tbl, rowsReader(row{1, "new", 1}, row{2, "new", 2}))
				lossy := &lossyCatalog{Catalog: l.inner, applied: applied}
				l.inner = lossy
				res := commit(t, tbl, CommitRequest{Mode: mode, Files: []FileSet{set}, Token: "r", Writer: "p"})
				// The last loss that was applied is found by its token, without another commit.
				require.Equal(t, applied[len(applied)-1], res.Replayed)
				want := []string{"1|new|1", "2|new|2"}
				if mode == Append {
					want = append(want, "1|old|0")
				}
				require.ElementsMatch(t, want, readRows(t, tbl, ScanRequest{}))
				now, err := tbl.Reload(t.Context())
				require.NoError(t, err)
				require.Len(t, now.Metadata().Snapshots(), 2)
			})
		}
	}
}

func TestUnknownOutcomeKeepsFiles(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 1}))
	real := l.inner
	l.inner = &lossyCatalog{Catalog: real, applied: []bool{false, true}}
	stop := errors.New("stopped")
	tries := 0
	req := CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"}
	req.BeforeTry = func(context.Context) error {
		if tries++; tries > 1 {
			return stop
		}
		return nil
	}
	_, err := Commit(t.Context(), tbl, req)
	var failed *CommitError
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Unknown)
	require.ErrorIs(t, err, stop)
	code, reason := Outcome(err)
	require.EqualValues(t, 1, code)
	require.Equal(t, ReasonCommitUnknown, reason)
	require.Len(t, filesUnder(t, l.dir, ".parquet"), 1)
	require.NotEmpty(t, filesUnder(t, l.dir, ".avro"), "what the catalog may refer to stays")

	req.BeforeTry = nil
	l.inner = real
	require.False(t, commit(t, tbl, req).Replayed)
	require.Len(t, readRows(t, tbl, ScanRequest{}), 1)
}

func TestCancelledCommitIsUnknownOnlyWhenSent(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 1}))
	ctx, cancel := context.WithCancel(t.Context())
	req := CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r", BeforeTry: func(context.Context) error { cancel(); return context.Canceled }}
	_, err := Commit(ctx, tbl, req)
	require.ErrorIs(t, err, context.Canceled)
	var failed *CommitError
	require.False(t, errors.As(err, &failed), "nothing was sent, so the outcome is known")
	require.Empty(t, readRows(t, tbl, ScanRequest{}))
}
