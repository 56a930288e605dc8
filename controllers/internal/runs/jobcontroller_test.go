package runs_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// TestRealJobController runs our Jobs under the real Job controller and garbage
// collector: Observe reads conditions and messages that only they write. The test
// plays the kubelet.
func TestRealJobController(t *testing.T) {
	c := &cluster{Client: startCluster(t)}
	for name, tc := range map[string]struct {
		shards    int32
		exit      int32
		disrupted bool
		want      runs.Outcome
	}{
		"succeeds":           {shards: 1, want: runs.Outcome{State: runs.StateSucceeded}},
		"bad data":           {shards: 1, exit: 65, want: runs.Outcome{State: runs.StateFailed, ExitCode: 65}},
		"one bad shard":      {shards: 3, exit: 66, want: runs.Outcome{State: runs.StateFailed, ExitCode: 66}},
		"killed":             {shards: 1, exit: 137, want: runs.Outcome{State: runs.StateFailed, ExitCode: 1}},
		"evicted":            {shards: 1, exit: 143, disrupted: true, want: runs.Outcome{State: runs.StateFailed, ExitCode: 1, Disrupted: true}},
		"evicted at exit 65": {shards: 1, exit: 65, disrupted: true, want: runs.Outcome{State: runs.StateFailed, ExitCode: 1, Disrupted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			job := c.start(t, tc.shards)
			pods := c.pods(t, job, int(tc.shards))
			c.end(t, &pods[len(pods)-1], tc.exit, tc.disrupted)
			got := c.observe(t, job, tc.want.State)
			if got.ExitCode != tc.want.ExitCode || got.Disrupted != tc.want.Disrupted {
				t.Fatalf("got %+v, want %+v", got, tc.want)
			}
		})
	}
	t.Run("stopped in the foreground", func(t *testing.T) {
		job := c.start(t, 2)
		c.pods(t, job, 2)
		if err := c.Delete(t.Context(), job, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
			t.Fatal(err)
		}
		c.eventually(t, func() string {
			left := len(c.list(t, job))
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(job), job); !apierrors.IsNotFound(err) {
				return fmt.Sprintf("the Job is there with %d pods", left)
			} else if left > 0 {
				return "the Job went before its pods"
			}
			return ""
		})
	})
}

type cluster struct {
	client.Client
	count int
}

func startCluster(t *testing.T) client.Client {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set; run `make cluster-tools` and set it to bin/localcluster/assets (make test does)")
	}
	env := &envtest.Environment{}
	config, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = env.Stop() })
	user, err := env.AddUser(envtest.User{Name: "controllers", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := user.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	controllers := exec.CommandContext(context.Background(), filepath.Join(assets, "kube-controller-manager"),
		"--kubeconfig", path, "--controllers=job-controller,garbage-collector-controller", "--leader-elect=false", "--secure-port=0")
	controllers.Stderr = &log
	if err := controllers.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = controllers.Process.Kill()
		_ = controllers.Wait()
		if t.Failed() {
			t.Logf("kube-controller-manager said:\n%s", log.String())
		}
	})
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start creates a run of its own; a ConfigMap stands for the custom resource.
func (c *cluster) start(t *testing.T, shards int32) *batchv1.Job {
	t.Helper()
	c.count++
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "owner-"}}
	if err := c.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	starter := runs.Starter{Client: c.Client, Config: runs.Config{WorkerImage: "worker", EngineImage: "engine"}}
	job, err := starter.Start(t.Context(), runs.Order{
		Owner:    metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID, Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true)},
		Resource: "etlpipelines", Phase: runspec.PhaseWork, Shards: shards, NeedsEngine: true,
		Spec: &runspec.RunSpec{Version: runspec.Version, Action: runspec.ActionPipeline, RunID: "id", Run: fmt.Sprintf("run-%d", c.count), Attempt: 1,
			Object:   runspec.ObjectRef{Kind: "ETLPipeline", Namespace: "default", Name: "load", UID: "uid-1"},
			Pipeline: &runspec.Pipeline{Parallelism: shards}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func (c *cluster) list(t *testing.T, job *batchv1.Job) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := c.List(t.Context(), &list, client.InNamespace("default"), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// pods waits for the Job's pods.
func (c *cluster) pods(t *testing.T, job *batchv1.Job, n int) (pods []corev1.Pod) {
	t.Helper()
	c.eventually(t, func() string {
		if pods = c.list(t, job); len(pods) != n {
			return fmt.Sprintf("there are %d pods, want %d", len(pods), n)
		}
		return ""
	})
	return pods
}

// end writes what a kubelet writes when the worker has ended.
func (c *cluster) end(t *testing.T, pod *corev1.Pod, exit int32, disrupted bool) {
	t.Helper()
	now := metav1.Now()
	pod.Status.Phase = corev1.PodSucceeded
	if exit != 0 {
		pod.Status.Phase = corev1.PodFailed
	}
	if disrupted {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget,
			Status: corev1.ConditionTrue, Reason: "EvictionByEvictionAPI", LastTransitionTime: now})
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "worker", Image: "worker", ImageID: "worker",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, StartedAt: now, FinishedAt: now}}}}
	if err := c.Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
}

// observe waits for the Job's end. Pods that the Job controller stops end at once.
func (c *cluster) observe(t *testing.T, job *batchv1.Job, want runs.State) (got runs.Outcome) {
	t.Helper()
	c.eventually(t, func() string {
		for _, pod := range c.list(t, job) {
			if pod.DeletionTimestamp != nil {
				_ = c.Delete(t.Context(), &pod, client.GracePeriodSeconds(0))
			}
		}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(job), job); err != nil {
			return err.Error()
		}
		if got = runs.Observe(job, c.list(t, job)); got.State != want {
			return fmt.Sprintf("the Job is %+v", got)
		}
		return ""
	})
	return got
}

func (c *cluster) eventually(t *testing.T, check func() string) {
	t.Helper()
	var said string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if said = check(); said == "" {
			return
		}
	}
	t.Fatal(said)
}
