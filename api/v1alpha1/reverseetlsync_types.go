package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReverseETLSyncSpec says which rows of the warehouse go to which systems, and how.
// +kubebuilder:validation:XValidation:rule="has(self.ledgerRef) || (has(self.lineage) && self.lineage == 'Disabled')",message="name a LineageLedger in ledgerRef, or say openly that nothing is recorded with lineage: Disabled"
// +kubebuilder:validation:XValidation:rule="!(has(self.ledgerRef) && has(self.lineage) && self.lineage == 'Disabled')",message="lineage: Disabled records nothing; remove ledgerRef, or remove lineage"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Append' || (has(self.primaryKey) && self.primaryKey.size() > 0)",message="mode Upsert and Mirror compare rows by primaryKey; name its columns, or use mode: Append"
// +kubebuilder:validation:XValidation:rule="!(has(self.schedule) && has(self.after))",message="set either schedule or after, not both"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Mirror' || !has(self.guards) || !has(self.guards.maxDeletePercent)",message="only mode: Mirror deletes; remove guards.maxDeletePercent, or use that mode"
// +kubebuilder:validation:XValidation:rule="!has(self.startingDeadlineSeconds) || has(self.schedule)",message="startingDeadlineSeconds counts from a tick; add schedule, or remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.primaryKey) || !has(oldSelf.primaryKey) || self.primaryKey == oldSelf.primaryKey",message="primaryKey is immutable: what was sent before is compared by it; create another ReverseETLSync"
type ReverseETLSyncSpec struct {
	// Source that rows come from.
	// +required
	Source SyncSource `json:"source"`

	// PrimaryKey columns that name a row. A key that is NULL or not unique fails the run before anything is sent. Needed
	// for Upsert and Mirror. Immutable.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +optional
	PrimaryKey []string `json:"primaryKey,omitempty"`

	// Mode: Upsert sends new and changed rows; Mirror also deletes those that left the source; Append sends new rows only.
	// +required
	Mode SyncMode `json:"mode"`

	// Destinations, each with a position of its own: one that fails holds up no other.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +required
	Destinations []SyncDestination `json:"destinations"`

	// Mapping of columns to fields of the destinations. Default: each column under its own name.
	// +kubebuilder:validation:MaxItems=256
	// +listType=atomic
	// +kubebuilder:validation:XValidation:rule="self.all(m, self.exists_one(o, o.to == m.to))",message="mapping fills a field twice; give each to only once"
	// +optional
	Mapping []FieldMapping `json:"mapping,omitempty"`

	// Transformations that rows go through before they are compared with what was sent. Default: none.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Transformations []Transformation `json:"transformations,omitempty"`

	// Guards stop a run before it does harm. Default: maxDeletePercent 10, maxRejectPercent 10.
	// +optional
	Guards *SyncGuards `json:"guards,omitempty"`

	// DryRun makes the plan and samples of the requests, and sends nothing. Default: false.
	// +optional
	DryRun *bool `json:"dryRun,omitempty"`

	// Schedule of runs. Default: one run per revision.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// StartingDeadlineSeconds after a tick within which its run may still start, when the manager was down; only the newest
	// missed tick runs. Default: 3600.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	StartingDeadlineSeconds *int64 `json:"startingDeadlineSeconds,omitempty"`

	// After starts a run when a run of a pipeline succeeded.
	// +optional
	After *SyncAfter `json:"after,omitempty"`

	// Suspend starts no further run; one that goes on ends first. Default: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// GPU that the workers need. Default: none, unless a step is of type gpu; then policy Preferred.
	// +optional
	GPU *GPU `json:"gpu,omitempty"`

	// Worker says how worker pods look. Default: the manager's image and resources.
	// +optional
	Worker *Worker `json:"worker,omitempty"`

	// BackoffLimit is how often a failed run is tried again; bad input or configuration is never tried again. Default: 3.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	BackoffLimit *int32 `json:"backoffLimit,omitempty"`

	// TimeoutSeconds after which a run, all its attempts together, fails. Default: 86400 (a day).
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	TimeoutSeconds *int64 `json:"timeoutSeconds,omitempty"`

	// RunHistoryLimit is how many finished runs are kept, in status and as Jobs with their logs. Default: 5.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	RunHistoryLimit *int32 `json:"runHistoryLimit,omitempty"`

	// LedgerRef names the LineageLedger that gets a record of each operation. Needed, unless lineage is Disabled.
	// +optional
	LedgerRef *LocalRef `json:"ledgerRef,omitempty"`

	// Lineage: Enabled, or Disabled to record nothing, which the condition LineageDisabled says openly. Default: Enabled.
	// +optional
	Lineage LineagePolicy `json:"lineage,omitempty"`
}

// SyncMode says which changes of the source are sent.
// +kubebuilder:validation:Enum=Upsert;Mirror;Append
type SyncMode string

// Sync modes.
const (
	SyncUpsert SyncMode = "Upsert"
	SyncMirror SyncMode = "Mirror"
	SyncAppend SyncMode = "Append"
)

// SyncSource is where the rows of a sync come from.
// +kubebuilder:validation:XValidation:rule="has(self.databendClusterRef) != has(self.icebergTableRef)",message="set either databendClusterRef or icebergTableRef"
// +kubebuilder:validation:XValidation:rule="!has(self.databendClusterRef) || has(self.query)",message="a Databend source needs query; write one, such as SELECT * FROM database.table"
type SyncSource struct {
	// DatabendClusterRef names the DatabendCluster that runs query.
	// +optional
	DatabendClusterRef *LocalRef `json:"databendClusterRef,omitempty"`

	// IcebergTableRef names the IcebergTable; query then reads it under the name input.
	// +optional
	IcebergTableRef *LocalRef `json:"icebergTableRef,omitempty"`

	// Query that gives the rows. Default, for a table: all its rows.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	Query string `json:"query,omitempty"`
}

// FieldMapping fills one field of a destination.
// +kubebuilder:validation:XValidation:rule="has(self.from) != has(self.expression)",message="set either from (a column) or expression (CEL over row)"
type FieldMapping struct {
	// To is the field's name in the destination; parent.child makes nested JSON.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	To string `json:"to"`

	// From is the column.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	From string `json:"from,omitempty"`

	// Expression in CEL over row, such as string(row.minutes). One that does not compile stops the sync (Stalled); one
	// that fails for a row rejects the row.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Expression string `json:"expression,omitempty"`
}

// SyncGuards stop a run before it does harm.
type SyncGuards struct {
	// MaxDeletePercent of the rows sent before that a run may delete, in percent. More trips the guard (GuardTripped), and
	// nothing is sent until a person starts a run with the run-at annotation. Default: 10.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxDeletePercent *int32 `json:"maxDeletePercent,omitempty"`

	// MaxRejectPercent of a run's rows that a destination may reject, in percent. More stops the run. Default: 10.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	MaxRejectPercent *int32 `json:"maxRejectPercent,omitempty"`
}

// SyncAfter starts a run after another object's.
type SyncAfter struct {
	// PipelineRef names the ETLPipeline.
	// +required
	PipelineRef LocalRef `json:"pipelineRef"`
}

// ReverseETLSyncStatus is what was seen of a sync.
type ReverseETLSyncStatus struct {
	SharedStatus `json:",inline"`

	// Phase of the sync: of the run that goes on, else of the last one, or Suspended.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`

	// Revision is the hash of source, mapping, transformations and destinations; a new one starts a run.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Revision string `json:"revision,omitempty"`

	// RunAt echoes the annotation datastack.amdgpu.dev/run-at that started a run last.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RunAt string `json:"runAt,omitempty"`

	// LastScheduleTime is the newest tick that was dealt with.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty"`

	// NextRun is the next tick.
	// +optional
	NextRun *metav1.Time `json:"nextRun,omitempty"`

	// LastRun is the newest run, with its receipts.
	// +optional
	LastRun *Run `json:"lastRun,omitempty"`

	// Runs that are over, the newest first.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	Runs []RunSummary `json:"runs,omitempty"`

	// Destinations, and what the last run sent to each.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Destinations []SyncDestinationStatus `json:"destinations,omitempty"`

	// Workers report here, and write nothing else.
	// +kubebuilder:validation:MaxItems=260
	// +listType=map
	// +listMapKey=shard
	// +optional
	Workers []WorkerStatus `json:"workers,omitempty"`
}

// SyncDestinationStatus is what the last run sent to a destination.
type SyncDestinationStatus struct {
	// Name of the destination.
	// +kubebuilder:validation:MaxLength=63
	// +required
	Name string `json:"name"`

	// Inserted rows.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Inserted int64 `json:"inserted"`

	// Updated rows.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Updated int64 `json:"updated"`

	// Deleted rows.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Deleted int64 `json:"deleted"`

	// Rejected rows; they are tried again in the next run.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Rejected int64 `json:"rejected"`

	// Retried requests.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Retried int64 `json:"retried"`

	// Cursor up to which the destination has everything: the snapshot or run that was sent last.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Cursor string `json:"cursor,omitempty"`

	// Message says why rows were rejected, for the first of them.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Message string `json:"message,omitempty"`
}

// ReverseETLSync keeps other systems up to date with rows of the warehouse.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=reverseetlsyncs,shortName=retl,categories=datastack
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Sent",type=integer,JSONPath=`.status.lastRun.rowsWritten`
// +kubebuilder:printcolumn:name="Rejected",type=integer,JSONPath=`.status.lastRun.rowsRejected`
// +kubebuilder:printcolumn:name="Last run",type=date,JSONPath=`.status.lastRun.startTime`
// +kubebuilder:printcolumn:name="Next run",type=string,JSONPath=`.status.nextRun`,priority=1
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name must be at most 40 characters: lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"
type ReverseETLSync struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is at most 40 characters, as it begins the names of children.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the sync should do.
	// +required
	Spec ReverseETLSyncSpec `json:"spec"`

	// Status is what was seen of it.
	// +optional
	Status ReverseETLSyncStatus `json:"status,omitempty"`
}

// ReverseETLSyncList is a list of syncs.
// +kubebuilder:object:root=true
type ReverseETLSyncList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items of the list.
	Items []ReverseETLSync `json:"items"`
}
