package lakehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// WrittenFile is one file as it was written.
type WrittenFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// fileLog remembers what was created through the file IO that it wraps: size and SHA-256 of every file, hashed while it
// is written, so that no file is read back for its hash, and none is forgotten when a write or a commit fails.
type fileLog struct {
	mu    sync.Mutex
	files map[string]WrittenFile
}

func newFileLog() *fileLog { return &fileLog{files: map[string]WrittenFile{}} }

// over returns the table with all its file IO logged.
func (l *fileLog) over(t *table.Table, cat table.CatalogIO) *table.Table {
	fsF := func(ctx context.Context) (iceio.IO, error) {
		fs, err := t.FS(ctx)
		if err != nil {
			return nil, err
		}
		w, ok := fs.(iceio.WriteFileIO)
		if !ok {
			return nil, fmt.Errorf("the storage of table %v cannot be written; found %T", t.Identifier(), fs)
		}
		return &loggedFS{WriteFileIO: w, log: l}, nil
	}
	return table.New(t.Identifier(), t.Metadata(), t.MetadataLocation(), fsF, cat)
}

func (l *fileLog) note(f WrittenFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files[f.Path] = f
}

func (l *fileLog) file(path string) (WrittenFile, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.files[path]
	return f, ok
}

// paths returns the paths of all files created so far, in no order.
func (l *fileLog) paths() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]string, 0, len(l.files))
	for path := range l.files {
		out = append(out, path)
	}
	return out
}

type loggedFS struct {
	iceio.WriteFileIO
	log *fileLog
}

// Create notes the path before the first byte, so that half a file counts as created.
func (s *loggedFS) Create(name string) (iceio.FileWriter, error) {
	s.log.note(WrittenFile{Path: name})
	w, err := s.WriteFileIO.Create(name)
	if err != nil {
		return nil, err
	}
	return &loggedFile{w: w, name: name, sum: sha256.New(), log: s.log}, nil
}

func (s *loggedFS) WriteFile(name string, content []byte) error {
	sum := sha256.Sum256(content)
	s.log.note(WrittenFile{Path: name, Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])})
	return s.WriteFileIO.WriteFile(name, content)
}

func (s *loggedFS) ReadFile(name string) ([]byte, error) { return readFile(s.WriteFileIO, name) }

type loggedFile struct {
	w    iceio.FileWriter
	name string
	size int64
	sum  hash.Hash
	log  *fileLog
}

func (f *loggedFile) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.sum.Write(p[:n])
	f.size += int64(n)
	return n, err
}

// ReadFrom goes through Write: the underlying writer's own ReadFrom would bypass the hash.
func (f *loggedFile) ReadFrom(src io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{f}, src)
}

func (f *loggedFile) Close() error {
	if err := f.w.Close(); err != nil {
		return err
	}
	f.log.note(WrittenFile{Path: f.name, Size: f.size, SHA256: hex.EncodeToString(f.sum.Sum(nil))})
	return nil
}

// maxReadFile bounds a metadata or state file that is read whole.
const maxReadFile = 1 << 30

func readFile(fs iceio.IO, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReadFile+1))
	if err == nil && len(data) > maxReadFile {
		err = fmt.Errorf("%s is over %d bytes", name, maxReadFile)
	}
	return data, err
}
