package lakehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/codec"
	"github.com/apache/iceberg-go/table"
)

// FileSet is data files that were written and not yet committed. It is plain JSON, so that a shard can leave it in the
// staging area and another process can commit it.
type FileSet struct {
	// TableUUID is the table that the files were written for: they are never committed to its namesake.
	TableUUID string `json:"tableUUID"`
	// FormatVersion, SchemaID and SpecID are what Files is encoded with.
	FormatVersion int `json:"formatVersion"`
	SchemaID      int `json:"schemaID"`
	SpecID        int `json:"specID"`
	// Rows is the number of rows in all files.
	Rows int64 `json:"rows"`
	// Files holds each file's manifest entry, in Avro.
	Files [][]byte `json:"files,omitempty"`
	// Written holds each file's path, size and SHA-256, in the order of Files.
	Written []WrittenFile `json:"written,omitempty"`
}

// Bytes is the size of all files.
func (s FileSet) Bytes() (n int64) {
	for _, f := range s.Written {
		n += f.Size
	}
	return n
}

// DataHash is the SHA-256, in hexadecimal, over the sorted lines "path size sha256" of all files of the sets.
func DataHash(sets ...FileSet) string {
	var lines []string
	for _, s := range sets {
		for _, f := range s.Written {
			lines = append(lines, fmt.Sprintf("%s %d %s\n", f.Path, f.Size, f.SHA256))
		}
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

func newFileSet(meta table.Metadata, spec iceberg.PartitionSpec, files []iceberg.DataFile, log *fileLog) (FileSet, error) {
	set := FileSet{TableUUID: meta.TableUUID().String(), FormatVersion: meta.Version(), SchemaID: meta.CurrentSchema().ID, SpecID: spec.ID()}
	for _, df := range files {
		entry, err := codec.EncodeDataFile(df, spec, meta.CurrentSchema(), meta.Version())
		if err != nil {
			return FileSet{}, fmt.Errorf("describe %s: %w", df.FilePath(), err)
		}
		written, ok := log.file(df.FilePath())
		if !ok || written.SHA256 == "" || written.Size != df.FileSizeBytes() {
			return FileSet{}, fmt.Errorf("%s was described with %d bytes but written with %d", df.FilePath(), df.FileSizeBytes(), written.Size)
		}
		set.Files = append(set.Files, entry)
		set.Written = append(set.Written, written)
		set.Rows += df.Count()
	}
	return set, nil
}

// decode gives back the data files, checked against the table that they shall go into.
func (s FileSet) decode(meta table.Metadata) ([]iceberg.DataFile, error) {
	if s.TableUUID != meta.TableUUID().String() {
		return nil, refuse(ReasonTableNotFound, "", "the files were written for table %s, and the table of that name is now %s; run again, so that they are written for it",
			s.TableUUID, meta.TableUUID())
	}
	spec := meta.PartitionSpecByID(s.SpecID)
	var schema *iceberg.Schema
	for _, sc := range meta.Schemas() {
		if sc.ID == s.SchemaID {
			schema = sc
		}
	}
	if spec == nil || schema == nil {
		return nil, fmt.Errorf("the files were written with schema %d and partition spec %d, which the table no longer has; run again", s.SchemaID, s.SpecID)
	}
	out := make([]iceberg.DataFile, 0, len(s.Files))
	for i, entry := range s.Files {
		df, err := codec.DecodeDataFile(entry, *spec, schema, s.FormatVersion)
		if err != nil {
			return nil, fmt.Errorf("read the description of file %d: %w", i, err)
		}
		out = append(out, df)
	}
	return out, nil
}

func decodeAll(sets []FileSet, meta table.Metadata) ([]iceberg.DataFile, error) {
	var out []iceberg.DataFile
	seen := map[string]bool{}
	for _, s := range sets {
		files, err := s.decode(meta)
		if err != nil {
			return nil, err
		}
		for _, df := range files {
			if seen[df.FilePath()] {
				return nil, fmt.Errorf("%s is in two of the file sets; each shard's set may be given once", df.FilePath())
			}
			seen[df.FilePath()] = true
			out = append(out, df)
		}
	}
	return out, nil
}
