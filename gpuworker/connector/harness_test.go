package connector

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// place is a folder laid out as a pod's mounts, with a volume `data` for files and a lake.
type place struct {
	t   *testing.T
	dir string
	env Env
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	for _, d := range []string{"volumes/data", "volumes/catalog", "volumes/warehouse", "scratch"} {
		require.NoError(t, os.MkdirAll(filepath.Join(p.dir, d), 0o755))
	}
	p.env = Env{Mounts: lakehouse.Mounts(p.dir), Scratch: filepath.Join(p.dir, "scratch"), Budget: cpu.NewBudget(1 << 30),
		Tables: map[string]runspec.Table{}, Run: Run{ID: "run-1", PipelineID: "pipe", Attempt: 1}}
	return p
}

func (p *place) file(name, content string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, "volumes/data", name)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

func volume(path string) v1alpha1.Storage {
	return v1alpha1.Storage{Type: v1alpha1.StorageVolume, Volume: &v1alpha1.VolumeStorage{ClaimName: "data", Path: path}}
}

func filesSpec(glob string, format v1alpha1.FileFormat, change ...func(*v1alpha1.FilesSource)) v1alpha1.PipelineSource {
	f := &v1alpha1.FilesSource{Storage: volume(""), Glob: glob, Format: format}
	for _, c := range change {
		c(f)
	}
	return v1alpha1.PipelineSource{Type: v1alpha1.SourceFiles, Files: f}
}

func columns(pairs ...string) func(*v1alpha1.FilesSource) {
	return func(f *v1alpha1.FilesSource) {
		for _, p := range pairs {
			name, kind, _ := strings.Cut(p, " ")
			f.Columns = append(f.Columns, v1alpha1.Column{Name: name, Type: kind})
		}
	}
}

func maxRejects(n int64) func(*v1alpha1.FilesSource) {
	return func(f *v1alpha1.FilesSource) { f.MaxRejects = &n }
}

func dialect(d v1alpha1.CSVDialect) func(*v1alpha1.FilesSource) {
	return func(f *v1alpha1.FilesSource) { f.CSV = &d }
}

// rows drains a reader into "a|b|c" texts.
func rows(r array.RecordReader) (out []string, err error) {
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, strings.Clone(c.ValueStr(i)))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	return out, r.Err()
}

// read plans and reads a source whole, the plan passed on as a staging area would.
func (p *place) read(spec v1alpha1.PipelineSource) (plan *Plan, got []string, stats Stats, err error) {
	p.t.Helper()
	source, err := OpenSource(p.t.Context(), p.env, spec)
	if err != nil {
		return nil, nil, stats, err
	}
	if plan, err = source.Plan(p.t.Context()); err != nil {
		return nil, nil, stats, err
	}
	got, stats, err = p.readPlan(source, plan)
	return plan, got, stats, err
}

func (p *place) readPlan(source Source, plan *Plan) (got []string, stats Stats, err error) {
	p.t.Helper()
	stream, err := source.Read(p.t.Context(), plan, plan.Splits)
	if err != nil {
		return nil, stats, err
	}
	got, err = rows(stream)
	stats = stream.Stats()
	stream.Release()
	if err == nil {
		require.EqualValues(p.t, len(got), stats.Rows)
	}
	left, globErr := filepath.Glob(filepath.Join(p.env.Scratch, "input-*"))
	require.NoError(p.t, globErr)
	require.Empty(p.t, left, "fetched files stay behind")
	return got, stats, err
}

func (p *place) table(name string, identifier []string, fields ...string) v1alpha1.IcebergTableSpec {
	p.t.Helper()
	spec := v1alpha1.IcebergTableSpec{
		Catalog:    &v1alpha1.Catalog{Type: v1alpha1.CatalogSQL, SQL: &v1alpha1.SQLCatalog{Dialect: v1alpha1.DialectSQLite, ClaimName: "catalog", Path: "catalog.db", Warehouse: "file:///ignored"}},
		Storage:    &v1alpha1.Storage{Type: v1alpha1.StorageVolume, Volume: &v1alpha1.VolumeStorage{ClaimName: "warehouse", Path: "lake"}},
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"ns"}, Name: name},
	}
	for _, f := range fields {
		column, kind, _ := strings.Cut(f, " ")
		field := v1alpha1.SchemaField{Name: column, Type: kind}
		for _, key := range identifier {
			if key == column {
				yes := true
				field.Required = &yes
			}
		}
		spec.Schema.Fields = append(spec.Schema.Fields, field)
	}
	spec.Schema.IdentifierFields = identifier
	catalog, err := lakehouse.OpenCatalog(p.t.Context(), *spec.Catalog, *spec.Storage, p.env.Mounts)
	require.NoError(p.t, err)
	defer catalog.Close()
	_, err = lakehouse.EnsureTable(p.t.Context(), catalog, spec)
	require.NoError(p.t, err)
	p.env.Tables[name] = runspec.Table{Spec: spec}
	return spec
}

func tableSpec(name string, mode v1alpha1.WriteMode) v1alpha1.Destination {
	return v1alpha1.Destination{Type: v1alpha1.DestinationIcebergTable, IcebergTable: &v1alpha1.IcebergTableDestination{TableRef: v1alpha1.LocalRef{Name: name}, Mode: mode}}
}

func tableFrom(name string, change ...func(*v1alpha1.IcebergTableSource)) v1alpha1.PipelineSource {
	s := &v1alpha1.IcebergTableSource{TableRef: v1alpha1.LocalRef{Name: name}}
	for _, c := range change {
		c(s)
	}
	return v1alpha1.PipelineSource{Type: v1alpha1.SourceIcebergTable, IcebergTable: s}
}

func gzipped(t *testing.T, s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func zstandard(t *testing.T, s string) string {
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	defer w.Close()
	return string(w.EncodeAll([]byte(s), nil))
}

// gateway starts an S3 server over a folder and gives a storage in it. Build it with `make localcluster-tools`.
func (p *place) gateway(bucket string) v1alpha1.Storage {
	p.t.Helper()
	binary, err := filepath.Abs("../../bin/localcluster/versitygw")
	require.NoError(p.t, err)
	require.FileExists(p.t, binary, "the S3 gateway is built by the Makefile")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(p.t, err)
	address := listener.Addr().String()
	require.NoError(p.t, listener.Close())
	folder := filepath.Join(p.dir, "s3")
	require.NoError(p.t, os.MkdirAll(filepath.Join(folder, bucket), 0o755))
	for key, value := range map[string]string{"accessKeyID": "user", "secretAccessKey": "word-of-the-test"} {
		path := filepath.Join(p.dir, "secrets/s3", key)
		require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(p.t, os.WriteFile(path, []byte(value+"\n"), 0o600))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--access", "user", "--secret", "word-of-the-test", "--port", address, "--quiet", "posix", folder)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(p.t, cmd.Start())
	p.t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	require.Eventually(p.t, func() bool {
		answer, err := http.Get("http://" + address + "/")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond, fmt.Sprint("the gateway does not answer: ", log.String()))
	return v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{Bucket: bucket, Endpoint: "http://" + address, CredentialsSecretRef: &v1alpha1.LocalRef{Name: "s3"}}}
}
