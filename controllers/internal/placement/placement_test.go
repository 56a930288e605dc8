package placement

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func node(gpus string, labels map[string]string) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	if gpus != "" {
		n.Status.Allocatable = corev1.ResourceList{DefaultResource: resource.MustParse(gpus)}
	}
	return n
}

var mi300 = map[string]string{"amd.com/gpu.device-id": "74a1", "amd.com/gpu.vram": "192G", "amd.com/gpu.cu-count": "304", "amd.com/gpu.driver-version": "6.10.5"}

func TestExplain(t *testing.T) {
	cordoned := node("8", mi300)
	cordoned.Spec.Unschedulable = true
	mixedNode := node("2", map[string]string{"amd.com/gpu.device-id.74a1": "1", "amd.com/gpu.device-id.7408": "1"})
	for name, tc := range map[string]struct {
		gpu   v1alpha1.GPU
		nodes []corev1.Node
		fits  bool
		says  string
	}{
		"no node":              {says: "no schedulable node offers 1 of amd.com/gpu: 0 nodes"},
		"no GPU":               {nodes: []corev1.Node{node("", nil)}, says: "the most that one offers is 0"},
		"any GPU":              {nodes: []corev1.Node{node("1", nil)}, fits: true, says: "1 of 1 nodes fit"},
		"too few on one node":  {gpu: v1alpha1.GPU{Count: ptr.To(int32(4))}, nodes: []corev1.Node{node("2", nil), node("3", nil)}, says: "the most that one offers is 3"},
		"cordoned":             {nodes: []corev1.Node{cordoned}, says: "no schedulable node"},
		"a partition":          {gpu: v1alpha1.GPU{ResourceName: "amd.com/cpx_nps4"}, nodes: []corev1.Node{node("8", nil)}, says: "amd.com/cpx_nps4"},
		"architecture":         {gpu: v1alpha1.GPU{Architectures: []string{"gfx942"}}, nodes: []corev1.Node{node("8", mi300)}, fits: true},
		"another architecture": {gpu: v1alpha1.GPU{Architectures: []string{"gfx950", "gfx90a"}}, nodes: []corev1.Node{node("8", mi300)}, says: "gpu.architectures gfx950 or gfx90a: of the 1 that meet the rest, the labels say gfx942"},
		"older label prefix":   {gpu: v1alpha1.GPU{Architectures: []string{"gfx942"}}, nodes: []corev1.Node{node("8", map[string]string{"beta.amd.com/gpu.device-id": "74a1"})}, fits: true},
		"mixed node":           {gpu: v1alpha1.GPU{Architectures: []string{"gfx90a"}}, nodes: []corev1.Node{mixedNode}, fits: true},
		"no labels":            {gpu: v1alpha1.GPU{Architectures: []string{"gfx942"}}, nodes: []corev1.Node{node("8", nil)}, says: "is the AMD node labeller installed?"},
		"memory":               {gpu: v1alpha1.GPU{MemoryLimit: ptr.To(resource.MustParse("192Gi"))}, nodes: []corev1.Node{node("8", mi300)}, fits: true},
		"more memory":          {gpu: v1alpha1.GPU{MemoryLimit: ptr.To(resource.MustParse("193Gi"))}, nodes: []corev1.Node{node("8", mi300)}, says: "gpu.memoryLimit 193Gi"},
		"compute units":        {gpu: v1alpha1.GPU{MinComputeUnits: ptr.To(int32(305))}, nodes: []corev1.Node{node("8", mi300)}, says: "gpu.minComputeUnits 305: of the 1 that meet the rest, the labels say 304"},
		"driver":               {gpu: v1alpha1.GPU{MinDriverVersion: "6.9.12"}, nodes: []corev1.Node{node("8", mi300)}, fits: true},
		"newer driver":         {gpu: v1alpha1.GPU{MinDriverVersion: "6.10.6"}, nodes: []corev1.Node{node("8", mi300)}, says: "gpu.minDriverVersion 6.10.6"},
	} {
		t.Run(name, func(t *testing.T) {
			fits, says := Explain(&tc.gpu, tc.nodes)
			if fits != tc.fits || !strings.Contains(says, tc.says) {
				t.Fatalf("%v: %q, want %v: %q", fits, says, tc.fits, tc.says)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	if p := Compile(nil, nil); p.Affinity(nil) != nil || len(p.Resources()) > 0 || len(p.Tolerations) > 0 {
		t.Errorf("no GPU was asked for: %+v", p)
	}
	if p := Compile(&v1alpha1.GPU{Policy: v1alpha1.GPUDisabled}, nil); len(p.Resources()) > 0 {
		t.Errorf("the policy is Disabled: %+v", p)
	}
	p := Compile(&v1alpha1.GPU{Count: ptr.To(int32(2)), ResourceName: "amd.com/cpx_nps4"}, nil)
	if q := p.Resources()["amd.com/cpx_nps4"]; q.Value() != 2 || p.Affinity(nil) != nil {
		t.Errorf("resources %v, affinity %v", p.Resources(), p.Affinity(nil))
	}
}

// TestAffinityKeepsTheUsersTerms: a node must meet one of theirs and one of ours.
func TestAffinityKeepsTheUsersTerms(t *testing.T) {
	zone := func(z string) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "zone", Operator: corev1.NodeSelectorOpIn, Values: []string{z}}}}
	}
	base := &corev1.Affinity{
		PodAntiAffinity: &corev1.PodAntiAffinity{},
		NodeAffinity:    &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{zone("a"), zone("b")}}},
	}
	before := base.DeepCopy()
	got := Compile(&v1alpha1.GPU{Architectures: []string{"gfx942"}}, nil).Affinity(base)
	if got.PodAntiAffinity == nil {
		t.Error("the user's other affinity is lost")
	}
	for _, zone := range []string{"a", "b", "c"} {
		for _, id := range []string{"74a1", "7408"} {
			n := node("1", map[string]string{"zone": zone, "amd.com/gpu.device-id": id})
			if want := zone != "c" && id == "74a1"; matches(got, &n) != want {
				t.Errorf("zone %s, device %s: matches is %v", zone, id, !want)
			}
		}
	}
	if len(base.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions) != len(before.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions) {
		t.Error("the spec's own affinity was changed")
	}
}

// TestAffinityAgreesWithExplain: over random nodes and requirements, the scheduler may
// take exactly the nodes that Explain counts as fitting (one device kind per node).
func TestAffinityAgreesWithExplain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	for range 2000 {
		prefix := pick(prefixes...)
		labels := map[string]string{}
		for label, value := range map[string]string{
			"device-id": pick("74a1", "7408", "75a0", "ffff"), "vram": pick("64G", "128G", "192G", "288G"),
			"cu-count": pick("110", "228", "304"), "driver-version": pick("6.8.5", "6.10.5", "6.10.12"),
		} {
			if random.IntN(8) > 0 {
				labels[prefix+label] = value
			}
		}
		var gpu v1alpha1.GPU
		if random.IntN(2) == 0 {
			gpu.Architectures = []string{pick("gfx942", "gfx90a"), pick("gfx942", "gfx950")}
		}
		if random.IntN(2) == 0 {
			gpu.MemoryLimit = ptr.To(resource.MustParse(pick("32Gi", "100Gi", "192Gi", "300Gi")))
		}
		if random.IntN(2) == 0 {
			gpu.MinComputeUnits = ptr.To(int32(100 + random.IntN(250)))
		}
		if random.IntN(2) == 0 {
			gpu.MinDriverVersion = pick("6.8", "6.10.5", "6.10.6")
		}
		n := node("1", labels)
		fits, why := Explain(&gpu, []corev1.Node{n})
		affinity := Compile(&gpu, []corev1.Node{n}).Affinity(nil)
		if got := affinity == nil || matches(affinity, &n); got != fits {
			t.Fatalf("the affinity matches: %v, Explain: %v (%s)\nlabels %v\ngpu %+v", got, fits, why, labels, gpu)
		}
	}
}

// TestMixedNodeIsMatched covers the labels key.value=count of nodes with several kinds.
func TestMixedNodeIsMatched(t *testing.T) {
	n := node("2", map[string]string{"amd.com/gpu.device-id.74a1": "1", "amd.com/gpu.device-id.7408": "1", "amd.com/gpu.vram.192G": "1", "amd.com/gpu.vram.64G": "1", "amd.com/gpu.driver-version": "6.10.5"})
	gpu := &v1alpha1.GPU{Architectures: []string{"gfx942"}, MemoryLimit: ptr.To(resource.MustParse("128Gi")), MinDriverVersion: "6.10"}
	if !matches(Compile(gpu, []corev1.Node{n}).Affinity(nil), &n) {
		t.Error("the mixed node is not matched")
	}
	gpu.Architectures = []string{"gfx950"}
	if matches(Compile(gpu, []corev1.Node{n}).Affinity(nil), &n) {
		t.Error("a node without the architecture is matched")
	}
}

// matches reads required node affinity as the scheduler does, for the operators used here.
func matches(a *corev1.Affinity, n *corev1.Node) bool {
	return slices.ContainsFunc(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(term corev1.NodeSelectorTerm) bool {
		for _, r := range term.MatchExpressions {
			value, ok := n.Labels[r.Key]
			switch r.Operator {
			case corev1.NodeSelectorOpIn:
				ok = ok && slices.Contains(r.Values, value)
			case corev1.NodeSelectorOpGt:
				have, err := strconv.Atoi(value)
				least, _ := strconv.Atoi(r.Values[0])
				ok = ok && err == nil && have > least
			case corev1.NodeSelectorOpExists:
			default:
				panic("operator " + r.Operator)
			}
			if !ok {
				return false
			}
		}
		return true
	})
}
