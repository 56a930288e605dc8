package record

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// EnvelopeVersion is the version of the envelope that this code writes.
const EnvelopeVersion = "1"

// NoPrevious stands in Envelope.Previous where a table has no earlier record.
const NoPrevious = "none"

// Envelope is what one leaf of the ledger holds: the record, and what the ledger adds to it.
type Envelope struct {
	// Version is EnvelopeVersion.
	Version string `json:"version"`
	// Index is the position of the leaf, from 0.
	Index Uint64 `json:"index"`
	// AppendedAt is the ledger's clock when it accepted the record, UTC, to the microsecond.
	AppendedAt time.Time `json:"appendedAt"`
	// Salt is 16 random bytes in hex, so that a leaf hash tells nothing about a guessable record.
	Salt string `json:"salt"`
	// Previous is, for each table of the record, the index of the leaf before this one that names the
	// table, or NoPrevious. A by-table answer is gapless when these links are.
	Previous map[string]string `json:"previous"`
	// Record is the operation.
	Record Record `json:"record"`
}

// Link returns the text that Envelope.Previous holds for an earlier leaf.
func Link(index uint64) string { return strconv.FormatUint(index, 10) }

// Encode returns the canonical bytes of the envelope. The leaf hash is LeafHash of them.
func (e *Envelope) Encode() ([]byte, error) { return Canonical(e) }

// EncodeAround returns what Encode does, given the canonical bytes of the record. It leaves the sequencer
// little to do: members are written in RFC 8785 order, and only table names need escaping.
func (e *Envelope) EncodeAround(recordText []byte) ([]byte, error) {
	previous, err := Canonical(e.Previous)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(recordText)+len(previous)+200)
	out = append(out, `{"appendedAt":"`...)
	out = e.AppendedAt.AppendFormat(out, time.RFC3339Nano)
	out = append(out, `","index":"`...)
	out = strconv.AppendUint(out, uint64(e.Index), 10)
	out = append(append(out, `","previous":`...), previous...)
	out = append(append(out, `,"record":`...), recordText...)
	out = append(append(out, `,"salt":"`...), e.Salt...)
	out = append(append(out, `","version":"`...), e.Version...)
	return append(out, `"}`...), nil
}

// DecodeEnvelope reads the canonical bytes of an envelope.
func DecodeEnvelope(text []byte) (Envelope, error) {
	var e Envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("decode envelope: %w", err)
	}
	if e.Version != EnvelopeVersion {
		return e, fmt.Errorf("decode envelope: expected version %q, found %.20q: a newer ledgerd wrote it, use that one", EnvelopeVersion, e.Version)
	}
	return e, nil
}

// LeafHash is the RFC 6962 leaf hash, SHA-256(0x00 || envelope), of canonical envelope bytes.
func LeafHash(envelope []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(envelope)
	return [sha256.Size]byte(h.Sum(nil))
}
