// Package cgroup creates and removes the control groups that hold a cluster's pods, in both versions of the hierarchy.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const mountPoint = "/sys/fs/cgroup"

// hierarchies are the roots below which each group exists: one in version 2, one for each controller in version 1.
func hierarchies(root string) ([]string, error) {
	if unified(root) {
		return []string{root}, nil
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("list control groups: %w; is %s mounted?", err, root)
	}
	var found []string
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err == nil && e.IsDir() {
			found = append(found, dir)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no control groups are mounted below %s; a kubelet needs them", root)
	}
	return found, nil
}

// unified reports whether the machine has version 2 only.
func unified(root string) bool {
	_, err := os.Stat(filepath.Join(root, "cgroup.controllers"))
	return err == nil
}

// Create makes the group in every hierarchy.
func Create(name string) error {
	roots, err := hierarchies(mountPoint)
	if err != nil {
		return err
	}
	if unified(mountPoint) {
		// Only what the parent hands down can be limited below it.
		for _, controller := range []string{"cpu", "cpuset", "memory", "pids", "io", "hugetlb"} {
			_ = os.WriteFile(filepath.Join(mountPoint, "cgroup.subtree_control"), []byte("+"+controller), 0)
		}
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create the pods' control group: %w", err)
		}
		if err := inheritCPUs(root, dir); err != nil {
			return err
		}
	}
	return nil
}

// inheritCPUs copies the processors and memory nodes: in version 1 a new group has none, and no process can join it.
func inheritCPUs(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(filepath.Join(parent, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, file), b, 0)
		}
		if err != nil {
			return fmt.Errorf("give the pods' control group its processors: %w", err)
		}
	}
	return nil
}

// Remove deletes the group and those below it, once their processes have ended.
func Remove(name string) error {
	if name == "" || strings.ContainsAny(name, "/.") {
		return fmt.Errorf("refuse to remove the control group %q: expected a plain name", name)
	}
	roots, err := hierarchies(mountPoint)
	if err != nil {
		return err
	}
	var failed []error
	for _, root := range roots {
		failed = append(failed, removeTree(filepath.Join(root, name)))
	}
	return errors.Join(failed...)
}

// removeTree removes folders only, deepest first: the files in them are the kernel's.
func removeTree(dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list the pods' control groups: %w", err)
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removeOne(dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// removeOne waits a little for processes that are being torn down.
func removeOne(dir string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove the control group %s: %w; its cgroup.procs lists the processes in it", dir, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
