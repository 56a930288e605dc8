package conditions

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestApplyShowsAbnormalConditionsOnlyWhileTrue(t *testing.T) {
	var list []metav1.Condition
	Verdict{Ready: metav1.ConditionFalse, Reason: "Progressing", Message: strings.Repeat("ä", 600), Reconciling: true}.Apply(&list, 1)
	if len(list) != 2 || !meta.IsStatusConditionTrue(list, v1alpha1.ConditionReconciling) {
		t.Fatalf("%+v", list)
	}
	for _, c := range list {
		if len(c.Message) > 512 || c.ObservedGeneration != 1 {
			t.Errorf("%s: %d bytes, generation %d", c.Type, len(c.Message), c.ObservedGeneration)
		}
	}
	Verdict{Ready: metav1.ConditionFalse, Reason: "RunFailed", Stalled: true}.Apply(&list, 2)
	if len(list) != 2 || !meta.IsStatusConditionTrue(list, v1alpha1.ConditionStalled) {
		t.Fatalf("%+v", list)
	}
	Verdict{Ready: metav1.ConditionTrue, Reason: "Succeeded"}.Apply(&list, 3)
	if len(list) != 1 || list[0].ObservedGeneration != 3 {
		t.Fatalf("%+v", list)
	}
}

func TestReadyNow(t *testing.T) {
	ready := func(status metav1.ConditionStatus, generation int64) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: status, ObservedGeneration: generation, Reason: "Stopped", Message: "because"}}
	}
	for name, tc := range map[string]struct {
		list []metav1.Condition
		want bool
		says string
	}{
		"no condition":       {says: "no Ready condition"},
		"not ready":          {list: ready(metav1.ConditionFalse, 2), says: "Stopped: because"},
		"of an older spec":   {list: ready(metav1.ConditionTrue, 1), says: "newest spec"},
		"ready":              {list: ready(metav1.ConditionTrue, 2), want: true, says: "because"},
		"unknown is not yes": {list: ready(metav1.ConditionUnknown, 2), says: "Stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			got, says := ReadyNow(tc.list, 2)
			if got != tc.want || !strings.Contains(says, tc.says) {
				t.Fatalf("%v, %q", got, says)
			}
		})
	}
}
