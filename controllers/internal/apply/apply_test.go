package apply_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/apply"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func pipeline(t *testing.T, namespace string) *v1alpha1.ETLPipeline {
	t.Helper()
	p := &v1alpha1.ETLPipeline{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p"}}
	const spec = `{"mode": "Batch", "lineage": "Disabled",
		"source": {"type": "files", "files": {"storage": {"type": "volume", "volume": {"claimName": "in"}}, "glob": "*.csv", "format": "CSV"}},
		"destination": {"type": "files", "files": {"storage": {"type": "volume", "volume": {"claimName": "out"}}, "path": "out"}}}`
	if err := json.Unmarshal([]byte(spec), &p.Spec); err != nil {
		t.Fatal(err)
	}
	if err := apitest.Client.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestStatusLeavesWorkersAlone(t *testing.T) {
	p := pipeline(t, apitest.Namespace(t))
	report(t, p, "all")
	before := fresh(t, p)
	after := before.DeepCopy()
	after.Status.Phase = "Running"
	after.Status.Workers = nil // what a controller has in memory does not matter
	after.Status.LastRun = &v1alpha1.Run{Name: "r", Ledger: &v1alpha1.LedgerPosition{Index: 1}}
	if err := apply.Status(t.Context(), apitest.Client, before, after); err != nil {
		t.Fatal(err)
	}
	got := fresh(t, p)
	if got.Status.Phase != "Running" || len(got.Status.Workers) != 1 || got.ResourceVersion != after.ResourceVersion {
		t.Fatalf("%+v, version %s", got.Status, after.ResourceVersion)
	}
	// What is left out is gone.
	after = got.DeepCopy()
	after.Status.LastRun = &v1alpha1.Run{Name: "s"}
	if err := apply.Status(t.Context(), apitest.Client, got, after); err != nil {
		t.Fatal(err)
	}
	if got = fresh(t, p); got.Status.LastRun.Name != "s" || got.Status.LastRun.Ledger != nil {
		t.Fatalf("%+v", got.Status.LastRun)
	}
}

func TestStatusIsBoundToWhatWasRead(t *testing.T) {
	p := pipeline(t, apitest.Namespace(t))
	stale := fresh(t, p)
	report(t, p, "all")
	after := stale.DeepCopy()
	after.Status.Phase = "Running"
	if err := apply.Status(t.Context(), apitest.Client, stale, after); !apierrors.IsConflict(err) {
		t.Fatalf("a decision on a stale read was written: %v", err)
	}
	unchanged := fresh(t, p)
	if err := apply.Status(t.Context(), apitest.Client, unchanged, unchanged.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	if got := fresh(t, p); got.ResourceVersion != unchanged.ResourceVersion {
		t.Error("an unchanged status was written")
	}
	// A namesake is another object.
	if err := apitest.Client.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	namesake := pipeline(t, p.Namespace)
	after = unchanged.DeepCopy()
	after.Status.Phase = "Running"
	if err := apply.Status(t.Context(), apitest.Client, unchanged, after); err == nil || fresh(t, namesake).Status.Phase != "" {
		t.Fatalf("the namesake got the status: %v", err)
	}
}

func TestClearWorkers(t *testing.T) {
	p := pipeline(t, apitest.Namespace(t))
	report(t, p, "all")
	stale := fresh(t, p)
	report(t, p, "0")
	if err := apply.ClearWorkers(t.Context(), apitest.Client, stale); !apierrors.IsConflict(err) {
		t.Fatalf("reports that were not read were cleared: %v", err)
	}
	now := fresh(t, p)
	if err := apply.ClearWorkers(t.Context(), apitest.Client, now); err != nil {
		t.Fatal(err)
	}
	if got := fresh(t, p); len(got.Status.Workers) != 0 || got.ResourceVersion != now.ResourceVersion {
		t.Fatalf("%+v, version %s", got.Status.Workers, now.ResourceVersion)
	}
	version := now.ResourceVersion
	now.Status.Workers = nil
	if err := apply.ClearWorkers(t.Context(), apitest.Client, now); err != nil || fresh(t, p).ResourceVersion != version {
		t.Fatalf("clearing nothing wrote something: %v", err)
	}
}

func TestApplierSendsNothingTwice(t *testing.T) {
	namespace := apitest.Namespace(t)
	counting := &countingClient{Client: apitest.Client}
	applier := &apply.Applier{Client: counting}
	desired := func(value string) *corev1ac.ConfigMapApplyConfiguration {
		return corev1ac.ConfigMap("child", namespace).WithData(map[string]string{"k": value})
	}
	live := func() client.Object {
		var cm corev1.ConfigMap
		if err := apitest.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "child"}, &cm); err != nil {
			return nil
		}
		return &cm
	}
	step := func(name, value string, want int) {
		t.Helper()
		counting.applies = 0
		for range 3 {
			if err := applier.Apply(t.Context(), desired(value), live()); err != nil {
				t.Fatal(err)
			}
		}
		if counting.applies != want {
			t.Errorf("%s: %d requests, want %d", name, counting.applies, want)
		}
	}
	step("created, and seen once", "a", 2)
	step("nothing changed", "a", 0)
	step("the content changed", "b", 2)
	cm := live().(*corev1.ConfigMap)
	cm.Data["k"] = "somebody else's"
	if err := apitest.Client.Update(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	step("somebody changed the child", "b", 2)
	if got := live().(*corev1.ConfigMap); got.Data["k"] != "b" {
		t.Errorf("the child holds %v", got.Data)
	}
}

func TestOwnerNamesTheObject(t *testing.T) {
	p := pipeline(t, apitest.Namespace(t))
	owner, err := apply.Owner(p, apitest.Client.Scheme())
	if err != nil {
		t.Fatal(err)
	}
	if *owner.Kind != "ETLPipeline" || *owner.UID != p.UID || !*owner.Controller || !strings.HasPrefix(*owner.APIVersion, "datastack.amdgpu.dev/") {
		t.Fatalf("%+v", owner)
	}
	if _, err := apply.Owner(&v1alpha1.ETLPipeline{}, runtime.NewScheme()); err == nil {
		t.Error("a kind that the scheme does not know has no owner reference")
	}
}

// countingClient counts the requests that change something.
type countingClient struct {
	client.Client
	applies int
}

func (c *countingClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	c.applies++
	return c.Client.Apply(ctx, obj, opts...)
}

func fresh(t *testing.T, p *v1alpha1.ETLPipeline) *v1alpha1.ETLPipeline {
	t.Helper()
	var got v1alpha1.ETLPipeline
	if err := apitest.Client.Get(t.Context(), client.ObjectKeyFromObject(p), &got); err != nil {
		t.Fatal(err)
	}
	return &got
}

// report writes an item as a worker does: by server-side apply, under its own name.
func report(t *testing.T, p *v1alpha1.ETLPipeline, shard string) {
	t.Helper()
	item := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "ETLPipeline",
		"metadata": map[string]any{"name": p.Name, "namespace": p.Namespace, "uid": string(p.UID)},
		"status":   map[string]any{"workers": []any{map[string]any{"shard": shard, "run": "r"}}},
	}}
	err := apitest.Client.Status().Apply(t.Context(), client.ApplyConfigurationFromUnstructured(item), client.FieldOwner("gpuworker-"+shard), client.ForceOwnership)
	if err != nil {
		t.Fatal(err)
	}
}
