package placement

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// Explain says whether some node could hold the pod's GPUs when they are free, and
// in words which requirement no node meets, or how many nodes fit.
func Explain(gpu *v1alpha1.GPU, nodes []corev1.Node) (fits bool, message string) {
	name, count := ResourceName(gpu), Count(gpu)
	var candidates []corev1.Node
	var most int64
	for _, node := range nodes {
		allocatable := node.Status.Allocatable[name]
		most = max(most, allocatable.Value())
		if allocatable.Value() >= count && !node.Spec.Unschedulable {
			candidates = append(candidates, node)
		}
	}
	if len(candidates) == 0 {
		return false, fmt.Sprintf("no schedulable node offers %d of %s: %d nodes, the most that one offers is %d", count, name, len(nodes), most)
	}
	for _, r := range requirementsOf(gpu) {
		var left []corev1.Node
		for _, node := range candidates {
			if r.metBy(&node) {
				left = append(left, node)
			}
		}
		if len(left) == 0 {
			return false, fmt.Sprintf("no node meets %s %s: of the %d that meet the rest, the labels say %s",
				r.field, r.want, len(candidates), found(candidates, r))
		}
		candidates = left
	}
	return true, fmt.Sprintf("%d of %d nodes fit", len(candidates), len(nodes))
}

// found lists what the nodes have instead.
func found(nodes []corev1.Node, r requirement) string {
	var values []string
	for i := range nodes {
		for _, v := range valuesOn(&nodes[i], r.label) {
			if gfx, ok := gfxOf[v]; ok && r.label == "device-id" {
				v = gfx
			}
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return fmt.Sprintf("nothing (no label %s%s: is the AMD node labeller installed?)", prefixes[0], r.label)
	}
	slices.Sort(values)
	return strings.Join(slices.Compact(values), ", ")
}
