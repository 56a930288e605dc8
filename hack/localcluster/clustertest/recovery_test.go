package clustertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
	"golang.org/x/sys/unix"
)

func TestKilledComponentsComeBack(t *testing.T) {
	apply(t, pod("survivor", "exec sleep 600", ""))
	eventually(t, 30*time.Second, "Running", "get", "pod", "survivor", "-o", phase)
	for _, name := range []string{"etcd", "kube-apiserver", "containerd", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy"} {
		t.Run(name, func(t *testing.T) {
			old := component(t, name)
			if err := unix.Kill(old, unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(20 * time.Second)
			for component(t, name) == old || component(t, name) == 0 {
				if time.Now().After(deadline) {
					t.Fatalf("%s (process %d) was not started again within 20 s", name, old)
				}
				time.Sleep(100 * time.Millisecond)
			}
			script := "after-" + name
			applyEventually(t, pod(script, "id -u", ""))
			eventually(t, 60*time.Second, "Succeeded", "get", "pod", script, "-o", phase)
		})
	}
	restarts, err := kubectl("get", "pod", "survivor", "-o", "jsonpath={.status.phase} {.status.containerStatuses[0].restartCount}")
	if got := must(t, restarts, err); got != "Running 0" {
		t.Errorf("the pod that ran all along: %q, expected Running 0", got)
	}
}

func TestKilledSupervisorLeavesNothingAndTheNextStartWorks(t *testing.T) {
	out, err := kubectl("create", "configmap", "before", "--from-literal=a=b")
	must(t, out, err)
	for _, victim := range []string{"supervise", "init"} {
		t.Run(victim, func(t *testing.T) {
			members := members(t)
			if len(members) < 10 {
				t.Fatalf("only %d processes in the cluster's namespaces", len(members))
			}
			pid := 0
			for p, arguments := range members {
				if len(arguments) > 1 && arguments[1] == victim {
					pid = p
				}
			}
			if err := unix.Kill(pid, unix.SIGKILL); err != nil {
				t.Fatalf("kill %s, process %d: %v", victim, pid, err)
			}
			gone(t, members)
			if err := up(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 10*time.Second, "b", "get", "configmap", "before", "-o", "jsonpath={.data.a}")
			applyEventually(t, pod("after-"+victim, "id -u", ""))
			eventually(t, 60*time.Second, "Succeeded", "get", "pod", "after-"+victim, "-o", phase)
		})
	}
}

func TestZDownLeavesNothing(t *testing.T) {
	members := members(t)
	out, err := localcluster("down")
	must(t, out, err)
	gone(t, members)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), cluster.Dir) {
		t.Errorf("mounts of %s are left (%v)", cluster.Dir, err)
	}
	if left, err := filepath.Glob("/sys/fs/cgroup/*/" + cluster.Cgroup()); err != nil || len(left) > 0 {
		t.Errorf("control groups are left: %v %v", left, err)
	}
	for _, dir := range cluster.DataFolders() {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is left (%v)", dir, err)
		}
	}
	if _, err := os.Stat(cluster.Log("etcd")); err != nil {
		t.Errorf("the logs should stay: %v", err)
	}
	if out, err := localcluster("status"); err == nil {
		t.Errorf("status of no cluster says %q, expected an error", out)
	}
}

// applyEventually applies once the API server answers again.
func applyEventually(t *testing.T, manifest string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(300 * time.Millisecond) {
		cmd := kubectlCommand(t.Context(), "apply", "-f", "-")
		cmd.Stdin = strings.NewReader(manifest)
		_, err := output(cmd)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// members are the processes in the cluster's process namespace, with their command lines.
func members(t *testing.T) map[int][]string {
	t.Helper()
	state, err := sandbox.ReadState(cluster)
	if err != nil {
		t.Fatal(err)
	}
	namespace := func(pid int) string {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		if err != nil {
			return "" // it has ended
		}
		return target
	}
	mine := namespace(state.Init.PID)
	if mine == "" || mine == namespace(os.Getpid()) {
		t.Fatalf("the cluster's first process %d is not in a namespace of its own", state.Init.PID)
	}
	found := map[int][]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || namespace(pid) != mine {
			continue
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && len(b) > 0 {
			found[pid] = strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		}
	}
	return found
}

// component finds the process of a component; 0 when there is none.
func component(t *testing.T, name string) int {
	t.Helper()
	for pid, arguments := range members(t) {
		if arguments[0] == name {
			return pid
		}
	}
	return 0
}

// gone waits until none of the processes is left; only ever looks at the ones that it was given.
func gone(t *testing.T, processes map[int][]string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		left := ""
		for pid, arguments := range processes {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err == nil && string(b) == strings.Join(arguments, "\x00")+"\x00" {
				left += fmt.Sprintf("%d %s\n", pid, strings.Join(arguments, " "))
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes are left 10 s after the first one was killed:\n%s", left)
		}
	}
}
