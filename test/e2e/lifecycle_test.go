package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestTypoInAColumnStallsWithTheColumnsThereAre(t *testing.T) {
	t.Parallel()
	store.putRows(t, "typo/a.csv", 1, 10)
	mustApply(t, table("typo")+"---"+pipeline("typo", "typo/*.csv", "typo", `  transformations:
  - {name: pick, type: datafusion, datafusion: {query: "SELECT id, name, amuont FROM input"}}
`))
	p := waitCondition(t, 2*time.Minute, "typo", v1alpha1.ConditionStalled, metav1.ConditionTrue)
	message := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionStalled).Message
	for _, want := range []string{"amuont", "id", "name", "amount", "pick"} {
		if !strings.Contains(message, want) {
			t.Errorf("the Stalled message lacks %q: %s", want, message)
		}
	}
	if run := p.Status.LastRun; run.CompletionTime.Sub(run.StartTime.Time) > 30*time.Second {
		t.Errorf("the run took %s to say so", run.CompletionTime.Sub(run.StartTime.Time))
	}
	wantRows(t, "typo", 0, 1)
}

func TestEditsThatLoadNothingAgain(t *testing.T) {
	t.Parallel()
	store.putRows(t, "edits/a.csv", 1, 10)
	mustApply(t, table("edits")+"---"+pipeline("edits", "edits/*.csv", "edits", ""))
	first := waitReady(t, "edits").Status.LastRun
	for _, extra := range []string{"  suspend: true\n", "  suspend: false\n", "  runHistoryLimit: 2\n", "  backoffLimit: 9\n",
		"  worker: {resources: {requests: {cpu: 50m}}}\n"} {
		mustApply(t, pipeline("edits", "edits/*.csv", "edits", extra))
		eventually(t, time.Minute, func(ctx context.Context) error {
			p, err := getPipeline(ctx, "edits")
			if err != nil {
				return err
			}
			if p.Status.ObservedGeneration != p.Generation {
				return fmt.Errorf("generation %d not yet observed: %d", p.Generation, p.Status.ObservedGeneration)
			}
			return nil
		})
	}
	time.Sleep(2 * time.Second) // a Job that should not be would be there by now
	if again := waitReady(t, "edits").Status.LastRun; again.RunID != first.RunID {
		t.Errorf("an edit of suspend, history or resources ran the pipeline again: %s after %s", again.RunID, first.RunID)
	}
	wantRows(t, "edits", 10, 1)
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	store.putRows(t, "suspend/a.csv", 1, 10)
	mustApply(t, table("suspend")+"---"+pipeline("suspend", "suspend/*.csv", "suspend", "  suspend: true\n"))
	eventually(t, time.Minute, func(ctx context.Context) error {
		p, err := getPipeline(ctx, "suspend")
		if err != nil {
			return err
		}
		if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.Reason != v1alpha1.ReasonSuspended {
			return fmt.Errorf("Ready's reason is not Suspended: %+v", p.Status.Conditions)
		}
		if p.Status.LastRun != nil {
			return fmt.Errorf("it ran: %+v", p.Status.LastRun)
		}
		return nil
	})
	mustApply(t, pipeline("suspend", "suspend/*.csv", "suspend", "  suspend: false\n"))
	waitReady(t, "suspend")
	wantRows(t, "suspend", 10, 1)
}

func TestScheduledByFileAppendSeesNewFilesOnce(t *testing.T) {
	t.Parallel()
	store.putRows(t, "byfile/a.csv", 1, 10)
	text := strings.Replace(pipeline("byfile", "byfile/*.csv", "byfile", "  schedule: {cron: \"@every 5s\"}\n"),
		"      format: CSV\n", "      format: CSV\n      incremental: ByFile\n", 1)
	mustApply(t, table("byfile")+"---"+text)
	waitSucceededRuns(t, 2*time.Minute, "byfile", 2)
	wantRows(t, "byfile", 10, 1)
	store.putRows(t, "byfile/b.csv", 11, 25)
	eventually(t, 2*time.Minute, func(context.Context) error {
		if got := query(t, "byfile", "SELECT count(*) FROM t")[0]; got != "25" {
			return fmt.Errorf("%s rows; want 25", got)
		}
		return nil
	})
	now := waitSucceededRuns(t, time.Minute, "byfile", 1).Status.LastRun.RunID
	eventually(t, time.Minute, func(ctx context.Context) error { // one more tick must add nothing
		p, err := getPipeline(ctx, "byfile")
		if err != nil {
			return err
		}
		if p.Status.LastRun.RunID == now || p.Status.LastRun.Phase != v1alpha1.RunSucceeded {
			return fmt.Errorf("no further run yet: %+v", p.Status.LastRun)
		}
		return nil
	})
	wantRows(t, "byfile", 25, 1)
	mustApply(t, strings.Replace(text, "ledgerRef:", "suspend: true\n  ledgerRef:", 1))
}

func TestDeletedWhileItRunsAndCreatedAgain(t *testing.T) {
	t.Parallel()
	store.putRows(t, "again/a.csv", 1, 200_000)
	mustApply(t, table("again"))
	text := pipeline("again", "again/*.csv", "again", "  transformations:\n  - {name: slow, type: polars, polars: {script: \"import time; time.sleep(3); input\"}}\n")
	mustApply(t, text)
	eventually(t, time.Minute, func(ctx context.Context) error { return workerRunning(ctx, "again") })
	old, err := getPipeline(t.Context(), "again")
	if err != nil {
		t.Fatal(err)
	}
	if err := k8s.Delete(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := getPipeline(ctx, "again")
		if err == nil {
			return errors.New("still there")
		}
		return client.IgnoreNotFound(err)
	})
	// The new object has a pipelineID of its own, so what the old one may have committed is told apart by its rows.
	before := query(t, "again", "SELECT count(*) FROM t")[0]
	mustApply(t, text)
	p := waitReady(t, "again")
	if p.UID == old.UID {
		t.Fatal("the object was not created again")
	}
	for _, w := range p.Status.Workers {
		if w.RunID != p.Status.LastRun.RunID {
			t.Errorf("a worker of the deleted object wrote into its namesake: %+v", w)
		}
	}
	copies := map[string]int{"0": 1, "200000": 2}[before]
	if copies == 0 {
		t.Fatalf("the deleted run left half a commit: %s rows", before)
	}
	wantRows(t, "again", 200_000, copies)
}

func TestTwoPipelinesAppendToOneTable(t *testing.T) {
	t.Parallel()
	store.putRows(t, "two/a.csv", 1, 50_000)
	store.putRows(t, "two/b.csv", 50_001, 100_000)
	mustApply(t, table("two")+"---"+pipeline("two-a", "two/a.csv", "two", "")+"---"+pipeline("two-b", "two/b.csv", "two", ""))
	waitReady(t, "two-a")
	waitReady(t, "two-b")
	wantRows(t, "two", 100_000, 1)
}

func TestParallelRunCommitsOnce(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		store.putRows(t, fmt.Sprintf("parallel/%d.csv", i), i*25_000+1, (i+1)*25_000)
	}
	mustApply(t, table("parallel")+"---"+pipeline("parallel", "parallel/*.csv", "parallel", `  parallelism: 3
  transformations:
  - {name: positive, type: filter, filter: {expression: "amount > 0"}}
`))
	p := waitReady(t, "parallel")
	wantRows(t, "parallel", 100_000, 1)
	if p.Status.LastRun.RowsWritten != 100_000 || p.Status.LastRun.SnapshotID == "" {
		t.Errorf("the run's totals: %+v", p.Status.LastRun)
	}
	var jobs batchv1.JobList
	if err := k8s.List(t.Context(), &jobs, client.InNamespace(namespace), client.MatchingLabels{"datastack.amdgpu.dev/name": "parallel", "datastack.amdgpu.dev/kind": "ETLPipeline"}); err != nil {
		t.Fatal(err)
	}
	indexed := 0
	for _, job := range jobs.Items {
		if job.Spec.CompletionMode != nil && *job.Spec.CompletionMode == batchv1.IndexedCompletion {
			indexed++
		}
	}
	if indexed == 0 {
		t.Error("no Indexed Job did the work phase")
	}
}

func TestNamespaceDeletion(t *testing.T) {
	t.Parallel()
	const name = "datastack-e2e-gone"
	if err := makeWorkspace(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	store.putRows(t, "gone/a.csv", 1, 100_000)
	if err := apply(t.Context(), name, table("gone")+"---"+pipeline("gone", "gone/*.csv", "gone", "")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		var pods corev1.PodList
		if err := k8s.List(ctx, &pods, client.InNamespace(name)); err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return fmt.Errorf("no pod yet")
		}
		return nil
	})
	if err := deleteNamespace(t.Context(), name); err != nil {
		t.Fatalf("the namespace does not go away: %v", err)
	}
}
