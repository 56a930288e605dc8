package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// localStore is a folder. A file appears whole or not at all, and stays after a power loss. No key and no symbolic link
// leads out of the folder: os.Root sees to that.
type localStore struct{ dir string }

// mover is a store that renames or copies an object inside itself.
type mover interface {
	move(ctx context.Context, from, to string) error
}

// local is a store whose objects are files of this machine, to be read where they are.
type local interface {
	// open gives the path of an object that still is the given version.
	open(key, version string) (string, error)
}

func version(info fs.FileInfo) string {
	return fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
}

func (s *localStore) root() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("folder %s: %w", s.dir, fs.ErrNotExist)
	}
	return root, err
}

func (s *localStore) makeRoot() (*os.Root, error) {
	if err := makeDirs(filepath.Dir(s.dir), s.dir); err != nil {
		return nil, err
	}
	return os.OpenRoot(s.dir)
}

// makeDirs makes a folder and those above it, and fsyncs each parent of one that it made.
func makeDirs(parent, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if up := filepath.Dir(parent); up != parent {
		if err := makeDirs(up, parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(os.Open(parent))
}

func syncDir(dir *os.File, err error) error {
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (s *localStore) List(ctx context.Context, prefix string) ([]Object, error) {
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	start := path.Dir(prefix + "x")
	var out []Object
	err = fs.WalkDir(root.FS(), start, func(key string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since it was listed, or the prefix names no folder
		}
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if entry.IsDir() || !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := root.Stat(key) // follows a link, if it stays inside
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.URI(key), err)
		}
		if info.Mode().IsRegular() {
			out = append(out, Object{Key: key, Size: info.Size(), Version: version(info)})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b Object) int { return strings.Compare(a.Key, b.Key) })
	return out, err
}

func (s *localStore) Get(_ context.Context, key string, limit int64) ([]byte, error) {
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(key)
	if err != nil {
		return nil, s.explain(key, err)
	}
	defer f.Close()
	return readLimited(f, s.URI(key), limit)
}

func readLimited(r io.Reader, uri string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", uri, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is over %d bytes, more than it can be", uri, limit)
	}
	return data, nil
}

func (s *localStore) Fetch(ctx context.Context, key, want, target string) error {
	root, err := s.root()
	if err != nil {
		return err
	}
	defer root.Close()
	f, err := root.Open(key)
	if err != nil {
		return s.explain(key, err)
	}
	defer f.Close()
	out, err := os.Create(target)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, readerOf(ctx, f))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", s.URI(key), err)
	}
	return s.check(root, key, want) // after the copy: a change during it counts too
}

func (s *localStore) check(root *os.Root, key, want string) error {
	info, err := root.Stat(key)
	if err != nil {
		return s.explain(key, err)
	}
	if found := version(info); want != "" && found != want {
		return changed(s.URI(key), want, found)
	}
	return nil
}

func changed(uri, want, found string) error {
	return fail.NoInput("InputChanged", "%s was changed after the run was planned (planned: %s, found: %s); start a new run to read what it is now", uri, want, found)
}

func (s *localStore) open(key, want string) (string, error) {
	root, err := s.root()
	if err != nil {
		return "", err
	}
	defer root.Close()
	return filepath.Join(s.dir, filepath.FromSlash(key)), s.check(root, key, want)
}

func (s *localStore) Put(ctx context.Context, key string, data []byte) error {
	return s.write(ctx, key, bytes.NewReader(data))
}

func (s *localStore) Upload(ctx context.Context, key, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.write(ctx, key, f)
}

func (s *localStore) write(ctx context.Context, key string, r io.Reader) error {
	root, err := s.makeRoot()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := makeInside(root, path.Dir(key)); err != nil {
		return s.explain(key, err)
	}
	temporary := path.Join(path.Dir(key), "."+path.Base(key)+".tmp-"+uuid.NewString()[:8])
	f, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return s.explain(key, err)
	}
	_, err = io.Copy(f, readerOf(ctx, r))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = root.Rename(temporary, key)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", s.URI(key), err), root.Remove(temporary))
	}
	return syncDir(root.Open(path.Dir(key)))
}

// makeInside makes folders below the root, and fsyncs each parent of one that it made.
func makeInside(root *os.Root, dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := makeInside(root, path.Dir(dir)); err != nil {
		return err
	}
	if err := root.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(root.Open(path.Dir(dir)))
}

func (s *localStore) Delete(_ context.Context, key string) error {
	root, err := s.root()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s.explain(key, err)
	}
	return nil
}

func (s *localStore) move(_ context.Context, from, to string) error {
	root, err := s.root()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := makeInside(root, path.Dir(to)); err != nil {
		return s.explain(to, err)
	}
	if err := root.Rename(from, to); err != nil {
		return s.explain(from, err)
	}
	return errors.Join(syncDir(root.Open(path.Dir(to))), syncDir(root.Open(path.Dir(from))))
}

func (s *localStore) URI(key string) string {
	return "file://" + path.Join(filepath.ToSlash(s.dir), key)
}

// explain names the object once and keeps fs.ErrNotExist visible.
func (s *localStore) explain(key string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return fmt.Errorf("%s: %w", s.URI(key), err)
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func readerOf(ctx context.Context, r io.Reader) io.Reader { return contextReader{ctx, r} }

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
