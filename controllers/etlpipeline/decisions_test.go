package etlpipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/controllers/internal/schedule"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestIdentity(t *testing.T) {
	base := func() *v1alpha1.ETLPipeline {
		p := &v1alpha1.ETLPipeline{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "p", UID: "uid-1"}}
		p.Spec.Source.Files = &v1alpha1.FilesSource{Glob: "*.csv"}
		return p
	}
	id := func(p *v1alpha1.ETLPipeline, trigger string) string {
		revision, err := revisionOf(&p.Spec)
		if err != nil {
			t.Fatal(err)
		}
		return runID(p, revision, trigger)
	}
	same := id(base(), "revision")
	for name, tc := range map[string]struct {
		change  func(*v1alpha1.ETLPipeline)
		trigger string
		differs bool
	}{
		"nothing":           {},
		"suspend":           {change: func(p *v1alpha1.ETLPipeline) { p.Spec.Suspend = ptr.To(true) }},
		"history":           {change: func(p *v1alpha1.ETLPipeline) { p.Spec.RunHistoryLimit = ptr.To(int32(1)) }},
		"resources":         {change: func(p *v1alpha1.ETLPipeline) { p.Spec.Worker = &v1alpha1.Worker{Image: "x"} }},
		"parallelism":       {change: func(p *v1alpha1.ETLPipeline) { p.Spec.Parallelism = ptr.To(int32(4)) }},
		"a restored status": {change: func(p *v1alpha1.ETLPipeline) { p.UID, p.Status.PipelineID = "uid-2", "uid-1" }},
		"a restored spec":   {change: func(p *v1alpha1.ETLPipeline) { p.UID, p.Spec.PipelineID = "uid-2", "uid-1" }},
		"source":            {change: func(p *v1alpha1.ETLPipeline) { p.Spec.Source.Files.Glob = "*.gz" }, differs: true},
		"transformations": {change: func(p *v1alpha1.ETLPipeline) {
			p.Spec.Transformations = []v1alpha1.Transformation{{Name: "f", Filter: &v1alpha1.FilterStep{Expression: "true"}}}
		}, differs: true},
		"destination":      {change: func(p *v1alpha1.ETLPipeline) { p.Spec.Destination.Type = "files" }, differs: true},
		"a namesake":       {change: func(p *v1alpha1.ETLPipeline) { p.UID = "uid-2" }, differs: true},
		"another name":     {change: func(p *v1alpha1.ETLPipeline) { p.Name = "q" }, differs: true},
		"another trigger":  {trigger: "2026-05-01T12:00:00Z", differs: true},
		"in another place": {change: func(p *v1alpha1.ETLPipeline) { p.Namespace = "b" }, differs: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, trigger := base(), triggerRevision
			if tc.change != nil {
				tc.change(p)
			}
			if tc.trigger != "" {
				trigger = tc.trigger
			}
			if got := id(p, trigger); (got != same) != tc.differs {
				t.Fatalf("differs: %v, want %v", got != same, tc.differs)
			}
		})
	}
}

func TestTimingOf(t *testing.T) {
	hourly := "0 * * * *"
	at := func(text string) *metav1.Time {
		parsed, err := time.Parse("15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return &metav1.Time{Time: time.Date(2026, 5, 1, parsed.Hour(), parsed.Minute(), 0, 0, time.UTC)}
	}
	for name, tc := range map[string]struct {
		cron       string
		nextRun    *metav1.Time
		seen       string // revision in status
		annotation string
		echoed     string
		deadline   *int64
		now        time.Time
		due        string
		skipped    bool
	}{
		"first sight of a revision":              {due: "revision"},
		"a revision seen before":                 {seen: "r1"},
		"a new revision":                         {seen: "r0", due: "revision"},
		"asked for by hand":                      {seen: "r1", annotation: "x", due: "run-at x"},
		"asked for and done":                     {seen: "r1", annotation: "x", echoed: "x"},
		"by hand counts for the revision":        {annotation: "x", due: "run-at x"},
		"a long annotation":                      {seen: "r1", annotation: strings.Repeat("x", 300), due: "run-at " + runs.Hash(strings.Repeat("x", 300))[:64]},
		"a new schedule makes nothing up":        {cron: hourly},
		"a schedule ignores revisions":           {cron: hourly, seen: "r0", nextRun: at("13:00")},
		"before the tick":                        {cron: hourly, nextRun: at("13:00")},
		"on the tick":                            {cron: hourly, nextRun: at("12:00"), due: "2026-05-01T12:00:00Z"},
		"the newest of several missed":           {cron: hourly, nextRun: at("08:00"), due: "2026-05-01T12:00:00Z"},
		"missed by too much":                     {cron: hourly, nextRun: at("12:00"), now: noon.Add(10 * time.Minute), deadline: ptr.To(int64(300)), skipped: true},
		"default deadline is an hour":            {cron: "0 3 * * *", nextRun: at("03:00"), skipped: true},
		"a cron edit makes no past tick due":     {cron: "55 * * * *", nextRun: at("13:00")},
		"a cron edit while the manager was down": {cron: "55 * * * *", nextRun: at("11:00"), due: "2026-05-01T11:55:00Z"},
		"by hand, with a schedule":               {cron: hourly, nextRun: at("13:00"), annotation: "x", due: "run-at x"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1alpha1.ETLPipeline{}
			p.Status.Revision, p.Status.RunAt, p.Status.NextRun = tc.seen, tc.echoed, tc.nextRun
			p.Spec.StartingDeadlineSeconds = tc.deadline
			if tc.annotation != "" {
				p.Annotations = map[string]string{v1alpha1.AnnotationRunAt: tc.annotation}
			}
			var cron *schedule.Cron
			if tc.cron != "" {
				var err error
				if cron, err = schedule.Parse(tc.cron, ""); err != nil {
					t.Fatal(err)
				}
			}
			now := noon
			if !tc.now.IsZero() {
				now = tc.now
			}
			got := timingOf(p, "r1", cron, now)
			due := ""
			if got.due != nil {
				due = got.due.value
			}
			if due != tc.due || got.skipped.IsZero() == tc.skipped {
				t.Fatalf("due %q, skipped %v; want %q, %v", due, got.skipped, tc.due, tc.skipped)
			}
			if cron != nil && !got.next.After(now) {
				t.Fatalf("the next tick %v is not in the future", got.next)
			}
		})
	}
}

func TestAfterFailure(t *testing.T) {
	failed := func(exit int32) runs.Outcome { return runs.Outcome{State: runs.StateFailed, ExitCode: exit} }
	evicted := runs.Outcome{State: runs.StateFailed, ExitCode: 1, Disrupted: true}
	late := runs.Outcome{State: runs.StateFailed, ExitCode: 1, TimedOut: true}
	for name, tc := range map[string]struct {
		failures   int32
		outcome    runs.Outcome
		superseded bool
		want       next
	}{
		"first failure":            {outcome: failed(1), want: next{retry: true, counted: true}},
		"last try left":            {failures: 1, outcome: failed(137), want: next{retry: true, counted: true}},
		"no try left":              {failures: 2, outcome: failed(1), want: next{reason: v1alpha1.ReasonRunFailed}},
		"bad spec":                 {outcome: failed(64), want: next{reason: v1alpha1.ReasonBadSpec}},
		"bad data":                 {outcome: failed(65), want: next{reason: v1alpha1.ReasonBadInput}},
		"missing input":            {outcome: failed(66), want: next{reason: v1alpha1.ReasonMissingInput}},
		"no engine":                {outcome: failed(69), want: next{reason: v1alpha1.ReasonEngineUnavailable}},
		"wrong device":             {outcome: failed(70), want: next{reason: v1alpha1.ReasonWrongDevice}},
		"another permanent code":   {outcome: failed(71), want: next{reason: v1alpha1.ReasonRunFailed}},
		"unknown RunSpec":          {outcome: failed(78), want: next{reason: v1alpha1.ReasonVersionMismatch}},
		"evicted, no try left":     {failures: 2, outcome: evicted, want: next{retry: true}},
		"out of time":              {outcome: late, want: next{reason: v1alpha1.ReasonRunTimedOut}},
		"superseded":               {outcome: failed(1), superseded: true, want: next{reason: v1alpha1.ReasonRunReplaced}},
		"superseded, but bad data": {outcome: failed(65), superseded: true, want: next{reason: v1alpha1.ReasonBadInput}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := afterFailure(&v1alpha1.Run{Failures: tc.failures}, tc.outcome, 2, tc.superseded); got != tc.want {
				t.Fatalf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestBackoffGrowsToItsBound(t *testing.T) {
	for failures, want := range map[int32]time.Duration{0: 10 * time.Second, 1: 10 * time.Second, 2: 20 * time.Second, 3: 40 * time.Second, 5: 160 * time.Second, 6: 5 * time.Minute, 100: 5 * time.Minute} {
		if got := backoff(failures); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}

func TestReasonSurvivesInStatus(t *testing.T) {
	for message, want := range map[string]string{
		"RunTimedOut: the run took longer":         v1alpha1.ReasonRunTimedOut,
		"Unschedulable: 0/3 nodes":                 v1alpha1.ReasonUnschedulable,
		"the worker said RunTimedOut: in its text": v1alpha1.ReasonRunFailed,
	} {
		if got := reasonOfRun(&v1alpha1.Run{Message: message}); got != want {
			t.Errorf("%q: %s, want %s", message, got, want)
		}
	}
	if got := reasonOfRun(&v1alpha1.Run{ErrorCode: 66, Message: "m"}); got != v1alpha1.ReasonMissingInput {
		t.Errorf("got %s", got)
	}
}

func TestGPUDecisions(t *testing.T) {
	required, preferred := &v1alpha1.GPU{Policy: v1alpha1.GPURequired}, &v1alpha1.GPU{Policy: v1alpha1.GPUPreferred}
	limited := &v1alpha1.GPU{Policy: v1alpha1.GPURequired, ScheduleTimeout: &metav1.Duration{Duration: time.Hour}}
	short := &v1alpha1.GPU{PreferredWait: &metav1.Duration{Duration: time.Second}}
	for name, tc := range map[string]struct {
		gpu    *v1alpha1.GPU
		waited time.Duration
		want   verdict
		left   time.Duration
	}{
		"no GPU asked for":             {waited: time.Hour, want: keepWaiting},
		"preferred, not long enough":   {gpu: preferred, waited: 59 * time.Second, want: keepWaiting, left: time.Second},
		"preferred, the default wait":  {gpu: preferred, waited: time.Minute, want: fallBack},
		"default policy, a short wait": {gpu: short, waited: time.Second, want: fallBack},
		"required, no limit":           {gpu: required, waited: 1000 * time.Hour, want: keepWaiting},
		"required, within its limit":   {gpu: limited, waited: time.Minute, want: keepWaiting, left: 59 * time.Minute},
		"required, over its limit":     {gpu: limited, waited: time.Hour, want: giveUp},
	} {
		t.Run(name, func(t *testing.T) {
			if got, left := whileUnschedulable(tc.gpu, tc.waited); got != tc.want || left != tc.left {
				t.Fatalf("%s, %s; want %s, %s", got, left, tc.want, tc.left)
			}
		})
	}
	for name, tc := range map[string]struct {
		gpu  *v1alpha1.GPU
		fits bool
		want string
	}{
		"preferred, a node fits": {gpu: preferred, fits: true},
		"preferred, none fits":   {gpu: preferred, want: "why"},
		"required, none fits":    {gpu: required},
		"nodes made on demand":   {gpu: &v1alpha1.GPU{AssumeAvailable: ptr.To(true)}},
		"no GPU asked for":       {},
	} {
		t.Run("start: "+name, func(t *testing.T) {
			if got := beforeStart(tc.gpu, tc.fits, "why"); got != tc.want {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestQuotaIsFirstComeFirstServed(t *testing.T) {
	name := func(i int) types.NamespacedName { return types.NamespacedName{Namespace: "a", Name: fmt.Sprint(i)} }
	q := &Quota{Max: 2}
	restarted := []types.NamespacedName{name(9)} // its place was given before a restart
	admit := func(i int) bool { return q.Admit(name(i), restarted, noon) }
	if !admit(1) || admit(2) || admit(3) {
		t.Fatal("one place is left of two, for the first who asks")
	}
	if !admit(1) {
		t.Fatal("who holds a place keeps it")
	}
	q.Release(name(1))
	if admit(3) {
		t.Fatal("3 came after 2")
	}
	if !admit(2) || admit(3) {
		t.Fatal("2 is next")
	}
	restarted = nil
	if !admit(3) {
		t.Fatal("the run from before the restart has ended")
	}
	if admit(4) {
		t.Fatal("2 and 3 hold both places")
	}
	q.Release(name(2))
	if q.Admit(name(5), nil, noon.Add(forgetAfter/2)) {
		t.Fatal("4 came before 5")
	}
	if !q.Admit(name(5), nil, noon.Add(2*forgetAfter)) {
		t.Fatal("who stopped asking blocks nobody")
	}
	if !(&Quota{}).Admit(name(1), []types.NamespacedName{name(2)}, noon) {
		t.Fatal("0 is no bound")
	}
}
