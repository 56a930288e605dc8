package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/google/uuid"
)

// iceberg-go's own local IO never fsyncs: after a power loss an acknowledged commit can point at empty files.
func init() {
	for _, scheme := range []string{"file", ""} {
		iceio.Unregister(scheme)
		iceio.Register(scheme, func(context.Context, *url.URL, map[string]string) (iceio.IO, error) { return durableFS{}, nil })
	}
}

// durableFS is local file IO in which a file appears whole or not at all, and stays after a power loss: temporary file,
// fsync, rename, fsync of the folder. Paths are taken literally after the scheme, as Java, PyIceberg and DuckDB take
// them, so a partition value with `%` in its folder name is found by every reader.
type durableFS struct{}

func localPath(name string) (string, error) {
	rest, isURI := strings.CutPrefix(name, "file:")
	if !isURI {
		if i := strings.Index(name, "://"); i > 0 {
			return "", fmt.Errorf("%q is not a local path; expected file:///path or /path", name)
		}
		return name, nil
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		host, path, _ := strings.Cut(authority, "/")
		if host != "" && host != "localhost" {
			return "", fmt.Errorf("%q names the host %q; expected file:///path", name, host)
		}
		return "/" + path, nil
	}
	return rest, nil
}

func (durableFS) Open(name string) (iceio.File, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

func (durableFS) ReadFile(name string) ([]byte, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func (durableFS) Remove(name string) error {
	path, err := localPath(name)
	if err != nil {
		return err
	}
	return os.Remove(path)
}

func (durableFS) Stat(name string) (fs.FileInfo, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	return os.Stat(path)
}

// WalkDir passes paths in the spelling of root: URIs for a URI, plain paths for a plain path.
func (durableFS) WalkDir(root string, fn fs.WalkDirFunc) error {
	path, err := localPath(root)
	if err != nil {
		return err
	}
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if rel, relErr := filepath.Rel(path, p); relErr == nil && rel != "." {
			return fn(strings.TrimSuffix(root, "/")+"/"+filepath.ToSlash(rel), d, err)
		}
		return fn(root, d, err)
	})
}

func (durableFS) Create(name string) (iceio.FileWriter, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	if err := mkdirDurable(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".tmp-"+uuid.NewString(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return &durableFile{File: f, path: path}, nil
}

func (d durableFS) WriteFile(name string, content []byte) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.(*durableFile).abandon())
	}
	return f.Close()
}

// durableFile publishes its content under its name at Close. A write that failed is never published.
type durableFile struct {
	*os.File
	path   string
	failed error
	closed bool
}

func (f *durableFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if err != nil {
		f.failed = err
	}
	return n, err
}

func (f *durableFile) abandon() error {
	f.closed = true
	return errors.Join(f.File.Close(), os.Remove(f.Name()))
}

func (f *durableFile) Close() error {
	if f.closed {
		return os.ErrClosed
	}
	if f.failed != nil {
		return errors.Join(fmt.Errorf("write %s: %w", f.path, f.failed), f.abandon())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("fsync %s: %w", f.path, err), f.abandon())
	}
	f.closed = true
	if err := f.File.Close(); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(f.path))
}

// mkdirDurable creates the folder and those above it, and fsyncs the parent of each one that it had to create.
func mkdirDurable(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := mkdirDurable(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
