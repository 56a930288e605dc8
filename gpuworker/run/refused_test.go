package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// TestBadInput says of each fault the exit code, what the message must name, and whether it was seen before any input was
// read. Nothing may be committed, and no data file may stay behind.
func TestBadInput(t *testing.T) {
	typed := func(f *v1alpha1.FilesSource) {
		f.Columns = []v1alpha1.Column{{Name: "id", Type: "long"}, {Name: "v", Type: "double"}}
	}
	to := tableTo("t", "")
	for name, tc := range map[string]struct {
		source v1alpha1.PipelineSource
		to     v1alpha1.Destination
		chain  []v1alpha1.Transformation
		python string
		code   int32
		reason string
		parts  []string
		early  bool
	}{
		"missing file":              {source: csvFrom("none/*.csv"), code: 66, reason: "NoFiles", parts: []string{"none/*.csv", "there are: bad.csv, in/a.csv"}, early: true},
		"missing second file":       {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{enrich(csvFrom("nowhere.csv"), "id")}, code: 66, reason: "NoFiles", parts: []string{"nowhere.csv"}, early: true},
		"column in filter":          {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{filter("vv > 1")}, code: 66, reason: "MissingColumn", parts: []string{"step keep", "vv", "id, v"}, early: true},
		"column in datafusion":      {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{datafusion("sql", "SELECT vv FROM input", nil)}, code: 66, reason: "MissingColumn", parts: []string{"step sql", "vv", "id, v"}, early: true},
		"column in polars":          {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{polars("script", "input.select('vv')", nil)}, code: 66, reason: "MissingColumn", parts: []string{"step script", "vv", "id, v"}, early: true},
		"column in a later step":    {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{polars("script", "input.select('id')", nil), filter("v > 1")}, code: 66, reason: "MissingColumn", parts: []string{"step keep", "v", "the columns are: id"}, early: true},
		"column in enrich":          {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{enrich(csvFrom("in/*.csv"), "key")}, code: 66, reason: "MissingColumn", parts: []string{"step names", "key", "id, v"}, early: true},
		"bad SQL":                   {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{datafusion("sql", "SELEC id FROM input", nil)}, code: 64, reason: "BadScript", parts: []string{"step sql", "SELEC"}, early: true},
		"column not in the table":   {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{datafusion("sql", "SELECT id, v AS w FROM input", nil)}, code: 65, reason: "UnknownColumn", parts: []string{`"w"`, "the table has: id, v"}, early: true},
		"type not of the table":     {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{datafusion("sql", "SELECT id, 'x' AS v FROM input", nil)}, code: 65, reason: "TypeMismatch", parts: []string{`"v"`, "cast it"}, early: true},
		"pivot may give any column": {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{polars("script", "input.collect().pivot('v', index='id', values='v').select('id', 'nope')", nil)}, code: 66, reason: "MissingColumn", parts: []string{"nope"}},
		"script fails on the rows":  {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{polars("script", "input.filter(pl.lit([1][int(input.collect()['id'].max() or 0)]) > 0)", nil)}, code: 64, reason: "BadScript", parts: []string{"step script", "IndexError"}},
		"missing engine":            {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{polars("script", "input", nil)}, python: "/no/such/python", code: 69, reason: "EngineUnavailable", parts: []string{"/no/such/python", "make engine-venv"}, early: true},
		"unknown step":              {source: csvFrom("in/*.csv"), chain: []v1alpha1.Transformation{{Name: "score", Type: v1alpha1.TransformPredict}}, code: 69, reason: "EngineUnavailable", parts: []string{"step score", "predict", "aggregate, datafusion"}, early: true},
		"missing table":             {source: csvFrom("in/*.csv"), to: tableTo("gone", ""), code: 66, reason: "TableNotFound", parts: []string{"ns.gone"}, early: true},
		"table not in the order":    {source: csvFrom("in/*.csv"), to: tableTo("unknown", ""), code: 64, reason: "TableNotGiven", parts: []string{`"unknown"`}, early: true},
		"value over the type":       {source: csvFrom("in/*.csv"), to: tableTo("narrow", ""), code: 65, parts: []string{"row 2", `"id"`, "3000000000"}},
		"null in a key":             {source: csvFrom("null.csv", typed), to: tableTo("keyed", v1alpha1.WriteUpsert), code: 65, reason: "NullInRequiredColumn", parts: []string{"row 2", `"id"`}},
		"key twice":                 {source: csvFrom("twice.csv"), to: tableTo("keyed", v1alpha1.WriteUpsert), code: 65, parts: []string{"7"}},
		"rejects over the limit":    {source: csvFrom("bad.csv", typed), code: 65, reason: "RejectedRows", parts: []string{"bad.csv line 3", "line 5", "maxRejects is 0", "rejects-0.ndjson"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.table("t", nil, "id long", "v double")
			p.table("narrow", nil, "id int", "v double")
			p.table("keyed", []string{"id"}, "id long", "v double")
			gone := p.tables["t"]
			gone.Spec.Identifier.Name = "gone"
			p.tables["gone"] = gone
			p.file("in/a.csv", "id,v\n1,2.5\n3000000000,4\n")
			p.file("null.csv", "id,v\n1,2.5\n,4\n")
			p.file("twice.csv", "id,v\n7,2.5\n7,4.5\n")
			p.file("bad.csv", "id,v\n1,2.5\nx,1\n2,2\n3\n")
			if tc.python != "" {
				p.ownEngine(tc.python)
			}
			if tc.to.Type == "" {
				tc.to = to
			}
			begun := time.Now()
			spec := p.order("r1", tc.source, tc.to, tc.chain...)
			result := p.do(spec, runspec.PhaseAll, 0)
			require.Equal(t, runspec.OutcomeFailed, result.Outcome)
			require.Equal(t, tc.code, result.ExitCode, result.Message)
			if tc.reason != "" {
				require.Equal(t, tc.reason, result.Reason)
			}
			for _, part := range tc.parts {
				require.Contains(t, result.Message, part)
			}
			require.LessOrEqual(t, len(result.Message), runspec.MaxMessageBytes)
			if tc.early {
				require.Less(t, time.Since(begun), 10*time.Second) // about one, on a machine with nothing else to do
				require.Zero(t, result.RowsRead)
				// A parallel run finds it before it starts shards.
				spec.RunID, spec.Pipeline.Parallelism = "r2", 4
				plan := p.do(spec, runspec.PhasePlan, 0)
				require.Equal(t, result.ExitCode, plan.ExitCode)
				require.Equal(t, result.Message, plan.Message)
			}
			for _, table := range []string{"t", "narrow", "keyed"} {
				_, snapshots := p.rowsOf(table)
				require.Zero(t, snapshots)
			}
			require.Empty(t, p.dataFiles())
			left, err := os.ReadDir(filepath.Join(p.dir, "scratch"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// dataFiles are the Parquet files anywhere below the volumes.
func (p *place) dataFiles() (found []string) {
	p.t.Helper()
	require.NoError(p.t, filepath.WalkDir(filepath.Join(p.dir, "volumes"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") {
			found = append(found, path)
		}
		return err
	}))
	return found
}

func TestRejectsFile(t *testing.T) {
	p := newPlace(t)
	p.file("bad.csv", "id,v\n1,2.5\nx,1\n2,2\n3\n")
	five := int64(5)
	source := csvFrom("bad.csv", func(f *v1alpha1.FilesSource) {
		f.MaxRejects = &five
		f.Columns = []v1alpha1.Column{{Name: "id", Type: "long"}, {Name: "v", Type: "double"}}
	})
	result := p.must(p.order("r1", source, filesTo("out", "")))
	require.EqualValues(t, 2, result.RowsRejected)
	_, uri, found := strings.Cut(result.Message, "rejected rows: file://")
	require.True(t, found, result.Message)
	data, err := os.ReadFile(strings.TrimSpace(uri))
	require.NoError(t, err)
	require.Contains(t, string(data), `"line":3,"column":"id"`)
	require.Contains(t, string(data), `"line":5`)
	require.Equal(t, []string{"1|2.5", "2|2.0"}, p.query("FROM read_parquet('@out/*.parquet')"))
}

func TestWrongOrders(t *testing.T) {
	p := newPlace(t)
	p.file("a.csv", "a\n1\n")
	spec := p.order("r1", csvFrom("a.csv"), filesTo("out", ""))
	spec.Pipeline.Parallelism = 2
	require.Contains(t, p.do(spec, "sideways", 0).Message, `phase is "sideways"`)
	require.Contains(t, p.do(spec, runspec.PhaseWork, 2).Message, "shard is 2; the run has shards 0 to 1")
	for _, tc := range []struct {
		phase runspec.Phase
		want  string
	}{{runspec.PhaseWork, "has no plan"}, {runspec.PhaseCommit, "has no plan"}} {
		result := p.do(spec, tc.phase, 0)
		require.EqualValues(t, 1, result.ExitCode)
		require.Contains(t, result.Message, tc.want)
	}
	require.Zero(t, p.do(spec, runspec.PhasePlan, 0).ExitCode)
	require.Zero(t, p.do(spec, runspec.PhaseWork, 0).ExitCode)
	require.Contains(t, p.do(spec, runspec.PhaseCommit, 0).Message, "shard 1 left no manifest")
	spec.Pipeline = nil
	require.Contains(t, p.do(spec, runspec.PhaseAll, 0).Message, "has no pipeline")
}
