// Package apitest runs controller tests against a real API server, with the rights that the shipped manifests give: the
// manager under test is the ServiceAccount datastack-manager, so a missing or needless right shows.
package apitest

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/amdgpu-framework/datastack/controllers"
)

// SystemNamespace is where the manager's account lives.
const SystemNamespace = "datastack-system"

var (
	admin *rest.Config
	// Client has every right: it is the person at the keyboard, and the kubelet.
	Client client.Client
)

// Main starts one control plane for all tests of a binary, with our CRDs and the manager's roles.
func Main(m *testing.M) {
	flag.Parse()
	if testing.Verbose() {
		log.SetLogger(textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(os.Stderr))))
	} else {
		log.SetLogger(logr.Discard())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "apitest:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return 1, fmt.Errorf("KUBEBUILDER_ASSETS is not set; run `make cluster-tools` and set it to %s (make test does)",
			filepath.Join(root(), "bin", "localcluster", "assets"))
	}
	environment := &envtest.Environment{
		CRDDirectoryPaths: []string{filepath.Join(root(), "config", "crd", "bases")}, ErrorIfCRDPathMissing: true,
	}
	if admin, err = environment.Start(); err != nil {
		return 1, fmt.Errorf("start etcd and kube-apiserver: %w", err)
	}
	defer func() {
		if stopErr := environment.Stop(); err == nil {
			err = stopErr
		}
	}()
	if Client, err = client.New(admin, client.Options{Scheme: controllers.Scheme()}); err != nil {
		return 1, err
	}
	if err := installRoles(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// Manager starts a manager with the rights of the shipped roles for one namespace, and stops it when the test ends.
func Manager(t *testing.T, namespace string, setup func(manager.Manager) error) {
	t.Helper()
	Inputs(t, filepath.Join("config", "rbac"), filepath.Join("config", "crd", "bases"))
	config := rest.CopyConfig(admin)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + SystemNamespace + ":datastack-manager",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + SystemNamespace, "system:authenticated"},
	}
	skip := true // names are unique in a process, and each test starts its own manager
	options := manager.Options{
		Scheme: controllers.Scheme(), Cache: controllers.CacheOptions([]string{namespace}),
		Metrics: metricsserver.Options{BindAddress: "0"},
	}
	options.Controller.SkipNameValidation = &skip
	mgr, err := ctrl.NewManager(config, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := setup(mgr); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the manager ended with %v", err)
		}
	})
}

// Namespace makes a namespace of the test's own.
func Namespace(t *testing.T) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-"}}
	if err := Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return namespace.Name
}

// KStatus is what Flux, Helm and kubectl make of the object as it is now.
func KStatus(t *testing.T, kind string, key client.ObjectKey) status.Status {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("datastack.amdgpu.dev/v1alpha1")
	object.SetKind(kind)
	if err := Client.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
	result, err := status.Compute(object)
	if err != nil {
		t.Fatal(err)
	}
	return result.Status
}

// Inputs tells go's test cache that results depend on the files of folders (paths from the root of the repository). What
// Main reads goes unnoticed: the cache looks only at what happens while tests run.
func Inputs(t *testing.T, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root(), folder), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// installRoles applies what config/rbac ships.
func installRoles(ctx context.Context) error {
	if err := Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: SystemNamespace}}); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root(), "config", "rbac", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(data), "\n---\n") {
			object := &unstructured.Unstructured{}
			if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := Client.Create(ctx, object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// root of the repository: tests run in their package's folder, somewhere below go.mod.
func root() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "PROJECT")); err == nil || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}
