package runs

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// job builds the Job of the order. It never replaces a pod: a retry is a new Job
// with a new attempt, so two pods can never hold the same attempt.
func (c Config) job(o Order) *batchv1.Job {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Name: o.JobName(), Namespace: o.Spec.Object.Namespace, Labels: o.jobLabels(),
			Annotations: o.Annotations, OwnerReferences: []metav1.OwnerReference{o.Owner},
		},
		Spec: batchv1.JobSpec{
			BackoffLimit:         ptr.To(int32(0)),
			PodReplacementPolicy: ptr.To(batchv1.Failed),
			PodFailurePolicy:     failurePolicy(),
			Template:             c.pod(o),
		},
	}
	if o.Shards > 1 {
		job.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
		job.Spec.Completions, job.Spec.Parallelism = ptr.To(o.Shards), ptr.To(o.Shards)
	}
	return job
}

// Positions of the rules of failurePolicy: the Job's condition names the one that matched.
const (
	ruleDisrupted = 0
	rulePermanent = 1
)

// failurePolicy makes the Job itself say why it failed, so that the answer outlives the pod.
func failurePolicy() *batchv1.PodFailurePolicy {
	var permanent []int32
	for code := int32(1); code < 256; code++ {
		if runspec.Permanent(code) {
			permanent = append(permanent, code)
		}
	}
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{
		ruleDisrupted: {
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
				{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
		},
		rulePermanent: {
			Action: batchv1.PodFailurePolicyActionFailJob,
			OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				ContainerName: ptr.To(workerContainer),
				Operator:      batchv1.PodFailurePolicyOnExitCodesOpIn, Values: permanent},
		},
	}}
}
