package lakehouse

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendOverwriteUpsertReadBack(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 10}, row{2, "b", 20}))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r1"})
	require.Equal(t, []string{"1|a|10", "2|b|20"}, readRows(t, tbl, ScanRequest{}))

	set = write(t, tbl, rowsReader(row{2, "B", 21}, row{3, "c", 30}))
	res := commit(t, tbl, CommitRequest{Mode: Upsert, Files: []FileSet{set}, Token: "r2"})
	require.EqualValues(t, 1, res.RowsReplaced)
	require.ElementsMatch(t, []string{"1|a|10", "2|B|21", "3|c|30"}, readRows(t, tbl, ScanRequest{}))
	require.ElementsMatch(t, []string{"10", "21", "30"}, readRows(t, tbl, ScanRequest{Columns: []string{"v"}}))

	set = write(t, tbl, rowsReader(row{9, "z", 90}))
	commit(t, tbl, CommitRequest{Mode: Overwrite, Files: []FileSet{set}, Token: "r3"})
	require.Equal(t, []string{"9|z|90"}, readRows(t, tbl, ScanRequest{}))
	require.ElementsMatch(t, []string{"1|a|10", "2|B|21", "3|c|30"}, readRows(t, tbl, ScanRequest{SnapshotID: res.SnapshotID}))

	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	state := now.State()
	require.EqualValues(t, 1, state.Rows)
	require.EqualValues(t, 1, state.DataFiles)
	require.EqualValues(t, 0, state.DeleteFiles)
	require.Equal(t, "overwrite", state.Operation)
}

func TestTokenCommitsOnce(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	for _, mode := range []Mode{Append, Overwrite, Upsert} {
		set := write(t, tbl, rowsReader(row{1, string(mode), 1}))
		req := CommitRequest{Mode: mode, Files: []FileSet{set}, Token: "run-" + string(mode), Writer: "p"}
		first := commit(t, tbl, req)
		second := commit(t, tbl, req)
		require.True(t, second.Replayed)
		require.Equal(t, first.SnapshotID, second.SnapshotID)
		require.False(t, second.Committed.IsZero())
	}
	require.Len(t, readRows(t, tbl, ScanRequest{}), 1)
}

func TestFileSetTravelsAsJSON(t *testing.T) {
	l := newLake(t)
	spec := rowsSpec("t")
	spec.PartitionSpec = partitionBy("v", "bucket[4]")
	tbl := l.ensure(t, spec)
	var sets []FileSet
	for shard := range 3 {
		set := write(t, tbl, rowsReader(row{int64(shard), "s", int32(shard)}, row{int64(shard + 10), "s", int32(shard + 7)}))
		data, err := json.Marshal(set)
		require.NoError(t, err)
		var back FileSet
		require.NoError(t, json.Unmarshal(data, &back))
		sets = append(sets, back)
	}
	require.Equal(t, DataHash(sets[0], sets[1], sets[2]), DataHash(sets[2], sets[0], sets[1]))
	require.NotEqual(t, DataHash(sets[0]), DataHash(sets[1]))
	commit(t, tbl, CommitRequest{Mode: Append, Files: sets, Token: "r"})
	require.Len(t, readRows(t, tbl, ScanRequest{}), 6)
	_, err := Commit(t.Context(), tbl, CommitRequest{Mode: Append, Files: []FileSet{sets[0], sets[0]}, Token: "twice"})
	require.ErrorContains(t, err, "in two of the file sets")
}

func TestFilesOfANamesakeAreRefused(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 1}))
	require.NoError(t, l.inner.DropTable(t.Context(), tbl.ident))
	again := l.ensure(t, rowsSpec("t"))
	_, err := Commit(t.Context(), again, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, refusal.Message, "run again")
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	const writers, appends = 8, 10
	var wg sync.WaitGroup
	errs := make(chan error, writers*appends)
	for w := range writers {
		wg.Go(func() {
			for i := range appends {
				_, err := appendRows(t.Context(), tbl, fmt.Sprintf("%d-%d", w, i), row{int64(w*1000 + i), "x", int32(i)})
				if err != nil {
					errs <- err
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, readRows(t, tbl, ScanRequest{}), writers*appends)
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	require.Len(t, now.Metadata().Snapshots(), writers*appends)
	require.Len(t, filesUnder(t, l.dir, ".parquet"), writers*appends, "no data file is without a commit")
	requireNoStrayManifests(t, now, l.dir)
}

// requireNoStrayManifests compares the manifests on disk with those that snapshots name.
func requireNoStrayManifests(t *testing.T, tbl *Table, dir string) {
	t.Helper()
	fs, err := tbl.inner.FS(t.Context())
	require.NoError(t, err)
	used := map[string]bool{}
	for _, s := range tbl.Metadata().Snapshots() {
		used[mustLocal(t, s.ManifestList)] = true
		manifests, err := s.Manifests(fs)
		require.NoError(t, err)
		for _, m := range manifests {
			used[mustLocal(t, m.FilePath())] = true
		}
	}
	for _, path := range filesUnder(t, dir, ".avro") {
		require.True(t, used[path], "%s is named by no snapshot", path)
	}
}

func mustLocal(t *testing.T, uri string) string {
	t.Helper()
	path, err := localPath(uri)
	require.NoError(t, err)
	return path
}

func TestTokenOutlivesExpiryButNotRollback(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	first, err := appendRows(t.Context(), tbl, "one", row{1, "a", 1})
	require.NoError(t, err)
	second, err := appendRows(t.Context(), tbl, "two", row{2, "b", 2})
	require.NoError(t, err)

	// A rollback takes the second run's rows away, so its token counts no more.
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	tx := now.inner.NewTransaction()
	require.NoError(t, tx.RollbackToSnapshot(first.SnapshotID))
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	require.Len(t, readRows(t, tbl, ScanRequest{}), 1)
	again, err := appendRows(t.Context(), tbl, "two", row{2, "b", 2})
	require.NoError(t, err)
	require.False(t, again.Replayed)
	require.NotEqual(t, second.SnapshotID, again.SnapshotID)
	require.Len(t, readRows(t, tbl, ScanRequest{}), 2)

	// Another writer commits, and expiry takes the snapshot of "two" away: the property still knows it.
	set := write(t, tbl, rowsReader(row{3, "c", 3}))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "three", Writer: "other"})
	now, err = tbl.Reload(t.Context())
	require.NoError(t, err)
	tx = now.inner.NewTransaction()
	require.NoError(t, tx.ExpireSnapshots(tableRetainLast(1), tableOlderThanNow()))
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	now, err = tbl.Reload(t.Context())
	require.NoError(t, err)
	require.Nil(t, now.Metadata().SnapshotByID(again.SnapshotID))
	replay, err := appendRows(t.Context(), tbl, "two", row{2, "b", 2})
	require.NoError(t, err)
	require.True(t, replay.Replayed)
	require.Equal(t, again.SnapshotID, replay.SnapshotID)
	require.Len(t, readRows(t, tbl, ScanRequest{}), 3)
}

func TestEmptyRunCommitsItsToken(t *testing.T) {
	for _, mode := range []Mode{Append, Overwrite, Upsert} {
		t.Run(string(mode), func(t *testing.T) {
			l := newLake(t)
			tbl := l.ensure(t, rowsSpec("t"))
			req := CommitRequest{Mode: mode, Token: "empty", Writer: "p", Processed: []ProcessedFile{{Path: "header-only.csv", Size: 3}}}
			require.False(t, commit(t, tbl, req).Replayed)
			require.True(t, commit(t, tbl, req).Replayed)
			now, err := tbl.Reload(t.Context())
			require.NoError(t, err)
			files, err := ProcessedFiles(t.Context(), now, "p")
			require.NoError(t, err)
			require.Equal(t, req.Processed, files)
		})
	}
	t.Run("overwrite with nothing empties the table", func(t *testing.T) {
		l := newLake(t)
		tbl := l.ensure(t, rowsSpec("t"))
		_, err := appendRows(t.Context(), tbl, "one", row{1, "a", 1})
		require.NoError(t, err)
		commit(t, tbl, CommitRequest{Mode: Overwrite, Token: "two"})
		require.Empty(t, readRows(t, tbl, ScanRequest{}))
	})
}

func TestProcessedFilesChainAndCompact(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	const runs = 2*maxProcessedChain + 3
	for i := range runs {
		commit(t, tbl, CommitRequest{Mode: Append, Token: "r" + strconv.Itoa(i), Writer: "p", Processed: []ProcessedFile{{Path: fmt.Sprintf("f%03d", i), Size: 1, ETag: "e"}}})
		// Another pipeline, and a run without files, must not hide the state.
		commit(t, tbl, CommitRequest{Mode: Append, Token: "q" + strconv.Itoa(i), Writer: "q"})
	}
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	files, err := ProcessedFiles(t.Context(), now, "p")
	require.NoError(t, err)
	require.Len(t, files, runs)
	other, err := ProcessedFiles(t.Context(), now, "q")
	require.NoError(t, err)
	require.Empty(t, other)

	// After expiry of all but the newest snapshot the state is still known.
	tx := now.inner.NewTransaction()
	require.NoError(t, tx.ExpireSnapshots(tableRetainLast(1), tableOlderThanNow()))
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	now, err = tbl.Reload(t.Context())
	require.NoError(t, err)
	files, err = ProcessedFiles(t.Context(), now, "p")
	require.NoError(t, err)
	require.Len(t, files, runs)
}

func TestCommitRefusals(t *testing.T) {
	l := newLake(t)
	plain := l.ensure(t, tableSpec("plain", "id long required", "name string", "v int"))
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 1}))
	plainSet := write(t, plain, rowsReader(row{1, "a", 1}))
	dup := write(t, tbl, rowsReader(row{7, "a", 1}, row{8, "b", 1}, row{7, "c", 1}))
	stop := errors.New("a newer attempt has begun")
	for name, tc := range map[string]struct {
		table *Table
		req   CommitRequest
		want  string
	}{
		"no token":        {tbl, CommitRequest{Mode: Append}, "needs a token"},
		"unknown mode":    {tbl, CommitRequest{Mode: "Merge", Token: "x"}, `"Merge"`},
		"no writer":       {tbl, CommitRequest{Mode: Append, Token: "x", Processed: []ProcessedFile{{Path: "f"}}}, "set Writer"},
		"no identifier":   {plain, CommitRequest{Mode: Upsert, Token: "x", Files: []FileSet{plainSet}}, "no identifierFields"},
		"unknown key":     {tbl, CommitRequest{Mode: Upsert, Token: "x", Files: []FileSet{set}, KeyColumns: []string{"nope"}}, "the table has: id, name, v"},
		"duplicate key":   {tbl, CommitRequest{Mode: Upsert, Token: "x", Files: []FileSet{dup}}, "the key id=7 comes twice"},
		"called off":      {tbl, CommitRequest{Mode: Append, Token: "x", Files: []FileSet{set}, BeforeTry: func(contextT) error { return stop }}, "a newer attempt has begun"},
		"another table's": {plain, CommitRequest{Mode: Append, Token: "x", Files: []FileSet{set}}, "the files were written for table"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Commit(t.Context(), tc.table, tc.req)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, readRows(t, tc.table, ScanRequest{}))
		})
	}
	require.NoError(t, Discard(t.Context(), tbl, set, dup))
	require.Len(t, filesUnder(t, l.dir, ".parquet"), 1, "only the file of the other table is left")
}

func TestDiscardKeepsWhatWasCommitted(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	set := write(t, tbl, rowsReader(row{1, "a", 1}))
	commit(t, tbl, CommitRequest{Mode: Append, Files: []FileSet{set}, Token: "r"})
	require.ErrorContains(t, Discard(t.Context(), tbl, set), "its commit succeeded after all")
	require.Len(t, readRows(t, tbl, ScanRequest{}), 1)
}
