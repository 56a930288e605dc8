package placement

import (
	"reflect"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// maxTerms bounds the alternatives in a pod's affinity.
const maxTerms = 64

// terms are the node selector terms for the requirements: one per label prefix for
// nodes whose devices are alike, and one per kind of mixed node that fits.
func terms(gpu *v1alpha1.GPU, nodes []corev1.Node) []corev1.NodeSelectorTerm {
	requirements := requirementsOf(gpu)
	if len(requirements) == 0 {
		return nil
	}
	var list []corev1.NodeSelectorTerm
	for _, prefix := range prefixes {
		list = append(list, alike(prefix, requirements, nodes))
	}
	for i := range nodes {
		term, ok := mixed(&nodes[i], requirements)
		known := slices.ContainsFunc(list, func(t corev1.NodeSelectorTerm) bool { return reflect.DeepEqual(t, term) })
		if ok && !known && len(list) < maxTerms {
			list = append(list, term)
		}
	}
	return list
}

func alike(prefix string, requirements []requirement, nodes []corev1.Node) corev1.NodeSelectorTerm {
	var term corev1.NodeSelectorTerm
	for _, r := range requirements {
		expression := corev1.NodeSelectorRequirement{Key: prefix + r.label}
		if least, err := strconv.Atoi(r.want); err == nil && r.label == "cu-count" {
			expression.Operator, expression.Values = corev1.NodeSelectorOpGt, []string{strconv.Itoa(least - 1)}
		} else {
			expression.Operator, expression.Values = corev1.NodeSelectorOpIn, r.valuesThatMeet(nodes)
		}
		term.MatchExpressions = append(term.MatchExpressions, expression)
	}
	return term
}

// valuesThatMeet are the known values and those that the nodes show.
func (r requirement) valuesThatMeet(nodes []corev1.Node) []string {
	values := slices.Clone(r.values)
	for i := range nodes {
		for _, v := range valuesOn(&nodes[i], r.label) {
			if r.meets(v) {
				values = append(values, v)
			}
		}
	}
	if len(values) == 0 {
		// No known device: a value that no node carries keeps the pod pending.
		values = []string{"none"}
	}
	slices.Sort(values)
	return slices.Compact(values)
}

// mixed is the term of a node whose devices differ (labels key.value=count). It can
// only say that each value is there; the worker checks the device that it gets.
func mixed(node *corev1.Node, requirements []requirement) (corev1.NodeSelectorTerm, bool) {
	var term corev1.NodeSelectorTerm
	several := false
	for _, r := range requirements {
		key := keyThatMeets(node, r)
		if key == "" {
			return term, false
		}
		if slices.Contains(prefixes, key[:len(key)-min(len(key), len(r.label))]) {
			value := node.Labels[key]
			term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{
				Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}})
			continue
		}
		several = true
		term.MatchExpressions = append(term.MatchExpressions, corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpExists})
	}
	return term, several
}

// keyThatMeets is the label key of the node, in either form, whose value meets r.
func keyThatMeets(node *corev1.Node, r requirement) string {
	for _, prefix := range prefixes {
		if v, ok := node.Labels[prefix+r.label]; ok && r.meets(v) {
			return prefix + r.label
		}
		for _, v := range valuesOn(node, r.label) {
			key := prefix + r.label + "." + v
			if _, ok := node.Labels[key]; ok && r.meets(v) {
				return key
			}
		}
	}
	return ""
}
