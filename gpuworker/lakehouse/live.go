package lakehouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/apache/iceberg-go"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// liveFiles are the files of the current snapshot.
type liveFiles struct {
	data    []iceberg.DataFile
	deletes []iceberg.DataFile
}

func (t *Table) liveFiles(ctx context.Context) (liveFiles, error) {
	var out liveFiles
	head := t.Metadata().CurrentSnapshot()
	if head == nil {
		return out, nil
	}
	io, err := t.inner.FS(ctx)
	if err != nil {
		return out, err
	}
	manifests, err := head.Manifests(io)
	if err != nil {
		return out, fmt.Errorf("read the manifest list of snapshot %d: %w", head.SnapshotID, err)
	}
	for _, m := range manifests {
		for e, err := range m.Entries(io, true) {
			if err != nil {
				return out, fmt.Errorf("read manifest %s: %w", m.FilePath(), err)
			}
			if e.DataFile().ContentType() == iceberg.EntryContentData {
				out.data = append(out.data, e.DataFile())
			} else {
				out.deletes = append(out.deletes, e.DataFile())
			}
		}
	}
	return out, nil
}
