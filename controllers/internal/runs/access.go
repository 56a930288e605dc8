package runs

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func (o Order) owner() *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().
		WithAPIVersion(o.Owner.APIVersion).WithKind(o.Owner.Kind).
		WithName(o.Owner.Name).WithUID(o.Owner.UID).
		WithController(true).WithBlockOwnerDeletion(true)
}

func (o Order) serviceAccount() *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(o.AccountName(), o.Spec.Object.Namespace).
		WithLabels(o.objectLabels()).WithOwnerReferences(o.owner()).
		WithAutomountServiceAccountToken(false)
}

// role lets the pods read their own object (a commit checks that its attempt is
// still the newest) and patch its status. An admission policy narrows the patch to
// status.workers.
func (o Order) role() *rbacv1ac.RoleApplyConfiguration {
	rule := func(resource, verb string) *rbacv1ac.PolicyRuleApplyConfiguration {
		return rbacv1ac.PolicyRule().WithAPIGroups(v1alpha1.GroupVersion.Group).
			WithResources(resource).WithResourceNames(o.Spec.Object.Name).WithVerbs(verb)
	}
	return rbacv1ac.Role(o.AccountName(), o.Spec.Object.Namespace).
		WithLabels(o.objectLabels()).WithOwnerReferences(o.owner()).
		WithRules(rule(o.Resource, "get"), rule(o.Resource+"/status", "patch"))
}

func (o Order) roleBinding() *rbacv1ac.RoleBindingApplyConfiguration {
	return rbacv1ac.RoleBinding(o.AccountName(), o.Spec.Object.Namespace).
		WithLabels(o.objectLabels()).WithOwnerReferences(o.owner()).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("Role").WithName(o.AccountName())).
		WithSubjects(rbacv1ac.Subject().WithKind(rbacv1.ServiceAccountKind).
			WithName(o.AccountName()).WithNamespace(o.Spec.Object.Namespace))
}
