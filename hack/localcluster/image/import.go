package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Importer puts archives into a cluster's containerd.
type Importer struct {
	Ctr    string // path of the ctr program
	Socket string // of containerd, as this process sees it
	Record string // file that remembers what was imported
}

// Import imports an archive unless its content is there already, in which case imported is false.
func (i Importer) Import(ctx context.Context, archive string) (imported bool, err error) {
	stamp, err := os.ReadFile(archive + ".stamp")
	if err != nil {
		return false, fmt.Errorf("image archive %s: %w; build it with `localcluster image build` first", archive, err)
	}
	record := map[string]string{}
	b, err := os.ReadFile(i.Record)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the record of imported images: %w", err)
	}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &record); err != nil {
			return false, fmt.Errorf("the record of imported images %s is not JSON (%w); remove it to import all again", i.Record, err)
		}
	}
	name := filepath.Base(archive)
	if record[name] == string(stamp) {
		return false, nil
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, i.Ctr, "--address", i.Socket, "--namespace", "k8s.io", "images", "import", archive)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return false, fmt.Errorf("import %s: %w: %s", archive, err, strings.TrimSpace(out.String()))
	}
	record[name] = string(stamp)
	if b, err = json.MarshalIndent(record, "", "  "); err != nil {
		return false, err
	}
	return true, os.WriteFile(i.Record, b, 0o644)
}
