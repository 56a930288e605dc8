package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/internal/faultfs"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/server"
	"github.com/amdgpu-framework/datastack/ledger/store"
	"github.com/amdgpu-framework/datastack/ledger/verify"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

const token = "a-token-for-this-test"

// ledger is a real server on loopback.
type ledger struct {
	*client.Client
	face *server.Server
	fs   *faultfs.FS
}

func start(t *testing.T, maxRequests int64) *ledger {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte(token+"\n"), 0o600))
	tokens, err := server.LoadTokens([]string{file})
	must(t, err)
	fs := faultfs.New(rand.New(rand.NewPCG(1, 2)))
	metrics := server.NewMetrics()
	s, err := store.Open("ledger", store.Options{FS: fs, HeadInterval: time.Hour, OnCommit: metrics.Committed})
	must(t, err)
	face := server.New(s, server.Options{Origin: "test/ledger", Tokens: tokens, Metrics: metrics, MaxRequests: maxRequests})
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = face.HTTPServer()
	ts.Start()
	t.Cleanup(func() { ts.Close(); s.Close() })
	return &ledger{&client.Client{URL: ts.URL, TokenFile: file, Backoff: time.Millisecond, Tries: 3}, face, fs}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// call returns status and body of a request with the given Authorization header.
func (l *ledger) call(t *testing.T, method, path, auth, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, l.URL+path, strings.NewReader(body))
	must(t, err)
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}

func load(run string, seq int, table string) record.Record {
	r := record.Record{RunID: run, Type: record.Load, Seq: record.Uint64(seq), Time: time.Date(2026, 11, 24, 12, seq, 0, 0, time.UTC),
		Sources: []record.Dataset{{Name: "s3://raw/a b/<&>\u2028.csv"}}, Destinations: []record.Dataset{{Name: table, Snapshot: "9223372036854775807"}}}
	r.Normalize()
	return r
}

func TestEveryRouteButProbesNeedsAToken(t *testing.T) {
	l := start(t, 0)
	for _, route := range []string{"POST /v1/records", "GET /v1/records/0", "GET /v1/tables/a.b/records", "GET /v1/checkpoint",
		"GET /v1/proof/consistency?from=0", "GET /metrics", "GET /nowhere", "POST /healthz", "DELETE /v1/records/0"} {
		method, path, _ := strings.Cut(route, " ")
		for _, auth := range []string{"", "Bearer ", "Bearer wrong-token-of-some-length", "Basic " + token, token, "Bearer " + token[:len(token)-1]} {
			if status, body := l.call(t, method, path, auth, "{}"); status != http.StatusUnauthorized && status != http.StatusMethodNotAllowed || strings.Contains(body, token) {
				t.Errorf("%s with %q: %d %s", route, auth, status, body)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := l.call(t, "GET", path, "", ""); status != http.StatusOK {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	l.face.Drain()
	if status, _ := l.call(t, "GET", "/readyz", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("readyz while draining: %d", status)
	}
}

func TestTokenFiles(t *testing.T) {
	dir := t.TempDir()
	short, empty := filepath.Join(dir, "short"), filepath.Join(dir, "empty")
	must(t, os.WriteFile(short, []byte("abc"), 0o600))
	must(t, os.WriteFile(empty, nil, 0o600))
	for name, paths := range map[string][]string{"none": nil, "missing": {filepath.Join(dir, "no")}, "short": {short}, "empty": {empty}} {
		if _, err := server.LoadTokens(paths); err == nil {
			t.Errorf("%s: expected a refusal to start", name)
		}
	}
}

func TestRotatedTokenCounts(t *testing.T) {
	l := start(t, 0)
	must(t, os.WriteFile(l.TokenFile, []byte("another-token-since"), 0o600))
	time.Sleep(1100 * time.Millisecond)
	if status, _ := l.call(t, "GET", "/v1/checkpoint", "Bearer "+token, ""); status != http.StatusUnauthorized {
		t.Errorf("old token after the change: %d", status)
	}
	if _, err := l.Checkpoint(context.Background()); err != nil {
		t.Errorf("new token: %v", err)
	}
	must(t, os.Remove(l.TokenFile))
	time.Sleep(1100 * time.Millisecond)
	if status, _ := l.call(t, "GET", "/v1/checkpoint", "Bearer another-token-since", ""); status != http.StatusUnauthorized {
		t.Errorf("token of a file that is gone: %d", status)
	}
}

func TestAppendLookUpAndVerify(t *testing.T) {
	l := start(t, 0)
	ctx := context.Background()
	for i := range 7 {
		got, err := l.Append(ctx, load("r", 2*i, "aviation.flights"), load("r", 2*i+1, "file:///data/x y/100%.parquet"))
		must(t, err)
		if uint64(got[1].Index) != uint64(2*i+1) || got[0].Duplicate || got[0].Anchored || got[0].OperationID != fmt.Sprintf("r/Load/%d", 2*i) {
			t.Fatalf("append %d: %+v", i, got)
		}
	}
	for _, table := range []string{"aviation.flights", "file:///data/x y/100%.parquet", "s3://raw/a b/<&>\u2028.csv"} {
		answer, err := l.Records(ctx, table, client.Query{Limit: 2})
		must(t, err)
		envelopes, err := verify.Answer(answer)
		must(t, err)
		if first, err := verify.Gapless(table, envelopes); err != nil || !first {
			t.Errorf("%s: first %v, %v", table, first, err)
		}
		if want := 7; strings.HasPrefix(table, "s3") && len(envelopes) != 2*want || !strings.HasPrefix(table, "s3") && len(envelopes) != want {
			t.Errorf("%s: %d records", table, len(envelopes))
		}
	}
	answer, err := l.Lookup(ctx, "aviation.flights", client.Query{From: time.Date(2026, 11, 24, 12, 2, 0, 0, time.UTC), To: time.Date(2026, 11, 24, 12, 6, 0, 0, time.UTC)})
	must(t, err)
	if len(answer.Rows) != 2 || answer.Anchored || answer.Checkpoint.Signed {
		t.Errorf("window: %+v", answer)
	}
	at, err := l.Checkpoint(ctx)
	must(t, err)
	if want := "test/ledger\n14\n" + at.RootHash + "\n"; at.Note != want {
		t.Errorf("note %q, want %q", at.Note, want)
	}
}

func TestConsistencyOverHTTP(t *testing.T) {
	l := start(t, 0)
	for i := range 6 {
		_, err := l.Append(context.Background(), load("r", i, "a.b"))
		must(t, err)
	}
	status, text := l.call(t, "GET", "/v1/proof/consistency?from=3&to=6", "bearer "+token, "")
	var c wire.Consistency
	if must(t, json.Unmarshal([]byte(text), &c)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var hashes [][]byte
	for _, h := range c.Proof {
		b, err := base64.StdEncoding.DecodeString(h)
		must(t, err)
		hashes = append(hashes, b)
	}
	from, _ := base64.StdEncoding.DecodeString(c.From.RootHash)
	to, _ := base64.StdEncoding.DecodeString(c.To.RootHash)
	must(t, proof.VerifyConsistency(rfc6962.DefaultHasher, 3, 6, hashes, from, to))
}

func TestBadRequests(t *testing.T) {
	l := start(t, 0)
	good, _ := json.Marshal(load("r", 0, "a.b"))
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"not JSON":              {"POST", "/v1/records", "x", 400, "expected a record"},
		"empty body":            {"POST", "/v1/records", "", 400, "expected a record"},
		"empty batch":           {"POST", "/v1/records", `{"records":[]}`, 400, "1 to 1000"},
		"batch and more":        {"POST", "/v1/records", `{"records":[],"x":1}`, 400, "unknown field"},
		"bad record in a batch": {"POST", "/v1/records", `{"records":[` + string(good) + `,{"type":"Lod"}]}`, 400, "records[1]"},
		"unknown field":         {"POST", "/v1/records", `{"tipe":"Load"}`, 400, "tipe"},
		"body too large":        {"POST", "/v1/records", strings.Repeat(" ", wire.MaxBodyBytes+1), 413, "at most"},
		"index no number":       {"GET", "/v1/records/x", "", 400, "decimal"},
		"index past the end":    {"GET", "/v1/records/0", "", 404, "not found"},
		"from no time":          {"GET", "/v1/tables/a.b/records?from=yesterday", "", 400, "RFC 3339"},
		"to no time":            {"GET", "/v1/tables/a.b/records?to=0001-01-01T00:00:00Z", "", 400, "RFC 3339"},
		"limit no number":       {"GET", "/v1/tables/a.b/records?limit=-1", "", 400, "limit"},
		"after no number":       {"GET", "/v1/tables/a.b/records?after=x", "", 400, "after"},
		"size past the end":     {"GET", "/v1/tables/a.b/records?size=9", "", 404, "size 9"},
		"checkpoint size":       {"GET", "/v1/checkpoint?size=x", "", 400, "size"},
		"checkpoint past end":   {"GET", "/v1/checkpoint?size=1", "", 404, "size 1"},
		"consistency, no from":  {"GET", "/v1/proof/consistency", "", 400, "from"},
		"consistency backwards": {"GET", "/v1/proof/consistency?from=2&to=1", "", 400, "from <= to"},
		"no such route":         {"GET", "/v2", "", 404, "the routes are"},
	} {
		status, text := l.call(t, c.method, c.path, "Bearer "+token, c.body)
		var e wire.Error
		if err := json.Unmarshal([]byte(text), &e); err != nil || status != c.status || !strings.Contains(e.Error.Message, c.want) {
			t.Errorf("%s: %d %s, want %d and %q (%v)", name, status, text, c.status, c.want, err)
		}
	}
	if at, err := l.Checkpoint(context.Background()); err != nil || at.Size != 0 {
		t.Errorf("refused requests left %s records (%v)", at.Size, err)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	l := start(t, 1)
	pr, pw := io.Pipe() // a request whose body never ends holds the only place
	req, err := http.NewRequest("POST", l.URL+"/v1/records", pr)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	_, err = pw.Write([]byte("{"))
	must(t, err)
	deadline := time.Now().Add(5 * time.Second)
	for status := 0; status != http.StatusServiceUnavailable; {
		if time.Now().After(deadline) {
			t.Fatal("a second request was never refused")
		}
		status, _ = l.call(t, "GET", "/v1/checkpoint", "Bearer "+token, "")
	}
	must(t, pw.Close())
	<-done
	if _, err := l.Checkpoint(context.Background()); err != nil {
		t.Errorf("after the place is free: %v", err)
	}
}

func TestFailedDiskIsAnsweredAsAnError(t *testing.T) {
	l := start(t, 0)
	ctx := context.Background()
	_, err := l.Append(ctx, load("r", 0, "a.b"))
	must(t, err)
	l.fs.FailOnce(0, syscall.ENOSPC)
	if _, err := l.Append(ctx, load("r", 1, "a.b")); err == nil || !strings.Contains(err.Error(), "after 3 tries") || !strings.Contains(err.Error(), "not recorded") {
		t.Errorf("append on a full disk: %v", err)
	}
	if status, body := l.call(t, "GET", "/healthz", "", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "restart") {
		t.Errorf("healthz: %d %s", status, body)
	}
	if answer, err := l.Lookup(ctx, "a.b", client.Query{}); err != nil || len(answer.Rows) != 1 {
		t.Errorf("reads go on: %+v, %v", answer, err)
	}
	if _, body := l.call(t, "GET", "/metrics", "Bearer "+token, ""); !strings.Contains(body, "ledger_log_failed 1") || !strings.Contains(body, `ledger_appends_total{outcome="new",type="Load"} 1`) {
		t.Errorf("metrics: %s", body)
	}
}

func TestTamperedAnswersAreNamed(t *testing.T) {
	l := start(t, 0)
	for i := range 5 {
		_, err := l.Append(context.Background(), load("r", i, "a.b"))
		must(t, err)
	}
	for name, harm := range map[string]func(a *wire.Answer){
		"edited record": func(a *wire.Answer) {
			a.Rows[1].Envelope = bytes.Replace(a.Rows[1].Envelope, []byte("Load"), []byte("Sync"), 1)
		},
		"edited hash":       func(a *wire.Answer) { a.Rows[1].LeafHash = strings.Repeat("0", 64) },
		"forged root":       func(a *wire.Answer) { a.Checkpoint.RootHash = base64.StdEncoding.EncodeToString(make([]byte, 32)) },
		"other size":        func(a *wire.Answer) { a.Checkpoint.Size = 4 },
		"swapped envelopes": func(a *wire.Answer) { a.Rows[0].Envelope, a.Rows[1].Envelope = a.Rows[1].Envelope, a.Rows[0].Envelope },
		"proof cut":         func(a *wire.Answer) { a.Rows[1].Proof = a.Rows[1].Proof[1:] },
		"record left out":   func(a *wire.Answer) { a.Rows = append(a.Rows[:2], a.Rows[3:]...) },
		"other order":       func(a *wire.Answer) { a.Rows[0], a.Rows[1] = a.Rows[1], a.Rows[0] },
	} {
		answer, err := l.Lookup(context.Background(), "a.b", client.Query{})
		must(t, err)
		harm(&answer)
		envelopes, err := verify.Answer(answer)
		if err == nil {
			_, err = verify.Gapless("a.b", envelopes)
		}
		if err == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
