package server

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/store"
	"github.com/amdgpu-framework/datastack/ledger/tree"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

func (s *Server) getRecord(w http.ResponseWriter, r *http.Request) {
	index, err := strconv.ParseUint(r.PathValue("index"), 10, 64)
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidIndex", "index: expected a decimal number in /v1/records/{index}")
		return
	}
	size, err := number(r, "size")
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidQuery", err.Error())
		return
	}
	answer, err := s.store.Get(index, size)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.answer("", answer))
}

func (s *Server) getTable(w http.ResponseWriter, r *http.Request) {
	window, size, err := readWindow(r)
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidQuery", err.Error())
		return
	}
	table := r.PathValue("table")
	answer, err := s.store.Lookup(table, window, size)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.answer(table, answer))
}

func readWindow(r *http.Request) (w store.Window, size *uint64, err error) {
	if w.From, err = instant(r, "from"); err != nil {
		return w, nil, err
	}
	if w.To, err = instant(r, "to"); err != nil {
		return w, nil, err
	}
	if w.After, err = number(r, "after"); err != nil {
		return w, nil, err
	}
	limit, err := number(r, "limit")
	if err != nil {
		return w, nil, err
	}
	w.Limit = wire.DefaultRows
	if limit != nil {
		w.Limit = int(max(1, min(*limit, wire.MaxRows)))
	}
	size, err = number(r, "size")
	return w, size, err
}

func (s *Server) getCheckpoint(w http.ResponseWriter, r *http.Request) {
	size, err := number(r, "size")
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidQuery", err.Error())
		return
	}
	at, err := s.store.Checkpoint(size)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, s.checkpoint(at))
}

func (s *Server) getConsistency(w http.ResponseWriter, r *http.Request) {
	from, err := number(r, "from")
	to, errTo := number(r, "to")
	if err != nil || errTo != nil || from == nil || to != nil && *to < *from {
		writeError(w, http.StatusBadRequest, "InvalidQuery", "from, to: expected decimal sizes with from <= to; without to, the present size is meant")
		return
	}
	older, newer, proof, err := s.store.Consistency(*from, to)
	if err != nil {
		s.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, wire.Consistency{From: s.checkpoint(older), To: s.checkpoint(newer), Proof: encodeHashes(proof)})
}

func (s *Server) answer(table string, a store.Answer) wire.Answer {
	out := wire.Answer{Table: table, Rows: make([]wire.Row, len(a.Rows)), Checkpoint: s.checkpoint(a.Checkpoint)}
	for i, row := range a.Rows {
		out.Rows[i] = wire.Row{Index: record.Uint64(row.Index), LeafHash: hex.EncodeToString(row.LeafHash[:]), Envelope: row.Envelope, Proof: encodeHashes(row.Proof)}
	}
	if a.More {
		out.NextAfter = &out.Rows[len(out.Rows)-1].Index
	}
	return out
}

// checkpoint renders the body of a C2SP checkpoint; it carries no signature yet.
func (s *Server) checkpoint(c store.Checkpoint) wire.Checkpoint {
	root := base64.StdEncoding.EncodeToString(c.Root[:])
	note := s.opt.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + root + "\n"
	return wire.Checkpoint{Origin: s.opt.Origin, Size: record.Uint64(c.Size), RootHash: root, Note: note}
}

func encodeHashes(hashes []tree.Hash) []string {
	out := make([]string, len(hashes))
	for i := range hashes {
		out[i] = base64.StdEncoding.EncodeToString(hashes[i][:])
	}
	return out
}

// writeJSON leaves '<', '>' and '&' of envelopes as they are.
func writeJSON(w http.ResponseWriter, status int, body any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		writeError(w, http.StatusInternalServerError, "Internal", "encode the answer: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // a client that went away is no error of ours
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, wire.Error{Error: wire.ErrorDetail{Code: code, Message: message}})
}

func writeBusy(w http.ResponseWriter, message string) {
	w.Header().Set("Retry-After", "1")
	writeError(w, http.StatusServiceUnavailable, "Busy", message)
}
