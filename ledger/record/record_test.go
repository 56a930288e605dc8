package record_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/amdgpu-framework/datastack/ledger/record"
)

func valid() record.Record {
	return record.Record{Type: record.Load, RunID: "run-1", Seq: 7, User: "ana",
		Sources:      []record.Dataset{{Name: "s3://raw/b.csv"}, {Name: "s3://raw/a.csv"}, {Name: "s3://raw/a.csv"}},
		Destinations: []record.Dataset{{Name: "aviation.flights", Snapshot: "7853723579105552123"}},
		DataHash:     strings.Repeat("ab", 32), RowCount: record.Count(7853723579105552123),
		Time: time.Date(2026, 11, 24, 13, 0, 0, 123456789, time.FixedZone("", 3600))}
}

func TestCanonicalFormKeeps64BitIntegers(t *testing.T) {
	r := valid()
	r.Normalize()
	text, err := record.Canonical(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"dataHash":"` + strings.Repeat("ab", 32) + `","destinations":[{"name":"aviation.flights","snapshot":"7853723579105552123"}],` +
		`"operationID":"run-1/Load/7","rowCount":"7853723579105552123","runID":"run-1","seq":"7",` +
		`"sources":[{"name":"s3://raw/a.csv"},{"name":"s3://raw/b.csv"}],"time":"2026-11-24T12:00:00.123456Z","type":"Load","user":"ana"}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	back, err := record.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := record.Canonical(back)
	if err != nil || !bytes.Equal(again, text) {
		t.Errorf("decoding and encoding again gives %s (%v)", again, err)
	}
}

// TestCanonicalTextOfAnyString checks, over strings of all planes, that the canonical form is stable,
// means the same, and survives being carried inside other JSON.
func TestCanonicalTextOfAnyString(t *testing.T) {
	const seed = 20
	rng := rand.New(rand.NewPCG(seed, seed))
	special := []rune{0, 1, 8, 9, 10, 12, 13, 31, '"', '\\', '/', '<', '>', '&', 0x7f, 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0x1F600, 0x10FFFF}
	for range 2000 {
		key, value := randomText(rng, special), randomText(rng, special)
		r := valid()
		r.Attributes = map[string]string{key: value, "z" + value: key}
		r.Normalize()
		env := record.Envelope{Version: record.EnvelopeVersion, Index: 1 << 60, Salt: "00ff", AppendedAt: r.Time, Record: r, Previous: map[string]string{value: "1"}}
		text, err := env.Encode()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		inner, err := record.Canonical(r)
		if err != nil {
			t.Fatal(err)
		}
		if around, err := env.EncodeAround(inner); err != nil || !bytes.Equal(around, text) {
			t.Fatalf("seed %d: EncodeAround gives %s, Encode %s: %v", seed, around, text, err)
		}
		back, err := record.DecodeEnvelope(text)
		if err != nil || back.Record.Attributes[key] != value || back.Record.Attributes["z"+value] != key {
			t.Fatalf("seed %d: %q, %q came back as %q: %v", seed, key, value, back.Record.Attributes, err)
		}
		indented, err := json.MarshalIndent(map[string]json.RawMessage{"e": text}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var carried map[string]json.RawMessage
		if err := json.Unmarshal(indented, &carried); err != nil {
			t.Fatal(err)
		}
		if again, err := record.Canonicalize(carried["e"]); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("seed %d: carried as JSON, the form changes from %s to %s: %v", seed, text, again, err)
		}
	}
}

func randomText(rng *rand.Rand, special []rune) string {
	var b strings.Builder
	for range rng.IntN(8) {
		if rng.IntN(2) == 0 {
			b.WriteRune(special[rng.IntN(len(special))])
		} else {
			b.WriteRune(rune(rng.IntN(0xD800)))
		}
	}
	return b.String()
}

func TestDecodeRefuses(t *testing.T) {
	fields := func(more string) string {
		return `{"type":"Load","runID":"r","seq":"0","destinations":[{"name":"a.b"}]` + more + `}`
	}
	for name, c := range map[string]struct{ text, want string }{
		"invalid UTF-8":            {fields(`,"user":"` + "\xff" + `"`), "invalid UTF-8 at byte 77"},
		"lone high surrogate":      {fields(`,"user":"\ud800x"`), "unpaired surrogate"},
		"lone low surrogate":       {fields(`,"user":"\udc00"`), "unpaired surrogate"},
		"high surrogate twice":     {fields(`,"user":"\ud800\ud800"`), "unpaired surrogate"},
		"number as seq":            {strings.Replace(fields(""), `"seq":"0"`, `"seq":0`, 1), "decimal string"},
		"seq too large":            {strings.Replace(fields(""), `"seq":"0"`, `"seq":"18446744073709551616"`, 1), "decimal string"},
		"seq with leading zero":    {strings.Replace(fields(""), `"seq":"0"`, `"seq":"01"`, 1), "leading zeros"},
		"seq negative":             {strings.Replace(fields(""), `"seq":"0"`, `"seq":"-1"`, 1), "decimal string"},
		"number as row count":      {fields(`,"rowCount":7853723579105552123`), "decimal string"},
		"number as snapshot":       {fields(`,"sources":[{"name":"x","snapshot":5}]`), "snapshot"},
		"unknown field":            {fields(`,"usr":"x"`), `"usr"`},
		"text behind":              {fields("") + "{}", "expected the end"},
		"not JSON":                 {"nonsense", "decode JSON"},
		"unknown type":             {strings.Replace(fields(""), "Load", "Lod", 1), "expected one of Extract, Transform"},
		"the ledger's own type":    {strings.Replace(fields(""), "Load", "Conflict", 1), "expected one of"},
		"the ledger's own field":   {fields(`,"conflict":{"with":"0","operationID":"","type":"Load","contentHash":""},"operationID":"r/Load/0"`), "only the ledger"},
		"bad runID":                {strings.Replace(fields(""), `"runID":"r"`, `"runID":"../r"`, 1), "runID"},
		"empty runID":              {strings.Replace(fields(""), `"runID":"r"`, `"runID":""`, 1), "runID"},
		"wrong operationID":        {fields(`,"operationID":"r/Load/1"`), `"r/Load/0"`},
		"no datasets":              {`{"type":"Load","runID":"r","seq":"0"}`, "at least one dataset"},
		"nameless dataset":         {fields(`,"sources":[{"name":""}]`), "sources[0].name"},
		"long dataset name":        {fields(`,"sources":[{"name":"` + strings.Repeat("x", 2049) + `"}]`), "at most 2048 bytes"},
		"bad digest":               {fields(`,"sources":[{"name":"x","digest":"AB"}]`), "64 lower-case hex"},
		"bad data hash":            {fields(`,"dataHash":"sha256:00"`), "dataHash"},
		"bad transformation hash":  {fields(`,"transformationHash":"0"`), "transformationHash"},
		"long user":                {fields(`,"user":"` + strings.Repeat("x", 4097) + `"`), "user: at most"},
		"long receipt":             {fields(`,"receipts":[{"step":"` + strings.Repeat("x", 4097) + `"}]`), "receipts[0].step"},
		"too many receipts":        {fields(`,"receipts":[` + strings.Repeat("{},", 128) + `{}]`), "receipts: at most"},
		"too many datasets":        {fields(`,"sources":[` + manyDatasets(1001) + `]`), "at most 1000 datasets"},
		"too many attributes":      {fields(`,"attributes":{` + manyAttributes(65) + `}`), "attributes: at most"},
		"long attribute":           {fields(`,"attributes":{"k":"` + strings.Repeat("x", 4097) + `"}`), "attributes"},
		"time before the epoch":    {fields(`,"time":"1969-12-31T23:59:59Z"`), "1970"},
		"time beyond the index":    {fields(`,"time":"2300-01-01T00:00:00Z"`), "1970"},
		"record too large":         {fields(`,"user":"` + strings.Repeat("x", record.MaxRecordBytes) + `"`), "at most 262144"},
		"escaped backslash is not": {fields(`,"user":"\\ud800\ud800"`), "unpaired surrogate"},
	} {
		if _, err := record.Decode([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected an error that says %q, got %v", name, c.want, err)
		}
	}
	for name, text := range map[string]string{
		"surrogate pair":    fields(`,"user":"\ud83d\ude00"`),
		"escaped backslash": fields(`,"user":"\\ud800"`),
		"least":             fields(""),
	} {
		if _, err := record.Decode([]byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyDatasets(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(`{"name":"d%d"}`, i)
	}
	return strings.Join(names, ",")
}

func manyAttributes(n int) string {
	pairs := make([]string, n)
	for i := range pairs {
		pairs[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(pairs, ",")
}

func TestValidateRefusesInvalidUTF8InStructs(t *testing.T) {
	for name, change := range map[string]func(*record.Record){
		"dataset":   func(r *record.Record) { r.Sources[0].Name = "\xff" },
		"user":      func(r *record.Record) { r.User = "\xff" },
		"attribute": func(r *record.Record) { r.Attributes = map[string]string{"\xff": ""} },
		"receipt":   func(r *record.Record) { r.Receipts = []record.Receipt{{Reason: "\xff"}} },
	} {
		r := valid()
		r.Normalize()
		change(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "UTF-8") {
			t.Errorf("%s: expected an error about UTF-8, got %v", name, err)
		}
	}
}

func TestContentHash(t *testing.T) {
	base := valid()
	base.Normalize()
	want, err := base.ContentHash()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*record.Record)
		equal  bool
	}{
		"time, user, receipts, rows, attributes, pipeline": {func(r *record.Record) {
			r.Time, r.User, r.Receipts, r.RowCount = time.Time{}, "x", []record.Receipt{{Step: "s"}}, nil
			r.Attributes, r.PipelineID = map[string]string{"a": "b"}, "p"
		}, true},
		"order of sources":        {func(r *record.Record) { r.Sources[0], r.Sources[1] = r.Sources[1], r.Sources[0]; r.Normalize() }, true},
		"snapshot":                {func(r *record.Record) { r.Destinations[0].Snapshot = "7853723579105552124" }, false},
		"a source":                {func(r *record.Record) { r.Sources[0].Name = "s3://raw/c.csv" }, false},
		"source as a destination": {func(r *record.Record) { r.Destinations, r.Sources = r.Sources, r.Destinations }, false},
		"data hash":               {func(r *record.Record) { r.DataHash = "" }, false},
		"transformation hash":     {func(r *record.Record) { r.TransformationHash = strings.Repeat("0", 64) }, false},
		"type":                    {func(r *record.Record) { r.Type = record.Sync }, false},
	} {
		r := valid()
		r.Normalize()
		c.change(&r)
		got, err := r.ContentHash()
		if err != nil || (got == want) != c.equal {
			t.Errorf("%s: equal is %v, want %v (%v)", name, got == want, c.equal, err)
		}
	}
}

func TestLeafHashIsRFC6962(t *testing.T) {
	text := []byte("any envelope")
	got := record.LeafHash(text)
	if want := rfc6962.DefaultHasher.HashLeaf(text); !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestEnvelopeOfAnotherVersionIsRefused(t *testing.T) {
	for _, text := range []string{`{"version":"2"}`, `{}`, `[`} {
		if _, err := record.DecodeEnvelope([]byte(text)); err == nil {
			t.Errorf("%s: expected an error", text)
		}
	}
}

func FuzzDecode(f *testing.F) {
	r := valid()
	r.Normalize()
	text, err := record.Canonical(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"type":"Load","runID":"r","seq":"0","destinations":[{"name":"\ud83d\ude00"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := record.Decode(text)
		if err != nil {
			return
		}
		one, err := record.Canonical(r)
		if err != nil {
			t.Fatalf("a record that was accepted has no canonical form: %v", err)
		}
		back, err := record.Decode(one)
		if err != nil {
			if len(one) > record.MaxRecordBytes {
				return // the normal form may be longer than the offered text
			}
			t.Fatalf("canonical form is refused: %v", err)
		}
		if two, err := record.Canonical(back); err != nil || !bytes.Equal(one, two) {
			t.Fatalf("canonical form is not stable: %s, then %s (%v)", one, two, err)
		}
	})
}
