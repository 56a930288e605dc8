// Package v1alpha1 is the datastack.amdgpu.dev/v1alpha1 API: five kinds that describe an AMD-GPU data platform.
// Defaults are not part of the schema: they live in code, and each field's comment names its default.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=datastack.amdgpu.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// GroupVersion is the group and version of every kind in this package.
	GroupVersion = schema.GroupVersion{Group: "datastack.amdgpu.dev", Version: "v1alpha1"}
	// SchemeGroupVersion is GroupVersion under the name that generated code looks for.
	SchemeGroupVersion = GroupVersion
	// SchemeBuilder collects what AddToScheme adds.
	SchemeBuilder = runtime.NewSchemeBuilder(addKnownTypes)
	// AddToScheme makes a scheme know the five kinds and their lists.
	AddToScheme = SchemeBuilder.AddToScheme
)

// Resource qualifies a resource name (plural, lower case) with this API's group.
func Resource(resource string) schema.GroupResource {
	return GroupVersion.WithResource(resource).GroupResource()
}

func addKnownTypes(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&DatabendCluster{}, &DatabendClusterList{},
		&ETLPipeline{}, &ETLPipelineList{},
		&IcebergTable{}, &IcebergTableList{},
		&LineageLedger{}, &LineageLedgerList{},
		&ReverseETLSync{}, &ReverseETLSyncList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
