package lineage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

// File is one data file that a commit added, hashed while it was written.
type File struct {
	// Path is the URI of the file.
	Path string
	// Size in bytes.
	Size int64
	// SHA256 of its bytes.
	SHA256 [sha256.Size]byte
}

// DataHash is the hex SHA-256 over the sorted lines "path size sha256", each ended by a newline. The
// path is quoted as a Go string where it holds a space or a control character, so that lines are unambiguous.
// Of no files it is empty: nothing was added.
func DataHash(files []File) string {
	if len(files) == 0 {
		return ""
	}
	lines := make([]string, len(files))
	for i, f := range files {
		lines[i] = quoted(f.Path) + " " + strconv.FormatInt(f.Size, 10) + " " + hex.EncodeToString(f.SHA256[:]) + "\n"
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func quoted(path string) string {
	for _, r := range path {
		if r <= ' ' || r == '"' || r == 0x7f {
			return strconv.Quote(path)
		}
	}
	return path
}

// StepText is one transformation as it was run.
type StepText struct {
	// Name and Type of the step.
	Name string `json:"name"`
	Type string `json:"type"`
	// Text is the script, query or expression, or the canonical JSON of the step's fields.
	Text string `json:"text"`
	// Engine and EngineVersion ran it.
	Engine        string `json:"engine"`
	EngineVersion string `json:"engineVersion"`
}

// TransformationHash is the hex SHA-256 of the canonical JSON of the steps, in their order. Of no steps
// it is empty. A text that is not UTF-8 is an error.
func TransformationHash(steps []StepText) (string, error) {
	if len(steps) == 0 {
		return "", nil
	}
	for i, s := range steps {
		for _, text := range []string{s.Name, s.Type, s.Text, s.Engine, s.EngineVersion} {
			if !utf8.ValidString(text) {
				return "", fmt.Errorf("step %d (%.60q): expected UTF-8 text, found %.60q", i, s.Name, text)
			}
		}
	}
	text, err := record.Canonical(steps)
	if err != nil {
		return "", fmt.Errorf("hash the transformations: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
