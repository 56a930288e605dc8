package placement

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// WithDRA returns the nodes with what DRA drivers offer under the extended resource
// added to allocatable, where Explain looks: the kubelet does not count these devices.
func WithDRA(nodes []corev1.Node, name corev1.ResourceName, classes []resourcev1.DeviceClass, slices []resourcev1.ResourceSlice) []corev1.Node {
	offered := map[string]int64{}
	for _, class := range classes {
		if class.Spec.ExtendedResourceName == nil || *class.Spec.ExtendedResourceName != string(name) {
			continue
		}
		for _, slice := range slices {
			if slice.Spec.NodeName != nil && ofClass(class, slice.Spec.Driver) {
				offered[*slice.Spec.NodeName] += int64(len(slice.Spec.Devices))
			}
		}
	}
	out := make([]corev1.Node, len(nodes))
	for i := range nodes {
		out[i] = nodes[i]
		n := offered[nodes[i].Name]
		if n == 0 {
			continue
		}
		out[i].Status.Allocatable = nodes[i].Status.Allocatable.DeepCopy()
		if out[i].Status.Allocatable == nil {
			out[i].Status.Allocatable = corev1.ResourceList{}
		}
		total := resource.NewQuantity(n, resource.DecimalSI)
		total.Add(nodes[i].Status.Allocatable[name])
		out[i].Status.Allocatable[name] = *total
	}
	return out
}

// ofClass says whether the class takes devices of the driver. Its selectors are CEL;
// that one of them names the driver is enough for an explanation, and the scheduler
// decides.
func ofClass(class resourcev1.DeviceClass, driver string) bool {
	if class.Name == driver || len(class.Spec.Selectors) == 0 {
		return true
	}
	for _, selector := range class.Spec.Selectors {
		if selector.CEL != nil && (strings.Contains(selector.CEL.Expression, `"`+driver+`"`) || strings.Contains(selector.CEL.Expression, `'`+driver+`'`)) {
			return true
		}
	}
	return false
}
