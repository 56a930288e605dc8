package run_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// input is what DuckDB reads directly, with the same types as the runs declare.
const input = "read_csv('@in/*.csv', columns={'id':'BIGINT','carrier':'VARCHAR','delay':'INTEGER','distance':'INTEGER','fare':'DOUBLE','day':'DATE','note':'VARCHAR'}, header=true)"

// declared are the same columns for a source.
func declared(f *v1alpha1.FilesSource) {
	for _, c := range [][2]string{{"id", "long"}, {"carrier", "string"}, {"delay", "int"}, {"distance", "int"}, {"fare", "double"}, {"day", "date"}, {"note", "string"}} {
		f.Columns = append(f.Columns, v1alpha1.Column{Name: c[0], Type: c[1]})
	}
}

// chains have an answer that DuckDB computes from the files directly.
var chains = map[string]struct {
	steps []v1alpha1.Transformation
	want  string
}{
	"no step": {nil, "FROM " + input},
	"filter and enrich": {
		[]v1alpha1.Transformation{filter("delay > 10 AND note LIKE '%3%'"), enrich(csvFrom("carriers.csv"), "carrier")},
		"SELECT f.*, c.name FROM " + input + " f LEFT JOIN '@carriers.csv' c ON f.carrier = c.carrier WHERE delay > 10 AND note LIKE '%3%'"},
	"row-wise scripts": {
		[]v1alpha1.Transformation{datafusion("sql", "SELECT id, delay * 2 AS twice, fare FROM input WHERE delay IS NOT NULL", yes()), polars("script", "input.with_columns(half=pl.col('fare') / 2).filter(pl.col('half') > 100)", yes())},
		"SELECT id, (delay * 2)::BIGINT AS twice, fare, fare / 2 AS half FROM " + input + " WHERE delay IS NOT NULL AND fare / 2 > 100"},
	"aggregate after a filter": {
		[]v1alpha1.Transformation{filter("delay IS NOT NULL"), aggregate([]string{"carrier"}, v1alpha1.Measure{Name: "flights", Expression: "count(*)"}, v1alpha1.Measure{Name: "worst", Expression: "max(delay)"}, v1alpha1.Measure{Name: "paid", Expression: "sum(fare)"})},
		"SELECT carrier, count(*), max(delay), sum(fare) FROM " + input + " WHERE delay IS NOT NULL GROUP BY carrier"},
	"datafusion over all": {
		[]v1alpha1.Transformation{datafusion("sql", "SELECT carrier, count(*) AS n, sum(distance) AS way, row_number() OVER (ORDER BY count(*) DESC, carrier) AS place FROM input GROUP BY carrier", nil)},
		"SELECT carrier, count(*), sum(distance), row_number() OVER (ORDER BY count(*) DESC, carrier) FROM " + input + " GROUP BY carrier"},
	"polars over all, then SQL": {
		[]v1alpha1.Transformation{enrich(csvFrom("carriers.csv"), "carrier"), polars("script", "input.group_by('name', 'day').agg(pl.len().alias('n'), pl.col('fare').sum())", nil), filter("n > 3")},
		"SELECT name, day, count(*) AS n, sum(fare) FROM " + input + " f LEFT JOIN '@carriers.csv' c ON f.carrier = c.carrier GROUP BY ALL HAVING n > 3"},
}

func TestChainsGiveWhatDuckDBComputes(t *testing.T) {
	p := newPlace(t)
	p.flights(4000, 3) // fewer files than shards: one shard has nothing to read
	for name, tc := range chains {
		t.Run(name, func(t *testing.T) {
			p.t = t
			want := p.query(tc.want)
			require.NotEmpty(t, want)
			for _, way := range []struct {
				name     string
				shards   int32
				byPhases bool
			}{{"one", 1, false}, {"four", 4, false}, {"phases", 4, true}} {
				id := way.name + "-" + string(rune('a'+len(name)))
				spec := p.order(id, csvFrom("in/*.csv", declared), filesTo("out/"+id, ""), tc.steps...)
				spec.Pipeline.Parallelism = way.shards
				do := p.must
				if way.byPhases {
					do = p.mustByPhases
				}
				result := do(spec)
				require.Equal(t, want, p.query("FROM read_parquet('@out/"+id+"/*.parquet')"), way.name)
				require.EqualValues(t, 4000, result.RowsRead)
				require.EqualValues(t, len(want), result.RowsWritten)
				var steps []string
				for _, r := range result.Receipts {
					steps = append(steps, r.Step)
				}
				expect := []string{"source"}
				for _, s := range tc.steps {
					expect = append(expect, s.Name)
				}
				require.Equal(t, append(expect, "destination"), steps)
			}
		})
	}
}

func TestWholeInputOverAnIcebergTable(t *testing.T) {
	p := newPlace(t)
	p.flights(1000, 3)
	p.table("flights", nil, "id long", "carrier string", "delay int", "distance int", "fare double", "day date", "note string")
	chain := []v1alpha1.Transformation{filter("delay > 0"), aggregate([]string{"carrier"}, v1alpha1.Measure{Name: "n", Expression: "count(*)"})}

	empty := p.order("empty", tableFrom("flights"), filesTo("empty", ""), chain...)
	empty.Pipeline.Parallelism = 3
	require.Zero(t, p.mustByPhases(empty).RowsWritten)

	for i := range 3 { // three snapshots, so three data files
		p.must(p.order("load"+string(rune('0'+i)), csvFrom("in/f"+string(rune('0'+i))+".csv", declared), tableTo("flights", "")))
	}
	want := p.query("SELECT carrier, count(*) FROM " + input + " WHERE delay > 0 GROUP BY carrier")
	for _, shards := range []int32{1, 2, 7} {
		id := "n" + string(rune('0'+shards))
		spec := p.order(id, tableFrom("flights"), filesTo("sum/"+id, ""), chain...)
		spec.Pipeline.Parallelism = shards
		p.mustByPhases(spec)
		require.Equal(t, want, p.query("FROM read_parquet('@sum/"+id+"/*.parquet')"))
	}
}

func TestAShardWhoseRowsAreAllRejected(t *testing.T) {
	p := newPlace(t)
	p.file("in/a.csv", "id,v\n1,2\n3,4\n")
	p.file("in/b.csv", "id,v\nx,2\ny,4\n")
	three := int64(3)
	source := csvFrom("in/*.csv", func(f *v1alpha1.FilesSource) {
		f.MaxRejects = &three
		f.Columns = []v1alpha1.Column{{Name: "id", Type: "long"}, {Name: "v", Type: "long"}}
	})
	for name, chain := range map[string][]v1alpha1.Transformation{
		"rows": {filter("id > 0")}, "whole": {aggregate(nil, v1alpha1.Measure{Name: "id", Expression: "sum(id)::BIGINT"}, v1alpha1.Measure{Name: "v", Expression: "sum(v)::BIGINT"})},
	} {
		spec := p.order(name, source, filesTo(name, ""), chain...)
		spec.Pipeline.Parallelism = 2
		result := p.mustByPhases(spec)
		require.EqualValues(t, 2, result.RowsRead)
		require.EqualValues(t, 2, result.RowsRejected)
		require.Contains(t, result.Message, "rejects-1.ndjson")
		want := map[string][]string{"rows": {"1|2", "3|4"}, "whole": {"4|6"}}[name]
		require.Equal(t, want, p.query("FROM read_parquet('@"+name+"/*.parquet')"))
	}

	// Each shard is below the limit, and all together are above it.
	one := int64(1)
	p.file("in/a.csv", "id,v\n1,2\nz,4\n")
	p.file("in/b.csv", "id,v\nx,2\n2,4\n")
	source.Files.MaxRejects = &one
	spec := p.order("over", source, filesTo("over", ""))
	spec.Pipeline.Parallelism = 2
	for _, phase := range []runspec.Phase{runspec.PhasePlan, runspec.PhaseWork} {
		for shard := range 2 {
			require.Equal(t, runspec.OutcomeSucceeded, p.do(spec, phase, shard).Outcome)
		}
	}
	result := p.do(spec, runspec.PhaseCommit, 0)
	require.EqualValues(t, 65, result.ExitCode)
	require.Contains(t, result.Message, "2 rows were rejected; source.files.maxRejects allows 1")
	require.Contains(t, result.Message, "rejects-0.ndjson")
	require.Contains(t, result.Message, "rejects-1.ndjson")
	require.Empty(t, p.query("SELECT * FROM glob('@over/*.parquet')"))
}
