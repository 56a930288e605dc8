package image

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// writeLayer writes the files as a tar, each folder before what is in it, all owned by root.
func writeLayer(w io.Writer, files map[string]entry) error {
	out := tar.NewWriter(w)
	written := map[string]bool{"/": true}
	for _, name := range sortedPaths(files) {
		if err := writeParents(out, path.Dir(name), files, written); err != nil {
			return err
		}
		if written[name] {
			continue
		}
		written[name] = true
		if err := writeEntry(out, name, files[name]); err != nil {
			return fmt.Errorf("add %s: %w", name, err)
		}
	}
	return out.Close()
}

func writeParents(out *tar.Writer, dir string, files map[string]entry, written map[string]bool) error {
	if written[dir] {
		return nil
	}
	if err := writeParents(out, path.Dir(dir), files, written); err != nil {
		return err
	}
	written[dir] = true
	e, ok := files[dir]
	if !ok {
		e = entry{Mode: fs.ModeDir | 0o755}
	}
	return writeEntry(out, dir, e)
}

func writeEntry(out *tar.Writer, name string, e entry) error {
	header := &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Mode: int64(e.Mode.Perm()), ModTime: e.ModTime, Format: tar.FormatPAX,
	}
	if e.Mode&fs.ModeSticky != 0 {
		header.Mode |= 0o1000
	}
	switch {
	case e.Mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
	case e.Link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.Link
	case e.Source == "":
		header.Typeflag, header.Size = tar.TypeReg, int64(len(e.Content))
	default:
		header.Typeflag, header.Size = tar.TypeReg, e.Size
	}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	if e.Source == "" {
		_, err := io.WriteString(out, e.Content)
		return err
	}
	in, err := os.Open(e.Source)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(out, in)
	return err
}
