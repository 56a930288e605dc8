// Package clustertest starts a real cluster, breaks it, and looks whether it comes back. It needs root, the Debian
// packages, and the binaries of `make cluster-tools` in the folder that LOCALCLUSTER_BIN names.
package clustertest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/image"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
)

const shellImage = "localcluster-test/shell:local"

var (
	bin     string // folder of the binaries
	cluster layout.Cluster
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	if bin = os.Getenv("LOCALCLUSTER_BIN"); bin == "" {
		return 0, fmt.Errorf("LOCALCLUSTER_BIN is not set; `make cluster-test` builds the binaries and sets it")
	}
	dir, err := os.MkdirTemp("", "localcluster-test-")
	if err != nil {
		return 0, err
	}
	if cluster, err = layout.At(dir); err != nil {
		return 0, err
	}
	if err := up(); err != nil {
		return 0, err
	}
	if err := importShell(dir); err != nil {
		return 0, err
	}
	code := m.Run()
	if _, err := localcluster("down"); err != nil {
		return code, err
	}
	if code == 0 {
		return code, os.RemoveAll(dir)
	}
	return code, fmt.Errorf("the logs of the cluster are in %s", cluster.Logs())
}

// importShell makes an image of this machine's shell and a few programs.
func importShell(dir string) error {
	spec := image.Spec{Name: shellImage, Entrypoint: []string{"/bin/sh"}, User: "65532:65532", Libraries: true}
	for _, program := range []string{"sh", "sleep", "cat", "getent", "id"} {
		path, err := exec.LookPath(program)
		if err != nil {
			return err
		}
		spec.Files = append(spec.Files, image.Copy{From: path, To: "/bin/" + program})
	}
	spec.Files = append(spec.Files, image.Copy{From: filepath.Join(bin, "versitygw"), To: "/bin/versitygw"})
	archive := filepath.Join(dir, "shell.tar")
	if _, err := image.Build(spec, "/", archive); err != nil {
		return err
	}
	_, err := localcluster("image", "import", archive)
	return err
}

func up() error {
	_, err := localcluster("up", "--simulated-gpus", "2", "--timeout", "2m")
	return err
}

// localcluster runs the launcher on the test's cluster.
func localcluster(arguments ...string) (string, error) {
	return output(exec.Command(filepath.Join(bin, "localcluster"), append([]string{"--dir", cluster.Dir}, arguments...)...))
}

func kubectlCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "kubernetes"))
	cmd.Args = append([]string{"kubectl", "--kubeconfig", cluster.Kubeconfig()}, arguments...)
	return cmd
}

func kubectl(arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return output(kubectlCommand(ctx, arguments...))
}

func output(cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, errs.String())
	}
	return out.String(), nil
}

// must ends the test on an error.
func must(t *testing.T, out string, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func apply(t *testing.T, manifest string) {
	t.Helper()
	cmd := kubectlCommand(t.Context(), "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	out, err := output(cmd)
	must(t, out, err)
}

// eventually waits for a kubectl answer.
func eventually(t *testing.T, limit time.Duration, want string, arguments ...string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		got, err := kubectl(arguments...)
		if err == nil && strings.TrimSpace(got) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("kubectl %s: got %q (%v) after %v, expected %q", strings.Join(arguments, " "), got, err, limit, want)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// pod is a restricted pod that runs a shell script.
func pod(name, script, extra string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: main
    image: %s
    command: [/bin/sh, -c, %q]
    securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
%s`, name, name, shellImage, script, extra)
}
