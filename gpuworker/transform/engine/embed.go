// Package engine speaks to the Python engine, which runs the steps of types polars and datafusion. In a pod it is a
// container of its own, without token or credentials; by hand it is a child process. Both listen on a unix socket.
package engine

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed *.py
var sources embed.FS

// extract writes the engine's source files into a folder.
func extract(dir string) error {
	entries, err := sources.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		data, err := sources.ReadFile(entry.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, entry.Name()), data, 0o600); err != nil {
			return fmt.Errorf("unpack the engine: %w", err)
		}
	}
	return nil
}
