package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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

// objectStore is the demo's S3 store, reached from this machine by a port-forward: the cluster's addresses are its own.
type objectStore struct {
	forward *exec.Cmd

	endpoint, accessKeyID, secretAccessKey string
	client                                 *s3.Client
}

func openStore(ctx context.Context) (*objectStore, error) {
	secret := &corev1.Secret{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: demoNamespace, Name: "store-credentials"}, secret); err != nil {
		return nil, err
	}
	s := &objectStore{accessKeyID: string(secret.Data["accessKeyID"]), secretAccessKey: string(secret.Data["secretAccessKey"])}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.client = s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.accessKeyID, s.secretAccessKey, ""),
	})
	return s, nil
}

// open starts the port-forward and learns its local port.
func (s *objectStore) open() error {
	s.forward = exec.Command("kubectl", "-n", demoNamespace, "port-forward", "service/store", ":7070")
	out, err := s.forward.StdoutPipe()
	if err != nil {
		return err
	}
	s.forward.Stderr = os.Stderr
	if err := s.forward.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("kubectl port-forward gave no address: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	address := strings.TrimPrefix(line, "Forwarding from ")
	s.endpoint = "http://" + address[:strings.Index(address, " ")]
	return nil
}

func (s *objectStore) close() {
	_ = s.forward.Process.Kill()
	_ = s.forward.Wait()
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

// catalogFile is where the volume of a namespace's catalog lies on this machine: these tests need the local cluster.
func catalogFile(ctx context.Context, namespace string) (string, error) {
	claim := &corev1.PersistentVolumeClaim{}
	if err := k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "catalog"}, claim); err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join("../../.localcluster/volumes", claim.Spec.VolumeName, "catalog.db"))
	if err != nil {
		return "", err
	}
	_, err = os.Stat(path)
	return path, err
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
