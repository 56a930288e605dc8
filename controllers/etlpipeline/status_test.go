package etlpipeline

import (
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
)

func TestVerdict(t *testing.T) {
	run := func(phase v1alpha1.RunPhase, code int32) *v1alpha1.Run {
		return &v1alpha1.Run{Name: "r", Phase: phase, ErrorCode: code, Message: "m", RunTotals: v1alpha1.RunTotals{RowsWritten: 5}}
	}
	on := &v1alpha1.Schedule{Cron: "0 * * * *"}
	tick := &metav1.Time{Time: noon}
	failedBefore := []v1alpha1.RunSummary{{Phase: v1alpha1.RunFailed, Message: "before"}}
	for name, tc := range map[string]struct {
		schedule             *v1alpha1.Schedule
		suspend              bool
		run                  *v1alpha1.Run
		history              []v1alpha1.RunSummary
		wait, invalid        *wait
		deps                 dependencies
		previous             metav1.ConditionStatus
		ready                metav1.ConditionStatus
		reason, says         string
		reconciling, stalled bool
	}{
		"new":                              {ready: metav1.ConditionUnknown, reason: v1alpha1.ReasonProgressing, reconciling: true},
		"running":                          {run: run(v1alpha1.RunRunning, 0), ready: metav1.ConditionUnknown, reason: v1alpha1.ReasonProgressing, reconciling: true},
		"waiting":                          {run: run(v1alpha1.RunPending, 0), wait: &wait{v1alpha1.ReasonQuotaReached, "full"}, ready: metav1.ConditionFalse, reason: v1alpha1.ReasonQuotaReached, says: "full", reconciling: true},
		"succeeded":                        {run: run(v1alpha1.RunSucceeded, 0), ready: metav1.ConditionTrue, reason: v1alpha1.ReasonSucceeded, says: "wrote 5 rows"},
		"failed for good":                  {run: run(v1alpha1.RunFailed, 0), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonRunFailed, says: "m", stalled: true},
		"bad input":                        {run: run(v1alpha1.RunFailed, 65), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonBadInput, stalled: true},
		"refused":                          {invalid: &wait{v1alpha1.ReasonInvalidSpec, "cron"}, run: run(v1alpha1.RunSucceeded, 0), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonInvalidSpec, stalled: true},
		"scheduled, no run yet":            {schedule: on, ready: metav1.ConditionTrue, reason: v1alpha1.ReasonScheduled, says: "2026-05-01T12:00:00Z"},
		"scheduled, in flight":             {schedule: on, run: run(v1alpha1.RunRunning, 0), ready: metav1.ConditionTrue, reason: v1alpha1.ReasonScheduled},
		"scheduled, in flight after bad":   {schedule: on, run: run(v1alpha1.RunRunning, 0), history: failedBefore, ready: metav1.ConditionFalse, reason: v1alpha1.ReasonRunFailed, says: "before"},
		"scheduled, failed":                {schedule: on, run: run(v1alpha1.RunFailed, 1), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonRunFailed},
		"scheduled, bad input":             {schedule: on, run: run(v1alpha1.RunFailed, 66), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonMissingInput, stalled: true},
		"scheduled, dependency missing":    {schedule: on, deps: dependencies{ledgerWait: "no ledger"}, ready: metav1.ConditionFalse, reason: v1alpha1.ReasonDependencyNotReady, says: "no ledger", reconciling: true},
		"suspended from the start":         {suspend: true, ready: metav1.ConditionUnknown, reason: v1alpha1.ReasonSuspended},
		"suspended keeps true":             {suspend: true, previous: metav1.ConditionTrue, run: run(v1alpha1.RunSucceeded, 0), ready: metav1.ConditionTrue, reason: v1alpha1.ReasonSuspended},
		"suspended keeps false":            {suspend: true, previous: metav1.ConditionFalse, run: run(v1alpha1.RunFailed, 65), ready: metav1.ConditionFalse, reason: v1alpha1.ReasonSuspended},
		"suspended while a run goes on":    {suspend: true, previous: metav1.ConditionUnknown, run: run(v1alpha1.RunRunning, 0), ready: metav1.ConditionUnknown, reason: v1alpha1.ReasonSuspended, reconciling: true},
		"suspended, the next try waits":    {suspend: true, previous: metav1.ConditionUnknown, run: run(v1alpha1.RunPending, 0), ready: metav1.ConditionUnknown, reason: v1alpha1.ReasonSuspended},
		"a deleted namesake's Job is left": {run: nil, wait: &wait{v1alpha1.ReasonRunPending, "waits"}, ready: metav1.ConditionFalse, reason: v1alpha1.ReasonRunPending, reconciling: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := seen{spec: &v1alpha1.ETLPipelineSpec{Schedule: tc.schedule, Suspend: &tc.suspend},
				status: &v1alpha1.ETLPipelineStatus{LastRun: tc.run, Runs: tc.history}, wait: tc.wait, invalid: tc.invalid, deps: tc.deps}
			if tc.schedule != nil {
				f.status.NextRun = tick
			}
			if tc.previous != "" {
				f.previous = &metav1.Condition{Status: tc.previous}
			}
			v := verdictOf(f)
			if v.Ready != tc.ready || v.Reason != tc.reason || v.Reconciling != tc.reconciling || v.Stalled != tc.stalled || !strings.Contains(v.Message, tc.says) {
				t.Fatalf("%+v", v)
			}
		})
	}
}

// TestStatusInvariants: whatever the facts, the conditions never contradict each other,
// and a second pass over the same facts changes nothing.
func TestStatusInvariants(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	maybe := func() bool { return random.IntN(2) == 0 }
	phases := []v1alpha1.RunPhase{v1alpha1.RunPending, v1alpha1.RunPlanning, v1alpha1.RunRunning, v1alpha1.RunCommitting, v1alpha1.RunSucceeded, v1alpha1.RunFailed}
	codes := []int32{0, 1, 64, 65, 66, 69, 70, 78}
	var status v1alpha1.ETLPipelineStatus
	for generation := int64(1); generation < 3000; generation++ {
		f := seen{spec: &v1alpha1.ETLPipelineSpec{Suspend: ptr.To(maybe())}, status: &status}
		status.LastRun = nil
		if maybe() {
			status.LastRun = &v1alpha1.Run{Name: "r", Phase: phases[random.IntN(len(phases))], ErrorCode: codes[random.IntN(len(codes))], Message: strings.Repeat("x", random.IntN(900))}
		}
		if maybe() {
			f.spec.Schedule = &v1alpha1.Schedule{}
		}
		if maybe() {
			f.spec.Lineage = v1alpha1.LineageDisabled
		}
		if maybe() {
			f.wait = &wait{v1alpha1.ReasonRunPending, "waits"}
		}
		if random.IntN(5) == 0 {
			f.invalid = &wait{v1alpha1.ReasonInvalidSpec, "wrong"}
		}
		if maybe() {
			f.deps.destinationWait = "no table"
		}
		f.previous = meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).DeepCopy()
		setStatus(f, generation)
		if said := kindtest.Invariants(status.Conditions, generation); said != "" {
			t.Fatalf("%s: %+v", said, status.Conditions)
		}
		before := status.DeepCopy()
		f.previous = meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady).DeepCopy()
		setStatus(f, generation)
		if len(before.Conditions) != len(status.Conditions) || before.Phase != status.Phase {
			t.Fatalf("a second look changed %+v into %+v", before, status)
		}
	}
}
