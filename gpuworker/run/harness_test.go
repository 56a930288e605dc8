package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/run"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

var (
	pythonPath, _ = filepath.Abs("../../.venv/engine/bin/python")
	// sharedEngine is the folder of an engine that most tests share, as the containers of a pod do.
	sharedEngine string
	binaries     string
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ds-run-")
	if err == nil {
		err = os.Setenv("TMPDIR", dir) // the engine's folder is made there
	}
	if err != nil {
		panic(err)
	}
	binaries = dir
	python, err := engine.Start(context.Background(), pythonPath, dir, 1<<30)
	if err != nil {
		panic(err)
	}
	sockets, _ := filepath.Glob(filepath.Join(dir, "ds-engine-*", "engine.sock"))
	sharedEngine = filepath.Dir(sockets[0])
	code := m.Run()
	python.Stop()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// place is a folder laid out as a pod's mounts: a volume for files, one for a catalog, one for a lake.
type place struct {
	t      *testing.T
	dir    string
	tables map[string]runspec.Table
	ledger *runspec.Ledger
	python string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "p") // short, for the path of the engine's socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &place{t: t, dir: dir, tables: map[string]runspec.Table{}, python: pythonPath}
	for _, d := range []string{"volumes/data", "volumes/catalog", "volumes/warehouse", "scratch"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	require.NoError(t, os.Symlink(sharedEngine, filepath.Join(dir, "engine")))
	return p
}

// ownEngine makes runs start the engine themselves, as by hand.
func (p *place) ownEngine(python string) {
	p.python = python
	require.NoError(p.t, os.Remove(filepath.Join(p.dir, "engine")))
}

func (p *place) path(name string) string { return filepath.Join(p.dir, "volumes/data", name) }

func (p *place) file(name, content string) {
	p.t.Helper()
	require.NoError(p.t, os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	require.NoError(p.t, os.WriteFile(p.path(name), []byte(content), 0o644))
}

func volume() v1alpha1.Storage {
	return v1alpha1.Storage{Type: v1alpha1.StorageVolume, Volume: &v1alpha1.VolumeStorage{ClaimName: "data"}}
}

func csvFrom(glob string, change ...func(*v1alpha1.FilesSource)) v1alpha1.PipelineSource {
	f := &v1alpha1.FilesSource{Storage: volume(), Glob: glob, Format: v1alpha1.FormatCSV}
	for _, c := range change {
		c(f)
	}
	return v1alpha1.PipelineSource{Type: v1alpha1.SourceFiles, Files: f}
}

func tableFrom(name string) v1alpha1.PipelineSource {
	return v1alpha1.PipelineSource{Type: v1alpha1.SourceIcebergTable, IcebergTable: &v1alpha1.IcebergTableSource{TableRef: v1alpha1.LocalRef{Name: name}}}
}

func filesTo(path string, mode v1alpha1.WriteMode) v1alpha1.Destination {
	return v1alpha1.Destination{Type: v1alpha1.DestinationFiles, Files: &v1alpha1.FilesDestination{Storage: volume(), Path: path, Mode: mode}}
}

func tableTo(name string, mode v1alpha1.WriteMode) v1alpha1.Destination {
	return v1alpha1.Destination{Type: v1alpha1.DestinationIcebergTable, IcebergTable: &v1alpha1.IcebergTableDestination{TableRef: v1alpha1.LocalRef{Name: name}, Mode: mode}}
}

func yes() *bool { b := true; return &b }

func filter(expression string) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "keep", Type: v1alpha1.TransformFilter, Filter: &v1alpha1.FilterStep{Expression: expression}}
}

func datafusion(name, query string, rowWise *bool) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: name, Type: v1alpha1.TransformDataFusion, DataFusion: &v1alpha1.DataFusionStep{Query: query, RowWise: rowWise}}
}

func polars(name, script string, rowWise *bool) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: name, Type: v1alpha1.TransformPolars, Polars: &v1alpha1.PolarsStep{Script: script, RowWise: rowWise}}
}

func aggregate(groupBy []string, measures ...v1alpha1.Measure) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "sums", Type: v1alpha1.TransformAggregate, Aggregate: &v1alpha1.AggregateStep{GroupBy: groupBy, Measures: measures}}
}

func enrich(source v1alpha1.PipelineSource, using ...string) v1alpha1.Transformation {
	return v1alpha1.Transformation{Name: "names", Type: v1alpha1.TransformEnrich, Enrich: &v1alpha1.EnrichStep{Source: source, Using: using}}
}

// order is a RunSpec for a pipeline.
func (p *place) order(id string, source v1alpha1.PipelineSource, to v1alpha1.Destination, chain ...v1alpha1.Transformation) *runspec.RunSpec {
	spec := &runspec.RunSpec{
		Version: runspec.Version, Action: runspec.ActionPipeline, RunID: id, Run: id, Attempt: 1, PipelineID: "pipe",
		Object:   runspec.ObjectRef{Kind: "ETLPipeline", Namespace: "default", Name: "pipe"},
		Pipeline: &runspec.Pipeline{Source: source, Transformations: chain, Destination: to, Parallelism: 1},
		Tables:   p.tables, Ledger: p.ledger,
	}
	return spec
}

func (p *place) do(spec *runspec.RunSpec, phase runspec.Phase, shard int) *runspec.RunResult {
	return run.Pipeline(p.t.Context(), run.Options{Spec: spec, Mounts: lakehouse.Mounts(p.dir), Phase: phase, Shard: shard, EnginePython: p.python})
}

func (p *place) must(spec *runspec.RunSpec) *runspec.RunResult {
	p.t.Helper()
	result := p.do(spec, runspec.PhaseAll, 0)
	require.Equal(p.t, runspec.OutcomeSucceeded, result.Outcome, "%+v", result)
	return result
}

// mustByPhases does a run as a cluster does: a process for each phase and shard.
func (p *place) mustByPhases(spec *runspec.RunSpec) *runspec.RunResult {
	p.t.Helper()
	ok := func(result *runspec.RunResult) *runspec.RunResult {
		p.t.Helper()
		require.Equal(p.t, runspec.OutcomeSucceeded, result.Outcome, "%+v", result)
		return result
	}
	ok(p.do(spec, runspec.PhasePlan, 0))
	for shard := range int(spec.Pipeline.Parallelism) {
		ok(p.do(spec, runspec.PhaseWork, shard))
	}
	return ok(p.do(spec, runspec.PhaseCommit, 0))
}

func (p *place) table(name string, identifier []string, fields ...string) {
	p.t.Helper()
	spec := v1alpha1.IcebergTableSpec{
		Catalog:    &v1alpha1.Catalog{Type: v1alpha1.CatalogSQL, SQL: &v1alpha1.SQLCatalog{Dialect: v1alpha1.DialectSQLite, ClaimName: "catalog", Path: "catalog.db", Warehouse: "file:///ignored"}},
		Storage:    &v1alpha1.Storage{Type: v1alpha1.StorageVolume, Volume: &v1alpha1.VolumeStorage{ClaimName: "warehouse", Path: "lake"}},
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"ns"}, Name: name},
	}
	for _, f := range fields {
		column, kind, _ := strings.Cut(f, " ")
		field := v1alpha1.SchemaField{Name: column, Type: kind}
		if slices.Contains(identifier, column) {
			field.Required = yes()
		}
		spec.Schema.Fields = append(spec.Schema.Fields, field)
	}
	spec.Schema.IdentifierFields = identifier
	catalog := p.catalog(spec)
	defer catalog.Close()
	_, err := lakehouse.EnsureTable(p.t.Context(), catalog, spec)
	require.NoError(p.t, err)
	p.tables[name] = runspec.Table{Spec: spec}
}

func (p *place) catalog(spec v1alpha1.IcebergTableSpec) *lakehouse.Catalog {
	p.t.Helper()
	catalog, err := lakehouse.OpenCatalog(p.t.Context(), *spec.Catalog, *spec.Storage, lakehouse.Mounts(p.dir))
	require.NoError(p.t, err)
	return catalog
}

// rowsOf reads a table as sorted lines "a|b|c", and the number of its snapshots.
func (p *place) rowsOf(name string) (lines []string, snapshots int) {
	p.t.Helper()
	spec := p.tables[name].Spec
	catalog := p.catalog(spec)
	defer catalog.Close()
	table, err := catalog.LoadTable(p.t.Context(), spec.Identifier)
	require.NoError(p.t, err)
	reader, _, err := lakehouse.Scan(p.t.Context(), table, lakehouse.ScanRequest{})
	require.NoError(p.t, err)
	defer reader.Release()
	return p.lines(reader), len(table.Metadata().Snapshots())
}

func (p *place) lines(reader array.RecordReader) (lines []string) {
	p.t.Helper()
	for reader.Next() {
		b := reader.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, strings.Clone(c.ValueStr(i)))
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
	require.NoError(p.t, reader.Err())
	slices.Sort(lines)
	return lines
}

// query asks DuckDB directly, of files below the data volume; every column comes as text.
func (p *place) query(sql string) []string {
	p.t.Helper()
	db, err := cpu.Open(cpu.Options{})
	require.NoError(p.t, err)
	defer db.Close()
	reader, err := db.Query(p.t.Context(), "SELECT COLUMNS(*)::VARCHAR FROM ("+strings.ReplaceAll(sql, "@", filepath.Join(p.dir, "volumes/data")+"/")+")")
	require.NoError(p.t, err)
	defer reader.Release()
	return p.lines(reader)
}

// flights writes n rows as CSV into some files below a folder, and a table of carriers. All fractions are exact in binary.
func (p *place) flights(n, files int) {
	p.t.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	texts := make([]strings.Builder, files)
	for i := range texts {
		texts[i].WriteString("id,carrier,delay,distance,fare,day,note\n")
	}
	for i := range n {
		delay := strconv.Itoa(rng.IntN(200) - 30)
		if rng.IntN(20) == 0 {
			delay = ""
		}
		fmt.Fprintf(&texts[i%files], "%d,%s,%s,%d,%d.%s,2026-0%d-1%d,\"a \"\"%d\"\", b\"\n", i, string(rune('A'+rng.IntN(6))), delay,
			rng.IntN(3000), rng.IntN(900), []string{"0", "25", "5", "75"}[rng.IntN(4)], rng.IntN(9)+1, rng.IntN(10), i%17)
	}
	for i := range texts {
		p.file(fmt.Sprintf("in/f%d.csv", i), texts[i].String())
	}
	p.file("carriers.csv", "carrier,name\nA,Alpha\nB,Beta\nC,Gamma\nD,\"Delta, Inc.\"\n")
}

var build sync.Mutex

// binary builds a command of this repository once.
func binary(t *testing.T, name, pkg string, env ...string) string {
	t.Helper()
	build.Lock()
	defer build.Unlock()
	path := filepath.Join(binaries, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	cmd := exec.Command("go", "build", "-tags=duckdb_arrow", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// ledgerd serves a ledger of the real command, on the given address if it is not empty. stop ends it.
func (p *place) ledgerd(address string) (endpoint string, stop func()) {
	p.t.Helper()
	token := filepath.Join(p.dir, "secrets/ledger/token")
	require.NoError(p.t, os.MkdirAll(filepath.Dir(token), 0o755))
	require.NoError(p.t, os.WriteFile(token, []byte("a-token-for-this-test\n"), 0o600))
	if address == "" {
		address = "127.0.0.1:0"
	}
	cmd := exec.Command(binary(p.t, "ledgerd", "../../ledger/cmd/ledgerd", "CGO_ENABLED=0"), "serve", "--data", filepath.Join(p.dir, "ledger"), "--token-file", token, "--listen", address)
	log := &safeBuffer{}
	cmd.Stderr = log
	require.NoError(p.t, cmd.Start())
	var once sync.Once
	stop = func() { once.Do(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) }
	p.t.Cleanup(stop)
	require.Eventually(p.t, func() bool {
		_, after, found := strings.Cut(log.String(), "listening on ")
		endpoint, _, _ = strings.Cut(after, "\n")
		return found && strings.Contains(after, "\n")
	}, 10*time.Second, 10*time.Millisecond, "ledgerd does not listen")
	return "http://" + endpoint, stop
}

// safeBuffer may be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(data)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// worker is the real command with a RunSpec file, not started yet. Its result is on standard output.
func (p *place) worker(spec *runspec.RunSpec) (cmd *exec.Cmd, out *bytes.Buffer) {
	p.t.Helper()
	data, err := json.Marshal(spec)
	require.NoError(p.t, err)
	path := filepath.Join(p.dir, spec.RunID+".json")
	require.NoError(p.t, os.WriteFile(path, data, 0o644))
	out = &bytes.Buffer{}
	cmd = exec.Command(binary(p.t, "gpuworker", "..", "CGO_ENABLED=1"), "run", "--spec", path, "--mounts", p.dir, "--engine-python", p.python, "--termination-log", "")
	cmd.Stdout = out
	return cmd, out
}

func decode(t *testing.T, out *bytes.Buffer) *runspec.RunResult {
	t.Helper()
	result := &runspec.RunResult{}
	require.NoError(t, json.Unmarshal(out.Bytes(), result), "%s", out)
	return result
}
