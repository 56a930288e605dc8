package connector

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

var idName = arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)

func reader(t *testing.T, rows string) array.RecordReader {
	t.Helper()
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, idName, strings.NewReader(rows))
	require.NoError(t, err)
	r, err := array.NewRecordReader(idName, []arrow.RecordBatch{batch})
	require.NoError(t, err)
	return r
}

func (p *place) sink(spec v1alpha1.Destination, run string, attempt int32) Sink {
	p.t.Helper()
	env := p.env
	env.Run = Run{ID: run, PipelineID: "pipe", Attempt: attempt}
	s, err := OpenSink(p.t.Context(), env, spec)
	require.NoError(p.t, err)
	p.t.Cleanup(func() { require.NoError(p.t, s.Close()) })
	return s
}

// write gives the manifest as it comes out of a staging area.
func write(t *testing.T, s Sink, shard int, rows string) *Manifest {
	t.Helper()
	m, err := s.Write(t.Context(), shard, reader(t, rows))
	require.NoError(t, err)
	data, err := json.Marshal(m)
	require.NoError(t, err)
	var back Manifest
	require.NoError(t, json.Unmarshal(data, &back))
	return &back
}

func filesTo(storage v1alpha1.Storage, mode v1alpha1.WriteMode) v1alpha1.Destination {
	return v1alpha1.Destination{Type: v1alpha1.DestinationFiles, Files: &v1alpha1.FilesDestination{Storage: storage, Path: "out/day", Mode: mode}}
}

func (p *place) readFiles(storage v1alpha1.Storage) []string {
	p.t.Helper()
	spec := filesSpec("out/day/*.parquet", v1alpha1.FormatParquet)
	spec.Files.Storage = storage
	_, got, _, err := p.read(spec)
	require.NoError(p.t, err)
	slices.Sort(got)
	return got
}

func TestFilesSink(t *testing.T) {
	for name, storage := range map[string]func(*place) v1alpha1.Storage{
		"volume": func(*place) v1alpha1.Storage { return volume("") },
		"s3":     func(p *place) v1alpha1.Storage { return p.gateway("lake-bucket") },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			at := storage(p)
			first := p.sink(filesTo(at, v1alpha1.WriteAppend), "r1", 1)
			done, err := first.Committed(t.Context())
			require.NoError(t, err)
			require.Nil(t, done)
			write(t, first, 0, `[{"id":9,"name":"lost attempt"}]`)
			write(t, first, 7, `[{"id":9,"name":"lost attempt"}]`)

			second := p.sink(filesTo(at, v1alpha1.WriteAppend), "r1", 2)
			manifests := []*Manifest{write(t, second, 0, `[{"id":1,"name":"a"},{"id":2}]`), write(t, second, 1, `[{"id":3,"name":"c"}]`), write(t, second, 2, `[]`)}
			require.Empty(t, manifests[2].Files)
			require.Len(t, manifests[0].Files[0].SHA256, 64)
			files := second.(*filesSink)
			require.NoError(t, files.place(t.Context(), filepath.Base(manifests[1].Files[0].Path)), "a try that was cut off in the middle")
			done, err = second.Commit(t.Context(), nil, manifests)
			require.NoError(t, err)
			require.EqualValues(t, 3, done.Rows)
			require.False(t, done.Replayed)
			require.Equal(t, []string{"1|a", "2|(null)", "3|c"}, p.readFiles(at))

			third := p.sink(filesTo(at, v1alpha1.WriteAppend), "r1", 3)
			again := write(t, third, 0, `[{"id":1,"name":"twice"}]`)
			done, err = third.Commit(t.Context(), nil, []*Manifest{again})
			require.NoError(t, err)
			require.Equal(t, &Commit{Rows: 3, Bytes: manifests[0].Bytes + manifests[1].Bytes, Replayed: true}, done)
			require.Equal(t, []string{"1|a", "2|(null)", "3|c"}, p.readFiles(at))
			require.NoError(t, third.Discard(t.Context(), []*Manifest{again}))

			more := p.sink(filesTo(at, v1alpha1.WriteAppend), "r2", 1)
			_, err = more.Commit(t.Context(), nil, []*Manifest{write(t, more, 0, `[{"id":4,"name":"d"}]`)})
			require.NoError(t, err)
			require.Len(t, p.readFiles(at), 4)

			over := p.sink(filesTo(at, v1alpha1.WriteOverwrite), "r3", 1)
			_, err = over.Commit(t.Context(), nil, []*Manifest{write(t, over, 0, `[{"id":5,"name":"e"}]`)})
			require.NoError(t, err)
			require.Equal(t, []string{"5|e"}, p.readFiles(at))
			done, err = p.sink(filesTo(at, v1alpha1.WriteOverwrite), "r3", 2).Committed(t.Context())
			require.NoError(t, err)
			require.True(t, done.Replayed)
		})
	}
}

func TestFilesSinkRollsFiles(t *testing.T) {
	p := newPlace(t)
	s := p.sink(filesTo(volume(""), v1alpha1.WriteAppend), "r1", 1)
	s.(*filesSink).writer.target = 1
	in := reader(t, `[{"id":1,"name":"a"}]`)
	in.Next()
	many, err := array.NewRecordReader(idName, []arrow.RecordBatch{in.RecordBatch(), in.RecordBatch(), in.RecordBatch()})
	require.NoError(t, err)
	m, err := s.Write(t.Context(), 3, many)
	require.NoError(t, err)
	require.Len(t, m.Files, 3)
	require.True(t, strings.HasSuffix(m.Files[2].Path, "/out/day/r1-0003-0002.parquet"), m.Files[2].Path)
	_, err = s.Commit(t.Context(), nil, []*Manifest{m})
	require.NoError(t, err)
	require.Equal(t, []string{"1|a", "1|a", "1|a"}, p.readFiles(volume("")))
	left, err := filepath.Glob(filepath.Join(p.env.Scratch, "output-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestBadDestinations(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.FilesDestination)
		want   string
	}{
		"escape":      {func(f *v1alpha1.FilesDestination) { f.Path = "a/../../b" }, "expected a folder below the storage"},
		"format":      {func(f *v1alpha1.FilesDestination) { f.Format = "CSV" }, `format is "CSV"; expected Parquet`},
		"mode":        {func(f *v1alpha1.FilesDestination) { f.Mode = v1alpha1.WriteUpsert }, "files take Append and Overwrite"},
		"compression": {func(f *v1alpha1.FilesDestination) { f.Compression = "Brotli" }, "expected Zstd, Snappy, LZ4 or None"},
		"claim":       {func(f *v1alpha1.FilesDestination) { f.Storage.Volume.ClaimName = "other" }, `expected claim "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			spec := filesTo(volume(""), "")
			tc.change(spec.Files)
			_, err := OpenSink(t.Context(), p.env, spec)
			require.ErrorContains(t, err, tc.want)
			require.GreaterOrEqual(t, fail.Code(err), int32(64))
		})
	}
}

func TestTableSink(t *testing.T) {
	p := newPlace(t)
	p.table("people", []string{"id"}, "id long", "name string")
	commit := func(mode v1alpha1.WriteMode, run, rows string) *Commit {
		s := p.sink(tableSpec("people", mode), run, 1)
		done, err := s.Commit(t.Context(), nil, []*Manifest{write(t, s, 0, rows)})
		require.NoError(t, err)
		require.NotEmpty(t, done.SnapshotID)
		require.Equal(t, done.SnapshotID, done.Table.SnapshotID)
		return done
	}
	now := func(change ...func(*v1alpha1.IcebergTableSource)) []string {
		_, got, _, err := p.read(tableFrom("people", change...))
		require.NoError(t, err)
		slices.Sort(got)
		return got
	}
	require.Empty(t, now())
	first := commit(v1alpha1.WriteAppend, "r1", `[{"id":1,"name":"a"},{"id":2,"name":"b"}]`)
	require.EqualValues(t, 2, first.Rows)
	again := p.sink(tableSpec("people", v1alpha1.WriteAppend), "r1", 2)
	done, err := again.Committed(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.SnapshotID, done.SnapshotID)
	require.EqualValues(t, 2, done.Rows)
	require.True(t, done.Replayed)
	orphan := write(t, again, 0, `[{"id":7,"name":"twice"}]`)
	done, err = again.Commit(t.Context(), nil, []*Manifest{orphan})
	require.NoError(t, err)
	require.True(t, done.Replayed)
	require.Equal(t, first.SnapshotID, done.SnapshotID)
	require.NoError(t, again.Discard(t.Context(), []*Manifest{orphan}))

	commit(v1alpha1.WriteUpsert, "r2", `[{"id":2,"name":"B"},{"id":3,"name":"c"}]`)
	require.Equal(t, []string{"1|a", "2|B", "3|c"}, now())
	require.Equal(t, []string{"1|a", "2|b"}, now(func(s *v1alpha1.IcebergTableSource) { s.SnapshotID = first.SnapshotID }))
	require.Equal(t, []string{"c", "B"}[1:], now(func(s *v1alpha1.IcebergTableSource) { s.Columns, s.Filter = []string{"name"}, "id = 2" }))
	require.Equal(t, []string{"1|a", "2|B", "3|c"}, now(func(s *v1alpha1.IcebergTableSource) { s.Ref = "main" }))
	commit(v1alpha1.WriteOverwrite, "r3", `[{"id":9,"name":"z"}]`)
	require.Equal(t, []string{"9|z"}, now())
	require.Equal(t, []string{"name|z"}, []string{"name|" + now(func(s *v1alpha1.IcebergTableSource) { s.Columns = []string{"name"} })[0]})

	for want, change := range map[string]func(*v1alpha1.IcebergTableSource){
		`has no column "nope"; it has:`: func(s *v1alpha1.IcebergTableSource) { s.Columns = []string{"nope"} },
		`has no column "gone"; it has:`: func(s *v1alpha1.IcebergTableSource) { s.Filter = "gone > 1" },
		`has no branch or tag "v1"`:     func(s *v1alpha1.IcebergTableSource) { s.Ref = "v1" },
		"has no snapshot 5":             func(s *v1alpha1.IcebergTableSource) { s.SnapshotID = "5" },
		"had no snapshot yet at 1970":   func(s *v1alpha1.IcebergTableSource) { s.AsOf = &metav1.Time{}; s.AsOf.Time = metav1.Unix(1, 0).Time },
		"source.icebergTable.filter: ": func(s *v1alpha1.IcebergTableSource) {
			s.Filter = "(SELECT count(*) FROM read_text('/etc/hostname')) > 0"
		},
	} {
		_, _, _, err := p.read(tableFrom("people", change))
		require.ErrorContains(t, err, want)
		require.GreaterOrEqual(t, fail.Code(err), int32(64), want)
	}
}

func TestTableSinkNamesWhatDoesNotFit(t *testing.T) {
	p := newPlace(t)
	p.table("people", []string{"id"}, "id long", "other string")
	s := p.sink(tableSpec("people", ""), "r1", 1)
	_, err := s.Write(t.Context(), 0, reader(t, `[{"id":1,"name":"a"}]`))
	require.ErrorContains(t, err, `column "name" that the table has not`)
	require.Equal(t, "UnknownColumn", fail.Reason(err, ""))
	require.EqualValues(t, 65, fail.Code(err))
	delete(p.env.Tables, "people")
	_, err = OpenSink(t.Context(), p.env, tableSpec("people", ""))
	require.EqualValues(t, 64, fail.Code(err))
	spec := p.table("gone", nil, "id long")
	spec.Identifier.Name = "never"
	held := p.env.Tables["gone"]
	held.Spec = spec
	p.env.Tables["gone"] = held
	_, err = OpenSink(t.Context(), p.env, tableSpec("gone", ""))
	require.EqualValues(t, 66, fail.Code(err))
	require.Equal(t, "TableNotFound", fail.Reason(err, ""))
}

func TestEachFileIsLoadedOnce(t *testing.T) {
	p := newPlace(t)
	p.table("people", nil, "id long", "name string")
	byFile := filesSpec("in/*.csv", v1alpha1.FormatCSV, func(f *v1alpha1.FilesSource) { f.Incremental = v1alpha1.IncrementalByFile })
	load := func(run string) (int, string) {
		sink := p.sink(tableSpec("people", v1alpha1.WriteAppend), run, 1)
		source, err := OpenSource(t.Context(), p.env, byFile)
		require.NoError(t, err)
		require.NoError(t, Link(source, sink))
		plan, err := source.Plan(t.Context())
		require.NoError(t, err)
		if len(plan.Splits) == 0 {
			return 0, plan.Note
		}
		stream, err := source.Read(t.Context(), plan, plan.Splits)
		require.NoError(t, err)
		defer stream.Release()
		m, err := sink.Write(t.Context(), 0, stream)
		require.NoError(t, err)
		_, err = sink.Commit(t.Context(), plan, []*Manifest{m})
		require.NoError(t, err)
		return len(plan.Splits), plan.Note
	}
	n, _ := load("r0")
	require.Zero(t, n) // nothing yet is no error
	p.file("in/a.csv", "id,name\n1,a\n")
	p.file("in/b.csv", "id,name\n2,b\n")
	n, _ = load("r1")
	require.Equal(t, 2, n)
	p.file("in/c.csv", "id,name\n3,c\n")
	n, note := load("r2")
	require.Equal(t, 1, n)
	require.Contains(t, note, "2 of 3 files were loaded before")
	n, _ = load("r3")
	require.Zero(t, n)
	_, got, _, err := p.read(tableFrom("people"))
	require.NoError(t, err)
	slices.Sort(got)
	require.Equal(t, []string{"1|a", "2|b", "3|c"}, got)

	source, err := OpenSource(t.Context(), p.env, byFile)
	require.NoError(t, err)
	err = Link(source, p.sink(filesTo(volume(""), ""), "r4", 1))
	require.ErrorContains(t, err, "use a destination of type icebergTable")
	require.Equal(t, "IncrementalNeedsTable", fail.Reason(err, ""))
	_, err = source.Plan(t.Context())
	require.Equal(t, "IncrementalNeedsTable", fail.Reason(err, ""))
}

func TestStores(t *testing.T) {
	for name, open := range map[string]func(*place) v1alpha1.Storage{
		"volume": func(*place) v1alpha1.Storage { return volume("not/yet/there") },
		"hostPath": func(p *place) v1alpha1.Storage {
			return v1alpha1.Storage{Type: v1alpha1.StorageHostPath, HostPath: &v1alpha1.HostPathStorage{Path: filepath.Join(p.dir, "host")}}
		},
		"s3": func(p *place) v1alpha1.Storage { s := p.gateway("a-bucket"); s.S3.Prefix = "some/folder"; return s },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			ctx := t.Context()
			s, err := OpenStore(ctx, open(p), p.env.Mounts)
			require.NoError(t, err)
			_, err = s.Get(ctx, "x/a", 10)
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoError(t, s.Delete(ctx, "x/a"))
			require.NoError(t, s.Put(ctx, "x/a b+.txt", []byte("one")))
			require.NoError(t, s.Put(ctx, "x/y/c", []byte("three")))
			require.NoError(t, s.Put(ctx, "xz", nil))
			data, err := s.Get(ctx, "x/a b+.txt", 3)
			require.NoError(t, err)
			require.Equal(t, "one", string(data))
			_, err = s.Get(ctx, "x/a b+.txt", 2)
			require.ErrorContains(t, err, "is over 2 bytes")
			listed, err := s.List(ctx, "x/")
			require.NoError(t, err)
			require.Len(t, listed, 2)
			require.Equal(t, "x/a b+.txt", listed[0].Key)
			require.EqualValues(t, 3, listed[0].Size)
			none, err := s.List(ctx, "q/")
			require.NoError(t, err)
			require.Empty(t, none)
			target := filepath.Join(p.env.Scratch, "copy")
			require.NoError(t, s.Fetch(ctx, "x/a b+.txt", listed[0].Version, target))
			require.NoError(t, s.Upload(ctx, "x/a b+.txt", target))
			require.NoError(t, s.Put(ctx, "x/a b+.txt", []byte("other")))
			require.Equal(t, "InputChanged", fail.Reason(s.Fetch(ctx, "x/a b+.txt", listed[0].Version, target), ""))
			require.NoError(t, s.(mover).move(ctx, "x/a b+.txt", "z/moved to"))
			data, err = s.Get(ctx, "z/moved to", 100)
			require.NoError(t, err)
			require.Equal(t, "other", string(data))
			require.ErrorIs(t, s.(mover).move(ctx, "x/a b+.txt", "z/b"), os.ErrNotExist)
			require.NoError(t, s.Delete(ctx, "xz"))
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			require.ErrorIs(t, s.Fetch(cancelled, "z/moved to", "", target), context.Canceled)
			if name == "s3" {
				require.Equal(t, "s3://a-bucket/some/folder/k", s.URI("k"))
			} else {
				require.ErrorContains(t, s.Put(ctx, "../out", nil), "escapes")
				_, err = s.Get(ctx, "../out", 1)
				require.Error(t, err)
			}
		})
	}
}

func TestS3ErrorsSayWhatToDo(t *testing.T) {
	p := newPlace(t)
	good := p.gateway("a-bucket")
	other := good.DeepCopy()
	other.S3.Bucket = "no-bucket"
	s, err := OpenStore(t.Context(), *other, p.env.Mounts)
	require.NoError(t, err)
	_, err = s.List(t.Context(), "")
	require.ErrorContains(t, err, "bucket no-bucket does not exist")
	require.EqualValues(t, 66, fail.Code(err))
	missing := good.DeepCopy()
	missing.S3.CredentialsSecretRef.Name = "none"
	_, err = OpenStore(t.Context(), *missing, p.env.Mounts)
	require.ErrorContains(t, err, `expected key "accessKeyID" of Secret "none"`)
	require.EqualValues(t, 78, fail.Code(err))
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "secrets/s3/secretAccessKey"), []byte("wrong"), 0o600))
	s, err = OpenStore(t.Context(), good, p.env.Mounts)
	require.NoError(t, err)
	err = s.Put(t.Context(), "k", []byte("x"))
	require.ErrorContains(t, err, "give credentials that may")
	require.NotContains(t, err.Error(), "word-of-the-test")
	require.Equal(t, "AccessDenied", fail.Reason(err, ""))
}

func TestSourceFromS3(t *testing.T) {
	p := newPlace(t)
	at := p.gateway("a-bucket")
	s, err := OpenStore(t.Context(), at, p.env.Mounts)
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), "in/a.csv.gz", []byte(gzipped(t, "id,name\n1,a\n"))))
	require.NoError(t, s.Put(t.Context(), "in/deep/b.csv", []byte("name,id\nb,2\n")))
	spec := filesSpec("in/**/*.{csv,csv.gz}", v1alpha1.FormatCSV)
	spec.Files.Storage = at
	plan, got, _, err := p.read(spec)
	require.NoError(t, err)
	require.Equal(t, []string{"1|a", "2|b"}, got)
	require.Equal(t, "s3://a-bucket/in/a.csv.gz", plan.Inputs[0].Name)
	source, err := OpenSource(t.Context(), p.env, spec)
	require.NoError(t, err)
	require.NoError(t, s.Put(t.Context(), "in/deep/b.csv", []byte("name,id\nb,3\n")))
	_, _, err = p.readPlan(source, plan)
	require.ErrorContains(t, err, "in/deep/b.csv was changed after the run was planned")
}
