package lineageledger

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
)

// The real ledgerd takes the command line of the StatefulSet and answers its probes.
func TestServerTakesItsCommandLine(t *testing.T) {
	apitest.Inputs(t, "ledger")
	folder := t.TempDir()
	binary := filepath.Join(folder, "ledgerd")
	build := exec.Command("go", "build", "-o", binary, "../../ledger/cmd/ledgerd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build ledgerd: %v\n%s", err, output)
	}
	if err := os.WriteFile(filepath.Join(folder, "token"), []byte(strings.Repeat("t", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	args := serveArgs(&v1alpha1.LineageLedger{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "audit"}})
	for i, arg := range args {
		arg = strings.Replace(arg, dataPath, filepath.Join(folder, "data"), 1)
		arg = strings.Replace(arg, tokenPath, folder, 1)
		args[i] = strings.Replace(arg, ":8080", address, 1)
	}
	server := exec.Command(binary, args...)
	var log strings.Builder
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("ledgerd's log:\n%s", log.String())
		}
	})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/v1/checkpoint": 401} {
		kindtest.Eventually(t, func() string {
			response, err := http.Get("http://" + address + path)
			if err != nil {
				return err.Error()
			}
			defer response.Body.Close()
			if response.StatusCode != want {
				return path + " answers " + response.Status
			}
			return ""
		})
	}
	found, err := askCheckpoint(t.Context(), "http://"+address)
	if err != nil {
		t.Fatalf("the readiness answer has no size and root: %v", err)
	}
	// The root over no record is the SHA-256 of nothing.
	if found.Size != 0 || found.Root != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("an empty ledger says %+v", found)
	}
}
