package wal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// FS is what the log needs of a file system. Tests put one beneath it that loses unforced writes.
type FS interface {
	// MkdirAll creates a folder and its parents.
	MkdirAll(dir string) error
	// List returns the names in a folder.
	List(dir string) ([]string, error)
	// ReadFile returns a whole file, or an error when it is longer than limit.
	ReadFile(name string, limit int64) ([]byte, error)
	// Create makes an empty file for writing, in place of an old one.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (Reader, error)
	// Rename gives a file another name, in place of an old one, atomically.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(name string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Lock takes the exclusive lock that a file stands for, or fails at once.
	Lock(name string) (io.Closer, error)
}

// File is written from front to back.
type File interface {
	io.WriteCloser
	// Sync makes what was written durable.
	Sync() error
}

// Reader reads at positions.
type Reader interface {
	io.ReaderAt
	io.Closer
}

// OS is the operating system's file system.
type OS struct{}

// MkdirAll creates the folder with mode 0700: records are not for other users of the machine.
func (OS) MkdirAll(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return OS{}.SyncDir(filepath.Dir(dir))
}

// List returns the names in a folder.
func (OS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// ReadFile returns a whole file of at most limit bytes.
func (OS) ReadFile(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s is %d bytes, at most %d are read", name, info.Size(), limit)
	}
	return os.ReadFile(name)
}

// Create makes an empty file with mode 0600.
func (OS) Create(name string) (File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// Open opens a file for reading.
func (OS) Open(name string) (Reader, error) { return os.Open(name) }

// Rename renames a file.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove deletes a file.
func (OS) Remove(name string) error { return os.Remove(name) }

// SyncDir forces a folder to disk.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Lock takes flock(2) on the file. The kernel releases it when the process ends, however it ends.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return f, nil
}
