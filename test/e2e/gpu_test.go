package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestRequiredGPUThatNoNodeHas(t *testing.T) {
	t.Parallel()
	store.putRows(t, "gpu/a.csv", 1, 10)
	mustApply(t, table("gpu-required")+"---"+pipeline("gpu-required", "gpu/*.csv", "gpu-required", "  gpu: {policy: Required, architectures: [gfx950]}\n"))
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		p, err := getPipeline(ctx, "gpu-required")
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionGPUAvailable)
		if c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "amd.com/gpu") {
			return fmt.Errorf("GPUAvailable does not name what no node has: %+v", p.Status.Conditions)
		}
		if meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("Ready without its GPU")
		}
		return nil
	})
	wantRows(t, "gpu-required", 0, 1)
}

func TestPreferredGPUFallsBackAndSaysSo(t *testing.T) {
	t.Parallel()
	store.putRows(t, "gpu/a.csv", 1, 10)
	mustApply(t, table("gpu-preferred")+"---"+pipeline("gpu-preferred", "gpu/*.csv", "gpu-preferred", "  gpu: {policy: Preferred, architectures: [gfx950], preferredWait: 3s}\n"))
	p := waitReady(t, "gpu-preferred")
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionGPUAvailable)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != v1alpha1.ReasonFallbackToCPU {
		t.Errorf("GPUAvailable: %+v; want False, %s", c, v1alpha1.ReasonFallbackToCPU)
	}
	wantRows(t, "gpu-preferred", 10, 1)
}
