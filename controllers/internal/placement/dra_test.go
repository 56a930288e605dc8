package placement

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestWithDRA(t *testing.T) {
	class := func(name, resource, expression string) resourcev1.DeviceClass {
		c := resourcev1.DeviceClass{}
		c.Name = name
		if resource != "" {
			c.Spec.ExtendedResourceName = &resource
		}
		if expression != "" {
			c.Spec.Selectors = []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{Expression: expression}}}
		}
		return c
	}
	slice := func(node, driver string, devices int) resourcev1.ResourceSlice {
		s := resourcev1.ResourceSlice{}
		s.Spec.NodeName, s.Spec.Driver, s.Spec.Devices = &node, driver, make([]resourcev1.Device, devices)
		return s
	}
	for name, tc := range map[string]struct {
		class  resourcev1.DeviceClass
		slices []resourcev1.ResourceSlice
		plugin string
		want   int64
	}{
		"by the class's name":         {class: class("gpu.amd.com", "amd.com/gpu", ""), slices: []resourcev1.ResourceSlice{slice("n", "gpu.amd.com", 8)}, want: 8},
		"by a selector":               {class: class("amd", "amd.com/gpu", `device.driver == "gpu.amd.com"`), slices: []resourcev1.ResourceSlice{slice("n", "gpu.amd.com", 4), slice("n", "gpu.amd.com", 4)}, want: 8},
		"another driver's devices":    {class: class("amd", "amd.com/gpu", `device.driver == 'gpu.amd.com'`), slices: []resourcev1.ResourceSlice{slice("n", "nic.example", 4)}},
		"another node's devices":      {class: class("gpu.amd.com", "amd.com/gpu", ""), slices: []resourcev1.ResourceSlice{slice("m", "gpu.amd.com", 4)}},
		"another resource":            {class: class("gpu.amd.com", "amd.com/other", ""), slices: []resourcev1.ResourceSlice{slice("n", "gpu.amd.com", 4)}},
		"no extended resource":        {class: class("gpu.amd.com", "", ""), slices: []resourcev1.ResourceSlice{slice("n", "gpu.amd.com", 4)}},
		"beside the device plugin":    {class: class("gpu.amd.com", "amd.com/gpu", ""), slices: []resourcev1.ResourceSlice{slice("n", "gpu.amd.com", 4)}, plugin: "2", want: 6},
		"the device plugin by itself": {plugin: "2", want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			n := node(tc.plugin, nil)
			n.Name = "n"
			before := n.DeepCopy()
			got := WithDRA([]corev1.Node{n}, DefaultResource, []resourcev1.DeviceClass{tc.class}, tc.slices)
			q := got[0].Status.Allocatable[DefaultResource]
			if q.Value() != tc.want {
				t.Fatalf("%d devices, want %d", q.Value(), tc.want)
			}
			if fits, why := Explain(&v1alpha1.GPU{Count: ptr.To(int32(6))}, got); fits != (tc.want >= 6) {
				t.Fatalf("six GPUs: %v: %s", fits, why)
			}
			if was, is := before.Status.Allocatable[DefaultResource], n.Status.Allocatable[DefaultResource]; was.Cmp(is) != 0 {
				t.Fatal("the cached node was changed")
			}
		})
	}
}
