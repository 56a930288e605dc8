package icebergtable

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func TestTableIsMade(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	job := f.job(1, "")
	f.await(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRunPending)
	f.await(v1alpha1.ConditionLineageDisabled, metav1.ConditionTrue, v1alpha1.ReasonLineageDisabled)
	f.expectKStatus(status.InProgressStatus)

	order := f.order(job)
	if order.Action != runspec.ActionTableApply || order.Object.UID != string(f.table().UID) {
		t.Errorf("the order is %s for uid %s", order.Action, order.Object.UID)
	}
	if args := strings.Join(job.Spec.Template.Spec.Containers[0].Args, " "); !strings.HasPrefix(args, "table apply --spec ") {
		t.Errorf("the worker is called with %q", args)
	}
	f.settle()

	seen := f.table().Status
	if seen.Location != "s3://warehouse/lake/aviation/flights" || ptr.Deref(seen.Rows, 0) != 336776 || ptr.Deref(seen.DataFiles, 0) != 12 ||
		seen.CurrentSnapshot == nil || seen.CurrentSnapshot.ID != "7853723579105552123" || !seen.CurrentSnapshot.At.Time.Equal(noon) {
		t.Errorf("the table's facts are %+v", seen.TableFacts)
	}
	if seen.LastRun.Message != "created" || seen.Phase != "Ready" {
		t.Errorf("the run says %q, and the phase is %q", seen.LastRun.Message, seen.Phase)
	}
	f.await(v1alpha1.ConditionSchemaInSync, metav1.ConditionTrue, v1alpha1.ReasonInSync)
	f.expectKStatus(status.CurrentStatus)
}

func TestWorkersMayPatchTheStatusOfTheirOwnTableOnly(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	account := f.job(1, "").Spec.Template.Spec.ServiceAccountName
	var role rbacv1.Role
	if err := apitest.Client.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: account}, &role); err != nil {
		t.Fatal(err)
	}
	for _, rule := range role.Rules {
		if len(rule.ResourceNames) != 1 || rule.ResourceNames[0] != "flights" {
			t.Errorf("a rule is for %v", rule.ResourceNames)
		}
		if got := rule.Resources[0] + " " + strings.Join(rule.Verbs, ","); got != "icebergtables get" && got != "icebergtables/status patch" {
			t.Errorf("a worker may %s", got)
		}
	}
	f.settle()
	f.expectKStatus(status.CurrentStatus)
}

func TestRefusedChangeStallsAndTheMendResumes(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	f.settle()
	first := f.table().Status.LastRun.Name

	f.edit(func(table *v1alpha1.IcebergTable) { table.Spec.Schema.Fields = table.Spec.Schema.Fields[:1] })
	job := f.job(1, first)
	const why = "column carrier is in the table and not in the spec; add it to formerNames of its new name, or set evolution.allowDrop"
	kindtest.Fail(t, job, kindtest.Run(t, job), runspec.ExitUsage, f.result(func(r *runspec.RunResult) {
		r.Outcome, r.ExitCode, r.Reason, r.Message = runspec.OutcomeFailed, runspec.ExitUsage, "DropRefused", why
	}), "")
	for _, kind := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSchemaInSync} {
		if got := f.await(kind, metav1.ConditionFalse, v1alpha1.ReasonDropRefused); got != why {
			t.Errorf("%s says %q", kind, got)
		}
	}
	f.await(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonDropRefused)
	f.expectKStatus(status.FailedStatus)

	refused := f.table().Status.LastRun.Name
	f.edit(func(table *v1alpha1.IcebergTable) {
		table.Spec.Evolution = &v1alpha1.Evolution{AllowDrop: ptr.To(true)}
	})
	job = f.job(1, refused)
	kindtest.Succeed(t, job, kindtest.Run(t, job), f.result())
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	f.await(v1alpha1.ConditionSchemaInSync, metav1.ConditionTrue, v1alpha1.ReasonInSync)
	f.expectKStatus(status.CurrentStatus)
}

func TestEditsThatAreNotTheTableStartNoRun(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	f.settle()
	first := f.table().Status.LastRun.Name
	f.edit(func(table *v1alpha1.IcebergTable) { table.Spec.Suspend = ptr.To(true) })
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	f.edit(func(table *v1alpha1.IcebergTable) { table.Spec.Suspend = nil })
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if run := f.table().Status.LastRun; run.Name != first {
		t.Errorf("suspend and resume started the run %s", run.Name)
	}
	f.expectKStatus(status.CurrentStatus)
}

func TestTableIsQuietWhenNothingChanges(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	f.settle()
	before := f.table().ResourceVersion
	kindtest.Consistently(t, 2*time.Second, func() string {
		if now := f.table().ResourceVersion; now != before {
			return "the status was written again"
		}
		return ""
	})
	f.expectKStatus(status.CurrentStatus)
}

func TestRecreatedTableStartsAfresh(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	old := f.job(1, "")
	if err := apitest.Client.Delete(t.Context(), f.table()); err != nil {
		t.Fatal(err)
	}
	f.create(newTable(f.namespace))
	job := f.job(1, "")
	if job.Name == old.Name {
		t.Fatal("the Job of the deleted object is taken for the new one's")
	}
	// The old pod's end is none of the new object's business.
	kindtest.Succeed(t, old, nil, nil)
	kindtest.Succeed(t, job, kindtest.Run(t, job), f.result())
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	f.expectKStatus(status.CurrentStatus)
}

func TestRefreshFindsWhatOthersDid(t *testing.T) {
	f := start(t)
	table := newTable(f.namespace)
	table.Spec.RefreshInterval = &metav1.Duration{Duration: time.Second}
	f.create(table)
	f.settle()
	first := f.table().Status.LastRun.Name

	look := f.job(1, first)
	if action := f.order(look).Action; action != runspec.ActionTableInspect {
		t.Fatalf("the order is %s", action)
	}
	// Longer, so that this look is the only one.
	f.edit(func(table *v1alpha1.IcebergTable) { table.Spec.RefreshInterval = &metav1.Duration{Duration: time.Hour} })
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded) // a look in flight changes nothing
	kindtest.Succeed(t, look, kindtest.Run(t, look), f.result(func(r *runspec.RunResult) { r.Table.Rows = 400000; r.Table.SnapshotID = "9" }))
	kindtest.Eventually(t, func() string {
		if seen := f.table().Status; ptr.Deref(seen.Rows, 0) != 400000 || seen.CurrentSnapshot.ID != "9" {
			return "the commit of others is not seen"
		}
		return ""
	})
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	f.expectKStatus(status.CurrentStatus)

	// The Jobs of earlier runs go, so that looks do not pile up.
	kindtest.Eventually(t, func() string {
		var job batchv1.Job
		err := apitest.Client.Get(t.Context(), client.ObjectKey{Namespace: f.namespace, Name: runs.AttemptName(first, 1)}, &job)
		if err == nil {
			return "the Job of the first run is still there"
		}
		return ""
	})
}

func TestAnotherTableInItsPlaceIsNotAccepted(t *testing.T) {
	f := start(t)
	table := newTable(f.namespace)
	table.Spec.RefreshInterval = &metav1.Duration{Duration: time.Second}
	f.create(table)
	f.settle()
	look := f.job(1, f.table().Status.LastRun.Name)
	kindtest.Succeed(t, look, kindtest.Run(t, look), f.result(func(r *runspec.RunResult) { r.Table.UUID = "99999999-2222-3333-4444-555555555555" }))
	f.await(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonIdentityChanged)
	if uuid := f.table().Status.TableUUID; !strings.HasPrefix(uuid, "1111") {
		t.Errorf("the stranger's uuid %s is in status", uuid)
	}
	f.expectKStatus(status.FailedStatus)
}

func TestFailuresAreTriedAgainAndDisruptionsDoNotCount(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	job := f.job(1, "")
	kindtest.Disrupt(t, job, kindtest.Run(t, job))
	job = f.job(2, "")
	kindtest.Fail(t, job, kindtest.Run(t, job), runspec.ExitRetryable, nil, "the catalog does not answer")
	if got := f.await(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRunRetrying); !strings.Contains(got, "the catalog does not answer") {
		t.Errorf("Ready says %q", got)
	}
	run := f.table().Status.LastRun
	if run.Attempt != 3 || run.Failures != 1 || run.LastFailureTime == nil {
		t.Errorf("attempt %d, failures %d", run.Attempt, run.Failures)
	}
	f.expectKStatus(status.InProgressStatus)
}

func TestAnswerThatIsLostIsAskedForAgain(t *testing.T) {
	f := start(t)
	f.create(newTable(f.namespace))
	job := f.job(1, "")
	pods := kindtest.Run(t, job)
	for _, pod := range pods {
		if err := apitest.Client.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
	kindtest.Succeed(t, job, nil, nil)
	job = f.job(2, "")
	kindtest.Succeed(t, job, kindtest.Run(t, job), f.result())
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	f.expectKStatus(status.CurrentStatus)
}

func TestTableWaitsForItsLedger(t *testing.T) {
	f := start(t)
	table := newTable(f.namespace)
	table.Spec.Lineage, table.Spec.LedgerRef = "", &v1alpha1.LocalRef{Name: "audit"}
	f.create(table)
	if got := f.await(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDependencyNotReady); !strings.Contains(got, `LineageLedger "audit" does not exist`) {
		t.Errorf("Ready says %q", got)
	}
	f.expectKStatus(status.InProgressStatus)

	ledger := &v1alpha1.LineageLedger{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "audit"}}
	f.create(ledger)
	ledger.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue,
		Reason: v1alpha1.ReasonSucceeded, ObservedGeneration: ledger.Generation, LastTransitionTime: metav1.Now()}}
	if err := apitest.Client.Status().Update(t.Context(), ledger); err != nil {
		t.Fatal(err)
	}
	order := f.order(f.job(1, ""))
	if order.Ledger == nil || order.Ledger.Name != "audit" || !strings.HasPrefix(order.Ledger.TokenSecret, "audit-token-") {
		t.Errorf("the order's ledger is %+v", order.Ledger)
	}
	f.settle()
	f.await(v1alpha1.ConditionLedgerReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable)
	f.expectKStatus(status.CurrentStatus)
}

func TestSpecsThatStall(t *testing.T) {
	for name, tc := range map[string]struct {
		prepare      func(f fixture, table *v1alpha1.IcebergTable)
		reason, says string
	}{
		"no catalog": {func(_ fixture, t *v1alpha1.IcebergTable) { t.Spec.Catalog = nil }, v1alpha1.ReasonInvalidSpec, "spec.catalog"},
		"no storage": {func(_ fixture, t *v1alpha1.IcebergTable) { t.Spec.Storage = nil }, v1alpha1.ReasonInvalidSpec, "spec.storage"},
		"an image":   {func(_ fixture, t *v1alpha1.IcebergTable) { t.Spec.Worker = &v1alpha1.Worker{Image: "elsewhere:1"} }, v1alpha1.ReasonImageNotAllowed, "elsewhere:1"},
		"a host path": {func(_ fixture, t *v1alpha1.IcebergTable) {
			t.Spec.Storage = &v1alpha1.Storage{Type: v1alpha1.StorageHostPath, HostPath: &v1alpha1.HostPathStorage{Path: "/etc"}}
		}, v1alpha1.ReasonHostPathNotAllowed, "/etc"},
		"a twin": {func(f fixture, table *v1alpha1.IcebergTable) {
			older := newTable(f.namespace)
			older.Name = "earlier"
			f.create(older)
			time.Sleep(1100 * time.Millisecond) // creation times have whole seconds
		}, v1alpha1.ReasonInvalidSpec, `IcebergTable "earlier"`},
		"a pod that the API server refuses": {func(_ fixture, t *v1alpha1.IcebergTable) {
			t.Spec.Worker = &v1alpha1.Worker{PodLabels: map[string]string{"a": "not a label value"}}
		}, v1alpha1.ReasonInvalidSpec, "correct spec.worker"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			table := newTable(f.namespace)
			tc.prepare(f, table)
			f.create(table)
			f.await(v1alpha1.ConditionStalled, metav1.ConditionTrue, tc.reason)
			if got := f.await(v1alpha1.ConditionReady, metav1.ConditionFalse, tc.reason); !strings.Contains(got, tc.says) {
				t.Errorf("Ready says %q; want it to contain %q", got, tc.says)
			}
			f.expectKStatus(status.FailedStatus)
		})
	}
}
