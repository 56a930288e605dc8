package lineage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxEntryBytes bounds an outbox entry: a record at its largest, with room for its frame.
const maxEntryBytes = 1 << 20

// Folder is a Storage in a local folder, which must exist.
type Folder string

// Put writes to a temporary file, forces it to disk, renames it and forces the folder.
func (f Folder) Put(ctx context.Context, name string, data []byte) error {
	path, err := f.path(ctx, name)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(string(f), ".put-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return f.sync()
}

// Get returns a file of at most 1 MiB.
func (f Folder) Get(ctx context.Context, name string) ([]byte, error) {
	path, err := f.path(ctx, name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxEntryBytes+1))
	if err == nil && len(data) > maxEntryBytes {
		err = fmt.Errorf("%s is over %d bytes, which no entry is", name, maxEntryBytes)
	}
	return data, err
}

// List returns the names that begin with prefix, in order.
func (f Folder) List(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Delete removes a file durably.
func (f Folder) Delete(ctx context.Context, name string) error {
	path, err := f.path(ctx, name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return f.sync()
}

func (f Folder) path(ctx context.Context, name string) (string, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("outbox name: expected a file name without folders, found %.200q", name)
	}
	return filepath.Join(string(f), name), ctx.Err()
}

func (f Folder) sync() error {
	d, err := os.Open(string(f))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
