package etlpipeline

import (
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/controllers/internal/schedule"
)

// trigger is what starts a run. Its value goes into the run's token, so the same
// trigger never loads twice.
type trigger struct {
	value string
	// tick is set for a scheduled run, runAt for one that the annotation asked for.
	tick  time.Time
	runAt string
}

const triggerRevision = "revision"

// timing is what the clock, the annotation and the revision ask for.
type timing struct {
	due *trigger
	// skipped is the newest tick that is too old to run.
	skipped time.Time
	next    time.Time
}

// timingOf decides what is due. cron is nil without a schedule.
func timingOf(p *v1alpha1.ETLPipeline, revision string, cron *schedule.Cron, now time.Time) timing {
	var t timing
	if cron != nil {
		t = scheduled(p, cron, now)
	} else if p.Status.Revision != revision {
		t.due = &trigger{value: triggerRevision}
	}
	// A request by hand comes first, and counts for a new revision as well.
	if asked := runAt(p); asked != "" && asked != p.Status.RunAt {
		t.due = &trigger{value: "run-at " + asked, runAt: asked}
	}
	return t
}

// scheduled looks from the tick that status promised. Without a promise (a new or
// resumed pipeline) the schedule counts from now: nothing is made up for.
func scheduled(p *v1alpha1.ETLPipeline, cron *schedule.Cron, now time.Time) timing {
	from := now
	if p.Status.NextRun != nil {
		from = p.Status.NextRun.Add(-time.Nanosecond)
	}
	plan := cron.Decide(now, from, startingDeadline(&p.Spec))
	t := timing{next: plan.Next, skipped: plan.Skipped}
	if !plan.Due.IsZero() {
		t.due = &trigger{value: plan.Due.Format(time.RFC3339), tick: plan.Due}
	}
	return t
}

// runAt is the annotation's value, cut to what status can echo; a cut value keeps
// its difference through a hash.
func runAt(p *v1alpha1.ETLPipeline) string {
	const most = 64
	value := p.Annotations[v1alpha1.AnnotationRunAt]
	if len(value) > most {
		return runs.Hash(value)[:most]
	}
	return value
}
