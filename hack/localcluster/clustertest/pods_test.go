package clustertest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const phase = "jsonpath={.status.phase}"

func TestPodRunsUnderRestrictedPodSecurity(t *testing.T) {
	out, err := kubectl("create", "namespace", "restricted")
	must(t, out, err)
	out, err = kubectl("label", "namespace", "restricted", "pod-security.kubernetes.io/enforce=restricted")
	must(t, out, err)
	eventually(t, 20*time.Second, "default", "-n", "restricted", "get", "serviceaccount", "default", "-o", "jsonpath={.metadata.name}")
	apply(t, strings.Replace(pod("plain", "id -u; getent hosts kubernetes.default.svc", ""), "{name: plain,", "{name: plain, namespace: restricted,", 1))
	eventually(t, 30*time.Second, "Succeeded", "-n", "restricted", "get", "pod", "plain", "-o", phase)
	out, err = kubectl("-n", "restricted", "logs", "plain")
	if got := strings.Fields(must(t, out, err)); len(got) < 2 || got[0] != "65532" || got[1] != "10.96.0.1" {
		t.Errorf("the pod says %q, expected user 65532 and the address 10.96.0.1", got)
	}
	// The standard is enforced, not only named.
	privileged := strings.Replace(pod("privileged", "id", ""), "allowPrivilegeEscalation: false", "privileged: true", 1)
	cmd := kubectlCommand(t.Context(), "-n", "restricted", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(privileged)
	if _, err := output(cmd); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a privileged pod gave %v, expected a refusal by PodSecurity", err)
	}
}

func TestUnknownNameFailsAtOnce(t *testing.T) {
	apply(t, pod("names", "getent hosts example.com; echo code $?", ""))
	eventually(t, 30*time.Second, "Succeeded", "get", "pod", "names", "-o", phase)
	out, err := kubectl("logs", "names")
	if got := must(t, out, err); got != "code 2" {
		t.Errorf("looking up a name outside the cluster printed %q, expected code 2 (not found)", got)
	}
}

func TestServiceOfAPodIsReachedByName(t *testing.T) {
	apply(t, pod("server", "mkdir() { :; }; exec /bin/versitygw --access a --secret secretsecret --port :8080 --health /health posix /tmp",
		"    volumeMounts: [{name: tmp, mountPath: /tmp}]\n  volumes: [{name: tmp, emptyDir: {}}]\n"))
	apply(t, "apiVersion: v1\nkind: Service\nmetadata: {name: server}\nspec: {selector: {app: server}, ports: [{port: 80, targetPort: 8080}]}\n")
	eventually(t, 30*time.Second, "Running", "get", "pod", "server", "-o", phase)

	// port-forward: a user's way in
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	forward := kubectlCommand(ctx, "port-forward", "service/server", ":80")
	stdout, err := forward.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forward.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = forward.Wait() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	match := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	if match == "" {
		t.Fatalf("port-forward printed %q (%v)", line, err)
	}
	var response *http.Response
	for range 50 { // the server may still be starting
		if response, err = http.Get("http://" + match + "/health"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("through port-forward: %s, %v; expected 200", response.Status, err)
	}

	// the service's address, from another pod, by its short name
	apply(t, pod("lookup", "getent hosts server", ""))
	eventually(t, 30*time.Second, "Succeeded", "get", "pod", "lookup", "-o", phase)
	address, err := kubectl("get", "service", "server", "-o", "jsonpath={.spec.clusterIP}")
	want := must(t, address, err)
	out, err := kubectl("logs", "lookup")
	if got := must(t, out, err); !strings.HasPrefix(got, want+" ") {
		t.Errorf("server resolves to %q, expected %s", got, want)
	}
}

func TestLogsFollowAndExec(t *testing.T) {
	apply(t, pod("talker", "for i in 1 2 3; do echo line $i; sleep 0.3; done; exec sleep 600", ""))
	eventually(t, 30*time.Second, "Running", "get", "pod", "talker", "-o", phase)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	follow := kubectlCommand(ctx, "logs", "-f", "talker")
	stdout, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for _, want := range []string{"line 1", "line 2", "line 3"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("followed log: %q, expected %q", lines.Text(), want)
		}
	}
	out, err := kubectl("exec", "talker", "--", "/bin/sh", "-c", "echo from exec")
	if got := must(t, out, err); got != "from exec" {
		t.Errorf("exec printed %q", got)
	}
	cancel()
	_ = follow.Wait() // it was ended
}

func TestVolumeHoldsDataAndGoesWithItsClaim(t *testing.T) {
	apply(t, "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n")
	mount := "    volumeMounts: [{name: data, mountPath: /data}]\n  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n"
	apply(t, pod("writer", "echo kept > /data/file", mount))
	eventually(t, 40*time.Second, "Succeeded", "get", "pod", "writer", "-o", phase)
	eventually(t, 5*time.Second, "Bound", "get", "pvc", "data", "-o", phase)
	apply(t, pod("reader", "cat /data/file", mount))
	eventually(t, 40*time.Second, "Succeeded", "get", "pod", "reader", "-o", phase)
	out, err := kubectl("logs", "reader")
	if got := must(t, out, err); got != "kept" {
		t.Errorf("the second pod read %q, expected what the first wrote", got)
	}
	volume, err := kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")
	folder := filepath.Join(cluster.Volumes(), must(t, volume, err))
	if _, err := os.Stat(filepath.Join(folder, "file")); err != nil {
		t.Errorf("the volume's folder on the machine: %v", err)
	}
	out, err = kubectl("delete", "pod/writer", "pod/reader", "pvc/data", "--wait=true")
	must(t, out, err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there 30 s after its claim was deleted", folder)
		}
	}
}

func TestSimulatedGPUIsAllocatedAndLost(t *testing.T) {
	request := "    resources: {limits: {amd.com/gpu: 1}}\n"
	apply(t, pod("gpu", "echo $DATASTACK_SIMULATED_GPUS", request))
	eventually(t, 30*time.Second, "Succeeded", "get", "pod", "gpu", "-o", phase)
	out, err := kubectl("logs", "gpu")
	if got := must(t, out, err); !regexp.MustCompile(`^gpu-[01]$`).MatchString(got) {
		t.Errorf("the container got the devices %q, expected gpu-0 or gpu-1", got)
	}
	allocatable := []string{"get", "node", "localcluster", "-o", `jsonpath={.status.allocatable.amd\.com/gpu}`}
	eventually(t, 10*time.Second, "2", allocatable...)
	health := filepath.Join(cluster.GPUHealth(), "gpu-0")
	if err := os.WriteFile(health, []byte("Unhealthy\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "1", allocatable...)
	if err := os.WriteFile(health, []byte("Healthy\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "2", allocatable...)
	out, err = kubectl("get", "node", "localcluster", "-o", `jsonpath={.metadata.labels.datastack\.amdgpu\.dev/simulated-gpu} {.metadata.labels.amd\.com/gpu\.family}`)
	if got := must(t, out, err); got != "true AI" {
		t.Errorf("the node's labels: %q, expected true AI", got)
	}
}
