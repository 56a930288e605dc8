// Package client speaks the ledger's HTTP API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

// maxAnswerBytes bounds an answer: a page of rows at their largest does not fit, ask for fewer.
const maxAnswerBytes = 64 << 20

// Client calls one ledger. Appending again what may have been appended is safe, so calls are retried.
type Client struct {
	// URL of the ledger, such as http://ledger.default.svc:8080.
	URL string
	// TokenFile holds the bearer token. It is read for each call, so that a rotated token counts at once.
	TokenFile string
	// HTTP is the client to use; nil means one with a timeout of 30 s a try.
	HTTP *http.Client
	// Tries bounds the tries of one call; 0 means 6.
	Tries int
	// Backoff is the pause after the first failure, doubled each time to at most 5 s; 0 means 100 ms.
	Backoff time.Duration
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	Status  int
	Code    string
	Message string
}

// Error gives the ledger's own words.
func (e *StatusError) Error() string {
	return fmt.Sprintf("ledger answered %d %s: %s", e.Status, e.Code, e.Message)
}

// temporary says whether the same call may succeed later.
func (e *StatusError) temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests
}

var standard = &http.Client{Timeout: 30 * time.Second}

// Append appends records, at most wire.MaxBatch, and returns where each is. They are durable then.
// A conflict is a result, not an error.
func (c *Client) Append(ctx context.Context, records ...record.Record) ([]wire.Appended, error) {
	batch := struct {
		Records []record.Record `json:"records"`
	}{make([]record.Record, len(records))}
	for i, r := range records {
		r.Normalize()
		if err := r.Validate(); err != nil {
			return nil, fmt.Errorf("record %d: %w", i, err)
		}
		batch.Records[i] = r
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return nil, fmt.Errorf("encode records: %w", err)
	}
	var out wire.AppendedBatch
	if err := c.call(ctx, http.MethodPost, "/v1/records", body, &out); err != nil {
		return nil, err
	}
	if len(out.Results) != len(records) {
		return nil, fmt.Errorf("expected %d results from the ledger, found %d", len(records), len(out.Results))
	}
	return out.Results, nil
}

// Query selects the records of a table; zero fields do not bound.
type Query struct {
	From, To time.Time
	Limit    int
	After    *record.Uint64
	Size     *record.Uint64
}

// Lookup returns one page of the records that name a table.
func (c *Client) Lookup(ctx context.Context, table string, q Query) (wire.Answer, error) {
	v := url.Values{}
	if !q.From.IsZero() {
		v.Set("from", q.From.UTC().Format(time.RFC3339Nano))
	}
	if !q.To.IsZero() {
		v.Set("to", q.To.UTC().Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	if q.After != nil {
		v.Set("after", q.After.String())
	}
	if q.Size != nil {
		v.Set("size", q.Size.String())
	}
	var out wire.Answer
	err := c.call(ctx, http.MethodGet, "/v1/tables/"+url.PathEscape(table)+"/records?"+v.Encode(), nil, &out)
	return out, err
}

// Records returns every record of a table within a window, over all pages of one checkpoint.
func (c *Client) Records(ctx context.Context, table string, q Query) (wire.Answer, error) {
	all, err := c.Lookup(ctx, table, q)
	for next := all.NextAfter; err == nil && next != nil; {
		q.After, q.Size = next, &all.Checkpoint.Size
		var page wire.Answer
		page, err = c.Lookup(ctx, table, q)
		all.Rows = append(all.Rows, page.Rows...)
		next = page.NextAfter
	}
	all.NextAfter = nil
	return all, err
}

// Checkpoint returns the ledger's present size and root.
func (c *Client) Checkpoint(ctx context.Context) (wire.Checkpoint, error) {
	var out wire.Checkpoint
	err := c.call(ctx, http.MethodGet, "/v1/checkpoint", nil, &out)
	return out, err
}

// call tries until an answer is final, the tries are used up, or ctx ends.
func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) error {
	tries, pause := c.Tries, c.Backoff
	if tries == 0 {
		tries = 6
	}
	if pause == 0 {
		pause = 100 * time.Millisecond
	}
	for try := 1; ; try++ {
		err := c.once(ctx, method, path, body, out)
		var status *StatusError
		final := errors.As(err, &status) && !status.temporary()
		if err == nil || final || ctx.Err() != nil {
			return err
		}
		if try >= tries {
			return fmt.Errorf("ledger %s, after %d tries: %w", c.URL, try, err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // spreads retries, guards nothing
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (c *Client) once(ctx context.Context, method, path string, body []byte, out any) error {
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return fmt.Errorf("read the ledger token: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ledger request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Content-Type", "application/json")
	h := c.HTTP
	if h == nil {
		h = standard
	}
	resp, err := h.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return fmt.Errorf("read the ledger's answer: %w", err)
	}
	if len(text) > maxAnswerBytes {
		return &StatusError{Status: resp.StatusCode, Code: "AnswerTooLarge", Message: "ask for fewer rows at a time"}
	}
	if resp.StatusCode/100 != 2 {
		var e wire.Error
		if json.Unmarshal(text, &e) != nil || e.Error.Message == "" {
			e.Error = wire.ErrorDetail{Code: "Unreadable", Message: fmt.Sprintf("expected a JSON error, found %.200q: does %s belong to a ledger?", text, c.URL)}
		}
		return &StatusError{Status: resp.StatusCode, Code: e.Error.Code, Message: e.Error.Message}
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("decode the ledger's answer: %w", err)
	}
	return nil
}
