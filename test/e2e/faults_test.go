package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// TestKilledWorkersLoadOnce kills workers with SIGKILL ten times, at random points of their runs.
func TestKilledWorkersLoadOnce(t *testing.T) {
	t.Parallel()
	const pipelines, killsEach, rows = 5, 2, 100_000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	store.putRows(t, "kill/a.csv", 1, rows)
	var wait sync.WaitGroup
	for i := range pipelines {
		name := fmt.Sprintf("kill-%d", i)
		mustApply(t, table(name)+"---"+pipeline(name, "kill/*.csv", name, "  backoffLimit: 8\n"))
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		wait.Go(func() {
			for kill := range killsEach {
				pid, err := waitForWorker(t.Context(), name, 3*time.Minute)
				if err != nil {
					t.Errorf("%s: kill %d: %v", name, kill, err)
					return
				}
				time.Sleep(time.Duration(rng.IntN(2500)) * time.Millisecond)
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Logf("%s: kill %d came after the worker's end", name, kill)
				}
				if waitGone(t.Context(), pid) != nil {
					return
				}
				if p, err := getPipeline(t.Context(), name); err == nil && p.Status.LastRun != nil && p.Status.LastRun.Phase == v1alpha1.RunSucceeded {
					return
				}
			}
		})
	}
	wait.Wait()
	for i := range pipelines {
		name := fmt.Sprintf("kill-%d", i)
		p := waitReady(t, name)
		t.Logf("%s: %d attempts", name, p.Status.LastRun.Attempt)
		wantRows(t, name, rows, 1)
	}
}

func TestManagerRestartsInTheMiddleOfARun(t *testing.T) {
	store.putRows(t, "restart/a.csv", 1, 50_000)
	mustApply(t, table("restart")+"---"+pipeline("restart", "restart/*.csv", "restart",
		"  transformations:\n  - {name: slow, type: polars, polars: {script: \"import time; time.sleep(4); input\"}}\n"))
	eventually(t, 2*time.Minute, func(ctx context.Context) error { return workerRunning(ctx, "restart") })
	var pods corev1.PodList
	if err := k8s.List(t.Context(), &pods, client.InNamespace("datastack-system"), client.MatchingLabels{"app.kubernetes.io/name": "datastack", "app.kubernetes.io/component": "manager"}); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) == 0 {
		t.Fatal("no manager pod in datastack-system")
	}
	for _, pod := range pods.Items {
		if err := k8s.Delete(t.Context(), &pod, client.GracePeriodSeconds(0)); err != nil {
			t.Fatal(err)
		}
	}
	p := waitReady(t, "restart")
	if p.Status.LastRun.Attempt != 1 {
		t.Errorf("the restart cost an attempt: %d", p.Status.LastRun.Attempt)
	}
	wantRows(t, "restart", 50_000, 1)
	eventually(t, time.Minute, func(ctx context.Context) error {
		d := &appsv1.Deployment{}
		if err := k8s.Get(ctx, client.ObjectKey{Namespace: "datastack-system", Name: "datastack-manager"}, d); err != nil {
			return err
		}
		if d.Status.ReadyReplicas == 0 {
			return fmt.Errorf("the manager is not back")
		}
		return nil
	})
}

// workerRunning says whether a pod of the pipeline's run is running.
func workerRunning(ctx context.Context, pipeline string) error {
	_, err := workerPod(ctx, pipeline)
	return err
}

func workerPod(ctx context.Context, pipeline string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := k8s.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{"datastack.amdgpu.dev/kind": "ETLPipeline", "datastack.amdgpu.dev/name": pipeline}); err != nil {
		return nil, err
	}
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning {
			return &pod, nil
		}
	}
	return nil, fmt.Errorf("no running pod of %s among %d", pipeline, len(pods.Items))
}

// waitForWorker returns the process id on this machine of the worker of a pipeline's running pod.
func waitForWorker(ctx context.Context, pipeline string, timeout time.Duration) (int, error) {
	last := error(nil)
	for end := time.Now().Add(timeout); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		pod, err := workerPod(ctx, pipeline)
		if err != nil {
			last = err
			continue
		}
		if pid := workerPID(string(pod.UID)); pid != 0 {
			return pid, nil
		}
		last = fmt.Errorf("no process gpuworker in pod %s", pod.Name)
	}
	return 0, last
}

// workerPID looks for the process gpuworker in the cgroup of a pod.
func workerPID(podUID string) int {
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range cmdlines {
		cmdline, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(cmdline, []byte("gpuworker\x00run")) && !bytes.Contains(cmdline, []byte("/gpuworker\x00run")) {
			continue
		}
		cgroup, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cgroup"))
		if err != nil || !strings.Contains(string(cgroup), podUID) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		return pid
	}
	return 0
}

func waitGone(ctx context.Context, pid int) error {
	for {
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
