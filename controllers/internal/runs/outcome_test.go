package runs

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

func jobWith(kind batchv1.JobConditionType, reason, message string) *batchv1.Job {
	return &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message}}}}
}

func podWith(phase corev1.PodPhase, state corev1.ContainerState) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeName: "n"},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: workerContainer, State: state}}}}
}

func ended(exit int32, message string) corev1.Pod {
	phase := corev1.PodSucceeded
	if exit != 0 {
		phase = corev1.PodFailed
	}
	return podWith(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exit, Reason: "Error", Message: message}})
}

func TestObserve(t *testing.T) {
	since := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	unplaced := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes", LastTransitionTime: metav1.NewTime(since)}}}}
	creating := podWith(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}})
	creating.Spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "landing-s3"}}}}
	late := ended(143, "")
	late.Status.Reason = "DeadlineExceeded"
	good := string(runspec.RunResult{RunID: "id", Outcome: runspec.OutcomeSucceeded, RowsRead: 3}.Encode())
	bad := string(runspec.RunResult{RunID: "id", Outcome: runspec.OutcomeFailed, Message: "no column x"}.Encode())
	failed := batchv1.JobReasonPodFailurePolicy

	for name, tc := range map[string]struct {
		job       *batchv1.Job
		pods      []corev1.Pod
		state     State
		permanent bool
		exit      int32
		says      string
		check     func(Outcome) bool
	}{
		"no pod yet":     {job: &batchv1.Job{}, state: StateWaiting},
		"unschedulable":  {job: &batchv1.Job{}, pods: []corev1.Pod{unplaced}, state: StateWaiting, check: func(o Outcome) bool { return o.Unschedulable.Equal(since) && strings.Contains(o.Why, "0/3 nodes") }},
		"missing Secret": {job: &batchv1.Job{}, pods: []corev1.Pod{creating}, state: StateWaiting, check: func(o Outcome) bool { return strings.Contains(o.Why, "Secret landing-s3") }},
		"image":          {job: &batchv1.Job{}, pods: []corev1.Pod{podWith(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such tag"}})}, state: StateWaiting, check: func(o Outcome) bool { return strings.Contains(o.Why, "ImagePullBackOff: no such tag") }},
		"running":        {job: &batchv1.Job{}, pods: []corev1.Pod{podWith(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})}, state: StateRunning},
		// The Job controller has not counted the pod yet: its word comes later.
		"ended, not counted": {job: &batchv1.Job{}, pods: []corev1.Pod{ended(65, bad)}, state: StateRunning},
		"succeeded":          {job: jobWith(batchv1.JobComplete, "", ""), pods: []corev1.Pod{ended(0, good)}, state: StateSucceeded, check: func(o Outcome) bool { return o.Result.RowsRead == 3 }},
		"succeeded, no pod":  {job: jobWith(batchv1.JobComplete, "", ""), state: StateSucceeded, check: func(o Outcome) bool { return o.Result == nil }},
		"bad data":           {job: jobWith(batchv1.JobFailed, failed, "Container worker for pod a/p failed with exit code 65 matching FailJob rule at index 1"), pods: []corev1.Pod{ended(65, bad)}, state: StateFailed, permanent: true, exit: 65, says: "no column x"},
		"bad data, no pod":   {job: jobWith(batchv1.JobFailed, failed, "Container worker for pod a/p failed with exit code 65 matching FailJob rule at index 1"), state: StateFailed, permanent: true, exit: 65, says: "exit code 65"},
		"evicted":            {job: jobWith(batchv1.JobFailed, failed, "Pod a/p has condition DisruptionTarget matching FailJob rule at index 0"), state: StateFailed, exit: 1, says: "disrupted", check: func(o Outcome) bool { return o.Disrupted }},
		"killed":             {job: jobWith(batchv1.JobFailed, "BackoffLimitExceeded", "m"), pods: []corev1.Pod{ended(137, "last line")}, state: StateFailed, exit: 1, says: "exit code 137 (Error), its last words: last line"},
		"out of time":        {job: jobWith(batchv1.JobFailed, "BackoffLimitExceeded", "m"), pods: []corev1.Pod{late}, state: StateFailed, exit: 1, says: "timeoutSeconds", check: func(o Outcome) bool { return o.TimedOut }},
		"no RunResult":       {job: jobWith(batchv1.JobFailed, "BackoffLimitExceeded", "m"), pods: []corev1.Pod{ended(2, `{"other": 1}`)}, state: StateFailed, exit: 1, says: `{"other": 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := Observe(tc.job, tc.pods)
			if o.State != tc.state || o.Permanent() != tc.permanent || o.ExitCode != tc.exit || !strings.Contains(o.Message, tc.says) {
				t.Fatalf("%+v", o)
			}
			if tc.check != nil && !tc.check(o) {
				t.Fatalf("%+v", o)
			}
		})
	}
}

// TestTheCulpritSpeaks: when a shard fails, its siblings are stopped and fail too.
func TestTheCulpritSpeaks(t *testing.T) {
	pod := func(name string, exit int32, message string, end int64) corev1.Pod {
		p := ended(exit, string(runspec.RunResult{RunID: "id", Outcome: runspec.OutcomeFailed, Message: message}.Encode()))
		p.Name = name
		p.Status.ContainerStatuses[0].State.Terminated.FinishedAt = metav1.NewTime(time.Unix(end, 0))
		return p
	}
	named := jobWith(batchv1.JobFailed, batchv1.JobReasonPodFailurePolicy, "Container worker for pod a/w-1 failed with exit code 65 matching FailJob rule at index 1")
	counted := jobWith(batchv1.JobFailed, "BackoffLimitExceeded", "m")
	for name, tc := range map[string]struct {
		job  *batchv1.Job
		pods []corev1.Pod
		want string
	}{
		"named by the Job":    {named, []corev1.Pod{pod("w-0", 143, "stopped", 1), pod("w-1", 65, "row 7 is bad", 2), pod("w-10", 143, "stopped", 3)}, "row 7 is bad"},
		"the first that fell": {counted, []corev1.Pod{pod("w-0", 143, "stopped", 9), pod("w-1", 1, "no store", 2)}, "no store"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Observe(tc.job, tc.pods).Message; got != tc.want {
				t.Fatalf("the message is %q, want %q", got, tc.want)
			}
		})
	}
}

// TestFailurePolicyMatchesItsReading ties the rules to the positions that Observe reads.
func TestFailurePolicyMatchesItsReading(t *testing.T) {
	rules := failurePolicy().Rules
	if len(rules[ruleDisrupted].OnPodConditions) != 1 || rules[ruleDisrupted].OnPodConditions[0].Type != corev1.DisruptionTarget {
		t.Errorf("rule %d is %+v", ruleDisrupted, rules[ruleDisrupted])
	}
	codes := rules[rulePermanent].OnExitCodes.Values
	for _, code := range codes {
		if !runspec.Permanent(code) {
			t.Errorf("exit code %d may succeed when tried again", code)
		}
	}
	if len(codes) != runspec.ExitConfig-runspec.ExitUsage+1 {
		t.Errorf("the permanent exit codes are %v", codes)
	}
}

func TestFinalReport(t *testing.T) {
	report := func(shard, run string, attempt int32, phase v1alpha1.RunPhase) v1alpha1.WorkerStatus {
		return v1alpha1.WorkerStatus{Shard: shard, RunID: run, Attempt: attempt, Phase: phase}
	}
	for name, tc := range map[string]struct {
		workers []v1alpha1.WorkerStatus
		several bool
		want    string
	}{
		"none":                     {},
		"another run's":            {workers: []v1alpha1.WorkerStatus{report("all", "other", 2, v1alpha1.RunSucceeded)}},
		"an older attempt's":       {workers: []v1alpha1.WorkerStatus{report("all", "id", 1, v1alpha1.RunSucceeded)}},
		"still running":            {workers: []v1alpha1.WorkerStatus{report("all", "id", 2, v1alpha1.RunRunning)}},
		"one pod":                  {workers: []v1alpha1.WorkerStatus{report("all", "id", 2, v1alpha1.RunSucceeded)}, want: "all"},
		"a shard is not the run":   {workers: []v1alpha1.WorkerStatus{report("0", "id", 2, v1alpha1.RunSucceeded)}, several: true},
		"the commit is":            {workers: []v1alpha1.WorkerStatus{report("0", "id", 2, v1alpha1.RunSucceeded), report("commit", "id", 2, v1alpha1.RunSucceeded)}, several: true, want: "commit"},
		"a shard's failure is all": {workers: []v1alpha1.WorkerStatus{report("0", "id", 2, v1alpha1.RunSucceeded), report("1", "id", 2, v1alpha1.RunFailed)}, several: true, want: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := FinalReport(tc.workers, "id", 2, tc.several)
			if (got == nil) != (tc.want == "") || got != nil && got.Shard != tc.want {
				t.Fatalf("got %+v, want shard %q", got, tc.want)
			}
		})
	}
}
