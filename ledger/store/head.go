package store

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

const headFile = "head.json"

// head is a size and root that the ledger is known to have had. It lets Open notice a log whose end was
// cut or changed, which the log's own checksums cannot tell from a torn write.
type head struct {
	LogID string        `json:"logID"`
	Size  record.Uint64 `json:"size"`
	Root  string        `json:"root"`
}

func (s *Store) currentHead() (head, error) {
	size := s.tree.Size()
	root, err := s.tree.Root(size)
	id := s.log.ID()
	return head{LogID: hex.EncodeToString(id[:]), Size: record.Uint64(size), Root: hex.EncodeToString(root[:])}, err
}

// writeHead replaces the head file. A failure is not an error of any append: the log alone decides what
// is durable, and an older head still holds.
func (s *Store) writeHead() {
	h, err := s.currentHead()
	if err != nil || uint64(h.Size) == s.headSize {
		return
	}
	text, err := json.Marshal(h)
	if err != nil {
		return
	}
	if err := s.replaceFile(s.head, text); err != nil {
		s.headErr.Store(&err)
		return
	}
	s.headErr.Store(nil)
	s.headSize = uint64(h.Size)
}

func (s *Store) replaceFile(path string, text []byte) error {
	f, err := s.fs.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := s.fs.Rename(path+".tmp", path); err != nil {
		return err
	}
	return s.fs.SyncDir(filepath.Dir(path))
}

// HeadFailed returns why the head file could not be written last time, or nil.
func (s *Store) HeadFailed() error {
	if err := s.headErr.Load(); err != nil {
		return *err
	}
	return nil
}

// checkHead compares the log that was read with the head file.
func (s *Store) checkHead() error {
	text, err := s.fs.ReadFile(s.head, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the head file: %w", err)
	}
	var h head
	if err := record.DecodeStrict(text, &h); err != nil {
		return fmt.Errorf("head file %s: %w: restore it from a backup, or remove it to trust the log alone", s.head, err)
	}
	now, err := s.currentHead()
	if err != nil {
		return err
	}
	if h.LogID != now.LogID {
		return fmt.Errorf("head file %s belongs to the log %.40s, the log here is %s: restore the log that belongs to it", s.head, h.LogID, now.LogID)
	}
	if h.Size > now.Size {
		return fmt.Errorf("the ledger had %s records, the log holds %s: records at its end are missing, restore the log from a backup or mirror", h.Size, now.Size)
	}
	root, err := s.tree.Root(uint64(h.Size))
	if err != nil {
		return err
	}
	if found := hex.EncodeToString(root[:]); found != h.Root {
		return fmt.Errorf("the root at size %s was %.64s, the log gives %s: records have changed, restore the log from a backup or mirror", h.Size, h.Root, found)
	}
	s.headSize = uint64(h.Size)
	return nil
}
