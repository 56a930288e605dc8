// Package admission_test holds the shipped admission policy to what docs/security.md promises, on a real API server.
package admission_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

const namespace = "default"

func TestWorkersMayChangeNothingButStatusWorkers(t *testing.T) {
	config := startAPIServer(t)
	admin := clientFor(t, config, rest.ImpersonationConfig{})
	create(t, admin,
		pipeline("mine"), pipeline("other"),
		account("worker"), account("wide"),
		role("worker", []string{"mine"}), role("wide", nil),
		binding("worker"), binding("wide"),
	)
	installPolicy(t, admin)
	worker, wide := clientFor(t, config, impersonate("worker")), clientFor(t, config, impersonate("wide"))
	awaitPolicy(t, worker)

	const workers = `{"status":{"workers":[{"shard":"0","run":"r","attempt":1,"rowsRead":5}]}}`
	for _, tc := range []struct {
		name  string
		as    client.Client
		on    string
		patch string
		want  string // part of the refusal; empty: accepted
	}{
		{"the manager may set anything", wide, "mine", `{"status":{"observedGeneration":1,"workers":[{"shard":"0"}]}}`, ""},
		{"a worker may report", worker, "mine", workers, ""},
		{"a worker may report beside the manager's fields", worker, "mine", `{"status":{"observedGeneration":1,"workers":[{"shard":"0","rowsRead":7}]}}`, ""},
		{"a worker may take its report back", worker, "mine", `{"status":{"workers":null}}`, ""},
		{"a worker may not declare itself ready", worker, "mine",
			`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Succeeded","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}`, "status.workers only"},
		{"a worker may not change a field", worker, "mine", `{"status":{"observedGeneration":2}}`, "status.workers only"},
		{"a worker may not remove a field", worker, "mine", `{"status":{"observedGeneration":null}}`, "status.workers only"},
		{"a worker may not hide a change in a report", worker, "mine",
			`{"status":{"lastRun":{"name":"x"},"workers":[{"shard":"0"}]}}`, "status.workers only"},
		{"a worker may not clear the status", worker, "mine", `{"status":null}`, "status.workers only"},
		{"a worker has no right on another object", worker, "other", workers, "cannot patch"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			target := pipeline(tc.on)
			err := tc.as.Status().Patch(t.Context(), target, client.RawPatch(types.MergePatchType, []byte(tc.patch)))
			switch {
			case tc.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Fatalf("error %v; want it to contain %q", err, tc.want)
			}
		})
	}
	t.Run("a worker may not touch the spec", func(t *testing.T) {
		err := worker.Patch(t.Context(), pipeline("mine"), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"suspend":true}}`)))
		if err == nil || !strings.Contains(err.Error(), "cannot patch") {
			t.Fatalf("error %v; want it refused", err)
		}
	})
}

func startAPIServer(t *testing.T) *rest.Config {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; run `make cluster-tools` and set it to bin/localcluster/assets (make test does)")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "crd", "bases")}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("start etcd and kube-apiserver: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stop etcd and kube-apiserver: %v", err)
		}
	})
	return config
}

func clientFor(t *testing.T, config *rest.Config, as rest.ImpersonationConfig) client.Client {
	t.Helper()
	config = rest.CopyConfig(config)
	config.Impersonate = as
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// impersonate is who the pod's token would make the request.
func impersonate(account string) rest.ImpersonationConfig {
	return rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
}

func create(t *testing.T, c client.Client, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatalf("create %s: %v", object.GetName(), err)
		}
	}
}

// installPolicy creates what config/admission ships, document by document.
func installPolicy(t *testing.T, c client.Client) {
	t.Helper()
	data, err := os.ReadFile("worker_status.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(data), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		create(t, c, object)
	}
}

// awaitPolicy waits until the API server enforces the policy: it loads policies a moment after they are written.
func awaitPolicy(t *testing.T, worker client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := worker.Status().Patch(ctx, pipeline("mine"),
			client.RawPatch(types.MergePatchType, []byte(`{"status":{"nextRun":"2026-01-01T00:00:00Z"}}`)), client.DryRunAll)
		if err != nil && strings.Contains(err.Error(), "datastack-worker-status") {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the policy is not enforced within 30 s; the last answer was %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func pipeline(name string) *unstructured.Unstructured {
	storage := map[string]any{"type": "volume", "volume": map[string]any{"claimName": "data"}}
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"mode":    "Batch",
		"lineage": "Disabled",
		"source": map[string]any{"type": "files", "files": map[string]any{
			"storage": storage, "glob": "*.csv", "format": "CSV"}},
		"destination": map[string]any{"type": "files", "files": map[string]any{
			"storage": storage, "path": "out", "format": "Parquet", "mode": "Overwrite"}},
	}}}
	object.SetAPIVersion("datastack.amdgpu.dev/v1alpha1")
	object.SetKind("ETLPipeline")
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

func account(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

func role(name string, objects []string) *rbacv1.Role {
	return &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"datastack.amdgpu.dev"}, Resources: []string{"etlpipelines"}, ResourceNames: objects, Verbs: []string{"get"}},
			{APIGroups: []string{"datastack.amdgpu.dev"}, Resources: []string{"etlpipelines/status"}, ResourceNames: objects, Verbs: []string{"patch"}},
		},
	}
}

func binding(name string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}
}
