package run_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/run"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/ledger/client"
	"github.com/amdgpu-framework/datastack/ledger/record"
)

// recorded lists what the ledger holds of a dataset: "run type rows".
func (p *place) recorded(dataset string) (lines []string, all []record.Record) {
	p.t.Helper()
	c := client.Client{URL: p.ledger.Endpoint, TokenFile: filepath.Join(p.dir, "secrets/ledger/token")}
	answer, err := c.Records(p.t.Context(), dataset, client.Query{})
	require.NoError(p.t, err)
	for _, row := range answer.Rows {
		var envelope struct {
			Record record.Record `json:"record"`
		}
		require.NoError(p.t, json.Unmarshal(row.Envelope, &envelope), "%s", row.Envelope)
		r := envelope.Record
		lines = append(lines, r.RunID+" "+string(r.Type))
		all = append(all, r)
	}
	slices.Sort(lines)
	return lines, all
}

func (p *place) outbox() []string {
	found, err := filepath.Glob(filepath.Join(p.dir, "volumes/*/*/_datastack/*/_outbox/*.json"))
	require.NoError(p.t, err)
	files, err := filepath.Glob(filepath.Join(p.dir, "volumes/data/*/_datastack/_outbox/*.json"))
	require.NoError(p.t, err)
	return append(found, files...)
}

func TestLineageNamesSourcesAndSnapshot(t *testing.T) {
	p := newPlace(t)
	endpoint, _ := p.ledgerd("")
	p.ledger = &runspec.Ledger{Name: "audit", Endpoint: endpoint, TokenSecret: "ledger"}
	p.table("t", nil, "id long", "carrier string", "name string")
	p.file("in.csv", "id,carrier\n1,A\n2,B\n")
	p.file("carriers.csv", "carrier,name\nA,Alpha\n")
	spec := p.order("r1", csvFrom("in.csv"), tableTo("t", ""), enrich(csvFrom("carriers.csv"), "carrier"))
	result := p.must(spec)
	require.Equal(t, "0", result.Ledger.Index)
	lines, records := p.recorded("ns.t")
	require.Equal(t, []string{"r1 Load"}, lines)
	r := records[0]
	require.Equal(t, result.SnapshotID, r.Destinations[0].Snapshot)
	require.Len(t, r.Sources, 2)
	require.True(t, strings.HasSuffix(r.Sources[0].Name, "/carriers.csv") && strings.HasSuffix(r.Sources[1].Name, "/in.csv"), "%v", r.Sources)
	require.EqualValues(t, 2, *r.RowCount)
	require.NotEmpty(t, r.DataHash)
	require.NotEmpty(t, r.TransformationHash)
	require.Empty(t, p.outbox())
	p.must(spec)
	lines, _ = p.recorded("ns.t")
	require.Equal(t, []string{"r1 Load"}, lines)
}

func TestLedgerAway(t *testing.T) {
	for name, to := range map[string]v1alpha1.Destination{"table": tableTo("t", ""), "files": filesTo("out", v1alpha1.WriteAppend)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is the client's pauses
			p := newPlace(t)
			p.table("t", nil, "id long")
			p.file("in.csv", "id\n1\n")
			endpoint, stop := p.ledgerd("")
			dataset := "ns.t"
			if name == "files" {
				dataset = "file://" + p.path("out")
			}
			count := func() int {
				if name == "files" {
					return len(p.query("FROM read_parquet('@out/*.parquet')"))
				}
				rows, _ := p.rowsOf("t")
				return len(rows)
			}
			stop()
			p.ledger = &runspec.Ledger{Name: "audit", Endpoint: endpoint, TokenSecret: "ledger", OnUnavailable: "Buffer"}
			buffered := p.must(p.order("r1", csvFrom("in.csv"), to))
			require.True(t, buffered.Ledger.Buffered)
			require.Contains(t, buffered.Message, "waits in the outbox")
			require.Equal(t, 1, count())
			require.Len(t, p.outbox(), 1)

			p.ledger.OnUnavailable = "Block"
			blocked := p.order("r2", csvFrom("in.csv"), to)
			result := p.do(blocked, runspec.PhaseAll, 0)
			require.EqualValues(t, 1, result.ExitCode)
			require.Contains(t, result.Message, "the data is committed and the ledger does not take its record")
			require.Equal(t, 2, count())
			require.EqualValues(t, 1, p.do(blocked, runspec.PhaseAll, 0).ExitCode, "still away")
			require.Len(t, p.outbox(), 2)

			_, _ = p.ledgerd(strings.TrimPrefix(endpoint, "http://"))
			blocked.Attempt = 2
			result = p.must(blocked)
			require.True(t, result.Replayed)
			require.NotEmpty(t, result.Ledger.LeafHash)
			require.Equal(t, 2, count())
			lines, records := p.recorded(dataset)
			require.Equal(t, []string{"r1 Load", "r2 Load"}, lines)
			for _, r := range records {
				require.NotEmpty(t, r.Destinations[0].Snapshot)
			}
			require.Empty(t, p.outbox())
		})
	}
}

func TestTableRecords(t *testing.T) {
	p := newPlace(t)
	endpoint, stop := p.ledgerd("")
	p.table("t", nil, "id long")
	spec := p.tables["t"]
	spec.Spec.Identifier.Name = "fresh"
	order := &runspec.RunSpec{Version: 1, Action: runspec.ActionTableApply, RunID: "a1", Run: "a1", Attempt: 1,
		Object: runspec.ObjectRef{Kind: "IcebergTable", Namespace: "default", Name: "fresh"}, Tables: map[string]runspec.Table{"fresh": spec},
		Ledger: &runspec.Ledger{Name: "audit", Endpoint: endpoint, TokenSecret: "ledger"}}
	p.ledger = order.Ledger
	apply := func(id string) *runspec.RunResult {
		order.RunID = id
		result := run.Table(t.Context(), run.Options{Spec: order, Mounts: lakehouse.Mounts(p.dir)})
		require.Equal(t, runspec.OutcomeSucceeded, result.Outcome, "%+v", result)
		return result
	}
	require.Equal(t, "0", apply("a1").Ledger.Index)
	require.Nil(t, apply("a2").Ledger, "nothing changed")
	stop()
	spec.Spec.Schema.Fields = append(spec.Spec.Schema.Fields, v1alpha1.SchemaField{Name: "v", Type: "string"})
	order.Tables["fresh"] = spec
	require.True(t, apply("a3").Ledger.Buffered)
	p.ledgerd(strings.TrimPrefix(endpoint, "http://"))
	apply("a4")
	lines, _ := p.recorded("ns.fresh")
	require.Equal(t, []string{"a1 TableCreation", "a3 SchemaChange"}, lines)
	require.Empty(t, p.outbox())
}
