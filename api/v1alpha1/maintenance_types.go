package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TableWrite says how a table's files are written.
type TableWrite struct {
	// Format of the files: Parquet. Default: Parquet.
	// +kubebuilder:validation:XValidation:rule="self == 'Parquet'",message="files are written as Parquet; remove format, or set Parquet"
	// +optional
	Format FileFormat `json:"format,omitempty"`

	// Compression of the pages: Zstd, Snappy, LZ4 (not read by every engine) or None. Default: Zstd.
	// +optional
	Compression ParquetCompression `json:"compression,omitempty"`

	// TargetFileSize of data files, in bytes as a quantity, from 1Mi to 4Gi. Default: 256Mi.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('1Mi')) >= 0 && quantity(string(self)).compareTo(quantity('4Gi')) <= 0",message="targetFileSize must be from 1Mi to 4Gi"
	// +optional
	TargetFileSize *resource.Quantity `json:"targetFileSize,omitempty"`

	// GPUOptimize lays row groups and pages out so that GPU kernels decode them fast, and lets maintenance use a GPU. Default: false.
	// +optional
	GPUOptimize *bool `json:"gpuOptimize,omitempty"`

	// AutoCompact starts a compaction after a commit that leaves more small files than maintenance.compaction allows. Default: false.
	// +optional
	AutoCompact *bool `json:"autoCompact,omitempty"`

	// PartitionOptimization proposes, in an event, another partitioning when files per partition are far from the target
	// size; the table is not changed. Default: false.
	// +optional
	PartitionOptimization *bool `json:"partitionOptimization,omitempty"`
}

// Maintenance says what is done to keep a table fast and small. An action without schedule runs with the one of
// compaction, or daily at 03:00 UTC.
type Maintenance struct {
	// Compaction rewrites small files into large ones, with the rows unchanged. Default: not done.
	// +optional
	Compaction *Compaction `json:"compaction,omitempty"`

	// ExpireSnapshots removes old snapshots, and the files that only they use. Default: not done.
	// +optional
	ExpireSnapshots *ExpireSnapshots `json:"expireSnapshots,omitempty"`

	// RemoveOrphans removes files that no snapshot uses, such as those of failed runs. Default: not done.
	// +optional
	RemoveOrphans *RemoveOrphans `json:"removeOrphans,omitempty"`

	// RewriteManifests rewrites many small manifests into few. Default: not done.
	// +optional
	RewriteManifests *RewriteManifests `json:"rewriteManifests,omitempty"`
}

// Compaction rewrites small files.
type Compaction struct {
	// Schedule of the action. Default: daily at 03:00 UTC.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// SmallFileShare: a partition is compacted when more than this share of its files, in percent, is small. Default: 30.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	SmallFileShare *int32 `json:"smallFileShare,omitempty"`

	// SmallFileSize: a file below it is small, in bytes as a quantity. Default: three quarters of write.targetFileSize.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="smallFileSize must be a quantity greater than zero, such as 64Mi"
	// +optional
	SmallFileSize *resource.Quantity `json:"smallFileSize,omitempty"`

	// MinFiles of a partition for a compaction to be worth it. Default: 5.
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=100000
	// +optional
	MinFiles *int32 `json:"minFiles,omitempty"`

	// DeleteFileThreshold: a data file with at least as many delete files is rewritten, whatever its size. Default: 3.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	DeleteFileThreshold *int32 `json:"deleteFileThreshold,omitempty"`

	// MaxBytesPerRun that one run rewrites, in bytes as a quantity; the rest waits for the next. Default: 100Gi.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="maxBytesPerRun must be a quantity greater than zero, such as 100Gi"
	// +optional
	MaxBytesPerRun *resource.Quantity `json:"maxBytesPerRun,omitempty"`
}

// ExpireSnapshots removes old snapshots.
type ExpireSnapshots struct {
	// Schedule of the action. Default: that of compaction, or daily at 03:00 UTC.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// OlderThan: snapshots of this age are removed. At least 1h, so that readers can end. Default: 120h (5 days).
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="olderThan must be a duration of at least 1h, such as 168h"
	// +optional
	OlderThan *metav1.Duration `json:"olderThan,omitempty"`

	// KeepAtLeast so many snapshots, whatever their age. Default: 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	KeepAtLeast *int32 `json:"keepAtLeast,omitempty"`
}

// RemoveOrphans removes files that no snapshot uses.
type RemoveOrphans struct {
	// Schedule of the action. Default: that of compaction, or daily at 03:00 UTC.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// OlderThan: only files of this age are removed; it must be longer than the longest run. At least 1h. Default: 72h.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1h') && duration(self) <= duration('87600h')",message="olderThan must be a duration of at least 1h, longer than the longest run, such as 72h"
	// +optional
	OlderThan *metav1.Duration `json:"olderThan,omitempty"`

	// DryRun counts the files, and removes none. Default: false.
	// +optional
	DryRun *bool `json:"dryRun,omitempty"`
}

// RewriteManifests rewrites manifests.
type RewriteManifests struct {
	// Schedule of the action. Default: that of compaction, or daily at 03:00 UTC.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty"`

	// MinManifests of the current snapshot for a rewrite to be worth it. Default: 100.
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=100000
	// +optional
	MinManifests *int32 `json:"minManifests,omitempty"`
}

// MaintenanceAction names an action.
// +kubebuilder:validation:Enum=Compaction;ExpireSnapshots;RemoveOrphans;RewriteManifests
type MaintenanceAction string

// Maintenance actions.
const (
	ActionCompaction       MaintenanceAction = "Compaction"
	ActionExpireSnapshots  MaintenanceAction = "ExpireSnapshots"
	ActionRemoveOrphans    MaintenanceAction = "RemoveOrphans"
	ActionRewriteManifests MaintenanceAction = "RewriteManifests"
)

// MaintenanceStatus is what an action did.
type MaintenanceStatus struct {
	// Action that this is about.
	// +required
	Action MaintenanceAction `json:"action"`

	// LastRun of the action.
	// +optional
	LastRun *Run `json:"lastRun,omitempty"`

	// Next time that it will run.
	// +optional
	Next *metav1.Time `json:"next,omitempty"`

	// Before the last run.
	// +optional
	Before *MaintenanceFigures `json:"before,omitempty"`

	// After the last run.
	// +optional
	After *MaintenanceFigures `json:"after,omitempty"`

	// Proof that the rows are unchanged: row count and an order-independent checksum, equal before and after.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Proof string `json:"proof,omitempty"`
}

// MaintenanceFigures are what an action changes.
type MaintenanceFigures struct {
	// Snapshots of the table.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Snapshots int64 `json:"snapshots"`

	// DataFiles of the current snapshot.
	// +kubebuilder:validation:Minimum=0
	// +optional
	DataFiles int64 `json:"dataFiles"`

	// DeleteFiles of the current snapshot.
	// +kubebuilder:validation:Minimum=0
	// +optional
	DeleteFiles int64 `json:"deleteFiles"`

	// Manifests of the current snapshot.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Manifests int64 `json:"manifests"`

	// OrphanFiles that no snapshot uses.
	// +kubebuilder:validation:Minimum=0
	// +optional
	OrphanFiles int64 `json:"orphanFiles"`

	// Bytes of the table's files, as stored.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Bytes int64 `json:"bytes"`
}
