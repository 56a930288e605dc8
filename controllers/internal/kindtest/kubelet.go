// Package kindtest plays, against a real API server, the parts of a cluster that a
// controller test has not: the Job controller, the kubelet and the garbage collector.
// They write what the real ones write, and the API server checks it.
package kindtest

import (
	"fmt"
	"maps"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// CreatePod makes a pod from the Job's template, as the Job controller does.
func CreatePod(t *testing.T, job *batchv1.Job, index int) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: fmt.Sprintf("%s-%d", job.Name, index),
			Labels: maps.Clone(job.Spec.Template.Labels), Annotations: job.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID, Controller: ptr.To(true)}},
		},
		Spec: *job.Spec.Template.Spec.DeepCopy(),
	}
	pod.Labels[batchv1.JobNameLabel] = job.Name
	pod.Labels["batch.kubernetes.io/job-completion-index"] = fmt.Sprint(index)
	if err := apitest.Client.Create(t.Context(), pod); err != nil {
		t.Fatalf("create the pod of Job %s: %v", job.Name, err)
	}
	return pod
}

// Run makes the Job's pods and lets their workers start.
func Run(t *testing.T, job *batchv1.Job) []*corev1.Pod {
	t.Helper()
	var pods []*corev1.Pod
	for i := range int(ptr.Deref(job.Spec.Parallelism, 1)) {
		pod := CreatePod(t, job, i)
		pod.Status.Phase = corev1.PodRunning
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{worker(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}})}
		write(t, pod)
		pods = append(pods, pod)
	}
	return pods
}

// Unschedulable makes the Job's pod and says since when the scheduler finds no node.
func Unschedulable(t *testing.T, job *batchv1.Job, since time.Time, message string) *corev1.Pod {
	t.Helper()
	pod := CreatePod(t, job, 0)
	pod.Status.Phase = corev1.PodPending
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: message, LastTransitionTime: metav1.NewTime(since)}}
	write(t, pod)
	return pod
}

// Succeed ends the Job's pods with the result in their termination messages.
func Succeed(t *testing.T, job *batchv1.Job, pods []*corev1.Pod, result *runspec.RunResult) {
	t.Helper()
	for _, pod := range pods {
		terminate(t, pod, 0, result, "")
	}
	endJob(t, job, batchv1.JobCondition{Type: batchv1.JobSuccessCriteriaMet, Reason: "CompletionsReached"},
		batchv1.JobCondition{Type: batchv1.JobComplete, Reason: "CompletionsReached"})
}

// Fail ends the Job's first pod with an exit code, and its last words or a result.
func Fail(t *testing.T, job *batchv1.Job, pods []*corev1.Pod, exit int32, result *runspec.RunResult, words string) {
	t.Helper()
	terminate(t, pods[0], exit, result, words)
	reason, message := "BackoffLimitExceeded", "Job has reached the specified backoff limit"
	if runspec.Permanent(exit) {
		reason = batchv1.JobReasonPodFailurePolicy
		message = fmt.Sprintf("Container worker for pod %s/%s failed with exit code %d matching FailJob rule at index 1", job.Namespace, pods[0].Name, exit)
	}
	failJob(t, job, reason, message)
}

// Disrupt ends the Job as an eviction does, and takes the pod away.
func Disrupt(t *testing.T, job *batchv1.Job, pods []*corev1.Pod) {
	t.Helper()
	failJob(t, job, batchv1.JobReasonPodFailurePolicy,
		fmt.Sprintf("Pod %s/%s has condition DisruptionTarget matching FailJob rule at index 0", job.Namespace, pods[0].Name))
	if err := apitest.Client.Delete(t.Context(), pods[0], client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
}

func failJob(t *testing.T, job *batchv1.Job, reason, message string) {
	t.Helper()
	endJob(t, job, batchv1.JobCondition{Type: batchv1.JobFailureTarget, Reason: reason, Message: message},
		batchv1.JobCondition{Type: batchv1.JobFailed, Reason: reason, Message: message})
}

func endJob(t *testing.T, job *batchv1.Job, conditions ...batchv1.JobCondition) {
	t.Helper()
	now := metav1.Now()
	fresh := &batchv1.Job{}
	if err := apitest.Client.Get(t.Context(), client.ObjectKeyFromObject(job), fresh); err != nil {
		t.Fatal(err)
	}
	fresh.Status.StartTime = &now
	for _, c := range conditions {
		c.Status, c.LastTransitionTime, c.LastProbeTime = corev1.ConditionTrue, now, now
		fresh.Status.Conditions = append(fresh.Status.Conditions, c)
		if c.Type == batchv1.JobComplete {
			fresh.Status.CompletionTime = &now
			fresh.Status.Succeeded = ptr.Deref(fresh.Spec.Completions, 1)
			if fresh.Spec.CompletionMode != nil && *fresh.Spec.CompletionMode == batchv1.IndexedCompletion {
				fresh.Status.CompletedIndexes = fmt.Sprintf("0-%d", fresh.Status.Succeeded-1)
			}
		}
		if c.Type == batchv1.JobFailed {
			fresh.Status.Failed = 1
		}
	}
	fresh.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	if err := apitest.Client.Status().Update(t.Context(), fresh); err != nil {
		t.Fatalf("end Job %s: %v", job.Name, err)
	}
}

func terminate(t *testing.T, pod *corev1.Pod, exit int32, result *runspec.RunResult, words string) {
	t.Helper()
	reason := "Completed"
	pod.Status.Phase = corev1.PodSucceeded
	if exit != 0 {
		pod.Status.Phase, reason = corev1.PodFailed, "Error"
	}
	if result != nil {
		words = string(result.Encode())
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{worker(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		ExitCode: exit, Reason: reason, Message: words, FinishedAt: metav1.Now()}})}
	write(t, pod)
}

func worker(state corev1.ContainerState) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: "worker", Image: "worker", ImageID: "worker", State: state}
}

func write(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	if err := apitest.Client.Status().Update(t.Context(), pod); err != nil {
		t.Fatalf("write the status of pod %s: %v", pod.Name, err)
	}
}
