// Package e2e runs on the cluster that hack/demo/demo.sh leaves up with KEEP=1: real pods, real store, real engines.
// hack/test.sh starts that cluster, runs these tests and takes it down.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

const (
	demoNamespace = "datastack-demo"
	namespace     = "datastack-e2e"
)

var (
	k8s   client.Client
	store *objectStore
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if os.Getenv("KUBECONFIG") == "" {
		return 0, fmt.Errorf("KUBECONFIG is not set; run hack/test.sh, or `make demo KEEP=1` and then `eval \"$(bin/localcluster/localcluster env)\"`")
	}
	if err := clientgoscheme.AddToScheme(clientgoscheme.Scheme); err != nil {
		return 0, err
	}
	if err := v1alpha1.AddToScheme(clientgoscheme.Scheme); err != nil {
		return 0, err
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return 0, err
	}
	ctrl.SetLogger(logr.Discard())
	if k8s, err = client.New(cfg, client.Options{Scheme: clientgoscheme.Scheme}); err != nil {
		return 0, err
	}
	if err := deleteNamespace(ctx, namespace); err != nil {
		return 0, fmt.Errorf("remove what an earlier run left: %w", err)
	}
	if store, err = openStore(ctx); err != nil {
		return 0, err
	}
	defer store.close()
	if err := makeWorkspace(ctx, namespace); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// makeWorkspace makes a namespace with what every pipeline of these tests needs: credentials, a catalog volume, a ledger.
func makeWorkspace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{}
	ns.Name = name
	if err := k8s.Create(ctx, ns); err != nil {
		return err
	}
	secret := &corev1.Secret{}
	secret.Namespace, secret.Name = name, "store-credentials"
	secret.StringData = map[string]string{"accessKeyID": store.accessKeyID, "secretAccessKey": store.secretAccessKey}
	if err := k8s.Create(ctx, secret); err != nil {
		return err
	}
	return apply(ctx, name, `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: catalog}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: datastack.amdgpu.dev/v1alpha1
kind: LineageLedger
metadata: {name: audit}
spec: {chain: {type: development, development: {volume: {size: 1Gi}}}, volume: {size: 1Gi}}
`)
}
