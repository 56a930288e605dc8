package lakehouse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/stretchr/testify/require"
)

// TestModel runs random histories of append, overwrite, upsert and evolution by two writers against a Go map, and reads the
// table back after each step and, at the end, every snapshot. SEED repeats a history, HISTORIES runs more of them.
func TestModel(t *testing.T) {
	histories, err := strconv.Atoi(os.Getenv("HISTORIES"))
	if err != nil {
		histories = 3
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	layouts := [][]v1alpha1.PartitionField{nil, partitionBy("id", "bucket[3]"), {{Source: "name", Transform: "identity"}, {Source: "id", Transform: "truncate[50]"}}}
	for i := range histories {
		s := seed + uint64(i)
		t.Run(fmt.Sprintf("SEED=%d", s), func(t *testing.T) { runHistory(t, s, layouts[i%len(layouts)]) })
	}
}

type history struct {
	t     *testing.T
	rng   *rand.Rand
	spec  v1alpha1.IcebergTableSpec
	lake  *lake
	table *Table
	rows  map[int64]row
	past  map[int64]map[int64]row
	step  int
}

func runHistory(t *testing.T, seed uint64, partitions []v1alpha1.PartitionField) {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 1)), spec: rowsSpec("t"), lake: newLake(t), rows: map[int64]row{}, past: map[int64]map[int64]row{}}
	h.spec.PartitionSpec = partitions
	h.table = h.lake.ensure(t, h.spec)
	for h.step = range 24 {
		switch h.rng.IntN(8) {
		case 0, 1:
			h.append()
		case 2:
			h.overwrite()
		case 3, 4, 5:
			h.upsert()
		case 6:
			h.race()
		case 7:
			h.evolve()
		}
		h.check(ScanRequest{}, h.rows)
	}
	for id, rows := range h.past {
		h.check(ScanRequest{SnapshotID: id, Columns: []string{"id", "name"}}, rows)
	}
}

func (h *history) draw(n int, pick func() (int64, bool)) (out []row) {
	seen := map[int64]bool{}
	for range n {
		id, ok := pick()
		if ok && !seen[id] {
			seen[id] = true
			out = append(out, row{id, fmt.Sprint("n", id%4), int32(h.rng.IntN(1000))})
		}
	}
	return out
}

func (h *history) fresh() (int64, bool) {
	id := h.rng.Int64N(300)
	_, taken := h.rows[id]
	return id, !taken
}

func (h *history) any() (int64, bool) { return h.rng.Int64N(300), true }

func (h *history) files(rows []row) []FileSet {
	var sets []FileSet
	// Several files, as parallel shards leave them.
	for half := range 2 {
		part := rows[len(rows)*half/2 : len(rows)*(half+1)/2]
		if len(part) > 0 {
			sets = append(sets, write(h.t, h.table, rowsReader(part...)))
		}
	}
	return sets
}

func (h *history) commit(req CommitRequest) {
	res := commit(h.t, h.table, req)
	if h.rng.IntN(4) == 0 {
		require.True(h.t, commit(h.t, h.table, req).Replayed)
	}
	copied := map[int64]row{}
	for id, r := range h.rows {
		copied[id] = r
	}
	h.past[res.SnapshotID] = copied
}

func (h *history) put(rows []row) {
	for _, r := range rows {
		h.rows[r.id] = r
	}
}

func (h *history) token(kind string) string { return fmt.Sprint(kind, h.step) }

func (h *history) append() {
	rows := h.draw(30, h.fresh)
	h.put(rows)
	h.commit(CommitRequest{Mode: Append, Files: h.files(rows), Token: h.token("a"), Writer: "w"})
}

func (h *history) overwrite() {
	rows := h.draw(20, h.any)
	h.rows = map[int64]row{}
	h.put(rows)
	h.commit(CommitRequest{Mode: Overwrite, Files: h.files(rows), Token: h.token("o"), Writer: "w"})
}

func (h *history) upsert() {
	rows := h.draw(40, h.any)
	h.put(rows)
	h.commit(CommitRequest{Mode: Upsert, Files: h.files(rows), Token: h.token("u"), Writer: "w"})
}

// race lets a second writer append between the first's search for keys and its commit, so that the first must try again
// and find the second's rows too.
func (h *history) race() {
	mine := h.draw(30, h.any)
	var theirs []row
	for _, r := range mine {
		if _, taken := h.rows[r.id]; !taken {
			theirs = append(theirs, row{r.id, r.name, -1})
		}
	}
	req := CommitRequest{Mode: Upsert, Files: h.files(mine), Token: h.token("r"), Writer: "w"}
	tries := 0
	req.BeforeTry = func(ctx context.Context) error {
		if tries++; tries > 1 || len(theirs) == 0 {
			return nil
		}
		_, err := appendRows(ctx, h.table, h.token("other"), theirs...)
		return err
	}
	h.put(mine)
	res := commit(h.t, h.table, req)
	if len(theirs) > 0 {
		require.Equal(h.t, 2, res.Tries)
		require.GreaterOrEqual(h.t, res.RowsReplaced, int64(len(theirs)))
	}
}

func (h *history) evolve() {
	h.spec.Schema.Fields = append(h.spec.Schema.Fields, v1alpha1.SchemaField{Name: fmt.Sprint("x", h.step), Type: "string"})
	h.lake.ensure(h.t, h.spec)
	var err error
	h.table, err = h.table.Reload(h.t.Context())
	require.NoError(h.t, err)
}

func (h *history) check(req ScanRequest, want map[int64]row) {
	if req.Columns == nil {
		req.Columns = []string{"id", "name", "v"}
	}
	var expect []string
	for _, r := range want {
		if len(req.Columns) == 2 {
			expect = append(expect, fmt.Sprintf("%d|%s", r.id, r.name))
		} else {
			expect = append(expect, fmt.Sprintf("%d|%s|%d", r.id, r.name, r.v))
		}
	}
	require.ElementsMatch(h.t, expect, readRows(h.t, h.table, req), "step %d", h.step)
	if req.SnapshotID == 0 {
		now, err := h.table.Reload(h.t.Context())
		require.NoError(h.t, err)
		require.EqualValues(h.t, len(want), now.State().Rows, "the metadata counts the rows")
	}
}

// TestUpsertInPasses has more keys than are held at once.
func TestUpsertInPasses(t *testing.T) {
	l := newLake(t)
	tbl := l.ensure(t, rowsSpec("t"))
	var old, new []row
	for i := range 300 {
		old = append(old, row{int64(i), "old", 0})
		new = append(new, row{int64(i * 2), "new", 1})
	}
	_, err := appendRows(t.Context(), tbl, "old", old...)
	require.NoError(t, err)
	files, err := decodeAll([]FileSet{write(t, tbl, rowsReader(new...))}, tbl.Metadata())
	require.NoError(t, err)
	now, err := tbl.Reload(t.Context())
	require.NoError(t, err)
	for _, passes := range []int{1, 2, 7} {
		u, err := newUpsert(now.Metadata(), nil, files)
		require.NoError(t, err)
		u.passes = passes
		scan, err := now.scan(ScanRequest{})
		require.NoError(t, err)
		live, err := scan.PlanFiles(t.Context())
		require.NoError(t, err)
		require.NoError(t, u.search(t.Context(), now, live))
		require.Len(t, live, 1)
		var want []int64
		for i := int64(0); i < 300; i += 2 {
			want = append(want, i)
		}
		require.Equal(t, want, u.found[live[0].File.FilePath()], "%d passes", passes)
	}
}
