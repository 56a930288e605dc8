package image

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// addPython adds a virtual environment, and the interpreter and standard library that it was made with, at the paths
// where the environment looks for them.
func addPython(files map[string]entry, venv, to string) error {
	if err := addTree(files, venv, to); err != nil {
		return err
	}
	for path := range files {
		if strings.HasPrefix(path, to+"/") && strings.HasPrefix(filepath.Base(path), "pip") && strings.Contains(path, "/site-packages/pip") {
			delete(files, path) // an image installs nothing
		}
	}
	const ask = `import json, sys, sysconfig, os
print(json.dumps({"executable": os.path.realpath(sys.executable), "stdlib": sysconfig.get_path("stdlib"), "base": sys.base_prefix}))`
	command := exec.Command(filepath.Join(venv, "bin", "python"), "-c", ask)
	answer, err := command.Output()
	if err != nil {
		return fmt.Errorf("ask the virtual environment %s for its interpreter: %w", venv, err)
	}
	var python struct{ Executable, Stdlib, Base string }
	if err := json.Unmarshal(answer, &python); err != nil {
		return fmt.Errorf("the interpreter of %s answered %q, expected JSON: %w", venv, answer, err)
	}
	if err := addTree(files, python.Executable, python.Executable); err != nil {
		return err
	}
	stdlib, err := filepath.EvalSymlinks(python.Stdlib)
	if err != nil {
		return fmt.Errorf("find Python's standard library: %w", err)
	}
	if err := addStdlib(files, stdlib, python.Stdlib); err != nil {
		return err
	}
	// The environment's own link may lead through links that are not in the image.
	for _, name := range []string{"python", "python3", filepath.Base(python.Executable)} {
		files[filepath.Join(to, "bin", name)] = entry{Link: python.Executable, Mode: fs.ModeSymlink | 0o777}
	}
	return nil
}

// addStdlib leaves out what only developers use: tests are half of the library.
func addStdlib(files map[string]entry, from, to string) error {
	skip := map[string]bool{"test": true, "site-packages": true, "dist-packages": true, "idlelib": true, "ensurepip": true, "tkinter": true, "turtledemo": true, "lib2to3": true}
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() && (skip[rel] || strings.HasPrefix(rel, "config-")) {
			return filepath.SkipDir
		}
		return addOne(files, path, filepath.Join(to, rel), d)
	})
}
