package icebergtable

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func TestReasonOfAFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		outcome runs.Outcome
		want    string
	}{
		"the worker's word":         {runs.Outcome{ExitCode: 64, Result: &runspec.RunResult{Reason: "TypeChangeRefused"}}, "TypeChangeRefused"},
		"no word":                   {runs.Outcome{ExitCode: 66}, v1alpha1.ReasonMissingInput},
		"no word for a condition":   {runs.Outcome{ExitCode: 65, Result: &runspec.RunResult{Reason: "it is wrong"}}, v1alpha1.ReasonBadInput},
		"an empty word":             {runs.Outcome{ExitCode: 78, Result: &runspec.RunResult{}}, v1alpha1.ReasonVersionMismatch},
		"usage":                     {runs.Outcome{ExitCode: 64}, v1alpha1.ReasonBadSpec},
		"engine":                    {runs.Outcome{ExitCode: 69}, v1alpha1.ReasonEngineUnavailable},
		"device":                    {runs.Outcome{ExitCode: 70}, v1alpha1.ReasonWrongDevice},
		"a code that nobody agreed": {runs.Outcome{ExitCode: 77}, v1alpha1.ReasonRunFailed},
	} {
		if got := reasonOf(tc.outcome); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// A schema that others changed is brought back; rows that others committed are not our business.
func TestLooksStartAnApplyOnlyWhenTheSchemaMoved(t *testing.T) {
	for name, tc := range map[string]struct {
		seen    int32
		applies bool
	}{"same schema": {1, false}, "another schema": {2, true}} {
		table := settled()
		table.Status.TableFacts = v1alpha1.TableFacts{TableUUID: "u", SchemaID: ptr.To(int32(1))}
		table.Status.LastRun.Trigger, table.Status.LastRun.Phase = triggerInspect, v1alpha1.RunRunning
		absorb(&table.Status, runs.Outcome{State: runs.StateSucceeded, Result: &runspec.RunResult{RunID: "id", Attempt: 1,
			Outcome: runspec.OutcomeSucceeded, Table: &runspec.TableState{UUID: "u", SchemaID: tc.seen, Rows: 7}}}, noon)
		if got, _ := decide(table, "", noon); (got == stepApply) != tc.applies {
			t.Errorf("%s: step %d", name, got)
		}
		if ptr.Deref(table.Status.Rows, 0) != 7 || !table.Status.LastRefresh.Equal(at(0)) {
			t.Errorf("%s: what was seen is not in status", name)
		}
	}
}

func TestWorkersOwnReportWinsOverTheTerminationMessage(t *testing.T) {
	table := settled()
	table.Status.LastRun.Phase = v1alpha1.RunRunning
	table.Status.Workers = []v1alpha1.WorkerStatus{
		{Shard: "0", RunID: "id", Attempt: 1, Phase: v1alpha1.RunSucceeded, Table: &v1alpha1.TableFacts{Rows: ptr.To(int64(5))}},
		{Shard: "1", RunID: "an earlier run", Attempt: 1, Phase: v1alpha1.RunSucceeded, Table: &v1alpha1.TableFacts{Rows: ptr.To(int64(9))}},
	}
	absorb(&table.Status, runs.Outcome{State: runs.StateSucceeded}, noon)
	if table.Status.LastRun.Phase != v1alpha1.RunSucceeded || ptr.Deref(table.Status.Rows, 0) != 5 {
		t.Errorf("phase %s, rows %v", table.Status.LastRun.Phase, table.Status.Rows)
	}
}

func TestEachRunIsCountedOnce(t *testing.T) {
	running := settled(func(table *v1alpha1.IcebergTable) {
		table.Namespace, table.Status.LastRun.Phase = "counted", v1alpha1.RunRunning
	})
	done := running.DeepCopy()
	done.Status.LastRun.Phase = v1alpha1.RunFailed
	done.Status.LastRun.CompletionTime = ptr.To(metav1.NewTime(noon.Add(time.Minute)))
	for range 2 { // the second pass sees nothing new
		count(running, done)
		running = done
	}
	if got := testutil.ToFloat64(runsTotal.WithLabelValues("counted", "flights", triggerApply, "Failed")); got != 1 {
		t.Errorf("counted %v times", got)
	}
}
