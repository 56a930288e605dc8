package lineageledger

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// customise lays spec.worker over the pod. What keeps ledgerd safe (identity, security context, mounts) stays as it is.
func customise(pod *coreac.PodTemplateSpecApplyConfiguration, worker *v1alpha1.Worker) {
	if worker == nil {
		return
	}
	container := &pod.Spec.Containers[0]
	if worker.Image != "" {
		container.WithImage(worker.Image)
	}
	if worker.ImagePullPolicy != "" {
		container.WithImagePullPolicy(worker.ImagePullPolicy)
	}
	if worker.Resources != nil {
		container.Resources = as[coreac.ResourceRequirementsApplyConfiguration](worker.Resources)
	}
	for _, variable := range worker.Env {
		container.WithEnv(coreac.EnvVar().WithName(variable.Name).WithValue(variable.Value))
	}
	for _, secret := range worker.ImagePullSecrets {
		pod.Spec.WithImagePullSecrets(coreac.LocalObjectReference().WithName(secret.Name))
	}
	for i := range worker.Tolerations {
		pod.Spec.WithTolerations(as[coreac.TolerationApplyConfiguration](&worker.Tolerations[i]))
	}
	if worker.Affinity != nil {
		pod.Spec.Affinity = as[coreac.AffinityApplyConfiguration](worker.Affinity)
	}
	if worker.PriorityClassName != "" {
		pod.Spec.WithPriorityClassName(worker.PriorityClassName)
	}
	pod.Spec.WithNodeSelector(worker.NodeSelector)
	labels := maps.Clone(worker.PodLabels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, pod.Labels) // ours win: Service and NetworkPolicy select by them
	pod.WithLabels(labels).WithAnnotations(worker.PodAnnotations)
}

// as turns an API value into its apply configuration: both have the same JSON form.
func as[A any, T corev1.ResourceRequirements | corev1.Toleration | corev1.Affinity](value *T) *A {
	data, _ := json.Marshal(value) // plain API structs always encode
	var configuration A
	_ = json.Unmarshal(data, &configuration)
	return &configuration
}
