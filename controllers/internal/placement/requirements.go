package placement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// prefixes of the AMD node labeller's labels: the present one and the older one.
var prefixes = []string{"amd.com/gpu.", "beta.amd.com/gpu."}

// requirement is one thing that a device must have, read from one label.
type requirement struct {
	field string // of spec.gpu, for messages
	want  string // for messages
	label string // without the prefix
	// meets judges one value of the label.
	meets func(value string) bool
	// values are label values that meet it, known without looking at nodes.
	values []string
}

// requirementsOf lists what spec.gpu asks of a device; an empty list takes any.
func requirementsOf(gpu *v1alpha1.GPU) []requirement {
	var list []requirement
	if len(gpu.Architectures) > 0 {
		ids := deviceIDs(gpu.Architectures)
		list = append(list, requirement{
			field: "gpu.architectures", want: strings.Join(gpu.Architectures, " or "), label: "device-id",
			meets: func(v string) bool { return slices.Contains(ids, strings.ToLower(strings.TrimPrefix(v, "0x"))) }, values: ids,
		})
	}
	if gpu.MemoryLimit != nil {
		least := gpu.MemoryLimit.Value()
		list = append(list, requirement{
			field: "gpu.memoryLimit", want: gpu.MemoryLimit.String(), label: "vram",
			meets: func(v string) bool { return memory(v) >= least }, values: vramFrom(least),
		})
	}
	if gpu.MinComputeUnits != nil {
		least := int(*gpu.MinComputeUnits)
		list = append(list, requirement{
			field: "gpu.minComputeUnits", want: strconv.Itoa(least), label: "cu-count",
			meets: func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= least },
		})
	}
	if gpu.MinDriverVersion != "" {
		list = append(list, requirement{
			field: "gpu.minDriverVersion", want: gpu.MinDriverVersion, label: "driver-version",
			meets:  func(v string) bool { return !older(v, gpu.MinDriverVersion) },
			values: []string{gpu.MinDriverVersion},
		})
	}
	return list
}

// valuesOn reads a label in both forms: key=value, and key.value=count where the
// node's devices differ.
func valuesOn(node *corev1.Node, label string) []string {
	var values []string
	for _, prefix := range prefixes {
		key := prefix + label
		if v, ok := node.Labels[key]; ok {
			values = append(values, v)
		}
		for k := range node.Labels {
			if v, ok := strings.CutPrefix(k, key+"."); ok {
				values = append(values, v)
			}
		}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func (r requirement) metBy(node *corev1.Node) bool {
	return slices.ContainsFunc(valuesOn(node, r.label), r.meets)
}

// memory reads the labeller's form, such as 192G, in which G is 2^30.
func memory(value string) int64 {
	if strings.HasSuffix(value, "G") || strings.HasSuffix(value, "M") || strings.HasSuffix(value, "T") {
		value += "i"
	}
	q, err := resource.ParseQuantity(value)
	if err != nil {
		return 0
	}
	return q.Value()
}

// vramFrom lists the labels of the memory sizes that AMD devices and partitions have.
func vramFrom(least int64) []string {
	var values []string
	for _, g := range []int{8, 12, 16, 20, 24, 32, 36, 48, 64, 72, 96, 128, 144, 192, 256, 288} {
		if label := fmt.Sprintf("%dG", g); memory(label) >= least {
			values = append(values, label)
		}
	}
	return values
}

// older compares versions number by number; what is no number counts as 0.
func older(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	for i := range max(len(a), len(b)) {
		x, y := part(a, i), part(b, i)
		if x != y {
			return x < y
		}
	}
	return false
}

func part(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}
