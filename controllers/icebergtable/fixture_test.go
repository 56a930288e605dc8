package icebergtable

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// newTable is flights with an id and a carrier, in a SQLite catalog, with lineage off.
func newTable(namespace string) *v1alpha1.IcebergTable {
	return &v1alpha1.IcebergTable{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "flights"},
		Spec: v1alpha1.IcebergTableSpec{
			Catalog: &v1alpha1.Catalog{Type: v1alpha1.CatalogSQL, SQL: &v1alpha1.SQLCatalog{
				Dialect: v1alpha1.DialectSQLite, ClaimName: "catalog", Path: "catalog.db", Warehouse: "s3://warehouse/lake"}},
			Storage: &v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{
				Bucket: "warehouse", CredentialsSecretRef: &v1alpha1.LocalRef{Name: "warehouse-s3"}}},
			Identifier: v1alpha1.TableIdentifier{Namespace: []string{"aviation"}, Name: "flights"},
			Schema: v1alpha1.TableSchema{Fields: []v1alpha1.SchemaField{
				{Name: "id", Type: "long", Required: ptr.To(true)}, {Name: "carrier", Type: "string"}}},
			Lineage: v1alpha1.LineageDisabled,
		},
	}
}

// fixture is one namespace with the controller at work in it.
type fixture struct {
	*testing.T
	namespace string
}

func start(t *testing.T) fixture {
	t.Helper()
	f := fixture{t, apitest.Namespace(t)}
	apitest.Manager(t, f.namespace, func(mgr manager.Manager) error {
		return Setup(mgr, runs.Config{WorkerImage: "gpuworker:test", EngineImage: "engine:test"})
	})
	return f
}

func (f fixture) create(objects ...client.Object) {
	f.Helper()
	for _, object := range objects {
		if err := apitest.Client.Create(f.Context(), object); err != nil {
			f.Fatal(err)
		}
	}
}

func (f fixture) table() *v1alpha1.IcebergTable {
	f.Helper()
	table := &v1alpha1.IcebergTable{}
	if err := apitest.Client.Get(f.Context(), client.ObjectKey{Namespace: f.namespace, Name: "flights"}, table); err != nil {
		f.Fatal(err)
	}
	return table
}

func (f fixture) edit(change func(*v1alpha1.IcebergTable)) {
	f.Helper()
	table := f.table()
	patch := client.MergeFrom(table.DeepCopy())
	change(table)
	if err := apitest.Client.Patch(f.Context(), table, patch); err != nil {
		f.Fatal(err)
	}
}

// job waits for the Job of the run and attempt that status names; not is the run that it must not be.
func (f fixture) job(attempt int32, not string) *batchv1.Job {
	f.Helper()
	job := &batchv1.Job{}
	kindtest.Eventually(f.T, func() string {
		run := f.table().Status.LastRun
		switch {
		case run == nil || run.Name == not:
			return "no new run in status"
		case run.Attempt != attempt:
			return "another attempt: " + run.Message
		}
		if err := apitest.Client.Get(f.Context(), client.ObjectKey{Namespace: f.namespace, Name: runs.AttemptName(run.Name, attempt)}, job); err != nil {
			return err.Error()
		}
		return ""
	})
	return job
}

func (f fixture) await(kind string, want metav1.ConditionStatus, reason string) string {
	f.Helper()
	kindtest.Eventually(f.T, func() string {
		table := f.table()
		if wrong := kindtest.Condition(table.Status.Conditions, kind, want, reason); wrong != "" {
			return wrong
		}
		return kindtest.Invariants(table.Status.Conditions, table.Generation)
	})
	return meta.FindStatusCondition(f.table().Status.Conditions, kind).Message
}

func (f fixture) expectKStatus(want status.Status) {
	f.Helper()
	kindtest.Eventually(f.T, func() string {
		if got := apitest.KStatus(f.T, kind, client.ObjectKey{Namespace: f.namespace, Name: "flights"}); got != want {
			return "kstatus " + got.String() + ", want " + want.String()
		}
		return ""
	})
}

// result is what a worker answers for the run in status.
func (f fixture) result(change ...func(*runspec.RunResult)) *runspec.RunResult {
	run := f.table().Status.LastRun
	result := &runspec.RunResult{RunID: run.RunID, Attempt: run.Attempt, Phase: runspec.PhaseAll, Outcome: runspec.OutcomeSucceeded,
		Table: &runspec.TableState{Location: "s3://warehouse/lake/aviation/flights", UUID: "11111111-2222-3333-4444-555555555555",
			SchemaID: 1, SnapshotID: "7853723579105552123", SnapshotAt: noon.UnixMilli(), Operation: "append",
			Rows: 336776, DataFiles: 12, Bytes: 1 << 20, Changes: []string{"created"}}}
	for _, c := range change {
		c(result)
	}
	return result
}

// settle lets the first run succeed.
func (f fixture) settle() {
	f.Helper()
	job := f.job(1, "")
	kindtest.Succeed(f.T, job, kindtest.Run(f.T, job), f.result())
	f.await(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
}

func (f fixture) order(job *batchv1.Job) *runspec.RunSpec {
	f.Helper()
	var pinned corev1.ConfigMap
	if err := apitest.Client.Get(f.Context(), client.ObjectKeyFromObject(job), &pinned); err != nil {
		f.Fatal(err)
	}
	order, err := runs.SpecOf(&pinned)
	if err != nil {
		f.Fatal(err)
	}
	return order
}
