package controllers_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// process is a manager as it runs in its pod: the real binary, with the token of its ServiceAccount.
type process struct {
	*exec.Cmd
	probes, metrics string
	log             *lockedBuffer
	ended           chan error
}

func startManager(t *testing.T, binary string) *process {
	t.Helper()
	p := &process{probes: freeAddress(t), metrics: freeAddress(t), log: &lockedBuffer{}, ended: make(chan error, 1)}
	p.Cmd = exec.Command(binary, "--kubeconfig", apitest.Kubeconfig(t, "datastack-manager"),
		"--worker-image=w", "--engine-image=e", "--ledgerd-image=l",
		"--leader-elect", "--leader-election-namespace", apitest.SystemNamespace,
		"--health-probe-bind-address", p.probes, "--metrics-bind-address", p.metrics)
	p.Stdout, p.Stderr = p.log, p.log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() {
		_ = p.Process.Kill() // an error means that it has ended
		if t.Failed() {
			t.Logf("the manager's log:\n%s", p.log)
		}
	})
	return p
}

func TestManagerBinary(t *testing.T) {
	apitest.Inputs(t, "main.go", "flags.go", "api", "controllers", filepath.Join("gpuworker", "runspec"), filepath.Join("config", "rbac"))
	binary := filepath.Join(t.TempDir(), "manager")
	build := exec.Command("go", "build", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the manager: %v\n%s", err, output)
	}
	first := startManager(t, binary)
	kindtest.Eventually(t, func() string { return answers("http://"+first.probes+"/readyz", "", http.StatusOK) })
	if wrong := answers("http://"+first.probes+"/healthz", "", http.StatusOK); wrong != "" {
		t.Error(wrong)
	}

	t.Run("metrics are for those who may get them", func(t *testing.T) {
		url := "https://" + first.metrics + "/metrics"
		readers := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "test-metrics"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "datastack-metrics-reader"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: apitest.SystemNamespace, Name: "scraper"}},
		}
		for _, object := range []client.Object{account("scraper"), account("stranger"), readers} {
			if err := apitest.Client.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
		kindtest.Eventually(t, func() string { return answers(url, apitest.Token(t, "scraper"), http.StatusOK) })
		for _, tc := range []struct {
			token string
			want  int
		}{{"", http.StatusUnauthorized}, {"nonsense", http.StatusInternalServerError /* what controller-runtime makes of it */}, {apitest.Token(t, "stranger"), http.StatusForbidden}} {
			if wrong := answers(url, tc.token, tc.want); wrong != "" {
				t.Error(wrong)
			}
		}
		if wrong := answers("https://"+first.metrics+"/debug/pprof/", apitest.Token(t, "scraper"), http.StatusNotFound); wrong != "" {
			t.Error(wrong)
		}
	})

	t.Run("all five kinds are answered for", func(t *testing.T) {
		namespace := apitest.Namespace(t)
		ledger := &v1alpha1.LineageLedger{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "audit"}}
		if err := apitest.Client.Create(t.Context(), ledger); err != nil {
			t.Fatal(err)
		}
		kindtest.Eventually(t, func() string {
			if err := apitest.Client.Get(t.Context(), client.ObjectKeyFromObject(ledger), ledger); err != nil {
				return err.Error()
			}
			return kindtest.Condition(ledger.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonProgressing)
		})
		for _, kind := range []string{"ETLPipeline", "IcebergTable", "LineageLedger", "DatabendCluster", "ReverseETLSync"} {
			if !strings.Contains(first.log.String(), `controllerKind="`+kind+`"`) {
				t.Errorf("no controller of %s was started", kind)
			}
		}
		if strings.Contains(first.log.String(), "forbidden") {
			t.Error("the manager asked for what its roles do not give")
		}
	})

	t.Run("a stopped manager hands over at once", func(t *testing.T) {
		second := startManager(t, binary)
		kindtest.Eventually(t, func() string { return answers("http://"+second.probes+"/readyz", "", http.StatusOK) })
		was := leader(t)
		if err := first.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := <-first.ended; err != nil {
			t.Errorf("the manager ended with %v", err)
		}
		// Well under the 15 s that a lost leader's lease lasts.
		begin := time.Now()
		kindtest.Eventually(t, func() string {
			if is := leader(t); is == was || is == "" {
				return "the leader is " + is
			}
			return ""
		})
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the hand-over took %s", took)
		}
	})
}

func TestManagerReadsNoSecret(t *testing.T) {
	apitest.Inputs(t, filepath.Join("config", "rbac"))
	var role rbacv1.ClusterRole
	if err := apitest.Client.Get(t.Context(), client.ObjectKey{Name: "datastack-manager"}, &role); err != nil {
		t.Fatal(err)
	}
	for _, rule := range role.Rules {
		for _, resource := range rule.Resources {
			verbs := strings.Join(rule.Verbs, ",")
			if resource == "*" || strings.Contains(verbs, "*") {
				t.Errorf("a wildcard: %v %v", rule.Resources, rule.Verbs)
			}
			if strings.HasPrefix(resource, "secrets") && verbs != "create" {
				t.Errorf("the manager may %s %s", verbs, resource)
			}
			if resource == "pods/exec" || resource == "pods/attach" || resource == "pods/portforward" {
				t.Errorf("the manager may %s %s", verbs, resource)
			}
			for _, verb := range rule.Verbs {
				if verb == "escalate" || verb == "bind" || verb == "impersonate" {
					t.Errorf("the manager may %s %s", verb, resource)
				}
			}
		}
	}
}

func account(name string) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: apitest.SystemNamespace, Name: name}}
}

func leader(t *testing.T) string {
	t.Helper()
	var lease coordinationv1.Lease
	if err := apitest.Client.Get(t.Context(), client.ObjectKey{Namespace: apitest.SystemNamespace, Name: "datastack-manager"}, &lease); err != nil {
		t.Fatal(err)
	}
	return ptr.Deref(lease.Spec.HolderIdentity, "")
}

// answers says what is wrong with the status of a GET, or nothing.
func answers(url, token string, want int) string {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	insecure := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	response, err := insecure.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
	if response.StatusCode != want {
		return fmt.Sprintf("GET %s: %s, want %d: %s", url, response.Status, want, body)
	}
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
