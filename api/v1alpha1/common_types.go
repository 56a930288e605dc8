package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LocalRef names an object of the same namespace. An object that does not exist yet makes the owner wait
// (Reconciling, reason DependencyNotReady); it is not an error.
type LocalRef struct {
	// Name of the object, in the namespace of the object that refers to it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`
}

// SecretKeyRef names one key of a Secret of the same namespace. The manager never reads it: the value is mounted as
// a file into the pod that needs it.
type SecretKeyRef struct {
	// Name of the Secret. While it is missing, pods that need it do not start and the condition says which one is awaited.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// Key in the Secret's data. A missing key keeps the pod from starting; the pod's event names the key.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="a Secret key holds letters, digits, '-', '_' and '.' only"
	// +required
	Key string `json:"key"`
}

// VolumeClaim asks for a PersistentVolumeClaim that holds state of our own (write-ahead log, chain, meta data, SQLite catalog).
// +kubebuilder:validation:XValidation:rule="quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",message="a volume cannot shrink: keep the size, or give a larger one"
// +kubebuilder:validation:XValidation:rule="has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",message="storageClassName is immutable: delete and re-create the object to move its state to another class"
type VolumeClaim struct {
	// Size of the volume, in bytes as a quantity (10Gi). It may grow where the storage class allows expansion; making it smaller is refused.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="size must be a quantity greater than zero, such as 10Gi"
	// +required
	Size resource.Quantity `json:"size"`

	// StorageClassName of the claim. Default: the cluster's default class. Immutable. An unknown class leaves the claim
	// pending, and the owner waits with the reason.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`

	// AccessModes of the claim. Default: [ReadWriteOnce]. A mode that the class cannot serve leaves the claim pending.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +kubebuilder:validation:items:Enum=ReadWriteOnce;ReadWriteOncePod;ReadWriteMany;ReadOnlyMany
	// +listType=set
	// +optional
	AccessModes []string `json:"accessModes,omitempty"`
}

// ConcurrencyPolicy says what a tick does while the run of an earlier tick goes on.
// +kubebuilder:validation:Enum=Forbid;Replace
type ConcurrencyPolicy string

// Concurrency policies.
const (
	// ConcurrencyForbid skips the tick; the running one ends first.
	ConcurrencyForbid ConcurrencyPolicy = "Forbid"
	// ConcurrencyReplace stops the running one before its commit and starts the new one.
	ConcurrencyReplace ConcurrencyPolicy = "Replace"
)

// Schedule starts work at the times of a cron expression.
type Schedule struct {
	// Cron expression with five fields (minute hour day-of-month month day-of-week), or @hourly, @daily, @weekly,
	// @monthly, @yearly, or @every followed by a duration. What cannot be parsed stops the object (Stalled, reason InvalidSpec).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$') || self.matches('^@every ([0-9]+(ms|s|m|h))+$') || self.matches('^[^ ]+( +[^ ]+){4}$')",message="cron needs five fields (minute hour day-of-month month day-of-week), or @hourly, @daily, @weekly, @monthly, @yearly, or '@every 15m'"
	// +kubebuilder:validation:XValidation:rule="!self.contains('TZ=')",message="give the time zone in timeZone, not inside cron"
	// +required
	Cron string `json:"cron"`

	// TimeZone of the cron expression, a name of the IANA database such as Europe/Berlin. Default: UTC. An unknown zone
	// stops the object (Stalled, reason InvalidSpec).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_+/-]+$') && self != 'Local'",message="timeZone must be a name of the IANA database, such as UTC or Europe/Berlin"
	// +optional
	TimeZone string `json:"timeZone,omitempty"`

	// ConcurrencyPolicy: Forbid skips a tick while the run before it goes on; Replace stops that run before its commit.
	// Default: Forbid.
	// +optional
	ConcurrencyPolicy ConcurrencyPolicy `json:"concurrencyPolicy,omitempty"`
}

// LineagePolicy says whether operations are recorded in a ledger.
// +kubebuilder:validation:Enum=Enabled;Disabled
type LineagePolicy string

// Lineage policies.
const (
	// LineageEnabled records every operation in the ledger that ledgerRef names.
	LineageEnabled LineagePolicy = "Enabled"
	// LineageDisabled records nothing, and the condition LineageDisabled says so.
	LineageDisabled LineagePolicy = "Disabled"
)

// DeletionPolicy says what happens to data when the object that describes it is deleted.
// +kubebuilder:validation:Enum=Retain;Drop;Purge
type DeletionPolicy string

// Deletion policies.
const (
	// DeletionRetain leaves catalog entry and files alone. The default.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDrop removes the catalog entry and leaves the files.
	DeletionDrop DeletionPolicy = "Drop"
	// DeletionPurge removes the catalog entry and the files.
	DeletionPurge DeletionPolicy = "Purge"
)

// SharedStatus is what every kind reports.
type SharedStatus struct {
	// ObservedGeneration is the metadata.generation that this status describes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Conditions of the object. Ready is true when it does what its spec says; Reconciling and Stalled are present only
	// while they are true.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}
