package etlpipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// place is a namespace with a ready table and ledger, in which pods must be restricted.
type place struct {
	t         *testing.T
	namespace string
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{t, apitest.Namespace(t)}
	namespace := &corev1.Namespace{}
	p.must(apitest.Client.Get(t.Context(), client.ObjectKey{Name: p.namespace}, namespace))
	namespace.Labels["pod-security.kubernetes.io/enforce"] = "restricted"
	p.must(apitest.Client.Update(t.Context(), namespace))
	kindtest.CollectGarbage(t, p.namespace)
	return p
}

func (p place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p place) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: p.namespace, Name: name}
}

// pipeline from a CSV in a bucket to the table flights, recorded in the ledger audit.
func (p place) pipeline(change func(*v1alpha1.ETLPipelineSpec)) *v1alpha1.ETLPipeline {
	p.t.Helper()
	pipeline := &v1alpha1.ETLPipeline{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "load"}}
	pipeline.Spec = v1alpha1.ETLPipelineSpec{
		Mode: v1alpha1.ModeBatch,
		Source: v1alpha1.PipelineSource{Type: v1alpha1.SourceFiles, Files: &v1alpha1.FilesSource{
			Storage: v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{Bucket: "landing", CredentialsSecretRef: &v1alpha1.LocalRef{Name: "landing-s3"}}},
			Glob:    "*.csv", Format: v1alpha1.FormatCSV, Incremental: v1alpha1.IncrementalByFile}},
		Transformations: []v1alpha1.Transformation{{Name: "clean", Type: v1alpha1.TransformDataFusion,
			DataFusion: &v1alpha1.DataFusionStep{Query: "SELECT * FROM input"}}},
		Destination: v1alpha1.Destination{Type: v1alpha1.DestinationIcebergTable,
			IcebergTable: &v1alpha1.IcebergTableDestination{TableRef: v1alpha1.LocalRef{Name: "flights"}}},
		LedgerRef: &v1alpha1.LocalRef{Name: "audit"},
	}
	if change != nil {
		change(&pipeline.Spec)
	}
	p.must(apitest.Client.Create(p.t.Context(), pipeline))
	return pipeline
}

// withDependencies makes the table and the ledger, both ready.
func (p place) withDependencies() place {
	p.t.Helper()
	p.table()
	p.ledger()
	return p
}

func (p place) table() {
	p.t.Helper()
	table := &v1alpha1.IcebergTable{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "flights"}}
	table.Spec = v1alpha1.IcebergTableSpec{
		Catalog: &v1alpha1.Catalog{Type: v1alpha1.CatalogSQL, SQL: &v1alpha1.SQLCatalog{Dialect: v1alpha1.DialectSQLite,
			ClaimName: "catalog", Path: "catalog.db", Warehouse: "s3://warehouse/lake"}},
		Storage:    &v1alpha1.Storage{Type: v1alpha1.StorageS3, S3: &v1alpha1.S3Storage{Bucket: "warehouse", CredentialsSecretRef: &v1alpha1.LocalRef{Name: "warehouse-s3"}}},
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"aviation"}, Name: "flights"},
		Schema:     v1alpha1.TableSchema{Fields: []v1alpha1.SchemaField{{Name: "flight_id", Type: "long"}}},
		Lineage:    v1alpha1.LineageDisabled,
	}
	p.must(apitest.Client.Create(p.t.Context(), table))
	table.Status.Conditions = ready(table.Generation)
	p.must(apitest.Client.Status().Update(p.t.Context(), table))
}

func (p place) ledger() {
	p.t.Helper()
	ledger := &v1alpha1.LineageLedger{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "audit"}}
	p.must(json.Unmarshal([]byte(ledgerSpec), &ledger.Spec))
	p.must(apitest.Client.Create(p.t.Context(), ledger))
	ledger.Status.Conditions = ready(ledger.Generation)
	p.must(apitest.Client.Status().Update(p.t.Context(), ledger))
}

const ledgerSpec = `{"chain": {"type": "development", "development": {"volume": {"size": "1Gi"}}},
	"contracts": {"deploy": true}, "recording": "Anchored", "volume": {"size": "1Gi"}}`

func ready(generation int64) []metav1.Condition {
	return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded,
		ObservedGeneration: generation, LastTransitionTime: metav1.Now()}}
}

// get reads the pipeline afresh, and checks what must always hold of its conditions.
func (p place) get() *v1alpha1.ETLPipeline {
	p.t.Helper()
	var pipeline v1alpha1.ETLPipeline
	p.must(apitest.Client.Get(p.t.Context(), p.key("load"), &pipeline))
	if len(pipeline.Status.Conditions) > 0 {
		if said := kindtest.Invariants(pipeline.Status.Conditions, pipeline.Status.ObservedGeneration); said != "" {
			p.t.Fatalf("the conditions are contradictory: %s: %+v", said, pipeline.Status.Conditions)
		}
	}
	return &pipeline
}

// edit changes the pipeline as a person does.
func (p place) edit(change func(*v1alpha1.ETLPipeline)) {
	p.t.Helper()
	kindtest.Eventually(p.t, func() string {
		pipeline := p.get()
		change(pipeline)
		if err := apitest.Client.Update(p.t.Context(), pipeline); err != nil {
			return err.Error()
		}
		return ""
	})
}

// waitCondition waits for a condition with status and reason.
func (p place) waitCondition(kind string, want metav1.ConditionStatus, reason string) *v1alpha1.ETLPipeline {
	p.t.Helper()
	var pipeline *v1alpha1.ETLPipeline
	kindtest.Eventually(p.t, func() string {
		pipeline = p.get()
		if pipeline.Status.ObservedGeneration != pipeline.Generation {
			return "the newest spec is not looked at yet"
		}
		return kindtest.Condition(pipeline.Status.Conditions, kind, want, reason)
	})
	return pipeline
}

// waitJob waits for the Job of an attempt's phase of the run in status.
func (p place) waitJob(attempt int32, phase runspec.Phase) *batchv1.Job {
	p.t.Helper()
	var job batchv1.Job
	kindtest.Eventually(p.t, func() string {
		run := p.get().Status.LastRun
		if run == nil {
			return "there is no run"
		}
		if run.Attempt != attempt {
			return fmt.Sprintf("the run is at attempt %d (%s), want %d", run.Attempt, run.Message, attempt)
		}
		if err := apitest.Client.Get(p.t.Context(), p.key(runs.JobName(run.Name, attempt, phase)), &job); err != nil {
			return err.Error()
		}
		return ""
	})
	return &job
}

// result is what a worker of the Job would answer.
func (p place) result(job *batchv1.Job, outcome runspec.Outcome, message string) *runspec.RunResult {
	p.t.Helper()
	var cm corev1.ConfigMap
	name := job.Labels[v1alpha1.LabelRun] + "-a" + job.Labels[v1alpha1.LabelAttempt]
	p.must(apitest.Client.Get(p.t.Context(), p.key(name), &cm))
	spec, err := runs.SpecOf(&cm)
	p.must(err)
	return &runspec.RunResult{RunID: spec.RunID, Attempt: spec.Attempt, Phase: runspec.Phase(job.Labels[v1alpha1.LabelPhase]),
		Outcome: outcome, Message: message, RowsRead: 12, RowsWritten: 10, RowsRejected: 2, SnapshotID: "7853723579105552123",
		Ledger:   &runspec.LedgerPosition{Index: "41", LeafHash: strings.Repeat("a", 64)},
		Receipts: []runspec.Receipt{{Step: "clean", Engine: "datafusion 1", RowsIn: 12, RowsOut: 10}}}
}

// finish lets the Job's worker succeed with a result in its termination message.
func (p place) finish(job *batchv1.Job) {
	p.t.Helper()
	kindtest.Succeed(p.t, job, kindtest.Run(p.t, job), p.result(job, runspec.OutcomeSucceeded, ""))
}

// events lists the reasons of the events about the pipeline.
func (p place) events() []string {
	p.t.Helper()
	var list eventsv1.EventList
	p.must(apitest.Client.List(context.Background(), &list, client.InNamespace(p.namespace)))
	var reasons []string
	for _, e := range list.Items {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

func (p place) waitEvent(reason string) {
	p.t.Helper()
	kindtest.Eventually(p.t, func() string {
		for _, r := range p.events() {
			if r == reason {
				return ""
			}
		}
		return fmt.Sprintf("no event %s among %v", reason, p.events())
	})
}

// settled is the kstatus check that ends each test.
func (p place) settled(want status.Status) {
	p.t.Helper()
	if got := apitest.KStatus(p.t, kind, p.key("load")); got != want {
		p.t.Fatalf("kstatus is %s, want %s: %+v", got, want, p.get().Status.Conditions)
	}
}

// jobs are the names of all Jobs of the namespace.
func (p place) jobs() []string {
	p.t.Helper()
	var list batchv1.JobList
	p.must(apitest.Client.List(p.t.Context(), &list, client.InNamespace(p.namespace)))
	var names []string
	for _, job := range list.Items {
		names = append(names, job.Name)
	}
	return names
}
