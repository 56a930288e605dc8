package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/verify"
)

// TestMain lets the test binary be ledgerd, so that a real process can be killed.
func TestMain(m *testing.M) {
	if data := os.Getenv("LEDGERD_TEST_DATA"); data != "" {
		args := []string{"--data", data, "--token-file", os.Getenv("LEDGERD_TEST_TOKEN"), "--listen", "127.0.0.1:0", "--segment-size", "20000"}
		err := serve(context.Background(), args, func(addr string) { fmt.Println(addr) })
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// spawn starts a ledgerd process and returns it with its URL.
func spawn(t *testing.T, data, token string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEDGERD_TEST_DATA="+data, "LEDGERD_TEST_TOKEN="+token)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatalf("ledgerd did not start: %v", err)
	}
	return cmd, "http://" + addr
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(path, []byte("a-token-for-this-test"), 0o600))
	return path
}

func load(run string, seq int, from, to string) record.Record {
	return record.Record{RunID: run, Type: record.Load, Seq: record.Uint64(seq), Sources: []record.Dataset{{Name: from}},
		Destinations: []record.Dataset{{Name: to, Snapshot: "1"}}, RowCount: record.Count(5), Time: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
}

func TestKilledServerLosesNoAcknowledgedRecord(t *testing.T) {
	data, token := t.TempDir(), tokenFile(t)
	acked := map[string]string{} // operation to leaf hash
	for kill := range 6 {
		cmd, url := spawn(t, data, token)
		var mu sync.Mutex
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				c := &client.Client{URL: url, TokenFile: token, Tries: 1}
				for i := 0; ; i++ {
					got, err := c.Append(context.Background(), load(fmt.Sprintf("r%d-%d", kill, w), i, "s3://raw/x", "a.b"))
					if err != nil {
						return
					}
					mu.Lock()
					acked[got[0].OperationID] = got[0].LeafHash
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(100+70*kill) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed, as asked
		writers.Wait()
	}
	_, url := spawn(t, data, token)
	answer, err := (&client.Client{URL: url, TokenFile: token}).Records(context.Background(), "a.b", client.Query{Limit: 1000})
	must(t, err)
	envelopes, err := verify.Answer(answer)
	must(t, err)
	if first, err := verify.Gapless("a.b", envelopes); err != nil || !first {
		t.Errorf("links: first %v, %v", first, err)
	}
	found := map[string]string{}
	for i, env := range envelopes {
		if _, twice := found[env.Record.OperationID]; twice {
			t.Errorf("%s is there twice", env.Record.OperationID)
		}
		found[env.Record.OperationID] = answer.Rows[i].LeafHash
	}
	for op, leaf := range acked {
		if found[op] != leaf {
			t.Errorf("%s was acknowledged with leaf %s, found %q", op, leaf, found[op])
		}
	}
	if len(acked) < 100 {
		t.Errorf("only %d acknowledged records: too few to mean anything", len(acked))
	}
	t.Logf("%d acknowledged, %d found", len(acked), len(found))
}

// running starts ledgerd in this process; stop ends it and gives its error.
func running(t *testing.T, data, token string) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addr, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, []string{"--data", data, "--token-file", token, "--listen", "127.0.0.1:0"}, func(a string) { addr <- a })
	}()
	select {
	case a := <-addr:
		return "http://" + a, func() error { cancel(); return <-ended }
	case err := <-ended:
		t.Fatalf("serve: %v", err)
		return "", nil
	}
}

func TestLineageAndVerify(t *testing.T) {
	data, token := t.TempDir(), tokenFile(t)
	url, stop := running(t, data, token)
	c := &client.Client{URL: url, TokenFile: token}
	_, err := c.Append(context.Background(), load("r1", 0, "s3://raw/flights.csv", "aviation.flights"), load("r2", 0, "aviation.flights", "reports.delays"))
	must(t, err)
	var out bytes.Buffer
	must(t, lineage(context.Background(), []string{"--url", url, "--token-file", token, "reports.delays"}, &out))
	want := `reports.delays
  <- record 1: Load at 2026-11-24T00:00:00Z by run r2, 5 rows
  aviation.flights
    <- record 0: Load at 2026-11-24T00:00:00Z by run r1, 5 rows
    s3://raw/flights.csv
`
	if out.String() != want {
		t.Errorf("lineage:\n%s\nwant\n%s", out.String(), want)
	}
	if err := lineage(context.Background(), []string{"--url", url, "--token-file", token, "no.table"}, &out); err == nil || !strings.Contains(err.Error(), "no record writes") {
		t.Errorf("unknown table: %v", err)
	}
	answer, err := c.Records(context.Background(), "aviation.flights", client.Query{})
	must(t, err)
	text, err := json.Marshal(answer)
	must(t, err)
	saved := filepath.Join(t.TempDir(), "answer.json")
	must(t, os.WriteFile(saved, text, 0o600))
	text, err = verifyInput([]string{saved}, nil)
	must(t, err)
	out.Reset()
	must(t, verifyAnswer(text, &out))
	if !strings.Contains(out.String(), "proven: 2 records") || !strings.Contains(out.String(), "neither signed nor anchored") {
		t.Errorf("verify says: %s", out.String())
	}
	if err := verifyAnswer(bytes.Replace(text, []byte("r1/Load"), []byte("r3/Load"), 1), &out); err == nil || !strings.Contains(err.Error(), "NOT VALID") {
		t.Errorf("tampered answer: %v", err)
	}
	if err := serve(context.Background(), []string{"--data", data, "--token-file", token}, func(string) {}); err == nil || !strings.Contains(err.Error(), "another ledgerd") {
		t.Errorf("second ledgerd on one folder: %v", err)
	}
	must(t, stop())
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{nil, {"nonsense"}, {"serve"}, {"serve", "--data", t.TempDir()}, {"serve", "--no-such"}, {"lineage", "t"}, {"verify"}} {
		if err := command(context.Background(), args); !errors.Is(err, errUsage) {
			t.Errorf("%q: expected a usage error, got %v", args, err)
		}
	}
	if err := command(context.Background(), []string{"verify", filepath.Join(t.TempDir(), "no")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing answer: %v", err)
	}
}
