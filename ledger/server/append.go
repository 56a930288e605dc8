package server

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/amdgpu-framework/datastack/ledger/record"
	"github.com/amdgpu-framework/datastack/ledger/store"
	"github.com/amdgpu-framework/datastack/ledger/wire"
)

func (s *Server) postRecords(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	weight := int64(wire.MaxBodyBytes)
	if r.ContentLength >= 0 {
		weight = min(weight, r.ContentLength)
	}
	if !s.bodies.TryAcquire(weight) {
		writeBusy(w, "the bodies of the requests in work fill their memory budget: try again shortly")
		return
	}
	defer s.bodies.Release(weight)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		writeError(w, http.StatusRequestEntityTooLarge, "BodyTooLarge", fmt.Sprintf("body: at most %d bytes: send fewer records at a time", wire.MaxBodyBytes))
		return
	case err != nil:
		writeError(w, http.StatusBadRequest, "BodyUnreadable", "read the body: "+err.Error())
		return
	}
	records, batch, err := decodeRecords(body)
	if err != nil {
		writeError(w, http.StatusBadRequest, "InvalidRecord", err.Error())
		return
	}
	results, err := s.store.Append(r.Context(), records)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.opt.Metrics.appended(records, results, time.Since(start))
	out := make([]wire.Appended, len(results))
	for i := range results {
		out[i] = appended(&records[i], results[i])
	}
	if batch {
		writeJSON(w, http.StatusOK, wire.AppendedBatch{Results: out})
		return
	}
	writeJSON(w, http.StatusOK, out[0])
}

// decodeRecords reads one record, or {"records":[...]}. One bad record refuses the whole body.
func decodeRecords(body []byte) (records []record.Record, batch bool, err error) {
	var probe struct {
		Records json.RawMessage `json:"records"`
	}
	if err := json.Unmarshal(body, &probe); err != nil {
		return nil, false, fmt.Errorf(`body: expected a record, or {"records":[...]}: %w`, err)
	}
	if probe.Records == nil {
		r, err := record.Decode(bytes.TrimSpace(body))
		return []record.Record{r}, false, err
	}
	var b wire.Batch
	if err := record.DecodeStrict(body, &b); err != nil {
		return nil, true, fmt.Errorf("body: %w", err)
	}
	if len(b.Records) == 0 || len(b.Records) > wire.MaxBatch {
		return nil, true, fmt.Errorf("records: expected 1 to %d, found %d", wire.MaxBatch, len(b.Records))
	}
	for i, text := range b.Records {
		r, err := record.Decode(text)
		if err != nil {
			return nil, true, fmt.Errorf("records[%d]: %w (no record of this request was appended)", i, err)
		}
		records = append(records, r)
	}
	return records, true, nil
}

func appended(r *record.Record, result store.Result) wire.Appended {
	out := wire.Appended{Index: record.Uint64(result.Index), LeafHash: hex.EncodeToString(result.LeafHash[:]), OperationID: r.OperationID,
		Duplicate: result.Duplicate, Conflict: result.Conflict}
	if result.Conflict {
		out.ConflictsWith = record.Count(result.ConflictsWith)
	}
	return out
}
