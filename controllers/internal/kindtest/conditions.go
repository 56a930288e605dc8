package kindtest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// Condition compares a condition with what is wanted: "" when type, status and
// reason agree.
func Condition(list []metav1.Condition, kind string, status metav1.ConditionStatus, reason string) string {
	c := meta.FindStatusCondition(list, kind)
	switch {
	case c == nil:
		return fmt.Sprintf("no condition %s in %v", kind, list)
	case c.Status != status || c.Reason != reason:
		return fmt.Sprintf("%s is %s/%s (%s), want %s/%s", kind, c.Status, c.Reason, c.Message, status, reason)
	}
	return ""
}

// Invariants are what must hold of the conditions at any time: Ready is there, the
// abnormal ones only while true, never both, and all of this generation.
func Invariants(list []metav1.Condition, generation int64) string {
	if meta.FindStatusCondition(list, v1alpha1.ConditionReady) == nil {
		return "there is no Ready condition"
	}
	reconciling := meta.FindStatusCondition(list, v1alpha1.ConditionReconciling)
	stalled := meta.FindStatusCondition(list, v1alpha1.ConditionStalled)
	for _, c := range []*metav1.Condition{reconciling, stalled} {
		if c != nil && c.Status != metav1.ConditionTrue {
			return fmt.Sprintf("%s is %s: it must be absent while it is not true", c.Type, c.Status)
		}
	}
	if reconciling != nil && stalled != nil {
		return "Reconciling and Stalled are both true"
	}
	for _, c := range list {
		if core := c.Type == v1alpha1.ConditionReady || c.Type == v1alpha1.ConditionReconciling || c.Type == v1alpha1.ConditionStalled; core && c.ObservedGeneration != generation {
			return fmt.Sprintf("%s is of generation %d, the object of %d", c.Type, c.ObservedGeneration, generation)
		}
		if len(c.Message) > 512 {
			return fmt.Sprintf("the message of %s has %d bytes", c.Type, len(c.Message))
		}
	}
	return ""
}
