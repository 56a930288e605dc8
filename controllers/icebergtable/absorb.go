package icebergtable

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// absorb moves the run in status on by what its Job and pods say. When that ends the run for good, it answers with the
// reason for conditions.
func absorb(status *v1alpha1.IcebergTableStatus, outcome runs.Outcome, now time.Time) (reason string) {
	run := status.LastRun
	switch outcome.State {
	case runs.StateWaiting:
		run.Phase, run.Message = v1alpha1.RunPending, runspec.Truncate(outcome.Why)
	case runs.StateRunning:
		run.Phase, run.Message = v1alpha1.RunRunning, ""
	case runs.StateSucceeded:
		report := answer(status, outcome)
		if report == nil || report.Table == nil {
			// The pod and its answer are gone. Asking again is safe: applying is idempotent.
			nextAttempt(run, "the worker's answer was lost with its pod; asking again")
			return ""
		}
		return succeed(status, report, outcome, now)
	case runs.StateFailed:
		if !inspects(run) && outcome.Result != nil && outcome.Result.Table != nil {
			// A table that refuses a change is described all the same.
			status.TableFacts = *outcome.Result.WorkerStatus().Table
		}
		return fail(run, outcome, now)
	}
	return ""
}

// answer of the worker: what it wrote into status.workers, else its termination message.
func answer(status *v1alpha1.IcebergTableStatus, outcome runs.Outcome) *v1alpha1.WorkerStatus {
	run := status.LastRun
	if report := runs.FinalReport(status.Workers, run.RunID, run.Attempt, false); report != nil && report.Table != nil {
		return report
	}
	if outcome.Result != nil {
		return outcome.Result.WorkerStatus()
	}
	return nil
}

func succeed(status *v1alpha1.IcebergTableStatus, report *v1alpha1.WorkerStatus, outcome runs.Outcome, now time.Time) string {
	run, before := status.LastRun, status.TableFacts
	if inspects(run) && before.TableUUID != "" && before.TableUUID != report.Table.TableUUID {
		end(run, v1alpha1.RunFailed, fmt.Sprintf(
			"the catalog now holds another table under this name (uuid %s, was %s); restore the table, or set the annotation %s to accept the new one",
			report.Table.TableUUID, before.TableUUID, v1alpha1.AnnotationRunAt), now)
		return v1alpha1.ReasonIdentityChanged
	}
	message := report.Message
	if message == "" && outcome.Result != nil && outcome.Result.Table != nil {
		message = strings.Join(outcome.Result.Table.Changes, "; ")
	}
	end(run, v1alpha1.RunSucceeded, message, now)
	run.ErrorCode, run.SnapshotID, run.Ledger = 0, report.SnapshotID, report.Ledger
	status.LastRefresh = ptr.To(metav1.NewTime(now))
	status.TableFacts = *report.Table.DeepCopy()
	if inspects(run) && ptr.Deref(before.SchemaID, -1) != ptr.Deref(report.Table.SchemaID, -1) {
		status.Revision = "" // somebody else changed the schema: bring it back to the spec, or say why not
	}
	return ""
}

func fail(run *v1alpha1.Run, outcome runs.Outcome, now time.Time) string {
	run.ErrorCode = outcome.ExitCode
	if outcome.Permanent() {
		end(run, v1alpha1.RunFailed, outcome.Message, now)
		return reasonOf(outcome)
	}
	if !outcome.Disrupted { // a disruption is an attempt, and no failure
		run.Failures++
		run.LastFailureTime = ptr.To(metav1.NewTime(now))
	}
	nextAttempt(run, outcome.Message)
	return ""
}

func end(run *v1alpha1.Run, phase v1alpha1.RunPhase, message string, now time.Time) {
	run.Phase, run.Message = phase, runspec.Truncate(message)
	run.CompletionTime = ptr.To(metav1.NewTime(now))
}

func nextAttempt(run *v1alpha1.Run, message string) {
	run.Attempt++
	run.Phase, run.Message = v1alpha1.RunPending, runspec.Truncate(message)
}

// conditionReason is what the API server accepts as a condition's reason.
var conditionReason = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$`)

// reasonOf a failure that trying again cannot mend: the worker's own word, else what its exit code means.
func reasonOf(outcome runs.Outcome) string {
	if outcome.Result != nil && conditionReason.MatchString(outcome.Result.Reason) {
		return outcome.Result.Reason
	}
	return runs.ReasonOfExit(outcome.ExitCode)
}
