// Package conditions sets the three conditions that kstatus, Flux, helm --wait and
// kubectl wait read: Ready always, Reconciling and Stalled only while they are true.
package conditions

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Verdict is the state of an object in the words of the three conditions.
type Verdict struct {
	Ready  metav1.ConditionStatus
	Reason string
	// Message is for a person; it is cut to 512 bytes.
	Message string
	// Reconciling: work is under way or awaited. Stalled: nothing happens until a person acts.
	Reconciling, Stalled bool
}

// Apply writes the verdict for one generation into list.
func (v Verdict) Apply(list *[]metav1.Condition, generation int64) {
	Set(list, generation, v1alpha1.ConditionReady, v.Ready, v.Reason, v.Message)
	while(list, generation, v1alpha1.ConditionReconciling, v.Reconciling, v)
	while(list, generation, v1alpha1.ConditionStalled, v.Stalled, v)
}

func while(list *[]metav1.Condition, generation int64, kind string, holds bool, v Verdict) {
	if !holds {
		meta.RemoveStatusCondition(list, kind)
		return
	}
	Set(list, generation, kind, metav1.ConditionTrue, v.Reason, v.Message)
}

// Set writes one condition; its transition time moves only when the status does.
func Set(list *[]metav1.Condition, generation int64, kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(list, metav1.Condition{
		Type: kind, Status: status, ObservedGeneration: generation,
		Reason: reason, Message: runspec.Truncate(message),
	})
}

// ReadyNow says whether list holds Ready=True for this generation, and what it says.
func ReadyNow(list []metav1.Condition, generation int64) (bool, string) {
	ready := meta.FindStatusCondition(list, v1alpha1.ConditionReady)
	switch {
	case ready == nil:
		return false, "it has no Ready condition yet"
	case ready.Status != metav1.ConditionTrue:
		return false, ready.Reason + ": " + ready.Message
	case ready.ObservedGeneration != generation:
		return false, "its newest spec is not worked on yet"
	}
	return true, ready.Message
}
