package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// apply applies every document of a YAML text server-side, as `kubectl apply --server-side` does.
func apply(ctx context.Context, namespace, text string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(obj); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if len(obj.Object) == 0 {
			continue
		}
		obj.SetNamespace(namespace)
		if err := k8s.Apply(ctx, client.ApplyConfigurationFromUnstructured(obj), client.FieldOwner("e2e"), client.ForceOwnership); err != nil {
			return fmt.Errorf("apply %s %s: %w", obj.GetKind(), obj.GetName(), err)
		}
	}
}

func mustApply(t *testing.T, text string) {
	t.Helper()
	if err := apply(t.Context(), namespace, text); err != nil {
		t.Fatal(err)
	}
}

// table is an IcebergTable with the columns of the small CSV files.
func table(name string) string {
	return fmt.Sprintf(`
apiVersion: datastack.amdgpu.dev/v1alpha1
kind: IcebergTable
metadata: {name: %s}
spec:
  identifier: {namespace: [e2e], name: %s}
  catalog: {type: sql, sql: {dialect: sqlite, claimName: catalog, path: catalog.db, warehouse: "s3://warehouse/e2e/"}}
  storage: %s
  schema:
    fields:
    - {name: id, type: long, required: true}
    - {name: name, type: string}
    - {name: amount, type: double}
    identifierFields: [id]
  ledgerRef: {name: audit}
`, name, strings.ReplaceAll(name, "-", "_"), storage("warehouse"))
}

func storage(bucket string) string {
	return fmt.Sprintf(`{type: s3, s3: {bucket: %s, region: us-east-1, endpoint: "http://store.%s:7070", pathStyle: true, credentialsSecretRef: {name: store-credentials}}}`, bucket, demoNamespace)
}

// pipeline is an append from CSV files of the bucket `landing` to a table; extra is further spec, indented by two.
func pipeline(name, glob, table, extra string) string {
	worker := smallWorker
	if strings.Contains(extra, "  worker:") {
		worker = ""
	}
	return fmt.Sprintf(`
apiVersion: datastack.amdgpu.dev/v1alpha1
kind: ETLPipeline
metadata: {name: %s}
spec:
  mode: Batch
  source:
    type: files
    files:
      storage: %s
      glob: %q
      format: CSV
      csv: {header: true}
  destination: {type: icebergTable, icebergTable: {tableRef: {name: %s}, mode: Append}}
  ledgerRef: {name: audit}
%s%s`, name, storage("landing"), glob, table, extra, worker)
}

// smallWorker lets several pipelines run at once on two cores.
const smallWorker = "  worker: {resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 1Gi}}}\n"

// eventually polls until check returns nil, and fails with its last error.
func eventually(t *testing.T, timeout time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	last := errors.New("never checked")
	err := wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if err == nil || ctx.Err() == nil { // the end of the time is not what was wrong
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("not so after %s: %v", timeout, last)
	}
}

func getPipeline(ctx context.Context, name string) (*v1alpha1.ETLPipeline, error) {
	p := &v1alpha1.ETLPipeline{}
	err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, p)
	return p, err
}

// waitCondition waits until a pipeline's condition has the status, for the pipeline's current generation.
func waitCondition(t *testing.T, timeout time.Duration, name, condition string, want metav1.ConditionStatus) *v1alpha1.ETLPipeline {
	t.Helper()
	var p *v1alpha1.ETLPipeline
	eventually(t, timeout, func(ctx context.Context) error {
		var err error
		if p, err = getPipeline(ctx, name); err != nil {
			return err
		}
		c := meta.FindStatusCondition(p.Status.Conditions, condition)
		if c == nil || c.Status != want || c.ObservedGeneration != p.Generation {
			return fmt.Errorf("%s: want %s=%s at generation %d; conditions %+v, last run %+v", name, condition, want, p.Generation, p.Status.Conditions, p.Status.LastRun)
		}
		return nil
	})
	return p
}

func waitReady(t *testing.T, name string) *v1alpha1.ETLPipeline {
	t.Helper()
	return waitCondition(t, 3*time.Minute, name, v1alpha1.ConditionReady, metav1.ConditionTrue)
}

// waitRuns waits until the pipeline's run by the given trigger annotation or tick has succeeded: n runs in the history.
func waitSucceededRuns(t *testing.T, timeout time.Duration, name string, n int) *v1alpha1.ETLPipeline {
	t.Helper()
	var p *v1alpha1.ETLPipeline
	eventually(t, timeout, func(ctx context.Context) error {
		var err error
		if p, err = getPipeline(ctx, name); err != nil {
			return err
		}
		succeeded := 0
		for _, r := range p.Status.Runs {
			if r.Phase == v1alpha1.RunSucceeded {
				succeeded++
			}
		}
		if succeeded < n {
			return fmt.Errorf("%s: %d of %d runs succeeded; last run %+v; conditions %+v", name, succeeded, n, p.Status.LastRun, p.Status.Conditions)
		}
		return nil
	})
	return p
}

func deleteNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{}
	ns.Name = name
	if err := k8s.Delete(ctx, ns); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(ns), ns)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}
