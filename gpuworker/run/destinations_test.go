package run_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func TestTableModes(t *testing.T) {
	p := newPlace(t)
	p.table("t", []string{"id"}, "id long", "v string")
	for _, step := range []struct {
		id, content string
		mode        v1alpha1.WriteMode
		want        []string
	}{
		{"r1", "id,v\n1,a\n2,b\n", v1alpha1.WriteAppend, []string{"1|a", "2|b"}},
		{"r2", "id,v\n2,B\n3,c\n", v1alpha1.WriteUpsert, []string{"1|a", "2|B", "3|c"}},
		{"r3", "id,v\n3,C\n4,d\n", v1alpha1.WriteUpsert, []string{"1|a", "2|B", "3|C", "4|d"}},
		{"r4", "id,v\n9,z\n", v1alpha1.WriteOverwrite, []string{"9|z"}},
		{"r5", "id,v\n8,y\n", v1alpha1.WriteAppend, []string{"8|y", "9|z"}},
	} {
		p.file("in.csv", step.content)
		spec := p.order(step.id, csvFrom("in.csv"), tableTo("t", step.mode))
		first := p.must(spec)
		got, snapshots := p.rowsOf("t")
		require.Equal(t, step.want, got, step.id)
		require.NotEmpty(t, first.SnapshotID)
		require.Equal(t, first.SnapshotID, first.Table.SnapshotID)

		// The same run again changes nothing, in whatever phase it is asked.
		p.file("in.csv", "id,v\n77,never\n")
		spec.Attempt = 2
		for _, phase := range []runspec.Phase{runspec.PhaseAll, runspec.PhasePlan, runspec.PhaseCommit} {
			again := p.do(spec, phase, 0)
			require.Equal(t, runspec.OutcomeSucceeded, again.Outcome, "%+v", again)
			require.True(t, again.Replayed)
			require.Equal(t, first.SnapshotID, again.SnapshotID)
			require.Equal(t, first.RowsWritten, again.RowsWritten)
		}
		now, same := p.rowsOf("t")
		require.Equal(t, got, now)
		require.Equal(t, snapshots, same)
	}
}

func TestAnswerNeedsNeitherInputNorEngine(t *testing.T) {
	p := newPlace(t)
	p.file("in.csv", "id\n1\n")
	spec := p.order("r1", csvFrom("in.csv"), filesTo("out", ""), polars("script", "input", nil))
	p.must(spec)
	p.ownEngine("/no/such/python")
	spec.Pipeline.Source = csvFrom("gone.csv")
	require.True(t, p.must(spec).Replayed)
}

func TestFilesModes(t *testing.T) {
	p := newPlace(t)
	for _, step := range []struct {
		id, content string
		mode        v1alpha1.WriteMode
		want        []string
	}{
		{"r1", "id\n1\n", v1alpha1.WriteAppend, []string{"1"}},
		{"r2", "id\n2\n", v1alpha1.WriteAppend, []string{"1", "2"}},
		{"r3", "id\n3\n", v1alpha1.WriteOverwrite, []string{"3"}},
	} {
		p.file("in.csv", step.content)
		spec := p.order(step.id, csvFrom("in.csv"), filesTo("out", step.mode))
		p.must(spec)
		require.Equal(t, step.want, p.query("FROM read_parquet('@out/*.parquet')"))
		require.True(t, p.must(spec).Replayed)
		require.Equal(t, step.want, p.query("FROM read_parquet('@out/*.parquet')"))
	}
}

func TestByFileLoadsEachFileOnce(t *testing.T) {
	for _, shards := range []int32{1, 3} {
		p := newPlace(t)
		p.table("t", nil, "id long")
		source := csvFrom("in/*.csv", func(f *v1alpha1.FilesSource) { f.Incremental = v1alpha1.IncrementalByFile })
		do := func(id string) *runspec.RunResult {
			spec := p.order(id, source, tableTo("t", ""))
			spec.Pipeline.Parallelism = shards
			if shards == 1 {
				return p.must(spec)
			}
			return p.mustByPhases(spec)
		}
		p.file("in/a.csv", "id\n1\n2\n")
		p.file("in/b.csv", "id\n3\n")
		require.EqualValues(t, 3, do("r1").RowsWritten)
		require.Equal(t, "no new files", do("r2").Message)
		p.file("in/c.csv", "id\n4\n")
		require.EqualValues(t, 1, do("r3").RowsWritten)
		got, snapshots := p.rowsOf("t")
		require.Equal(t, []string{"1", "2", "3", "4"}, got)
		require.Equal(t, 2, snapshots)
	}
}
