package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// IcebergTableStatus is what was seen of a table.
type IcebergTableStatus struct {
	SharedStatus `json:",inline"`

	// Phase of the table: of the run that goes on, else Ready, Failed or Suspended.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`

	TableFacts `json:",inline"`

	// Revision is the hash of what the table should be; a new one starts a run that changes the table.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Revision string `json:"revision,omitempty"`

	// RunAt echoes the annotation datastack.amdgpu.dev/run-at that started a run last.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RunAt string `json:"runAt,omitempty"`

	// LastRun is the newest run that created, changed or inspected the table.
	// +optional
	LastRun *Run `json:"lastRun,omitempty"`

	// LastRefresh is when the table was last looked at.
	// +optional
	LastRefresh *metav1.Time `json:"lastRefresh,omitempty"`

	// Maintenance actions, and what they did.
	// +kubebuilder:validation:MaxItems=8
	// +listType=map
	// +listMapKey=action
	// +optional
	Maintenance []MaintenanceStatus `json:"maintenance,omitempty"`

	// Workers report here, and write nothing else.
	// +kubebuilder:validation:MaxItems=260
	// +listType=map
	// +listMapKey=shard
	// +optional
	Workers []WorkerStatus `json:"workers,omitempty"`
}

// TableFacts are what a table's metadata says.
type TableFacts struct {
	// Location under which the table's files lie.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Location string `json:"location,omitempty"`

	// TableUUID of the table. Another table under the same name has another one.
	// +kubebuilder:validation:MaxLength=36
	// +optional
	TableUUID string `json:"tableUUID,omitempty"`

	// FormatVersion of the table's metadata: 1, 2 or 3.
	// +kubebuilder:validation:Minimum=0
	// +optional
	FormatVersion int32 `json:"formatVersion,omitempty"`

	// SchemaID of the current schema.
	// +kubebuilder:validation:Minimum=0
	// +optional
	SchemaID *int32 `json:"schemaID,omitempty"`

	// SpecID of the current partitioning.
	// +kubebuilder:validation:Minimum=0
	// +optional
	SpecID *int32 `json:"specID,omitempty"`

	// CurrentSnapshot of the branch main; not set while the table is empty.
	// +optional
	CurrentSnapshot *SnapshotInfo `json:"currentSnapshot,omitempty"`

	// Rows in the current snapshot.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Rows *int64 `json:"rows,omitempty"`

	// DataFiles in the current snapshot.
	// +kubebuilder:validation:Minimum=0
	// +optional
	DataFiles *int64 `json:"dataFiles,omitempty"`

	// DeleteFiles in the current snapshot; reading gets slower with each.
	// +kubebuilder:validation:Minimum=0
	// +optional
	DeleteFiles *int64 `json:"deleteFiles,omitempty"`

	// Bytes of the current snapshot's files, as stored.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Bytes *int64 `json:"bytes,omitempty"`
}

// SnapshotInfo is one snapshot of a table.
type SnapshotInfo struct {
	// ID of the snapshot, a decimal number.
	// +kubebuilder:validation:MaxLength=20
	// +optional
	ID string `json:"id,omitempty"`

	// At is when it was committed.
	// +optional
	At *metav1.Time `json:"at,omitempty"`

	// Operation that made it: append, overwrite, delete or replace.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Operation string `json:"operation,omitempty"`
}

// IcebergTable is a table in Apache Iceberg format: its schema, layout and maintenance.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=icebergtables,shortName=ibt,categories=datastack
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Table",type=string,JSONPath=`.spec.identifier.name`
// +kubebuilder:printcolumn:name="Rows",type=integer,JSONPath=`.status.rows`
// +kubebuilder:printcolumn:name="Files",type=integer,JSONPath=`.status.dataFiles`
// +kubebuilder:printcolumn:name="Last commit",type=date,JSONPath=`.status.currentSnapshot.at`
// +kubebuilder:printcolumn:name="Location",type=string,JSONPath=`.status.location`,priority=1
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name must be at most 40 characters: lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"
type IcebergTable struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is at most 40 characters, as it begins the names of children.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is how the table should be.
	// +required
	Spec IcebergTableSpec `json:"spec"`

	// Status is what was seen of it.
	// +optional
	Status IcebergTableStatus `json:"status,omitempty"`
}

// IcebergTableList is a list of tables.
// +kubebuilder:object:root=true
type IcebergTableList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items of the list.
	Items []IcebergTable `json:"items"`
}
