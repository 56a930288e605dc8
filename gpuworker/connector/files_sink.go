package connector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// filesSink writes a folder of Parquet files, <runID>-<shard>-<number>.parquet. They wait in a folder of the attempt until
// the commit moves them into place and writes the run's manifest, _manifests/<runID>.json, which is the token. A reader
// that takes only files of runs with a manifest sees whole runs; one that takes every file may see a change half-way. Where
// no reader may, the destination is an icebergTable.
type filesSink struct {
	env       Env
	store     Store
	folder    string
	overwrite bool
	writer    parquetWriter
}

// runManifest is _manifests/<runID>.json.
type runManifest struct {
	Version int    `json:"version"`
	RunID   string `json:"runID"`
	Attempt int32  `json:"attempt"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	Files   []File `json:"files"`
	// Replaces are keys of files of earlier runs that this one, an Overwrite, removes once this manifest is durable.
	Replaces []string `json:"replaces,omitempty"`
}

// maxManifest bounds a manifest, in bytes: some 100,000 files.
const maxManifest = 32 << 20

var safeRunID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func openFilesSink(ctx context.Context, env Env, spec v1alpha1.FilesDestination) (*filesSink, error) {
	folder := path.Clean(spec.Path)
	if spec.Path == "" || folder == "." || strings.HasPrefix(folder, "/") || strings.HasPrefix(folder, "..") {
		return nil, fail.Usage("BadSpec", "destination path is %q; expected a folder below the storage, with no leading '/' and no '..'", spec.Path)
	}
	if spec.Format != "" && spec.Format != v1alpha1.FormatParquet {
		return nil, fail.Usage("BadSpec", "destination format is %q; expected %s", spec.Format, v1alpha1.FormatParquet)
	}
	if spec.Mode != "" && spec.Mode != v1alpha1.WriteAppend && spec.Mode != v1alpha1.WriteOverwrite {
		return nil, fail.Usage("BadSpec", "destination mode is %q; files take %s and %s", spec.Mode, v1alpha1.WriteAppend, v1alpha1.WriteOverwrite)
	}
	if !safeRunID.MatchString(env.Run.ID) {
		return nil, fail.Usage("BadSpec", "runID is %q; it names files, so expected letters, digits, '.', '_' and '-'", env.Run.ID)
	}
	codec, err := parquetCodec(spec.Compression)
	if err != nil {
		return nil, err
	}
	store, err := OpenStore(ctx, spec.Storage, env.Mounts)
	if err != nil {
		return nil, err
	}
	return &filesSink{env: env, store: store, folder: folder, overwrite: spec.Mode == v1alpha1.WriteOverwrite,
		writer: parquetWriter{scratch: env.Scratch, codec: codec, target: targetFileSize}}, nil
}

func (s *filesSink) manifestKey(runID string) string {
	return path.Join(s.folder, "_manifests", runID+".json")
}

func (s *filesSink) attemptFolder() string {
	return path.Join(s.folder, "_datastack", s.env.Run.ID, fmt.Sprint(s.env.Run.Attempt))
}

// Committed also ends the clean-up of an Overwrite that was cut off after its commit.
func (s *filesSink) Committed(ctx context.Context) (*Commit, error) {
	key := s.manifestKey(s.env.Run.ID)
	data, err := s.store.Get(ctx, key, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var m runManifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s is not a run's manifest: %w", s.store.URI(key), err)
	}
	if m.Version != 1 {
		return nil, fmt.Errorf("%s is version %d; this worker reads 1", s.store.URI(key), m.Version)
	}
	return &Commit{Rows: m.Rows, Bytes: m.Bytes, Replayed: true}, s.remove(ctx, m.Replaces)
}

func (s *filesSink) remove(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.store.Delete(ctx, key); err != nil {
			return fmt.Errorf("remove a replaced file: %w", err)
		}
	}
	return nil
}

func (s *filesSink) Write(ctx context.Context, shard int, rows array.RecordReader) (*Manifest, error) {
	m := &Manifest{Shard: shard}
	put := func(number int, file writtenParquet) error {
		key := path.Join(s.attemptFolder(), fmt.Sprintf("%s-%04d-%04d.parquet", s.env.Run.ID, shard, number))
		if err := s.store.Upload(ctx, key, file.path); err != nil {
			return err
		}
		m.Files = append(m.Files, File{Path: s.store.URI(path.Join(s.folder, path.Base(key))), Size: file.size, SHA256: file.sha256})
		m.Rows += file.rows
		m.Bytes += file.size
		return nil
	}
	if err := s.writer.write(ctx, rows, put); err != nil {
		return nil, errors.Join(err, s.Discard(context.WithoutCancel(ctx), []*Manifest{m}))
	}
	return m, nil
}

func (s *filesSink) Commit(ctx context.Context, _ *Plan, manifests []*Manifest) (*Commit, error) {
	if done, err := s.Committed(ctx); err != nil || done != nil {
		return done, err
	}
	m := runManifest{Version: 1, RunID: s.env.Run.ID, Attempt: s.env.Run.Attempt, Files: []File{}}
	for _, shard := range manifests {
		m.Files = append(m.Files, shard.Files...)
		m.Rows += shard.Rows
		m.Bytes += shard.Bytes
	}
	leftovers, err := s.survey(ctx, &m)
	if err != nil {
		return nil, err
	}
	if err := s.remove(ctx, leftovers); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if err := s.place(ctx, path.Base(f.Path)); err != nil {
			return nil, err
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := s.store.Put(ctx, s.manifestKey(m.RunID), data); err != nil {
		return nil, err
	}
	return &Commit{Rows: m.Rows, Bytes: m.Bytes}, s.remove(ctx, m.Replaces)
}

// place moves a file from the attempt's folder to where readers look. One that an earlier try moved is there already.
func (s *filesSink) place(ctx context.Context, name string) error {
	from, to := path.Join(s.attemptFolder(), name), path.Join(s.folder, name)
	err := s.store.(mover).move(ctx, from, to)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	there, listErr := s.store.List(ctx, to)
	if listErr == nil && len(there) == 1 {
		return nil
	}
	return errors.Join(fmt.Errorf("the file to commit is gone: %w", err), listErr)
}

var ownFile = regexp.MustCompile(`^(.+)-\d{4,}-\d{4,}\.parquet$`)

// survey finds what lies in the folder: files of this run that an earlier attempt left and this commit has not, and, for
// an Overwrite, the files of committed runs, which it notes in the manifest. Files that no run wrote are left alone.
func (s *filesSink) survey(ctx context.Context, m *runManifest) (leftovers []string, err error) {
	objects, err := s.store.List(ctx, s.folder+"/")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range m.Files {
		names = append(names, path.Base(f.Path))
	}
	committed := map[string]bool{}
	for _, o := range objects {
		if path.Dir(o.Key) == path.Join(s.folder, "_manifests") {
			committed[strings.TrimSuffix(path.Base(o.Key), ".json")] = true
		}
	}
	for _, o := range objects {
		name := path.Base(o.Key)
		match := ownFile.FindStringSubmatch(name)
		switch {
		case match == nil || path.Dir(o.Key) != s.folder:
		case match[1] == m.RunID:
			if !slices.Contains(names, name) {
				leftovers = append(leftovers, o.Key)
			}
		case s.overwrite && committed[match[1]]:
			m.Replaces = append(m.Replaces, o.Key)
		}
	}
	return leftovers, nil
}

func (s *filesSink) Discard(ctx context.Context, manifests []*Manifest) error {
	var failed []error
	for _, m := range manifests {
		for _, f := range m.Files {
			failed = append(failed, s.store.Delete(ctx, path.Join(s.attemptFolder(), path.Base(f.Path))))
		}
	}
	return errors.Join(failed...)
}

func (s *filesSink) Output() Dataset { return Dataset{Name: s.store.URI(s.folder)} }

func (s *filesSink) Staging() (Store, string) {
	return s.store, path.Join(s.folder, "_datastack")
}

func (s *filesSink) Close() error { return nil }
