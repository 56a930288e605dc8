package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/server"
	"github.com/amdgpu-framework/datastack/ledger/store"
)

// drainTime is how long requests in work may take when the server ends.
const drainTime = 20 * time.Second

// serve runs the ledger until ctx ends. It calls listening with the address once it answers.
func serve(ctx context.Context, args []string, listening func(addr string)) error {
	flags := newFlags("serve")
	var tokenFiles paths
	data := flags.String("data", "", "folder of the ledger (required)")
	listen := flags.String("listen", ":8080", "address to listen on")
	origin := flags.String("origin", "", "name of the ledger in checkpoints (default datastack/LOGID)")
	segment := flags.Int64("segment-size", 0, "size of a log segment in bytes (default 64 MiB)")
	maxRequests := flags.Int64("max-requests", 512, "requests in work at once; more are answered 503")
	flags.Var(&tokenFiles, "token-file", "file with a bearer token that is accepted; may be given several times (required)")
	if err := flags.Parse(args); err != nil {
		return errors.Join(errUsage, err)
	}
	if *data == "" || flags.NArg() > 0 {
		return fmt.Errorf("%w: expected --data DIR and no further arguments, found %q", errUsage, flags.Args())
	}
	tokens, err := server.LoadTokens(tokenFiles)
	if err != nil {
		return errors.Join(errUsage, err)
	}
	metrics := server.NewMetrics()
	ledger, err := store.Open(*data, store.Options{SegmentSize: *segment, OnCommit: metrics.Committed})
	if err != nil {
		return fmt.Errorf("open the ledger in %s: %w", *data, err)
	}
	if *origin == "" {
		id := ledger.LogID()
		*origin = "datastack/" + hex.EncodeToString(id[:])
	}
	slog.Info("ledger is open", "origin", *origin, "records", ledger.Size())
	face := server.New(ledger, server.Options{Origin: *origin, Tokens: tokens, Metrics: metrics, MaxRequests: *maxRequests})
	return errors.Join(answer(ctx, face, *listen, listening), ledger.Close())
}

// answer serves until ctx ends, then lets requests in work finish.
func answer(ctx context.Context, face *server.Server, listen string, listening func(addr string)) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	httpServer := face.HTTPServer()
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(listener) }()
	listening(listener.Addr().String())
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	slog.Info("finishing requests, then ending")
	face.Drain()
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	err = httpServer.Shutdown(drain)
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
