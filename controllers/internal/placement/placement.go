// Package placement turns GPU requirements into what the scheduler understands, and
// explains in words which requirement no node meets.
package placement

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// DefaultResource is the extended resource of a whole AMD GPU, served by the device
// plugin or by a DRA device class.
const DefaultResource = "amd.com/gpu"

// Placement is what a pod needs for its GPU; the zero value asks for none.
type Placement struct {
	Tolerations []corev1.Toleration
	resources   corev1.ResourceList
	// terms are alternatives: a node must meet one of them.
	terms []corev1.NodeSelectorTerm
}

// Resources are the extended resources to add to the worker container's limits.
func (p Placement) Resources() corev1.ResourceList { return p.resources }

// Wanted says whether the policy asks for a GPU. The default policy is Preferred,
// but an object without spec.gpu asks for none.
func Wanted(gpu *v1alpha1.GPU) bool {
	return gpu != nil && gpu.Policy != v1alpha1.GPUDisabled
}

// Required says whether a run must not start without a GPU.
func Required(gpu *v1alpha1.GPU) bool {
	return gpu != nil && gpu.Policy == v1alpha1.GPURequired
}

// ResourceName is the extended resource that the policy asks for.
func ResourceName(gpu *v1alpha1.GPU) corev1.ResourceName {
	if gpu.ResourceName != "" {
		return corev1.ResourceName(gpu.ResourceName)
	}
	return DefaultResource
}

// Count is the number of GPUs of one pod.
func Count(gpu *v1alpha1.GPU) int64 {
	if gpu.Count != nil {
		return int64(*gpu.Count)
	}
	return 1
}

// Compile makes the placement of pods that must get the GPU. nodes tell which label
// values exist; a requirement that can only be read as a number (memory, driver) is
// compiled to the values that meet it.
func Compile(gpu *v1alpha1.GPU, nodes []corev1.Node) Placement {
	if !Wanted(gpu) {
		return Placement{}
	}
	name := ResourceName(gpu)
	return Placement{
		Tolerations: []corev1.Toleration{{Key: string(name), Operator: corev1.TolerationOpExists}},
		resources:   corev1.ResourceList{name: *resource.NewQuantity(Count(gpu), resource.DecimalSI)},
		terms:       terms(gpu, nodes),
	}
}

// Affinity adds the placement's terms to the user's affinity: a node must meet one
// of the user's terms and one of ours, so every pair becomes a term.
func (p Placement) Affinity(base *corev1.Affinity) *corev1.Affinity {
	if len(p.terms) == 0 {
		return base
	}
	affinity := base.DeepCopy()
	if affinity == nil {
		affinity = &corev1.Affinity{}
	}
	if affinity.NodeAffinity == nil {
		affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	node := affinity.NodeAffinity
	if node.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		node.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
	}
	required := node.RequiredDuringSchedulingIgnoredDuringExecution
	var pairs []corev1.NodeSelectorTerm
	for _, theirs := range required.NodeSelectorTerms {
		for _, ours := range p.terms {
			pair := *theirs.DeepCopy()
			pair.MatchExpressions = append(pair.MatchExpressions, ours.MatchExpressions...)
			pairs = append(pairs, pair)
		}
	}
	required.NodeSelectorTerms = pairs
	return affinity
}
