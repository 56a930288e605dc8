package runspec

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

const minimal = `{"version":1,"action":"TableApply","object":{"kind":"IcebergTable","namespace":"a","name":"t"},
"runID":"r","run":"r","attempt":1,"tables":{"t":{"spec":{"identifier":{"namespace":["n"],"name":"t"},"schema":{"fields":[]}}}}}`

func TestReadRefusesWhatItCannotDo(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"accepted":       {minimal, ""},
		"newer version":  {strings.Replace(minimal, `"version":1`, `"version":2`, 1), "worker image of the manager's release"},
		"no version":     {strings.Replace(minimal, `"version":1,`, ``, 1), "found 0"},
		"unknown field":  {strings.Replace(minimal, `"run":"r"`, `"run":"r","rnu":1`, 1), `"rnu"`},
		"not JSON":       {"kind: x", "not JSON"},
		"two values":     {minimal + minimal, "after top-level value"},
		"too large":      {`{"run":"` + strings.Repeat("x", MaxBytes) + `"}`, "over 524288 bytes"},
		"no token":       {strings.Replace(minimal, `"runID":"r"`, `"runID":""`, 1), "runID is empty"},
		"attempt zero":   {strings.Replace(minimal, `"attempt":1`, `"attempt":0`, 1), "counts from 1"},
		"no object name": {strings.Replace(minimal, `"name":"t"},`, `"name":""},`, 1), "needs kind, namespace and name"},
		"unknown action": {strings.Replace(minimal, `TableApply`, `Dance`, 1), `"Dance"`},
		"missing member": {strings.Replace(minimal, `TableApply`, `Pipeline`, 1), "needs the member pipeline"},
		"wrong table":    {strings.Replace(minimal, `"tables":{"t"`, `"tables":{"u"`, 1), `exactly the table "t"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tc.in))
			switch {
			case tc.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Fatalf("error %v; want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestEncodeFitsTheTerminationMessage(t *testing.T) {
	r := RunResult{RunID: "id", SnapshotID: "7853723579105552123", Outcome: OutcomeFailed,
		Message: strings.Repeat("ä", 3000), Table: &TableState{Location: "s3://b/t"}}
	for range 64 {
		r.Receipts = append(r.Receipts, Receipt{Step: "a-step-with-a-name", Engine: "datafusion 55.0.0"})
		r.Table.Changes = append(r.Table.Changes, "added column of some length")
	}
	data := r.Encode()
	if len(data) > MaxResultBytes {
		t.Fatalf("%d bytes; the limit is %d", len(data), MaxResultBytes)
	}
	var back RunResult
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.SnapshotID != r.SnapshotID || back.Outcome != r.Outcome || back.Table == nil || !utf8.ValidString(back.Message) {
		t.Fatalf("what must stay was lost: %+v", back)
	}
	if len(r.Receipts) != 64 || len(r.Table.Changes) != 64 {
		t.Fatal("Encode changed its receiver")
	}
}

func TestPermanentExitCodes(t *testing.T) {
	for code, want := range map[int32]bool{0: false, 1: false, 2: false, 63: false, 64: true, 65: true, 70: true, 78: true, 79: false, 137: false, 143: false} {
		if Permanent(code) != want {
			t.Errorf("Permanent(%d) = %v", code, !want)
		}
	}
}
