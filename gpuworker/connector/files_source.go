package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// filesSource reads CSV, NDJSON or Parquet files. It reads one at a time, where it lies or out of the scratch folder.
type filesSource struct {
	env    Env
	spec   v1alpha1.FilesSource
	store  Store
	format format
	memory rememberer
}

// format is how one kind of file is read with SQL.
type format interface {
	// infer finds the columns of one local file; nil when it has no rows and so tells nothing. The whole file is looked at
	// unless it is large.
	infer(ctx context.Context, db *cpu.Engine, f localFile) ([]fileColumn, error)
	// query is the SQL that reads a file with the pinned columns, in their order and types, and then the columns of
	// rejectColumns. A file that does not have the columns is an error.
	query(ctx context.Context, db *cpu.Engine, f localFile, s *fileSchema, limit int64) (string, error)
	// rejected gives the rows that the reader itself left out of the query that has just ended, by line, and the line
	// number of a file's first row.
	rejected(ctx context.Context, db *cpu.Engine) (left []reject, firstLine int64, err error)
	// unify gives the type that holds the values of both, or an empty text.
	unify(a, b string) string
}

// localFile is a file of a split at a path of this machine.
type localFile struct {
	fileSplit
	uri, path   string
	compression v1alpha1.FileCompression
}

// fileSplit is one file as the plan saw it.
type fileSplit struct {
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	Version string `json:"version"`
}

// fileColumn is a column with its type as DuckDB writes it.
type fileColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// fileSchema is a plan's Schema for files.
type fileSchema struct {
	Columns []fileColumn `json:"columns"`
	// Declared says that the spec named the columns: others of the files are left out. Else another column is an error.
	Declared bool `json:"declared,omitempty"`
	// Incremental asks the sink to remember the plan's inputs.
	Incremental bool `json:"incremental,omitempty"`
}

func openFilesSource(ctx context.Context, env Env, spec v1alpha1.FilesSource) (*filesSource, error) {
	if spec.Glob == "" || strings.HasPrefix(spec.Glob, "/") || strings.Contains(spec.Glob, "..") {
		return nil, fail.Usage("BadSpec", "glob is %q; expected a pattern relative to the storage, with no leading '/' and no '..'", spec.Glob)
	}
	f := &filesSource{env: env, spec: spec}
	switch spec.Format {
	case v1alpha1.FormatCSV:
		f.format = newCSV(spec)
	case v1alpha1.FormatNDJSON:
		f.format = ndjson{}
	case v1alpha1.FormatParquet:
		f.format = parquetFiles{}
	default:
		return nil, fail.Usage("BadSpec", "format is %q; expected %s, %s or %s", spec.Format, v1alpha1.FormatCSV, v1alpha1.FormatNDJSON, v1alpha1.FormatParquet)
	}
	var err error
	if f.store, err = OpenStore(ctx, spec.Storage, env.Mounts); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *filesSource) incremental() bool { return f.spec.Incremental == v1alpha1.IncrementalByFile }

func (f *filesSource) engine() (*cpu.Engine, error) {
	return cpu.Open(cpu.Options{MemoryLimit: f.env.Budget.DuckDB, TempDir: f.env.Scratch})
}

// fetch brings a file to a path of this machine; done removes what was copied. DuckDB takes some characters of a path as
// a pattern, so such files are copied too.
func (f *filesSource) fetch(ctx context.Context, split fileSplit) (file localFile, done func(), err error) {
	file = localFile{fileSplit: split, uri: f.store.URI(split.Key), compression: f.compression(split.Key)}
	if here, ok := f.store.(local); ok {
		file.path, err = here.open(split.Key, split.Version)
		if err != nil || !strings.ContainsAny(file.path, `*?[]{}\`) {
			return file, func() {}, gone(file.uri, err)
		}
	}
	file.path = filepath.Join(f.env.Scratch, "input-"+uuid.NewString())
	done = func() { _ = os.Remove(file.path) } // the folder goes with the process anyway
	if err := f.store.Fetch(ctx, split.Key, split.Version, file.path); err != nil {
		done()
		return file, nil, gone(file.uri, err)
	}
	return file, done, nil
}

func (f *filesSource) compression(key string) v1alpha1.FileCompression {
	switch c := f.spec.Compression; {
	case c != "" && c != v1alpha1.FileCompressionAuto:
		return c
	case strings.HasSuffix(strings.ToLower(key), ".gz"):
		return v1alpha1.FileCompressionGzip
	case strings.HasSuffix(strings.ToLower(key), ".zst"), strings.HasSuffix(strings.ToLower(key), ".zstd"):
		return v1alpha1.FileCompressionZstd
	}
	return v1alpha1.FileCompressionNone
}

// duckCompression is the option of DuckDB's readers.
func (f localFile) duckCompression() string {
	if f.compression == v1alpha1.FileCompressionNone {
		return "compression='uncompressed'"
	}
	return "compression=" + cpu.Literal(strings.ToLower(string(f.compression)))
}

// Read streams the files of the splits.
func (f *filesSource) Read(ctx context.Context, plan *Plan, splits []json.RawMessage) (Stream, error) {
	s := &filesStream{ctx: ctx, source: f, rejects: rejectLog{max: f.maxRejects(), dir: f.env.Scratch}}
	if err := json.Unmarshal(plan.Schema, &s.pinned); err != nil {
		return nil, fmt.Errorf("the plan's schema is not that of files: %w", err)
	}
	for _, raw := range splits {
		var split fileSplit
		if err := json.Unmarshal(raw, &split); err != nil {
			return nil, fmt.Errorf("the plan's split is not a file: %w", err)
		}
		s.splits = append(s.splits, split)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

func (f *filesSource) maxRejects() int64 {
	if f.spec.MaxRejects == nil {
		return 0
	}
	return *f.spec.MaxRejects
}
