package connector

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

const sample = "id,code,price,day,at,zoned,ok,empty,name\n" +
	"1,007,1.50,2026-01-02,2026-01-02 03:04:05,2026-01-02T03:04:05Z,true,,\"a,\"\"b\"\"\"\n" +
	"2,012,2,2026-01-03,2026-01-03T00:00:00,2026-01-02T03:04:05+02:00,FALSE,,é\n" +
	"3,,,,,,,,\n"

const sampleTypes = "id BIGINT, code VARCHAR, price DOUBLE, day DATE, at TIMESTAMP, zoned TIMESTAMP WITH TIME ZONE, ok BOOLEAN, empty VARCHAR, name VARCHAR"

func TestTypesAreFoundFromTheValues(t *testing.T) {
	p := newPlace(t)
	p.file("a.csv", sample)
	plan, got, stats, err := p.read(filesSpec("a.csv", v1alpha1.FormatCSV))
	require.NoError(t, err)
	require.Equal(t, "types found in 1 of 1 files: "+sampleTypes, plan.Note)
	require.Equal(t, []string{
		`1|007|1.5|2026-01-02|2026-01-02T03:04:05|2026-01-02T03:04:05Z|true|(null)|a,"b"`,
		"2|012|2|2026-01-03|2026-01-03T00:00:00|2026-01-02T01:04:05Z|false|(null)|é",
		"3|(null)|(null)|(null)|(null)|(null)|(null)|(null)|(null)",
	}, got)
	require.Equal(t, Stats{Rows: 3, Bytes: int64(len(sample))}, stats)
	require.Equal(t, int64(len(sample)), plan.Bytes)
}

func TestFormatsAndCompressionsAgree(t *testing.T) {
	p := newPlace(t)
	var csv, json strings.Builder
	csv.WriteString("id,name,price\n")
	for i := range 5000 {
		name := strings.Repeat("x", i%7+1)
		csv.WriteString(itoa(i) + "," + name + "," + itoa(i) + ".5\n")
		json.WriteString(`{"id":` + itoa(i) + `,"name":"` + name + `","price":` + itoa(i) + ".5}\n")
	}
	p.file("csv/a.csv", csv.String())
	p.file("gz/a.csv.gz", gzipped(t, csv.String()))
	p.file("zst/a.csv.zst", zstandard(t, csv.String()))
	p.file("json/a.json", json.String())
	p.file("jsongz/a.bin", gzipped(t, json.String()))
	p.file("jsonzst/a.json.zst", zstandard(t, json.String()))
	require.NoError(t, os.MkdirAll(filepath.Join(p.dir, "volumes/data/parquet"), 0o755))
	db, err := cpu.Open(cpu.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Exec("COPY (FROM '"+p.dir+"/volumes/data/csv/a.csv') TO '"+p.dir+"/volumes/data/parquet/a.parquet'"))
	db.Close()
	_, want, _, err := p.read(filesSpec("csv/*.csv", v1alpha1.FormatCSV))
	require.NoError(t, err)
	require.Len(t, want, 5000)
	require.Equal(t, "4999|xx|4999.5", want[4999])
	for glob, spec := range map[string]v1alpha1.PipelineSource{
		"gz": filesSpec("gz/*", v1alpha1.FormatCSV), "zst": filesSpec("zst/*", v1alpha1.FormatCSV),
		"json": filesSpec("json/*", v1alpha1.FormatNDJSON), "jsonzst": filesSpec("jsonzst/*", v1alpha1.FormatNDJSON),
		"jsongz":  filesSpec("jsongz/*", v1alpha1.FormatNDJSON, func(f *v1alpha1.FilesSource) { f.Compression = v1alpha1.FileCompressionGzip }),
		"parquet": filesSpec("parquet/*", v1alpha1.FormatParquet),
	} {
		_, got, _, err := p.read(spec)
		require.NoError(t, err, glob)
		require.Equal(t, want, got, glob)
	}
}

func itoa(i int) string { data, _ := json.Marshal(i); return string(data) }

func TestBadInputIsNamed(t *testing.T) {
	csv, ndjson, pq := v1alpha1.FormatCSV, v1alpha1.FormatNDJSON, v1alpha1.FormatParquet
	for name, tc := range map[string]struct {
		files map[string]string
		spec  v1alpha1.PipelineSource
		code  int32
		want  string
	}{
		"no match":          {map[string]string{"in/b.csv": "a\n1\n"}, filesSpec("in/*.txt", csv), 66, "/in/*.txt; there are: in/b.csv"},
		"no folder":         {map[string]string{"in/b.csv": "a\n1\n"}, filesSpec("out/*.csv", csv), 66, "there are: in/b.csv"},
		"nothing at all":    {nil, filesSpec("*.csv", csv), 66, "and there is no file in file://"},
		"hidden":            {map[string]string{"_tmp/b.csv": "a\n1\n"}, filesSpec("**/*.csv", csv), 66, "no file matches"},
		"bad glob":          {map[string]string{"b.csv": "a\n1\n"}, filesSpec("[a.csv", csv), 64, `glob "[a.csv" is not a pattern`},
		"escape":            {nil, filesSpec("../*.csv", csv), 64, "no '..'"},
		"unknown format":    {nil, filesSpec("*", "XML"), 64, `format is "XML"; expected CSV, NDJSON or Parquet`},
		"empty file":        {map[string]string{"b.csv": ""}, filesSpec("b.csv", csv), 66, "b.csv is empty; expected a header line"},
		"header only":       {map[string]string{"b.csv": "a,b\n"}, filesSpec("b.csv", csv), 66, "have no rows"},
		"same name twice":   {map[string]string{"b.csv": "a,a\n1,2\n"}, filesSpec("b.csv", csv), 65, `has "a" as name of column 2`},
		"missing column":    {map[string]string{"a.csv": "a,b\n1,2\n", "b.csv": "a\n1\n"}, filesSpec("*.csv", csv), 66, `b.csv has no column "b", which other files of the source have or the spec declares; it has: a`},
		"missing declared":  {map[string]string{"a.csv": "a,b\n1,2\n"}, filesSpec("*.csv", csv, columns("a long", "c long")), 66, `a.csv has no column "c"`},
		"bad declared type": {map[string]string{"a.csv": "a\n1\n"}, filesSpec("*.csv", csv, columns("a blob")), 64, `column "a": type "blob" cannot be read`},
		"text in integer":   {map[string]string{"a.csv": "a,b\n1,x\nz,y\n"}, filesSpec("a.csv", csv, columns("a long", "b string")), 65, `1 rows do not fit, and maxRejects is 0: file://`},
		"fraction":          {map[string]string{"a.csv": "a\n1\n1.5\n"}, filesSpec("a.csv", csv, columns("a long")), 65, `a.csv line 3 column a: expected BIGINT, found "1.5"`},
		"overflow":          {map[string]string{"a.csv": "a\n3000000000\n"}, filesSpec("a.csv", csv, columns("a int")), 65, `line 2 column a: expected INTEGER, found "3000000000"`},
		"decimal digits":    {map[string]string{"a.csv": "a\n1.20\n1.005\n"}, filesSpec("a.csv", csv, columns("a decimal(9,2)")), 65, `line 3 column a: expected DECIMAL(9,2), found "1.005"`},
		"too few fields":    {map[string]string{"a.csv": "a,b\n1,2\n3\n"}, filesSpec("a.csv", csv), 65, "a.csv line 3: Expected Number of Columns: 2 Found: 1"},
		"too many fields":   {map[string]string{"a.csv": "a,b\n1,2\n3,4,5\n"}, filesSpec("a.csv", csv), 65, "a.csv line 3: "},
		"bad date":          {map[string]string{"a.csv": "a\n2026-13-01\n"}, filesSpec("a.csv", csv, columns("a date")), 65, "a.csv line 2: "},
		"broken gzip":       {map[string]string{"a.csv.gz": "a,b\n1,2\n"}, filesSpec("a.csv.gz", csv), 65, "a.csv.gz"},
		"not JSON":          {map[string]string{"a.json": "{\"a\":1}\n\nnope\n"}, filesSpec("a.json", ndjson), 65, "a.json line 3: expected a JSON object"},
		"JSON array":        {map[string]string{"a.json": "{\"a\":1}\n[1]\n"}, filesSpec("a.json", ndjson, columns("a long")), 65, "a.json line 2: expected a JSON object"},
		"JSON type":         {map[string]string{"a.json": "{\"a\":1}\n{\"a\":1.5}\n"}, filesSpec("a.json", ndjson, columns("a long")), 65, `a.json line 2 column a: expected BIGINT, found "1.5"`},
		"not Parquet":       {map[string]string{"a.parquet": "hello hello hello"}, filesSpec("a.parquet", pq), 65, "a.parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			for file, content := range tc.files {
				p.file(file, content)
			}
			_, _, _, err := p.read(tc.spec)
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, tc.code, fail.Code(err), "%v", err)
		})
	}
}

func TestRejectsUpToTheLimitAreKeptApart(t *testing.T) {
	p := newPlace(t)
	p.file("a.csv", "id,day\n1,2026-01-01\nx,2026-01-02\n3\n4,2026-99-01\n5.5,2026-01-01\n6,2026-01-06\n")
	p.file("b.csv", "id,day\n7,2026-01-07\n,\n8,1,2\n")
	spec := func(n int64) v1alpha1.PipelineSource {
		return filesSpec("*.csv", v1alpha1.FormatCSV, columns("id long", "day date"), maxRejects(n))
	}
	_, got, stats, err := p.read(spec(5))
	require.NoError(t, err)
	require.Equal(t, []string{"1|2026-01-01", "6|2026-01-06", "7|2026-01-07", "(null)|(null)"}, got)
	require.EqualValues(t, 5, stats.Rejected)
	data, err := os.ReadFile(stats.RejectsFile)
	require.NoError(t, err)
	var lines []int64
	for line := range strings.Lines(string(data)) {
		var r reject
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.NotEmpty(t, r.Reason)
		require.NotEmpty(t, r.Row)
		lines = append(lines, r.Line)
	}
	require.Equal(t, []int64{3, 4, 5, 6, 4}, lines)
	_, _, _, err = p.read(spec(4))
	require.ErrorContains(t, err, "5 rows do not fit, and maxRejects is 4")
	require.Equal(t, "RejectedRows", fail.Reason(err, ""))
}

func TestDialect(t *testing.T) {
	p := newPlace(t)
	no, two, single := false, int32(2), "'"
	p.file("a.csv", "made by\nsomebody\n1;'a;b';NA;02/01/2026\n# no row\n2;x;5;03/01/2026\n")
	plan, got, _, err := p.read(filesSpec("a.csv", v1alpha1.FormatCSV, dialect(v1alpha1.CSVDialect{
		Header: &no, SkipLines: &two, Quote: &single, Delimiter: ";", Comment: "#", NullValues: []string{"NA"}, DateFormat: "%d/%m/%Y"})))
	require.NoError(t, err)
	require.Equal(t, []string{"1|a;b|(null)|2026-01-02", "2|x|5|2026-01-03"}, got)
	require.Contains(t, plan.Note, "c0 BIGINT, c1 VARCHAR, c2 BIGINT, c3 DATE")
}

func TestNestedJSON(t *testing.T) {
	p := newPlace(t)
	p.file("a.json", `{"a":{"x":[1,2]},"b":null,"c":"t"}`+"\n"+`{"c":"u"}`+"\n")
	_, got, _, err := p.read(filesSpec("a.json", v1alpha1.FormatNDJSON, columns("a struct<x: list<long>>", "c string")))
	require.NoError(t, err)
	require.Equal(t, []string{`{"x":[1,2]}|t`, "(null)|u"}, got)
}

func TestKeysThatTheSampleDidNotHaveAreNotDropped(t *testing.T) {
	p := newPlace(t)
	p.file("a.json", `{"n":-1,"s":"x"}`+"\n"+`{"n":5}`+"\n")
	plan, got, _, err := p.read(filesSpec("*.json", v1alpha1.FormatNDJSON))
	require.NoError(t, err)
	require.Contains(t, plan.Note, "n BIGINT, s VARCHAR")
	require.Equal(t, []string{"-1|x", "5|(null)"}, got)
	p.file("b.json", `{"n":6,"new":true,"s":""}`+"\n")
	source, err := OpenSource(t.Context(), p.env, filesSpec("*.json", v1alpha1.FormatNDJSON))
	require.NoError(t, err)
	late, err := source.(*filesSource).describe([]Object{{Key: "b.json"}}, fileSchema{Columns: []fileColumn{{"n", "BIGINT"}, {"s", "VARCHAR"}}}, "")
	require.NoError(t, err)
	_, _, err = p.readPlan(source, late)
	require.ErrorContains(t, err, "line 1 column new: the column is not among those found when the run was planned")
}

func TestThePlanIsWhatIsRead(t *testing.T) {
	p := newPlace(t)
	path := p.file("a[1].csv", "a\n1\n2\n") // a name that DuckDB takes for a pattern
	p.file("b.csv", "a\n2.5\n")
	source, err := OpenSource(t.Context(), p.env, filesSpec("*.csv", v1alpha1.FormatCSV))
	require.NoError(t, err)
	plan, err := source.Plan(t.Context())
	require.NoError(t, err)
	stream, err := source.Read(t.Context(), plan, plan.Splits[:1])
	require.NoError(t, err)
	got, err := rows(stream)
	stream.Release()
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, got)
	require.Equal(t, "float64", stream.Schema().Field(0).Type.String()) // found in the other file
	require.Zero(t, stream.Stats().Rejected)

	empty, err := source.Read(t.Context(), plan, nil)
	require.NoError(t, err)
	require.True(t, empty.Schema().Equal(stream.Schema()))
	require.False(t, empty.Next())
	require.NoError(t, empty.Err())
	empty.Release()

	require.NoError(t, os.WriteFile(path, []byte("a\n7\n8\n"), 0o644))
	require.NoError(t, os.Chtimes(path, time.Now(), time.Now().Add(time.Second)))
	_, _, err = p.readPlan(source, plan)
	require.ErrorContains(t, err, "was changed after the run was planned")
	require.Equal(t, "InputChanged", fail.Reason(err, ""))
	require.NoError(t, os.Remove(path))
	_, _, err = p.readPlan(source, plan)
	require.ErrorContains(t, err, "is no longer there")
}

func TestALinkDoesNotLeadOut(t *testing.T) {
	p := newPlace(t)
	secret := filepath.Join(p.dir, "outside.csv")
	require.NoError(t, os.WriteFile(secret, []byte("a\n1\n"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(p.dir, "volumes/data/link.csv")))
	_, _, _, err := p.read(filesSpec("*.csv", v1alpha1.FormatCSV))
	require.ErrorContains(t, err, "path escapes")
}

func TestUnknownTypesNameTheKnownOnes(t *testing.T) {
	p := newPlace(t)
	_, err := OpenSource(t.Context(), p.env, v1alpha1.PipelineSource{Type: v1alpha1.SourcePostgres})
	require.EqualError(t, err, `this worker cannot read sources of type "postgres"; it reads: files, icebergTable`)
	require.EqualValues(t, 69, fail.Code(err))
	_, err = OpenSink(t.Context(), p.env, v1alpha1.Destination{Type: v1alpha1.DestinationPulsar})
	require.EqualError(t, err, `this worker cannot write destinations of type "pulsar"; it writes: files, icebergTable`)
	require.EqualValues(t, 69, fail.Code(err))
	_, err = OpenStore(t.Context(), v1alpha1.Storage{Type: v1alpha1.StorageGCS}, p.env.Mounts)
	require.ErrorContains(t, err, "use s3, volume or hostPath")
	_, _, _, err = p.read(tableFrom("none"))
	require.EqualError(t, err, `the RunSpec brings no table of the IcebergTable "none"; it brings: `)
}
