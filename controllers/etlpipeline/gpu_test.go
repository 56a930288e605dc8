package etlpipeline

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// node with one device of a resource of the test's own: nodes belong to no namespace.
func (p place) node(resourceName, deviceID string) {
	p.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-", Labels: map[string]string{"amd.com/gpu.device-id": deviceID}}}
	p.must(apitest.Client.Create(p.t.Context(), node))
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceName(resourceName): resource.MustParse("1")}
	p.must(apitest.Client.Status().Update(p.t.Context(), node))
}

func gpuRequired(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.node("amd.com/required", "7408")
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) {
		s.GPU = &v1alpha1.GPU{Policy: v1alpha1.GPURequired, ResourceName: "amd.com/required", Architectures: []string{"gfx942"},
			ScheduleTimeout: &metav1.Duration{Duration: 3 * time.Second}}
	})
	job := p.waitJob(1, runspec.PhaseAll)
	if limit := job.Spec.Template.Spec.Containers[0].Resources.Limits["amd.com/required"]; limit.Value() != 1 {
		t.Fatalf("the worker asks for %v", job.Spec.Template.Spec.Containers[0].Resources)
	}
	kindtest.Unschedulable(t, job, time.Now(), "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.")
	waiting := p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionFalse, v1alpha1.ReasonNoMatchingNode)
	for _, c := range waiting.Status.Conditions {
		if c.Type == v1alpha1.ConditionGPUAvailable && (!strings.Contains(c.Message, "gpu.architectures gfx942") || !strings.Contains(c.Message, "gfx90a")) {
			t.Fatalf("the message names neither the requirement nor what there is: %s", c.Message)
		}
	}
	p.settled(status.InProgressStatus)
	p.waitCondition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonUnschedulable)
	p.settled(status.FailedStatus)
}

func gpuPreferredNone(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) {
		s.GPU = &v1alpha1.GPU{Policy: v1alpha1.GPUPreferred, ResourceName: "amd.com/none"}
	})
	job := p.waitJob(1, runspec.PhaseAll)
	checkNoGPU(t, job.Spec.Template.Spec)
	p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionFalse, v1alpha1.ReasonFallbackToCPU)
	p.waitEvent(v1alpha1.ReasonFallbackToCPU)
	p.finish(job)
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionFalse, v1alpha1.ReasonFallbackToCPU)
	p.settled(status.CurrentStatus)
}

func gpuPreferredBusy(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.node("amd.com/busy", "74a1")
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) {
		s.BackoffLimit = ptr.To(int32(0))
		s.GPU = &v1alpha1.GPU{Policy: v1alpha1.GPUPreferred, ResourceName: "amd.com/busy", Architectures: []string{"gfx942"},
			PreferredWait: &metav1.Duration{Duration: 2 * time.Second}}
	})
	job := p.waitJob(1, runspec.PhaseAll)
	affinity := job.Spec.Template.Spec.Affinity
	if affinity == nil || affinity.NodeAffinity == nil {
		t.Fatal("the pod has no node affinity for the architecture")
	}
	kindtest.Unschedulable(t, job, time.Now(), "0/1 nodes are available: 1 Insufficient amd.com/busy.")
	p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionFalse, v1alpha1.ReasonUnschedulable)
	second := p.waitJob(2, runspec.PhaseAll)
	checkNoGPU(t, second.Spec.Template.Spec)
	p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionFalse, v1alpha1.ReasonFallbackToCPU)
	p.finish(second)
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	if run := done.Status.LastRun; run.Attempt != 2 || run.Failures != 0 {
		t.Fatalf("the fallback counted as a failure: %+v", run)
	}
	p.settled(status.CurrentStatus)
}

// gpuFromDRA: the devices of a DRA driver count, although no node lists them.
func gpuFromDRA(t *testing.T) {
	p := newPlace(t).withDependencies()
	p.letManagerList("resourceslices", "deviceclasses")
	class := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{GenerateName: "class-"}}
	class.Spec.ExtendedResourceName = ptr.To("amd.com/dra")
	class.Spec.Selectors = []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{Expression: `device.driver == "gpu.test.example"`}}}
	p.must(apitest.Client.Create(t.Context(), class))
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: "node-"}}
	p.must(apitest.Client.Create(t.Context(), node))
	slice := &resourcev1.ResourceSlice{ObjectMeta: metav1.ObjectMeta{GenerateName: "slice-"}}
	slice.Spec = resourcev1.ResourceSliceSpec{Driver: "gpu.test.example", NodeName: &node.Name,
		Pool: resourcev1.ResourcePool{Name: "pool", ResourceSliceCount: 1}, Devices: []resourcev1.Device{{Name: "gpu-0"}}}
	p.must(apitest.Client.Create(t.Context(), slice))
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) {
		s.GPU = &v1alpha1.GPU{Policy: v1alpha1.GPUPreferred, ResourceName: "amd.com/dra"}
	})
	job := p.waitJob(1, runspec.PhaseAll)
	if limit := job.Spec.Template.Spec.Containers[0].Resources.Limits["amd.com/dra"]; limit.Value() != 1 {
		t.Fatalf("the run fell back: %+v", p.get().Status.Conditions)
	}
	p.finish(job)
	p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	p.waitCondition(v1alpha1.ConditionGPUAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable)
	p.settled(status.CurrentStatus)
}

// letManagerList gives the manager a right to list things of resource.k8s.io.
func (p place) letManagerList(resources ...string) {
	p.t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{GenerateName: "dra-"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{resourcev1.GroupName}, Resources: resources, Verbs: []string{"list"}}}}
	p.must(apitest.Client.Create(p.t.Context(), role))
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{GenerateName: "dra-"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "datastack-manager", Namespace: apitest.SystemNamespace}}}
	p.must(apitest.Client.Create(p.t.Context(), binding))
	p.t.Cleanup(func() { _ = apitest.Client.Delete(context.Background(), binding) })
}

func checkNoGPU(t *testing.T, pod corev1.PodSpec) {
	t.Helper()
	for name := range pod.Containers[0].Resources.Limits {
		if strings.HasPrefix(string(name), "amd.com/") {
			t.Fatalf("the fallback asks for %s", name)
		}
	}
}
