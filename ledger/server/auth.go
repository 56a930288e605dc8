package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	minTokenBytes = 16
	maxTokenBytes = 4096
	tokenReload   = time.Second // a changed file counts after this long at the latest
)

// Tokens are the bearer tokens that the ledger accepts, one a file. Files are read again when they may
// have changed; a file that is gone or empty gives no token, so removing it revokes.
type Tokens struct {
	paths []string

	mu     sync.Mutex
	read   time.Time
	hashes [][sha256.Size]byte
}

// LoadTokens reads the files, and fails where one holds no usable token.
func LoadTokens(paths []string) (*Tokens, error) {
	if len(paths) == 0 {
		return nil, errors.New("no token file: the ledger serves no one without a token, name a file that holds one")
	}
	t := &Tokens{paths: paths}
	for _, path := range paths {
		hash, err := readToken(path)
		if err != nil {
			return nil, err
		}
		t.hashes = append(t.hashes, hash)
	}
	t.read = time.Now()
	return t, nil
}

func readToken(path string) (hash [sha256.Size]byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return hash, fmt.Errorf("token file: %w", err)
	}
	if info.Size() > maxTokenBytes {
		return hash, fmt.Errorf("token file %s is %d bytes, at most %d are read", path, info.Size(), maxTokenBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return hash, fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < minTokenBytes {
		return hash, fmt.Errorf("token file %s: expected a token of at least %d characters, found %d", path, minTokenBytes, len(token))
	}
	return sha256.Sum256([]byte(token)), nil
}

// current returns the accepted hashes, read again when they are older than tokenReload.
func (t *Tokens) current() [][sha256.Size]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.read) < tokenReload {
		return t.hashes
	}
	t.read = time.Now()
	var hashes [][sha256.Size]byte
	for _, path := range t.paths {
		hash, err := readToken(path)
		if err != nil {
			slog.Error("refusing a token", "error", err)
			continue
		}
		hashes = append(hashes, hash)
	}
	t.hashes = hashes
	return hashes
}

// allows compares in constant time, with every token.
func (t *Tokens) allows(r *http.Request) bool {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	offered := sha256.Sum256([]byte(strings.TrimSpace(token)))
	match := 0
	for _, hash := range t.current() {
		match |= subtle.ConstantTimeCompare(offered[:], hash[:])
	}
	return match == 1
}
