package runs

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// specKey is the ConfigMap key, and so the file name, of the RunSpec.
const specKey = "run.json"

// configMap pins the order of an attempt. It belongs to the custom resource, since
// the phases of an attempt are several Jobs; it goes when the run's Jobs go.
func (o Order) configMap() (*corev1.ConfigMap, error) {
	data, err := json.Marshal(o.Spec)
	if err != nil {
		return nil, fmt.Errorf("encode the RunSpec of %s: %w", o.Spec.Run, err)
	}
	if len(data) > runspec.MaxBytes {
		return nil, &RefusedError{Reason: v1alpha1.ReasonInvalidSpec, Message: fmt.Sprintf(
			"the run's order has %d bytes and the limit is %d: shorten scripts or split the pipeline", len(data), runspec.MaxBytes)}
	}
	immutable := true
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: AttemptName(o.Spec.Run, o.Spec.Attempt), Namespace: o.Spec.Object.Namespace,
			Labels: o.attemptLabels(), OwnerReferences: []metav1.OwnerReference{o.Owner},
		},
		Immutable: &immutable,
		Data:      map[string]string{specKey: string(data)},
	}, nil
}

// SpecOf reads back the order that an attempt's ConfigMap pins.
func SpecOf(cm *corev1.ConfigMap) (*runspec.RunSpec, error) {
	spec, err := runspec.Read(strings.NewReader(cm.Data[specKey]))
	if err != nil {
		return nil, fmt.Errorf("ConfigMap %s/%s, key %s: %w", cm.Namespace, cm.Name, specKey, err)
	}
	return spec, nil
}
