package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// entry is one file of an image: from the machine, from memory, or a link.
type entry struct {
	Source  string // path on the machine
	Content string // where there is no source
	Link    string // target of a symbolic link
	Mode    fs.FileMode
	Size    int64
	// ModTime is kept: Python compiles a module again, at each start, when it is not the one that it compiled.
	ModTime time.Time
}

const (
	certificates = "/etc/ssl/certs/ca-certificates.crt"
	timeZones    = "/usr/share/zoneinfo"
)

// collect finds every file of the image, by its path there, and the environment that they need.
func (s Spec) collect(root string) (map[string]entry, []string, error) {
	files := map[string]entry{
		"/etc/passwd":        {Content: "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n", Mode: 0o644},
		"/etc/group":         {Content: "root:x:0:\nnonroot:x:65532:\n", Mode: 0o644},
		"/etc/nsswitch.conf": {Content: "hosts: files dns\n", Mode: 0o644},
		"/tmp":               {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
	}
	for _, c := range s.Files {
		if err := addTree(files, absolute(root, c.From), c.To); err != nil {
			return nil, nil, err
		}
	}
	for _, c := range s.PythonEnvironments {
		if err := addPython(files, absolute(root, c.From), c.To); err != nil {
			return nil, nil, err
		}
	}
	if s.Certificates {
		if err := addTree(files, certificates, certificates); err != nil {
			return nil, nil, fmt.Errorf("%w; install the package ca-certificates", err)
		}
	}
	if s.TimeZones {
		if err := addTree(files, timeZones, timeZones); err != nil {
			return nil, nil, fmt.Errorf("%w; install the package tzdata", err)
		}
	}
	if !s.Libraries && len(s.PythonEnvironments) == 0 {
		return files, nil, nil
	}
	folders, err := addLibraries(files)
	if err != nil {
		return nil, nil, err
	}
	if len(folders) == 0 {
		return files, nil, nil
	}
	return files, []string{"LD_LIBRARY_PATH=" + strings.Join(folders, ":")}, nil
}

func absolute(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}

// addTree adds a file, or a folder with all below it. Links inside stay links.
func addTree(files map[string]entry, from, to string) error {
	// The starting point itself may be a link to what is meant.
	real, err := filepath.EvalSymlinks(from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s does not exist; build it first (`make build`, `make engine-venv`)", from)
	}
	if err != nil {
		return err
	}
	return filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(real, path)
		if err != nil {
			return err
		}
		return addOne(files, path, filepath.Join(to, rel), d)
	})
}

func addOne(files map[string]entry, path, to string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	e := entry{Mode: info.Mode(), ModTime: info.ModTime().Truncate(time.Second)}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if e.Link, err = os.Readlink(path); err != nil {
			return err
		}
	case info.IsDir():
		e.Mode = fs.ModeDir | 0o755
		e.ModTime = time.Time{}
	case info.Mode().IsRegular():
		e.Source, e.Size = path, info.Size()
		e.Mode |= 0o444 // read by a user who does not own it
		if e.Mode&0o100 != 0 {
			e.Mode |= 0o111
		}
	default:
		return nil // sockets and devices do not belong in an image
	}
	files[to] = e
	return nil
}

// fingerprint changes when any file, or the description, does.
func fingerprint(spec Spec, files map[string]entry) (string, error) {
	hash := sha256.New()
	encoder := json.NewEncoder(hash)
	if err := encoder.Encode(spec); err != nil {
		return "", err
	}
	for _, path := range sortedPaths(files) {
		if err := encoder.Encode([]any{path, files[path]}); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func sortedPaths(files map[string]entry) []string {
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	return paths
}
