package etlpipeline

import (
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// next is what follows a failed attempt.
type next struct {
	// retry: another attempt follows; counted: the failure uses up a try.
	retry, counted bool
	// reason of giving up, for conditions and events.
	reason string
}

// afterFailure decides whether a failed attempt is tried again. superseded says that
// the spec asks for another revision by now.
func afterFailure(run *v1alpha1.Run, outcome runs.Outcome, backoffLimit int32, superseded bool) next {
	switch {
	case outcome.Permanent():
		return next{reason: runs.ReasonOfExit(outcome.ExitCode)}
	case outcome.TimedOut:
		return next{reason: v1alpha1.ReasonRunTimedOut}
	case superseded:
		return next{reason: v1alpha1.ReasonRunReplaced}
	case outcome.Disrupted:
		return next{retry: true}
	case run.Failures >= backoffLimit:
		return next{reason: v1alpha1.ReasonRunFailed}
	}
	return next{retry: true, counted: true}
}

// backoff is the wait after the given number of failures: 10 s, 20 s, 40 s ... 5 min.
func backoff(failures int32) time.Duration {
	const first, longest = 10 * time.Second, 5 * time.Minute
	wait := first
	for range min(max(failures, 1)-1, 10) {
		wait *= 2
	}
	return min(wait, longest)
}

// The manager's own reasons for ending a run have no exit code: they stand at the
// beginning of the run's message, so that a later pass can tell them again.
var ownReasons = []string{v1alpha1.ReasonRunTimedOut, v1alpha1.ReasonRunReplaced, v1alpha1.ReasonUnschedulable}

// reasonOfRun tells a failed run's reason from what status keeps of it.
func reasonOfRun(run *v1alpha1.Run) string {
	for _, reason := range ownReasons {
		if strings.HasPrefix(run.Message, reason+": ") {
			return reason
		}
	}
	return runs.ReasonOfExit(run.ErrorCode)
}

// permanent says that the same run would fail again until a person acts.
func permanent(run *v1alpha1.Run) bool {
	return runspec.Permanent(run.ErrorCode)
}
