package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// PipelineMode says whether a pipeline ends.
// +kubebuilder:validation:Enum=Batch;Streaming
type PipelineMode string

// Pipeline modes.
const (
	// ModeBatch runs once per revision, or at the times of a schedule.
	ModeBatch PipelineMode = "Batch"
	// ModeStreaming runs all the time.
	ModeStreaming PipelineMode = "Streaming"
)

// ETLPipelineSpec says where rows come from, what is done to them, and where they go.
// +kubebuilder:validation:XValidation:rule="has(self.ledgerRef) || (has(self.lineage) && self.lineage == 'Disabled')",message="name a LineageLedger in ledgerRef, or say openly that nothing is recorded with lineage: Disabled"
// +kubebuilder:validation:XValidation:rule="!(has(self.ledgerRef) && has(self.lineage) && self.lineage == 'Disabled')",message="lineage: Disabled records nothing; remove ledgerRef, or remove lineage"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Streaming' || self.source.type == 'pulsar'",message="mode: Streaming reads a pulsar source; use mode: Batch for the others"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Batch' || self.source.type != 'pulsar'",message="a pulsar source has no end; use mode: Streaming"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Streaming' || !has(self.schedule)",message="a streaming pipeline runs all the time; remove schedule, or use mode: Batch"
// +kubebuilder:validation:XValidation:rule="self.mode == 'Streaming' || !has(self.streaming)",message="streaming is only for mode: Streaming; remove it, or use that mode"
// +kubebuilder:validation:XValidation:rule="self.mode != 'Streaming' || !has(self.timeoutSeconds)",message="a streaming pipeline has no end that could time out; remove timeoutSeconds"
// +kubebuilder:validation:XValidation:rule="!has(self.startingDeadlineSeconds) || has(self.schedule)",message="startingDeadlineSeconds counts from a tick; add schedule, or remove it"
// +kubebuilder:validation:XValidation:rule="!(has(self.schedule) && self.source.type == 'files' && (has(self.destination.icebergTable) && (!has(self.destination.icebergTable.mode) || self.destination.icebergTable.mode == 'Append') || has(self.destination.databend) && (!has(self.destination.databend.mode) || self.destination.databend.mode == 'Append') || has(self.destination.files) && (!has(self.destination.files.mode) || self.destination.files.mode == 'Append') || has(self.destination.postgres) && (!has(self.destination.postgres.mode) || self.destination.postgres.mode == 'Append') || has(self.destination.pulsar))) || !has(self.source.files) || (has(self.source.files.incremental) && self.source.files.incremental == 'ByFile') || (has(self.source.files.allowReload) && self.source.files.allowReload)",message="a scheduled append from files would load the same files at each tick: set source.files.incremental: ByFile, or source.files.allowReload: true if that is what you want"
// +kubebuilder:validation:XValidation:rule="has(self.pipelineID) == has(oldSelf.pipelineID) && (!has(self.pipelineID) || self.pipelineID == oldSelf.pipelineID)",message="pipelineID is immutable: it ties the pipeline to what it has loaded; delete and re-create the pipeline to change it"
type ETLPipelineSpec struct {
	// Mode: Batch ends when the source is read; Streaming runs all the time.
	// +required
	Mode PipelineMode `json:"mode"`

	// PipelineID goes into every run's token, so that what was loaded once is not loaded again. Default: made once and
	// kept in status. Set it to the old one to restore a pipeline whose object was lost. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="pipelineID holds lower-case letters, digits and '-', and begins and ends with a letter or digit"
	// +optional
	PipelineID string `json:"pipelineID,omitempty"`

	// Source that rows come from.
	// +required
	Source PipelineSource `json:"source"`

	// Transformations that rows go through, in this order. Default: none; rows are copied as they are.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Transformations []Transformation `json:"transformations,omitempty"`

	// Destination that rows go to.
	// +required
	Destination Destination `json:"destination"`

	// Parallelism is how many worker pods share the input. With a step that needs the whole input (aggregate, SQL or a
	// script that is not marked rowWise) the shards only extract, and one pod transforms and loads. Default: 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=256
	// +optional
	Parallelism *int32 `json:"parallelism,omitempty"`

	// Schedule of runs. Default: one run per revision of source, transformations and destination.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// StartingDeadlineSeconds after a tick within which its run may still start, when the manager was down; only the newest
	// missed tick runs. Default: 3600.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=2592000
	// +optional
	StartingDeadlineSeconds *int64 `json:"startingDeadlineSeconds,omitempty"`

	// Suspend starts no further run and stops a stream; a batch run that goes on ends first. Default: false.
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

	// Streaming settings, for mode Streaming.
	// +optional
	Streaming *StreamingSpec `json:"streaming,omitempty"`

	// LedgerRef names the LineageLedger that gets a record of each operation. Needed, unless lineage is Disabled.
	// +optional
	LedgerRef *LocalRef `json:"ledgerRef,omitempty"`

	// Lineage: Enabled, or Disabled to record nothing, which the condition LineageDisabled says openly. Default: Enabled.
	// +optional
	Lineage LineagePolicy `json:"lineage,omitempty"`
}

// StreamingSpec says how a stream is cut into commits.
type StreamingSpec struct {
	// CommitInterval between commits to the destination. Shorter ones make more and smaller files. Default: 10s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 500ms, 10s or 1m"
	// +optional
	CommitInterval *metav1.Duration `json:"commitInterval,omitempty"`

	// MaxBatch rows that are held before a commit is made early. Default: 65536.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +optional
	MaxBatch *int32 `json:"maxBatch,omitempty"`

	// LatencyTarget from receipt of a message until it can be queried; Ready is false while the 99th percentile is above
	// it. Default: no target.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 100ms or 5s"
	// +optional
	LatencyTarget *metav1.Duration `json:"latencyTarget,omitempty"`
}

// ETLPipelineStatus is what was seen of a pipeline.
type ETLPipelineStatus struct {
	SharedStatus `json:",inline"`

	// Phase of the pipeline: of the run that goes on, else of the last one, or Suspended.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`

	// PipelineID that run tokens are made with.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	PipelineID string `json:"pipelineID,omitempty"`

	// Revision is the hash of source, transformations and destination; a new one starts a run.
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

	// Workers report here, and write nothing else.
	// +kubebuilder:validation:MaxItems=260
	// +listType=map
	// +listMapKey=shard
	// +optional
	Workers []WorkerStatus `json:"workers,omitempty"`

	// Streaming figures, for mode Streaming, as of the last change of phase; live ones are metrics.
	// +optional
	Streaming *StreamingStatus `json:"streaming,omitempty"`
}

// StreamingStatus is how a stream does.
type StreamingStatus struct {
	// Lag is how many messages wait in the topic.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Lag int64 `json:"lag"`

	// P50Ms is the median time from receipt until a row can be queried, in milliseconds.
	// +kubebuilder:validation:Minimum=0
	// +optional
	P50Ms int64 `json:"p50Ms"`

	// P99Ms is its 99th percentile, in milliseconds.
	// +kubebuilder:validation:Minimum=0
	// +optional
	P99Ms int64 `json:"p99Ms"`

	// Committed rows since the stream's first start.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Committed int64 `json:"committed"`
}

// ETLPipeline moves rows from a source through transformations to a destination, in batches or as a stream.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=etlpipelines,shortName=etl,categories=datastack
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Rows",type=integer,JSONPath=`.status.lastRun.rowsWritten`
// +kubebuilder:printcolumn:name="Rejected",type=integer,JSONPath=`.status.lastRun.rowsRejected`,priority=1
// +kubebuilder:printcolumn:name="Last run",type=date,JSONPath=`.status.lastRun.startTime`
// +kubebuilder:printcolumn:name="Next run",type=string,JSONPath=`.status.nextRun`,priority=1
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name must be at most 40 characters: lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"
type ETLPipeline struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is at most 40 characters, as it begins the names of children.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what the pipeline should do.
	// +required
	Spec ETLPipelineSpec `json:"spec"`

	// Status is what was seen of it.
	// +optional
	Status ETLPipelineStatus `json:"status,omitempty"`
}

// ETLPipelineList is a list of pipelines.
// +kubebuilder:object:root=true
type ETLPipelineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items of the list.
	Items []ETLPipeline `json:"items"`
}
