package lakehouse

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Mounts is the folder that holds what a pod mounts: secrets/<secret>/<key>, volumes/<claim>/..., scratch. A run by hand
// has the same layout in any folder.
type Mounts string

// maxSecret bounds a secret's value; Kubernetes allows 1 MiB.
const maxSecret = 1 << 20

// Secret reads one key of a mounted Secret, without its final newline. A missing file is a Refusal with reason MissingMount
// that names the file; the value is in no error.
func (m Mounts) Secret(name, key string) (string, error) {
	path := filepath.Join(string(m), "secrets", name, key)
	f, err := os.Open(path)
	if err != nil {
		return "", refuse(ReasonMissingMount, "", "expected key %q of Secret %q in the file %s: %v; create the Secret with that key", key, name, path, pathless(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err != nil {
		return "", fmt.Errorf("read key %q of Secret %q: %w", key, name, pathless(err))
	}
	return strings.TrimRight(string(data), "\r\n"), nil
}

// optionalSecret is Secret for a key that may be missing; then it is the empty string.
func (m Mounts) optionalSecret(name, key string) (string, error) {
	if _, err := os.Stat(filepath.Join(string(m), "secrets", name, key)); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return m.Secret(name, key)
}

// Volume is the folder path of a mounted claim, joined with a path inside it, as an absolute path. A claim that is not
// mounted is a Refusal with reason MissingMount.
func (m Mounts) Volume(claim, path string) (string, error) {
	root, err := filepath.Abs(filepath.Join(string(m), "volumes", claim))
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return "", refuse(ReasonMissingMount, "", "expected claim %q as the folder %s, which is not there; by hand, make that folder", claim, root)
	}
	inside := filepath.Join(root, path)
	if inside != root && !strings.HasPrefix(inside, root+string(filepath.Separator)) {
		return "", refuse(ReasonInvalidConfiguration, "", "path %q leads out of claim %q; give a path without '..'", path, claim)
	}
	return inside, nil
}

// pathless drops the path from a file error: the message says it already.
func pathless(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Scratch makes a folder for files that live as long as the process: in the bounded scratch volume of a pod, or where
// temporary files go by hand. The caller removes it.
func (m Mounts) Scratch(prefix string) (string, error) {
	parent := filepath.Join(string(m), "scratch")
	if info, err := os.Stat(parent); err != nil || !info.IsDir() {
		parent = ""
	}
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", fmt.Errorf("make a scratch folder: %w", err)
	}
	return dir, nil
}
