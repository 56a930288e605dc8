package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DatabendClusterStatus is what was seen of a cluster.
type DatabendClusterStatus struct {
	SharedStatus `json:",inline"`

	// Phase of the cluster: Pending, Running, Updating, Failed or Suspended.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`

	// Tenant that the data is kept under.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Tenant string `json:"tenant,omitempty"`

	// Meta service, as it answers.
	// +optional
	Meta *DatabendMetaStatus `json:"meta,omitempty"`

	// Query service, as it answers.
	// +optional
	Query *DatabendQueryStatus `json:"query,omitempty"`

	// Warehouses, as they answer.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Warehouses []DatabendWarehouseStatus `json:"warehouses,omitempty"`

	// Endpoints inside the cluster.
	// +optional
	Endpoints *DatabendEndpoints `json:"endpoints,omitempty"`

	// GPUWorkers of the gateway.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=pod
	// +optional
	GPUWorkers []GPUWorkerStatus `json:"gpuWorkers,omitempty"`

	// Queries that were answered, by engine.
	// +optional
	Queries *QueryCounts `json:"queries,omitempty"`

	// LastBackup that succeeded.
	// +optional
	LastBackup *metav1.Time `json:"lastBackup,omitempty"`

	// NextBackup by the schedule.
	// +optional
	NextBackup *metav1.Time `json:"nextBackup,omitempty"`
}

// DatabendMetaStatus is how the meta service does.
type DatabendMetaStatus struct {
	// Leader of the group.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	Leader string `json:"leader,omitempty"`

	// Members of the group.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +listType=set
	// +optional
	Members []string `json:"members,omitempty"`

	// Version of the service.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
}

// DatabendQueryStatus is how the query service does.
type DatabendQueryStatus struct {
	// Ready replicas.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Ready int32 `json:"ready"`

	// Replicas that the spec asks for.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Replicas int32 `json:"replicas"`

	// Version of the service.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Version string `json:"version,omitempty"`
}

// DatabendWarehouseStatus is how a warehouse does.
type DatabendWarehouseStatus struct {
	// Name of the warehouse.
	// +kubebuilder:validation:MaxLength=20
	// +required
	Name string `json:"name"`

	DatabendQueryStatus `json:",inline"`

	// Suspended is true while the warehouse is scaled to zero.
	// +optional
	Suspended bool `json:"suspended,omitempty"`
}

// DatabendEndpoints are where the cluster is reached.
type DatabendEndpoints struct {
	// HTTP query API, through the gateway when there is one.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	HTTP string `json:"http,omitempty"`

	// MySQL protocol.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	MySQL string `json:"mysql,omitempty"`

	// FlightSQL protocol.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	FlightSQL string `json:"flightSQL,omitempty"`
}

// GPUWorkerStatus is how a GPU worker of the gateway does, as of its last change; live figures are metrics.
type GPUWorkerStatus struct {
	// Pod that the worker runs in.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Pod string `json:"pod"`

	// Device that it uses: product name and PCI address.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Device string `json:"device,omitempty"`

	// GFX name of the device's architecture, such as gfx942.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	GFX string `json:"gfx,omitempty"`

	// VRAMUsed in bytes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	VRAMUsed int64 `json:"vramUsed"`

	// Utilization of the device, in percent.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Utilization int32 `json:"utilization"`

	// Queries that it answered.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Queries int64 `json:"queries"`

	// Fallbacks to the CPU engine.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Fallbacks int64 `json:"fallbacks"`
}

// QueryCounts are queries by the engine that answered them.
type QueryCounts struct {
	// Total of all engines.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Total int64 `json:"total"`

	// GPU kernels.
	// +kubebuilder:validation:Minimum=0
	// +optional
	GPU int64 `json:"gpu"`

	// Distributed: the Databend cluster.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Distributed int64 `json:"distributed"`

	// CPU engine of the gateway.
	// +kubebuilder:validation:Minimum=0
	// +optional
	CPU int64 `json:"cpu"`
}

// DatabendCluster is a Databend warehouse, with GPU workers in front where they help.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=databendclusters,shortName=dbc,categories=datastack
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.query.version`
// +kubebuilder:printcolumn:name="Query",type=integer,JSONPath=`.status.query.ready`
// +kubebuilder:printcolumn:name="Queries",type=integer,JSONPath=`.status.queries.total`
// +kubebuilder:printcolumn:name="On GPU",type=integer,JSONPath=`.status.queries.gpu`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoints.http`,priority=1
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name must be at most 40 characters: lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"
type DatabendCluster struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is at most 40 characters, as it begins the names of children.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is how the cluster should be.
	// +required
	Spec DatabendClusterSpec `json:"spec"`

	// Status is what was seen of it.
	// +optional
	Status DatabendClusterStatus `json:"status,omitempty"`
}

// DatabendClusterList is a list of clusters.
// +kubebuilder:object:root=true
type DatabendClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items of the list.
	Items []DatabendCluster `json:"items"`
}
