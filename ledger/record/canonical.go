package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/gowebpki/jcs"
)

// Canonical returns the RFC 8785 form of v. Strings that are not valid UTF-8 must have been refused
// before: encoding/json would replace them in silence.
func Canonical(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode as JSON: %w", err)
	}
	return Canonicalize(plain)
}

// Canonicalize returns the RFC 8785 form of a JSON text.
func Canonicalize(text []byte) ([]byte, error) {
	out, err := jcs.Transform(text)
	if err != nil {
		return nil, fmt.Errorf("bring JSON to its RFC 8785 form: %w", err)
	}
	return out, nil
}

// ContentHash is the SHA-256 over what two appends of one key must agree on: type, sources and
// destinations with their snapshots, transformationHash and dataHash. Time, receipts, user and
// attributes are not part of it.
func (r *Record) ContentHash() ([sha256.Size]byte, error) {
	content, err := Canonical(struct {
		Type               Type      `json:"type"`
		Sources            []Dataset `json:"sources"`
		Destinations       []Dataset `json:"destinations"`
		TransformationHash string    `json:"transformationHash"`
		DataHash           string    `json:"dataHash"`
	}{r.Type, nonNil(r.Sources), nonNil(r.Destinations), r.TransformationHash, r.DataHash})
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(content), nil
}

func nonNil(d []Dataset) []Dataset {
	if d == nil {
		return []Dataset{}
	}
	return d
}

// id names the contradiction: the offered key and the offered content.
func (c *ConflictDetail) id() string {
	sum := sha256.Sum256([]byte(c.OperationID + "\n" + c.ContentHash))
	return hex.EncodeToString(sum[:16])
}

// Decode reads one record that a client offers, brings it to its normal form and validates it.
// Unknown fields, JSON numbers, invalid UTF-8 and lone surrogates are refused.
func Decode(text []byte) (Record, error) {
	var r Record
	if len(text) > MaxRecordBytes {
		return r, fmt.Errorf("record is %d bytes, at most %d are allowed: shorten receipts, or name a file list by its digest", len(text), MaxRecordBytes)
	}
	if err := DecodeStrict(text, &r); err != nil {
		return r, err
	}
	r.Normalize()
	return r, r.Validate()
}

// DecodeStrict decodes one JSON value into v and refuses invalid UTF-8, unpaired surrogates, unknown
// fields and anything after the value.
func DecodeStrict(text []byte, v any) error {
	if err := checkText(text); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("decode JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("decode JSON: expected the end of the text at byte %d, found more", dec.InputOffset())
	}
	return nil
}

// checkText refuses what encoding/json would replace with U+FFFD: bytes that are not UTF-8, and \u
// escapes that are half of a surrogate pair.
func checkText(text []byte) error {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return fmt.Errorf("invalid UTF-8 at byte %d (0x%02x): encode the text as UTF-8", i, text[i])
		}
		if r != '\\' || i+1 >= len(text) {
			i += size
			continue
		}
		if text[i+1] != 'u' {
			i += 2 // also steps over an escaped backslash
			continue
		}
		unit, ok := escapedUnit(text[i:])
		switch {
		case !ok || unit < 0xD800 || unit > 0xDFFF:
			i += 2 // a malformed escape is the JSON decoder's to report
		case unit >= 0xDC00:
			return fmt.Errorf("unpaired surrogate %s at byte %d: no Unicode text contains it", text[i:i+6], i)
		default:
			low, ok := escapedUnit(text[i+6:])
			if !ok || low < 0xDC00 || low > 0xDFFF {
				return fmt.Errorf("unpaired surrogate %s at byte %d: no Unicode text contains it", text[i:i+6], i)
			}
			i += 12
		}
	}
	return nil
}

// escapedUnit reads a \uXXXX escape at the start of text.
func escapedUnit(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	var unit [2]byte
	if _, err := hex.Decode(unit[:], text[2:6]); err != nil {
		return 0, false
	}
	return rune(unit[0])<<8 | rune(unit[1]), true
}
