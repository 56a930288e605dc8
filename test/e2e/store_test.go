package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// objectStore is the demo's S3 store, reached from this machine by its cluster address.
type objectStore struct {
	endpoint, accessKeyID, secretAccessKey string
	client                                 *s3.Client
}

func openStore(ctx context.Context) (*objectStore, error) {
	service, secret := &corev1.Service{}, &corev1.Secret{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: demoNamespace, Name: "store"}, service); err != nil {
		return nil, err
	}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: demoNamespace, Name: "store-credentials"}, secret); err != nil {
		return nil, err
	}
	s := &objectStore{
		endpoint:        fmt.Sprintf("http://%s:7070", service.Spec.ClusterIP),
		accessKeyID:     string(secret.Data["accessKeyID"]),
		secretAccessKey: string(secret.Data["secretAccessKey"]),
	}
	s.client = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.accessKeyID, s.secretAccessKey, ""),
	})
	return s, nil
}

// putRows writes a CSV file of the small schema with ids from first to last.
func (s *objectStore) putRows(t *testing.T, key string, first, last int) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("id,name,amount\n")
	for id := first; id <= last; id++ {
		fmt.Fprintf(&b, "%d,name-%d,%d.5\n", id, id, id)
	}
	s.put(t, key, b.Bytes())
}

func (s *objectStore) put(t *testing.T, key string, body []byte) {
	t.Helper()
	_, err := s.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("landing"), Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
}

// catalogFile is where the volume of a namespace's catalog lies on this machine.
func catalogFile(ctx context.Context, namespace string) (string, error) {
	claim, volume := &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolume{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "catalog"}, claim); err != nil {
		return "", err
	}
	if err := k8s.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, volume); err != nil {
		return "", err
	}
	switch {
	case volume.Spec.HostPath != nil:
		return filepath.Join(volume.Spec.HostPath.Path, "catalog.db"), nil
	case volume.Spec.Local != nil:
		return filepath.Join(volume.Spec.Local.Path, "catalog.db"), nil
	}
	return "", fmt.Errorf("volume %s is neither hostPath nor local; these tests need the local cluster", volume.Name)
}

// query runs SQL over an IcebergTable with the worker binary on this machine and returns the rows as CSV lines.
func query(t *testing.T, table, sql string) []string {
	t.Helper()
	obj := &v1alpha1.IcebergTable{}
	if err := k8s.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: table}, obj); err != nil {
		t.Fatal(err)
	}
	obj.Spec.Storage.S3.Endpoint = store.endpoint
	dir := t.TempDir()
	catalog, err := catalogFile(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := json.Marshal(map[string]any{"t": map[string]any{"spec": obj.Spec}})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"tables.json":                               string(spec),
		"secrets/store-credentials/accessKeyID":     store.accessKeyID,
		"secrets/store-credentials/secretAccessKey": store.secretAccessKey,
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "volumes"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(catalog), filepath.Join(dir, "volumes", "catalog")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "../../bin/gpuworker", "query", "--tables", filepath.Join(dir, "tables.json"), "--mounts", dir, "--format", "csv", "--sql", sql)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("query %q: %v\n%s", sql, err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[1:]
}

// wantRows checks that a table holds exactly the ids from 1 to n, each copies times.
func wantRows(t *testing.T, table string, n, copies int) {
	t.Helper()
	got := query(t, table, `SELECT count(*), count(DISTINCT id), coalesce(min(id), 0), coalesce(max(id), 0) FROM t`)[0]
	low := 1
	if n == 0 {
		low = 0
	}
	if want := fmt.Sprintf("%d,%d,%d,%d", n*copies, n, low, n); got != want {
		t.Fatalf("table %s: rows, distinct ids, lowest, highest = %s; want %s", table, got, want)
	}
}
