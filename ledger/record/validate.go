package record

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a record. They keep one record well under a page of an answer and under a WAL segment.
const (
	// MaxRecordBytes bounds the JSON text of one record.
	MaxRecordBytes = 256 << 10
	// MaxDatasets bounds sources and destinations, each.
	MaxDatasets = 1000
	// MaxReceipts bounds receipts.
	MaxReceipts = 128
	// MaxAttributes bounds attributes.
	MaxAttributes = 64
	// MaxNameBytes bounds a dataset name.
	MaxNameBytes = 2048
	// MaxTextBytes bounds every other string.
	MaxTextBytes = 4096
)

var (
	runIDForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// The ledger's index keeps times as nanoseconds since 1970 in 63 bits.
var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Normalize brings a record to the form that is hashed: sources and destinations sorted, duplicates
// removed, time in UTC to the microsecond, the user named, and the operation id filled in.
func (r *Record) Normalize() {
	r.Sources = sortedDatasets(r.Sources)
	r.Destinations = sortedDatasets(r.Destinations)
	if !r.Time.IsZero() {
		r.Time = r.Time.UTC().Truncate(time.Microsecond)
	}
	if r.User == "" {
		r.User = UnverifiedUser
	}
	if r.OperationID == "" {
		r.OperationID = r.Key()
	}
}

func sortedDatasets(in []Dataset) []Dataset {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b Dataset) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Snapshot, b.Snapshot), strings.Compare(a.Digest, b.Digest))
	})
	return slices.Compact(out)
}

// Validate checks a normalised record that a client offers. A zero time is allowed: the ledger sets it.
func (r *Record) Validate() error {
	if !slices.Contains(Types, r.Type) {
		return fmt.Errorf("type: expected one of %s, found %q", joinTypes(), r.Type)
	}
	if r.Conflict != nil {
		return fmt.Errorf("conflict: only the ledger writes this field, leave it out")
	}
	if !runIDForm.MatchString(r.RunID) {
		return fmt.Errorf("runID: expected 1 to 128 letters, digits, '.', '_' or '-' that start with a letter or digit, found %.140q", r.RunID)
	}
	if r.OperationID != r.Key() {
		return fmt.Errorf("operationID: expected runID/type/seq = %q, found %.300q: leave it out or mend it", r.Key(), r.OperationID)
	}
	if len(r.Sources)+len(r.Destinations) == 0 {
		return fmt.Errorf("sources, destinations: expected at least one dataset, found none")
	}
	if !r.Time.IsZero() && (r.Time.Before(earliest) || !r.Time.Before(latest)) {
		return fmt.Errorf("time: expected a year from 1970 to 2199, found %s", r.Time.Format(time.RFC3339))
	}
	return cmp.Or(r.validateDatasets(), r.validateHashes(), r.validateReceipts(), r.validateTexts())
}

func (r *Record) validateDatasets() error {
	for _, side := range []struct {
		field string
		sets  []Dataset
	}{{"sources", r.Sources}, {"destinations", r.Destinations}} {
		if len(side.sets) > MaxDatasets {
			return fmt.Errorf("%s: at most %d datasets, found %d: name the common prefix once, with the digest of the file list", side.field, MaxDatasets, len(side.sets))
		}
		for i, d := range side.sets {
			where := fmt.Sprintf("%s[%d]", side.field, i)
			if d.Name == "" {
				return fmt.Errorf("%s.name: expected a table identifier or a URI, found nothing", where)
			}
			err := cmp.Or(checkString(where+".name", d.Name, MaxNameBytes), checkString(where+".snapshot", d.Snapshot, MaxTextBytes),
				checkDigest(where+".digest", d.Digest))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Record) validateHashes() error {
	return cmp.Or(checkDigest("transformationHash", r.TransformationHash), checkDigest("dataHash", r.DataHash))
}

func (r *Record) validateReceipts() error {
	if len(r.Receipts) > MaxReceipts {
		return fmt.Errorf("receipts: at most %d, found %d", MaxReceipts, len(r.Receipts))
	}
	for i, p := range r.Receipts {
		for field, text := range map[string]string{"step": p.Step, "engine": p.Engine, "reason": p.Reason, "device": p.Device} {
			if err := checkString(fmt.Sprintf("receipts[%d].%s", i, field), text, MaxTextBytes); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Record) validateTexts() error {
	if err := cmp.Or(checkString("user", r.User, MaxTextBytes), checkString("pipelineID", r.PipelineID, MaxTextBytes)); err != nil {
		return err
	}
	if len(r.Attributes) > MaxAttributes {
		return fmt.Errorf("attributes: at most %d, found %d", MaxAttributes, len(r.Attributes))
	}
	for k, v := range r.Attributes {
		if err := cmp.Or(checkString("attributes key", k, MaxTextBytes), checkString(fmt.Sprintf("attributes[%.60q]", k), v, MaxTextBytes)); err != nil {
			return err
		}
	}
	return nil
}

func checkString(field, text string, limit int) error {
	if len(text) > limit {
		return fmt.Errorf("%s: at most %d bytes, found %d", field, limit, len(text))
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("%s: expected valid UTF-8, found %.60q", field, text)
	}
	return nil
}

func checkDigest(field, text string) error {
	if text != "" && !digestForm.MatchString(text) {
		return fmt.Errorf("%s: expected the SHA-256 as 64 lower-case hex digits, or nothing, found %.80q", field, text)
	}
	return nil
}

func joinTypes() string {
	names := make([]string, len(Types))
	for i, t := range Types {
		names[i] = string(t)
	}
	return strings.Join(names, ", ")
}
