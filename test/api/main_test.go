// Package api_test checks the API against a real API server: what it accepts, what it refuses, and with which words.
package api_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

const (
	namespace  = "analytics"
	fieldOwner = client.FieldOwner("api-test")
)

var (
	crdDir = filepath.Join("..", "..", "config", "crd", "bases")
	server client.Client
)

// TestMain starts one API server for all tests, installs the CRDs as config/crd ships them, and makes the namespace.
func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS is not set: it must name the folder that holds etcd and kube-apiserver; "+
			"`make cluster-tools` builds them into bin/localcluster/assets")
		return 1
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{crdDir}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "start the API server:", err)
		return 1
	}
	defer func() {
		if err := environment.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the API server:", err)
		}
	}()
	if server, err = client.New(config, client.Options{}); err != nil {
		fmt.Fprintln(os.Stderr, "connect to the API server:", err)
		return 1
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := server.Create(context.Background(), ns); err != nil {
		fmt.Fprintln(os.Stderr, "create the namespace:", err)
		return 1
	}
	if code := m.Run(); code != 0 || !everyTestRan() {
		return code
	}
	if silent := silentRules(); len(silent) > 0 {
		fmt.Fprintf(os.Stderr, "no test violates these rules; add a case for each:\n\t%s\n", strings.Join(silent, "\n\t"))
		return 1
	}
	return 0
}

// apply sends an object as kubectl apply --server-side does.
func apply(ctx context.Context, object *unstructured.Unstructured, options ...client.ApplyOption) error {
	options = append(options, fieldOwner, client.ForceOwnership)
	return server.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...)
}
