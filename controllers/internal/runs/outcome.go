package runs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// State is how far a Job has come.
type State string

// States of a Job.
const (
	// StateWaiting: no worker container has started yet.
	StateWaiting State = "Waiting"
	// StateRunning: at least one worker container has started.
	StateRunning   State = "Running"
	StateSucceeded State = "Succeeded"
	StateFailed    State = "Failed"
)

// Outcome is what a Job and its pods say about one phase of an attempt.
type Outcome struct {
	State State
	// Why names what a waiting pod waits for.
	Why string
	// Unschedulable is since when the scheduler finds no node; zero when it is placed.
	Unschedulable time.Time
	// Disrupted: evicted, preempted or lost with its node; not the run's own failure.
	Disrupted bool
	// TimedOut: the pod ran longer than its time limit.
	TimedOut bool
	// ExitCode of a failed worker; 1 when none is known.
	ExitCode int32
	// Message of a failure.
	Message string
	// Result is the worker's own answer from the termination message; nil when there is none.
	Result *runspec.RunResult
}

// Permanent says that the same attempt would fail again.
func (o Outcome) Permanent() bool {
	return o.State == StateFailed && !o.Disrupted && runspec.Permanent(o.ExitCode)
}

// Observe reads a Job and its pods. A Job that ended is believed even when its pods are gone.
func Observe(job *batchv1.Job, pods []corev1.Pod) Outcome {
	switch {
	case condition(job, batchv1.JobComplete) != nil:
		return Outcome{State: StateSucceeded, Result: resultOf(pods, true)}
	case condition(job, batchv1.JobFailed) != nil:
		return failed(condition(job, batchv1.JobFailed), pods)
	}
	outcome := Outcome{State: StateWaiting, Why: fmt.Sprintf("Job %s has no pod yet; if that lasts, its events say why (kubectl describe job %s)", job.Name, job.Name)}
	for i := range pods {
		status := workerStatus(&pods[i])
		if status != nil && status.State.Waiting == nil && (status.State.Running != nil || status.State.Terminated != nil) {
			return Outcome{State: StateRunning}
		}
		outcome.Why, outcome.Unschedulable = waiting(&pods[i])
	}
	return outcome
}

var (
	atIndex  = regexp.MustCompile(`rule at index (\d+)`)
	exitCode = regexp.MustCompile(`failed with exit code (\d+)`)
)

// failed explains a failed Job: the worker's own message first, then the pod's, then the Job's.
func failed(c *batchv1.JobCondition, pods []corev1.Pod) Outcome {
	pod := culprit(pods, c.Message)
	out := Outcome{State: StateFailed, ExitCode: runspec.ExitRetryable}
	if pod != nil {
		out.Result = resultOf([]corev1.Pod{*pod}, false)
	}
	if c.Reason == batchv1.JobReasonPodFailurePolicy {
		out.Disrupted = number(atIndex, c.Message) == ruleDisrupted
		if code := number(exitCode, c.Message); code > 0 {
			out.ExitCode = int32(code) //nolint:gosec // an exit code is below 256
		}
	}
	if pod != nil {
		out.TimedOut = pod.Status.Reason == "DeadlineExceeded"
	}
	switch terminated := terminatedOf(pod); {
	case out.TimedOut:
		out.Message = fmt.Sprintf("pod %s ran longer than timeoutSeconds allows and was stopped", pod.Name)
	case out.Disrupted:
		out.Message = "the pod was disrupted: " + c.Message
	case out.Result != nil && out.Result.Message != "":
		out.Message = out.Result.Message
	case terminated != nil:
		out.Message = fmt.Sprintf("pod %s: worker ended with exit code %d (%s)%s",
			pod.Name, terminated.ExitCode, terminated.Reason, lastWords(terminated.Message))
	default:
		out.Message = fmt.Sprintf("Job failed: %s: %s", c.Reason, c.Message)
	}
	return out
}

// number reads the first group of the pattern; -1 when there is none.
func number(pattern *regexp.Regexp, text string) int {
	match := pattern.FindStringSubmatch(text)
	if match == nil {
		return -1
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return -1
	}
	return n
}

func lastWords(log string) string {
	if log == "" {
		return ""
	}
	if len(log) > 300 {
		log = "…" + log[len(log)-300:]
	}
	return ", its last words: " + log
}

// waiting says why a pod's worker has not started, and since when no node was found.
func waiting(pod *corev1.Pod) (string, time.Time) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			if c.Reason == corev1.PodReasonUnschedulable {
				return fmt.Sprintf("pod %s cannot be scheduled: %s", pod.Name, c.Message), c.LastTransitionTime.Time
			}
			return fmt.Sprintf("pod %s is not scheduled: %s: %s", pod.Name, c.Reason, c.Message), time.Time{}
		}
	}
	statuses := append(append([]corev1.ContainerStatus{}, pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, status := range statuses {
		if w := status.State.Waiting; w != nil && w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return fmt.Sprintf("pod %s, container %s: %s: %s", pod.Name, status.Name, w.Reason, w.Message), time.Time{}
		}
	}
	if pod.Spec.NodeName == "" {
		return fmt.Sprintf("pod %s is not scheduled yet", pod.Name), time.Time{}
	}
	return fmt.Sprintf("pod %s is being started%s", pod.Name, mountedBy(pod)), time.Time{}
}

// mountedBy names what the pod mounts: the manager may not look whether a Secret
// exists, and a pod whose Secret is missing says nothing in its status.
func mountedBy(pod *corev1.Pod) string {
	var names string
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.Secret != nil:
			names += ", Secret " + v.Secret.SecretName
		case v.PersistentVolumeClaim != nil:
			names += ", claim " + v.PersistentVolumeClaim.ClaimName
		}
	}
	if names == "" {
		return ""
	}
	return "; it needs" + names[1:]
}

func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i, c := range job.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

// culprit is the pod that failed by itself: the one that the Job names, else the first
// to end. The others of its Job were stopped because of it.
func culprit(pods []corev1.Pod, message string) *corev1.Pod {
	var first *corev1.Pod
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase != corev1.PodFailed {
			continue
		}
		if strings.Contains(message, "/"+pod.Name+" ") {
			return pod
		}
		if first == nil || endOf(pod).Before(endOf(first)) {
			first = pod
		}
	}
	return first
}

// endOf is when the pod's worker ended; a pod without one ended last.
func endOf(pod *corev1.Pod) *metav1.Time {
	if terminated := terminatedOf(pod); terminated != nil {
		return &terminated.FinishedAt
	}
	return &metav1.Time{Time: time.Unix(1<<40, 0)}
}

func workerStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	if pod == nil {
		return nil
	}
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == workerContainer {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

func terminatedOf(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	if status := workerStatus(pod); status != nil {
		return status.State.Terminated
	}
	return nil
}

// resultOf reads the RunResult of a pod that ended as asked for. The kubelet bounds
// the message; what is no RunResult (the end of a log) is not one.
func resultOf(pods []corev1.Pod, succeeded bool) *runspec.RunResult {
	for i := range pods {
		terminated := terminatedOf(&pods[i])
		if terminated == nil || (terminated.ExitCode == 0) != succeeded {
			continue
		}
		var result runspec.RunResult
		if json.Unmarshal([]byte(terminated.Message), &result) == nil && result.RunID != "" {
			return &result
		}
	}
	return nil
}
