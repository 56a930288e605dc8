package image

import (
	"bufio"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// addLibraries adds the shared libraries that the image's files need, where the machine's loader finds them. It returns
// the folders among them that a loader does not search by itself.
func addLibraries(files map[string]entry) ([]string, error) {
	var programs []string
	sources := map[string]bool{}
	for _, e := range files {
		if e.Source == "" || sources[e.Source] || !isELF(e.Source) {
			continue
		}
		sources[e.Source] = true
		programs = append(programs, e.Source)
	}
	slices.Sort(programs)
	folders := map[string]bool{}
	for chunk := range slices.Chunk(programs, 100) {
		found, err := librariesOf(chunk)
		if err != nil {
			return nil, err
		}
		for _, library := range found {
			// Wheels carry libraries of their own, which they find relative to themselves.
			real, err := filepath.EvalSymlinks(library)
			if err != nil {
				return nil, err
			}
			if sources[real] || sources[library] {
				continue
			}
			if err := addTree(files, library, library); err != nil {
				return nil, err
			}
			if dir := filepath.Dir(library); !searchedByDefault(dir) {
				folders[dir] = true
			}
		}
	}
	var list []string
	for dir := range folders {
		list = append(list, dir)
	}
	slices.Sort(list)
	return list, nil
}

// librariesOf asks the loader, as the programs' start would.
func librariesOf(programs []string) ([]string, error) {
	// The exit code is not 0 when any of them is static, which is no error here.
	out, err := exec.Command("ldd", programs...).Output()
	if len(out) == 0 && err != nil {
		if exited := (*exec.ExitError)(nil); !errors.As(err, &exited) {
			return nil, fmt.Errorf("find shared libraries with ldd: %w", err)
		}
	}
	var found []string
	program := ""
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		switch {
		case strings.HasSuffix(line, ":") && !strings.HasPrefix(lines.Text(), "\t"):
			program = strings.TrimSuffix(line, ":")
		case strings.Contains(line, "=> not found"):
			// Optional plug-ins in wheels may miss a library that nobody loads here; a program may not.
			if program == "" || !strings.Contains(program, ".so") {
				return nil, fmt.Errorf("%s needs the shared library %s, which is not installed", program, strings.Fields(line)[0])
			}
		case strings.Contains(line, "=> /"):
			found = append(found, strings.Fields(line)[2])
		case strings.HasPrefix(line, "/"):
			found = append(found, strings.Fields(line)[0])
		}
	}
	slices.Sort(found)
	return slices.Compact(found), lines.Err()
}

func searchedByDefault(dir string) bool {
	for _, top := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64"} {
		if dir == top || (filepath.Dir(dir) == top && strings.HasSuffix(dir, "-linux-gnu")) {
			return true
		}
	}
	return false
}

func isELF(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	return f.Close() == nil && (f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN)
}
