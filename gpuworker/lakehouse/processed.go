package lakehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// ProcessedFile is one source file that a pipeline has brought into the table.
type ProcessedFile struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	ETag string `json:"etag,omitempty"`
}

// maxProcessedChain is how many state files may follow each other before one holds the whole list again.
const maxProcessedChain = 16

// processedState is a state file: the files of one run, and the state that it adds to.
type processedState struct {
	Version int    `json:"version"`
	Writer  string `json:"writer"`
	Token   string `json:"token"`
	// Base is the state file before this one; empty when Files is the whole list.
	Base  string          `json:"base,omitempty"`
	Depth int             `json:"depth"`
	Files []ProcessedFile `json:"files"`
}

// ProcessedFiles lists the source files that the writer's commits have brought into the table, by path. A commit that was
// rolled back does not count.
func ProcessedFiles(ctx context.Context, t *Table, writer string) ([]ProcessedFile, error) {
	path, err := processedPath(t.Metadata(), writer)
	if err != nil || path == "" {
		return nil, err
	}
	fs, err := t.inner.FS(ctx)
	if err != nil {
		return nil, err
	}
	files, _, err := readProcessed(fs, t.Location(), path)
	return files, err
}

// processedPath finds the newest state of the writer in the history of main, or "" when there is none.
func processedPath(meta table.Metadata, writer string) (string, error) {
	history := ancestors(meta)
	for _, s := range history {
		if s.Summary == nil || s.Summary.Properties[SummaryWriter] != writer {
			continue
		}
		if path := s.Summary.Properties[SummaryProcessed]; path != "" {
			return path, nil
		}
	}
	last, ok, err := readLastCommit(meta, writer)
	if err != nil || !ok || last.Processed == "" {
		return "", err
	}
	// Either the commit expired, or it is still there and carried an older, expired state forward.
	for _, s := range history {
		if fmt.Sprint(s.SnapshotID) == last.Snapshot {
			return last.Processed, nil
		}
	}
	if _, expired, err := last.expiredFrom(meta, history); err != nil || !expired {
		return "", err
	}
	return last.Processed, nil
}

// readProcessed follows the chain of state files. A file that came again in another version is listed once per version.
func readProcessed(fs iceio.IO, location, path string) (files []ProcessedFile, depth int, err error) {
	seen := map[ProcessedFile]bool{}
	for hop := 0; path != ""; hop++ {
		if hop > maxProcessedChain {
			return nil, 0, fmt.Errorf("the chain of processed-files states ends nowhere at %s", path)
		}
		if !strings.HasPrefix(path, strings.TrimSuffix(location, "/")+"/") {
			return nil, 0, fmt.Errorf("processed-files state %s is not in the table's folder %s; the table was moved without its state", path, location)
		}
		data, err := readFile(fs, path)
		if err != nil {
			return nil, 0, fmt.Errorf("read the processed-files state %s (without it files would be loaded twice): %w", path, err)
		}
		var s processedState
		if err := json.Unmarshal(data, &s); err != nil {
			return nil, 0, fmt.Errorf("processed-files state %s: expected a JSON object of version 1: %w", path, err)
		}
		if s.Version != 1 {
			return nil, 0, fmt.Errorf("processed-files state %s is version %d; this version reads 1", path, s.Version)
		}
		if hop == 0 {
			depth = s.Depth
		}
		for _, f := range s.Files {
			if !seen[f] {
				seen[f] = true
				files = append(files, f)
			}
		}
		path = s.Base
	}
	sort.Slice(files, func(i, j int) bool {
		a, b := files[i], files[j]
		if a.Path != b.Path {
			return a.Path < b.Path
		}
		return a.ETag < b.ETag
	})
	return files, depth, nil
}

// writeProcessed leaves the state file that the commit will refer to and returns its path, or "" when the commit brings
// in no files.
func writeProcessed(ctx context.Context, t *Table, req CommitRequest) (string, error) {
	if len(req.Processed) == 0 {
		return "", nil
	}
	fs, err := t.inner.FS(ctx)
	if err != nil {
		return "", err
	}
	base, err := processedPath(t.Metadata(), req.Writer)
	if err != nil {
		return "", err
	}
	state := processedState{Version: 1, Writer: req.Writer, Token: req.Token, Base: base, Files: req.Processed}
	if base != "" {
		before, depth, err := readProcessed(fs, t.Location(), base)
		if err != nil {
			return "", err
		}
		if state.Depth = depth + 1; state.Depth >= maxProcessedChain {
			state.Base, state.Depth, state.Files = "", 0, append(before, req.Processed...)
		}
	}
	data, err := json.Marshal(state)
	if err != nil {
		return "", err
	}
	// Each try has a file of its own: a lost try must not overwrite the winner's.
	path := fmt.Sprintf("%s/metadata/datastack/%s/%s-%s.json", strings.TrimSuffix(t.Location(), "/"), fileSafe(req.Writer), fileSafe(req.Token), uuid.NewString()[:8])
	return path, fs.(iceio.WriteFileIO).WriteFile(path, data)
}

// fileSafe keeps letters, digits, '-', '_' and '.', so that a name is one path element in every store.
func fileSafe(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
}
