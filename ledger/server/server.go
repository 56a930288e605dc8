// Package server is the ledger's HTTP face.
package server

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"github.com/amdgpu-framework/datastack/ledger/store"
)

// Options of a server.
type Options struct {
	// Origin names the ledger in checkpoints.
	Origin string
	// Tokens that are accepted.
	Tokens *Tokens
	// MaxRequests bounds the requests in work; 0 means 512.
	MaxRequests int64
	// Metrics that are counted and served; required.
	Metrics *Metrics
}

// bodyBudget bounds the bytes of all request bodies in work.
const bodyBudget = 64 << 20

// Server answers for one store.
type Server struct {
	store    *store.Store
	opt      Options
	requests *semaphore.Weighted
	bodies   *semaphore.Weighted
	draining atomic.Bool
}

// New returns a server for an open store.
func New(s *store.Store, opt Options) *Server {
	if opt.MaxRequests == 0 {
		opt.MaxRequests = 512
	}
	opt.Metrics.watch(s)
	return &Server{store: s, opt: opt, requests: semaphore.NewWeighted(opt.MaxRequests), bodies: semaphore.NewWeighted(bodyBudget)}
}

// Drain makes /readyz fail, so that no new clients come while the server ends.
func (s *Server) Drain() { s.draining.Store(true) }

// HTTPServer returns a server with its time limits set.
func (s *Server) HTTPServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// Handler returns all routes. All but /healthz and /readyz need a token.
func (s *Server) Handler() http.Handler {
	guarded := http.NewServeMux()
	guarded.HandleFunc("POST /v1/records", s.postRecords)
	guarded.HandleFunc("GET /v1/records/{index}", s.getRecord)
	guarded.HandleFunc("GET /v1/tables/{table}/records", s.getTable)
	guarded.HandleFunc("GET /v1/checkpoint", s.getCheckpoint)
	guarded.HandleFunc("GET /v1/proof/consistency", s.getConsistency)
	guarded.Handle("GET /metrics", promhttp.HandlerFor(s.opt.Metrics.registry, promhttp.HandlerOpts{}))
	guarded.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "NoSuchRoute", fmt.Sprintf("no route for %s %s: the routes are POST /v1/records, GET /v1/records/{index}, /v1/tables/{table}/records, /v1/checkpoint, /v1/proof/consistency, /metrics, /healthz, /readyz", r.Method, r.URL.Path))
	})
	open := http.NewServeMux()
	open.HandleFunc("GET /healthz", s.getHealth)
	open.HandleFunc("GET /readyz", s.getReady)
	open.Handle("/", s.guard(guarded))
	return s.opt.Metrics.count(open)
}

// guard asks for a token and bounds the requests in work, before anything of a body is read.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.opt.Tokens.allows(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="ledger"`)
			writeError(w, http.StatusUnauthorized, "Unauthorized", "expected the header Authorization: Bearer TOKEN with a token of this ledger: mount its token Secret")
			return
		}
		if !s.requests.TryAcquire(1) {
			writeBusy(w, fmt.Sprintf("%d requests are in work: try again shortly", s.opt.MaxRequests))
			return
		}
		defer s.requests.Release(1)
		next.ServeHTTP(w, r)
	})
}

// getHealth fails where only a restart helps.
func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	if err := s.store.Failed(); err != nil {
		writeError(w, http.StatusServiceUnavailable, "LogFailed", "the log takes no appends since a write failed: mend the volume and restart: "+err.Error())
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) getReady(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		writeError(w, http.StatusServiceUnavailable, "ShuttingDown", "the ledger is shutting down: use its successor")
		return
	}
	if s.store.Failed() != nil {
		s.getHealth(w, r)
		return
	}
	// Size and root need no token: the manager shows them in status and must not hold one.
	at, err := s.store.Checkpoint(nil)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.checkpoint(at))
}

// number reads a decimal query parameter; absent gives nil.
func number(r *http.Request, name string) (*uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: expected a decimal number, found %.40q", name, text)
	}
	return &v, nil
}

// instant reads a query parameter that is an RFC 3339 time; absent gives the zero time.
func instant(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return time.Time{}, fmt.Errorf("%s: expected an RFC 3339 time such as 2026-11-24T12:00:00Z, found %.40q", name, text)
	}
	return t, nil
}

// fail answers with what an error of the store means to a client.
func (s *Server) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, store.ErrNotFound):
		writeError(w, http.StatusNotFound, "NotFound", err.Error())
	case errors.Is(err, store.ErrClosed):
		writeBusy(w, err.Error())
	case s.store.Failed() != nil:
		writeError(w, http.StatusServiceUnavailable, "LogFailed", "not recorded: "+err.Error()+": mend the volume and restart ledgerd, then append again")
	default:
		writeError(w, http.StatusInternalServerError, "Internal", err.Error())
	}
}
