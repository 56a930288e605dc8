package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// GPUPolicy says what happens when no GPU fits.
// +kubebuilder:validation:Enum=Required;Preferred;Disabled
type GPUPolicy string

// GPU policies.
const (
	// GPURequired keeps the pod pending until a GPU fits, or scheduleTimeout ends the run.
	GPURequired GPUPolicy = "Required"
	// GPUPreferred runs without a GPU, and says so, when none fits within preferredWait.
	GPUPreferred GPUPolicy = "Preferred"
	// GPUDisabled asks for no GPU.
	GPUDisabled GPUPolicy = "Disabled"
)

// GPU says which AMD GPUs the workers need, and what to do when there are none.
// +kubebuilder:validation:XValidation:rule="!has(self.preferredWait) || (has(self.policy) && self.policy == 'Preferred')",message="preferredWait is only for policy: Preferred; set that policy, or remove preferredWait"
// +kubebuilder:validation:XValidation:rule="!has(self.policy) || self.policy != 'Disabled' || (!has(self.count) && !has(self.resourceName) && !has(self.architectures) && !has(self.memoryLimit) && !has(self.minComputeUnits) && !has(self.minDriverVersion))",message="policy: Disabled asks for no GPU; remove the requirements, or choose Required or Preferred"
type GPU struct {
	// Policy: Required waits for a fitting GPU; Preferred takes one when there is one, and else runs on the CPU and says
	// so; Disabled asks for none. Default: Preferred.
	// +optional
	Policy GPUPolicy `json:"policy,omitempty"`

	// Count of GPUs (or partitions) that each worker pod gets. Default: 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=64
	// +optional
	Count *int32 `json:"count,omitempty"`

	// ResourceName that a device plugin or a DRA device class serves: amd.com/gpu, or a partition such as amd.com/cpx_nps4.
	// Default: amd.com/gpu. A name that no node serves shows in the condition GPUAvailable.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9.-]+/[A-Za-z0-9._-]+$')",message="resourceName must be an extended resource such as amd.com/gpu or amd.com/cpx_nps4"
	// +optional
	ResourceName string `json:"resourceName,omitempty"`

	// Architectures (gfx names, such as gfx942) of which the GPU must be one. Default: any that the kernels support.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="self.all(a, a.matches('^gfx[0-9a-f]{3,5}$'))",message="architectures are gfx names such as gfx90a, gfx942 or gfx1100"
	// +listType=atomic
	// +optional
	Architectures []string `json:"architectures,omitempty"`

	// MemoryLimit is how much device memory a worker may use, in bytes as a quantity (32Gi); the GPU must have as much.
	// Default: 90 % of the device's memory.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="memoryLimit must be a quantity greater than zero, such as 32Gi"
	// +optional
	MemoryLimit *resource.Quantity `json:"memoryLimit,omitempty"`

	// MinComputeUnits that the GPU must have. Default: no minimum.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4096
	// +optional
	MinComputeUnits *int32 `json:"minComputeUnits,omitempty"`

	// MinDriverVersion of the amdgpu driver, such as 6.10.5. Default: no minimum.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+([.][0-9]+){0,3}$')",message="minDriverVersion must be numbers with dots, such as 6.10.5"
	// +optional
	MinDriverVersion string `json:"minDriverVersion,omitempty"`

	// PreferredWait is how long a pod of policy Preferred may stay unschedulable before the next attempt runs without a GPU. Default: 60s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 90s, 10m or 168h"
	// +optional
	PreferredWait *metav1.Duration `json:"preferredWait,omitempty"`

	// ScheduleTimeout is how long a pod may stay unschedulable before the run fails. Default: no limit but timeoutSeconds.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 90s, 10m or 168h"
	// +optional
	ScheduleTimeout *metav1.Duration `json:"scheduleTimeout,omitempty"`

	// AssumeAvailable skips the look at the nodes: the pod is created as if a GPU fitted, for clusters whose autoscaler
	// makes GPU nodes on demand. Default: false.
	// +optional
	AssumeAvailable *bool `json:"assumeAvailable,omitempty"`
}

// EnvVar is one environment variable of a worker. Values are plain: secrets are mounted as files.
type EnvVar struct {
	// Name of the variable. Names that begin with DATASTACK_ belong to the worker itself.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",message="a variable's name holds letters, digits and '_', and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('DATASTACK_')",message="names that begin with DATASTACK_ are the worker's own; choose another name"
	// +required
	Name string `json:"name"`

	// Value of the variable, not a secret: it can be read in the pod's manifest. Default: empty.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Value string `json:"value,omitempty"`
}

// Worker says how worker pods look: image, resources, placement.
type Worker struct {
	// Image of the worker. Default: the one that the manager was started with. Refused (Stalled, reason ImageNotAllowed)
	// when the manager's --worker-image-allowlist has no match.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// ImagePullPolicy of the pod's containers. Default: IfNotPresent.
	// +kubebuilder:validation:Enum=Always;IfNotPresent;Never
	// +optional
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// ImagePullSecrets of the same namespace. Default: none.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=name
	// +optional
	ImagePullSecrets []LocalRef `json:"imagePullSecrets,omitempty"`

	// Resources of the worker container. Default: 250m of CPU and 512Mi of memory requested, limit 4Gi of memory. GPUs are asked for in spec.gpu.
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="resource claims are made from spec.gpu; remove claims"
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// EngineResources of the container that runs Polars, DataFusion and custom scripts. Default: as resources.
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="the engine container has no devices; remove claims"
	// +optional
	EngineResources *corev1.ResourceRequirements `json:"engineResources,omitempty"`

	// NodeSelector that the node must match. Default: none.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pod. Default: those that the GPU resource needs.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Affinity of the pod; the terms that spec.gpu compiles to are added. Default: none.
	// +optional
	Affinity *corev1.Affinity `json:"affinity,omitempty"`

	// PriorityClassName of the pod. Default: the cluster's default.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`

	// Env are further environment variables of the worker. Default: none.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Env []EnvVar `json:"env,omitempty"`

	// PodLabels are added to the pods. Labels of datastack.amdgpu.dev and app.kubernetes.io are the operator's own.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('datastack.amdgpu.dev/') && !k.startsWith('app.kubernetes.io/'))",message="labels of datastack.amdgpu.dev/ and app.kubernetes.io/ are set by the operator; remove them"
	// +optional
	PodLabels map[string]string `json:"podLabels,omitempty"`

	// PodAnnotations are added to the pods. Default: none.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('datastack.amdgpu.dev/'))",message="annotations of datastack.amdgpu.dev/ are set by the operator; remove them"
	// +optional
	PodAnnotations map[string]string `json:"podAnnotations,omitempty"`
}
