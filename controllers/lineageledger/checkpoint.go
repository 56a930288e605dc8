package lineageledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// checkpoint is how far the log has come: the number of records, and the root over them as 64 hexadecimal digits.
type checkpoint struct {
	Size int64
	Root string
}

const (
	// probeTimeout is short: a ledger that does not answer at once is asked again later.
	probeTimeout = 2 * time.Second
	// probeLimit bounds what is read: the answer comes from a pod of a tenant's namespace.
	probeLimit = 4 << 10
	// probeInterval between looks at a quiet ledger.
	probeInterval = 30 * time.Second
)

// probe follows no redirect: a pod of a tenant must not send the manager elsewhere.
var probe = &http.Client{
	Timeout:       probeTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// askCheckpoint reads size and root from the readiness endpoint, which needs no token: the manager must not hold one.
func askCheckpoint(ctx context.Context, endpoint string) (*checkpoint, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/readyz", nil)
	if err != nil {
		return nil, err
	}
	response, err := probe.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // nothing was written that could be lost
	body, err := io.ReadAll(io.LimitReader(response.Body, probeLimit))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s/readyz answers %s", endpoint, response.Status)
	}
	return decodeCheckpoint(body)
}

// decodeCheckpoint reads what ledgerd's checkpoints look like on the wire: a decimal string, and base64.
func decodeCheckpoint(body []byte) (*checkpoint, error) {
	var wire struct {
		Size     *int64 `json:"size,string"`
		RootHash []byte `json:"rootHash"`
	}
	if err := json.Unmarshal(body, &wire); err != nil {
		return nil, fmt.Errorf("the readiness answer of ledgerd is not what was expected: %w", err)
	}
	if wire.Size == nil || *wire.Size < 0 || len(wire.RootHash) != sha256.Size {
		return nil, errors.New("the readiness answer of ledgerd holds no size and rootHash")
	}
	return &checkpoint{Size: *wire.Size, Root: hex.EncodeToString(wire.RootHash)}, nil
}
