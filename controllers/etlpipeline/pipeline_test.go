package etlpipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// TestPipeline shares one manager among its parts; each has a namespace of its own.
func TestPipeline(t *testing.T) {
	startManager(t, 0)
	t.Run("group", func(t *testing.T) { // ends when all parallel parts have
		for name, test := range map[string]func(*testing.T){
			"a run from CSV to a table":             runOnce,
			"waits for its dependencies":            waitsForDependencies,
			"only a new revision loads again":       onlyNewRevision,
			"a result in status.workers wins":       resultFromStatus,
			"a lost result is asked for again":      lostResult,
			"bad input stalls at once":              badInput,
			"a failure is tried again":              retries,
			"a disruption is not a failure":         disruption,
			"parallel runs have three phases":       threePhases,
			"a schedule runs, skips and suspends":   schedules,
			"Replace stops the run before":          replaces,
			"a required GPU that no node has":       gpuRequired,
			"a preferred GPU that no node has":      gpuPreferredNone,
			"a preferred GPU that is busy":          gpuPreferredBusy,
			"a preferred GPU of a DRA driver":       gpuFromDRA,
			"deleted and created again":             recreated,
			"an edit before the worker has started": editWhileWaiting,
			"refused specs":                         refusedSpecs,
			"a namespace without room":              resourceQuota,
			"a run that takes too long":             timesOut,
			"an edit and back":                      thereAndBack,
			"a Job that somebody deletes":           jobDeleted,
			"old runs are forgotten":                historyIsTrimmed,
			"a suspended pipeline finishes its run": suspendedWhileRunning,
			"a failed revision comes back":          failedRevisionComesBack,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t)
			})
		}
	})
}

func runOnce(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, job) // the namespace enforces the restricted standard
	running := p.waitCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing)
	if running.Status.Phase != string(v1alpha1.RunRunning) {
		t.Fatalf("phase is %q", running.Status.Phase)
	}
	p.settled(status.InProgressStatus)
	checkPod(t, job.Spec.Template.Spec)
	checkRole(t, p, job.Spec.Template.Spec.ServiceAccountName)

	kindtest.Succeed(t, job, pods, p.result(job, runspec.OutcomeSucceeded, ""))
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	run := done.Status.LastRun
	if run.Phase != v1alpha1.RunSucceeded || run.RowsWritten != 10 || run.RowsRejected != 2 || run.SnapshotID != "7853723579105552123" ||
		run.Ledger == nil || run.Ledger.Index != 41 || len(run.Receipts) != 1 || run.CompletionTime == nil {
		t.Fatalf("the last run is %+v", run)
	}
	if len(done.Status.Runs) != 1 || done.Status.Runs[0].Name != run.Name {
		t.Fatalf("the history is %+v", done.Status.Runs)
	}
	for _, reason := range []string{v1alpha1.ReasonRunStarted, v1alpha1.ReasonRunSucceeded, v1alpha1.ReasonRejectedRows} {
		p.waitEvent(reason)
	}
	p.settled(status.CurrentStatus)
}

// checkPod reads what must be in a worker pod, and what must not.
func checkPod(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	if *pod.AutomountServiceAccountToken || len(pod.InitContainers) != 1 || pod.InitContainers[0].Name != "engine" {
		t.Fatalf("the pod is %+v", pod)
	}
	mounts := func(c corev1.Container) (paths []string) {
		for _, m := range c.VolumeMounts {
			paths = append(paths, m.MountPath)
		}
		return paths
	}
	worker, engine := mounts(pod.Containers[0]), mounts(pod.InitContainers[0])
	for _, path := range []string{"/datastack/run", "/datastack/scratch", "/datastack/engine", "/datastack/secrets/landing-s3",
		"/datastack/secrets/warehouse-s3", "/datastack/volumes/catalog", "/var/run/secrets/kubernetes.io/serviceaccount"} {
		if !slices.Contains(worker, path) {
			t.Errorf("the worker has no %s: %v", path, worker)
		}
	}
	if !slices.Equal(engine, []string{"/datastack/engine"}) {
		t.Errorf("the engine mounts %v; it must see its own folder only", engine)
	}
	if args := strings.Join(pod.Containers[0].Args, " "); args != "run --spec /datastack/run/run.json --mounts /datastack --phase all" {
		t.Errorf("the worker's arguments are %q", args)
	}
}

// checkRole sees that the pod's account may touch its own object and nothing else.
func checkRole(t *testing.T, p place, account string) {
	t.Helper()
	var role rbacv1.Role
	p.must(apitest.Client.Get(t.Context(), p.key(account), &role))
	for _, rule := range role.Rules {
		if !slices.Equal(rule.ResourceNames, []string{"load"}) || slices.Contains(rule.Verbs, "*") {
			t.Errorf("the rule %v is too wide", rule)
		}
	}
}

func waitsForDependencies(t *testing.T) {
	p := newPlace(t)
	p.pipeline(nil)
	waiting := p.waitCondition(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDependencyNotReady)
	for condition, want := range map[string]metav1.ConditionStatus{v1alpha1.ConditionSourceReady: metav1.ConditionTrue,
		v1alpha1.ConditionDestinationReady: metav1.ConditionFalse, v1alpha1.ConditionLedgerReady: metav1.ConditionFalse} {
		reason := v1alpha1.ReasonDependencyNotReady
		if want == metav1.ConditionTrue {
			reason = v1alpha1.ReasonAvailable
		}
		if said := kindtest.Condition(waiting.Status.Conditions, condition, want, reason); said != "" {
			t.Error(said)
		}
	}
	p.settled(status.InProgressStatus)
	p.table()
	p.waitCondition(v1alpha1.ConditionDestinationReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable)
	if jobs := p.jobs(); len(jobs) > 0 {
		t.Fatalf("Jobs %v started without the ledger", jobs)
	}
	p.ledger()
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func onlyNewRevision(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	p.finish(p.waitJob(1, runspec.PhaseAll))
	first := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded).Status.LastRun
	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Spec.Suspend, e.Spec.RunHistoryLimit, e.Spec.TimeoutSeconds = ptr.To(false), ptr.To(int32(9)), ptr.To(int64(500))
		e.Spec.Worker = &v1alpha1.Worker{Resources: &corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}}}
	})
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	kindtest.Consistently(t, time.Second, func() string {
		if run := p.get().Status.LastRun; run.Name != first.Name || len(p.jobs()) != 1 {
			return "an edit of suspend, history or resources started run " + run.Name
		}
		return ""
	})
	p.edit(func(e *v1alpha1.ETLPipeline) {
		e.Spec.Transformations[0].DataFusion.Query = "SELECT 1 AS flight_id FROM input"
	})
	kindtest.Eventually(t, func() string {
		if p.get().Status.LastRun.Name == first.Name {
			return "a new revision started no run"
		}
		return ""
	})
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func resultFromStatus(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, job)
	result := p.result(job, runspec.OutcomeSucceeded, "")
	report := *result.WorkerStatus()
	report.Shard, report.RowsWritten = "all", 77
	kindtest.Eventually(t, func() string {
		pipeline := p.get()
		pipeline.Status.Workers = []v1alpha1.WorkerStatus{report}
		if err := apitest.Client.Status().Update(t.Context(), pipeline); err != nil {
			return err.Error()
		}
		return ""
	})
	kindtest.Succeed(t, job, pods, result)
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if done.Status.LastRun.RowsWritten != 77 || len(done.Status.Workers) != 1 {
		t.Fatalf("rows %d, workers %v: the report in status should win, and stay", done.Status.LastRun.RowsWritten, done.Status.Workers)
	}
	p.edit(func(e *v1alpha1.ETLPipeline) { e.Annotations = map[string]string{v1alpha1.AnnotationRunAt: "now"} })
	kindtest.Eventually(t, func() string {
		if s := p.get().Status; s.RunAt != "now" || len(s.Workers) != 0 {
			return "the next run has not cleared status.workers"
		}
		return ""
	})
	p.finish(p.waitJob(1, runspec.PhaseAll))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func lostResult(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(nil)
	job := p.waitJob(1, runspec.PhaseAll)
	pods := kindtest.Run(t, job)
	kindtest.Succeed(t, job, pods, nil)
	commit := p.waitJob(1, runspec.PhaseCommit)
	if args := strings.Join(commit.Spec.Template.Spec.Containers[0].Args, " "); !strings.HasSuffix(args, "--phase commit") {
		t.Fatalf("the commit's arguments are %q", args)
	}
	p.finish(commit)
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func threePhases(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.Parallelism = ptr.To(int32(3)) })
	p.finish(p.waitJob(1, runspec.PhasePlan))
	work := p.waitJob(1, runspec.PhaseWork)
	if *work.Spec.Completions != 3 || *work.Spec.CompletionMode != "Indexed" {
		t.Fatalf("the work Job is %+v", work.Spec)
	}
	p.finish(work)
	p.finish(p.waitJob(1, runspec.PhaseCommit))
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.settled(status.CurrentStatus)
}

func recreated(t *testing.T) {
	p := newPlace(t).withDependencies()
	pipeline := p.pipeline(nil)
	old := p.waitJob(1, runspec.PhaseAll)
	kindtest.Run(t, old)
	p.must(apitest.Client.Delete(t.Context(), pipeline))
	p.pipeline(nil) // the collector has not taken the old one's Job yet
	job := p.waitJob(1, runspec.PhaseAll)
	if job.Name == old.Name {
		t.Fatal("the new object took over the deleted one's Job")
	}
	p.finish(job)
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.must(apitest.Client.Get(t.Context(), client.ObjectKeyFromObject(old), old)) // left to the garbage collector
	p.settled(status.CurrentStatus)
}
