package supervise

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRunStartsAgainAndStops(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "log")
	c := Component{Name: "short", Path: "/bin/sh", Args: []string{"sh", "-c", "echo run"}, Log: file}
	long := Component{Name: "long", Path: "/bin/sleep", Args: []string{"sleep", "600"}, Log: filepath.Join(dir, "long")}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { Run(ctx, log.New(io.Discard, "", 0), []Component{c, long}); close(done) }()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(file)
		if err == nil && bytes.Count(b, []byte("run\n")) >= 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the component's log after 10 s: %q (%v), expected 3 runs", b, err)
		}
	}
	cancel()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("Run goes on 10 s after its context ended")
	}
}

func TestFullLogIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, maxLogBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() != 0 {
		t.Errorf("the new log has %d bytes (%v), expected none", info.Size(), err)
	}
	if _, err := os.Stat(path + ".old"); err != nil {
		t.Error(err)
	}
}

func TestForwardCarriesBothWaysAndTheEnd(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// Answers only after the user's end of stream, so that a lost half-close would hang.
		b, _ := io.ReadAll(conn)
		_, _ = conn.Write(append([]byte("got "), b...))
	}()
	users, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go Forward(t.Context(), log.New(io.Discard, "", 0), users, server.Addr().String())
	conn, err := net.Dial("tcp", users.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "got hello" {
		t.Errorf("read %q, %v", got, err)
	}
}
