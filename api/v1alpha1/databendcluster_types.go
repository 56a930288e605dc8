package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DatabendClusterSpec says how a Databend warehouse should be, or where one is that others manage.
// +kubebuilder:validation:XValidation:rule="has(self.ledgerRef) || (has(self.lineage) && self.lineage == 'Disabled')",message="name a LineageLedger in ledgerRef, or say openly that nothing is recorded with lineage: Disabled"
// +kubebuilder:validation:XValidation:rule="!(has(self.ledgerRef) && has(self.lineage) && self.lineage == 'Disabled')",message="lineage: Disabled records nothing; remove ledgerRef, or remove lineage"
// +kubebuilder:validation:XValidation:rule="has(self.endpoint) || has(self.storage)",message="storage holds the warehouse's data; set it, or give the endpoint of a server that others manage"
// +kubebuilder:validation:XValidation:rule="has(self.endpoint) || has(self.version) || has(self.image)",message="set version (or image) of Databend, or the endpoint of a server that others manage"
// +kubebuilder:validation:XValidation:rule="!has(self.endpoint) || (!has(self.version) && !has(self.image) && !has(self.meta) && !has(self.query) && !has(self.warehouses) && !has(self.storage) && !has(self.backup) && !has(self.tls))",message="with endpoint no server is managed; remove version, image, meta, query, warehouses, storage, backup and tls"
// +kubebuilder:validation:XValidation:rule="has(self.endpoint) == has(oldSelf.endpoint)",message="a managed cluster cannot become an external one, nor the other way round; create another DatabendCluster"
// +kubebuilder:validation:XValidation:rule="has(self.tenant) == has(oldSelf.tenant) && (!has(self.tenant) || self.tenant == oldSelf.tenant)",message="tenant is immutable, as the data is kept under it; create another DatabendCluster"
// +kubebuilder:validation:XValidation:rule="(has(self.meta) && has(self.meta.volume)) == (has(oldSelf.meta) && has(oldSelf.meta.volume))",message="meta.volume holds the meta data: it cannot be added or removed later"
// +kubebuilder:validation:XValidation:rule="!has(self.deletionPolicy) || self.deletionPolicy != 'Drop'",message="deletionPolicy of a cluster is Retain (keep volumes and data) or Purge (delete them)"
type DatabendClusterSpec struct {
	// Endpoint of a Databend server that others manage. No server is created; users, catalogs and GPU workers are.
	// Default: not set, and a cluster is managed here.
	// +optional
	Endpoint *DatabendEndpoint `json:"endpoint,omitempty"`

	// Version of Databend, such as 1.2.881; chooses the images. Going back to an older one is refused (Stalled).
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+[.][0-9]+[.][0-9]+(-[0-9A-Za-z.-]+)?$')",message="version must be like 1.2.881 or 1.2.881-nightly"
	// +optional
	Version string `json:"version,omitempty"`

	// Image of the query server, instead of the one that version chooses. Default: chosen by version.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Image string `json:"image,omitempty"`

	// Tenant that the data is kept under. Default: the object's name. Immutable.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$')",message="tenant holds lower-case letters, digits, '-' and '_', and begins and ends with a letter or digit"
	// +optional
	Tenant string `json:"tenant,omitempty"`

	// Meta service, which keeps the catalog of tables. Default: one replica with a volume of 10Gi.
	// +optional
	Meta *DatabendMeta `json:"meta,omitempty"`

	// Query service of the cluster. Default: one replica.
	// +optional
	Query *DatabendQuery `json:"query,omitempty"`

	// Warehouses are further query services, over the same data. Default: none.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	Warehouses []DatabendWarehouse `json:"warehouses,omitempty"`

	// Storage that holds the data. The place (type, bucket, prefix, path) is immutable; credentials may change.
	// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type && (!has(self.s3) || self.s3.bucket == oldSelf.s3.bucket && has(self.s3.prefix) == has(oldSelf.s3.prefix) && (!has(self.s3.prefix) || self.s3.prefix == oldSelf.s3.prefix)) && (!has(self.gcs) || self.gcs.bucket == oldSelf.gcs.bucket) && (!has(self.azure) || self.azure.account == oldSelf.azure.account && self.azure.container == oldSelf.azure.container) && (!has(self.volume) || self.volume == oldSelf.volume) && (!has(self.hostPath) || self.hostPath == oldSelf.hostPath)",message="storage is where the data lies and is immutable; copy the data and create another DatabendCluster"
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// Users that are created, beside the operator's own. Default: none; there is no user with a known password.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Users []DatabendUser `json:"users,omitempty"`

	// IcebergCatalogs that the cluster can query. Default: none.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=name
	// +optional
	IcebergCatalogs []IcebergCatalogMount `json:"icebergCatalogs,omitempty"`

	// TLS of the query service. Default: plain HTTP inside the cluster.
	// +optional
	TLS *DatabendTLS `json:"tls,omitempty"`

	// Backup of the meta data. Default: none.
	// +optional
	Backup *DatabendBackup `json:"backup,omitempty"`

	// GPUAcceleration puts a gateway in front that answers on GPUs what is faster there. Default: not used.
	// +optional
	GPUAcceleration *GPUAcceleration `json:"gpuAcceleration,omitempty"`

	// DeletionPolicy, when this object is deleted: Retain keeps volumes and data; Purge deletes them. Default: Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// Suspend scales query services, warehouses and GPU workers to zero; meta data and storage stay. Default: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// Worker says how GPU worker pods look. Default: the manager's image and resources.
	// +optional
	Worker *Worker `json:"worker,omitempty"`

	// LedgerRef names the LineageLedger that gets a record of each operation. Needed, unless lineage is Disabled.
	// +optional
	LedgerRef *LocalRef `json:"ledgerRef,omitempty"`

	// Lineage: Enabled, or Disabled to record nothing, which the condition LineageDisabled says openly. Default: Enabled.
	// +optional
	Lineage LineagePolicy `json:"lineage,omitempty"`
}

// DatabendEndpoint is a server that others manage.
type DatabendEndpoint struct {
	// URL of its HTTP query API.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ @]+$')",message="url must be an http(s) URL without user and password; put them into the Secret that userSecretRef names"
	// +required
	URL string `json:"url"`

	// UserSecretRef names a Secret with the keys username and password, of a user that may create users and catalogs.
	// +required
	UserSecretRef LocalRef `json:"userSecretRef"`

	// Warehouse to use there. Default: the server's own.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Warehouse string `json:"warehouse,omitempty"`

	// CASecretRef names a Secret with the key ca.crt. Default: the system's authorities.
	// +optional
	CASecretRef *LocalRef `json:"caSecretRef,omitempty"`
}

// Placement says on which nodes pods run.
type Placement struct {
	// NodeSelector that the node must match. Default: none.
	// +kubebuilder:validation:MaxProperties=32
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`

	// Tolerations of the pods. Default: none.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// PriorityClassName of the pods. Default: the cluster's default.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	PriorityClassName string `json:"priorityClassName,omitempty"`
}

// DatabendMeta is the meta service, a Raft group.
type DatabendMeta struct {
	// Replicas of the group, an odd number: 3 survive the loss of one, 5 of two. Default: 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=7
	// +kubebuilder:validation:XValidation:rule="self % 2 == 1",message="replicas of the meta service must be odd (1, 3, 5 or 7): an even number survives no more losses than the odd one below it"
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// Volume of each replica. Default: 10Gi of the cluster's default storage class.
	// +optional
	Volume *VolumeClaim `json:"volume,omitempty"`

	// Resources of each replica. Default: 500m CPU and 1Gi requested.
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="the meta service has no devices; remove claims"
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Placement of the replicas; they prefer different nodes. Default: any node.
	// +optional
	Placement *Placement `json:"placement,omitempty"`
}

// DatabendQuery is a query service.
type DatabendQuery struct {
	// Replicas that share the work of each query. Default: 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=256
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// Resources of each replica. Default: 2 CPU and 4Gi requested.
	// +kubebuilder:validation:XValidation:rule="!has(self.claims)",message="GPUs belong to gpuAcceleration; remove claims"
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// Cache of storage blocks on local disk. Default: none.
	// +optional
	Cache *DatabendCache `json:"cache,omitempty"`

	// Settings of Databend that are set for all sessions, by their names, such as max_threads. An unknown one stops the
	// cluster (Stalled) with Databend's message. Default: none.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^[a-z][a-z0-9_]{0,62}$') && self[k].size() <= 1024)",message="a setting's name holds lower-case letters, digits and '_' (at most 63), and its value at most 1024 characters"
	// +optional
	Settings map[string]string `json:"settings,omitempty"`

	// Placement of the replicas; they prefer different nodes. Default: any node.
	// +optional
	Placement *Placement `json:"placement,omitempty"`
}

// DatabendCache is a cache on local disk.
type DatabendCache struct {
	// Size of the cache of each replica, in bytes as a quantity.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="size must be a quantity greater than zero, such as 200Gi"
	// +required
	Size resource.Quantity `json:"size"`

	// StorageClassName of a volume for the cache. Default: an emptyDir on the node.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// DatabendWarehouse is a further query service over the same data.
type DatabendWarehouse struct {
	// Name of the warehouse.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="a warehouse's name holds lower-case letters, digits and '-', begins with a letter and ends with a letter or digit"
	// +required
	Name string `json:"name"`

	DatabendQuery `json:",inline"`

	// Suspend scales the warehouse to zero. Default: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// AutoSuspendAfter this time without a query scales the warehouse to zero; the next query wakes it. Default: never.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(s|m|h))+$') && duration(self) >= duration('1m') && duration(self) <= duration('87600h')",message="autoSuspendAfter must be a duration of at least 1m, such as 10m"
	// +optional
	AutoSuspendAfter *metav1.Duration `json:"autoSuspendAfter,omitempty"`
}

// DatabendUser is a user of the cluster.
type DatabendUser struct {
	// Name of the user.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z_][A-Za-z0-9_-]*$')",message="a user's name holds letters, digits, '_' and '-', and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="!(self in ['root', 'datastack'])",message="root and datastack are the operator's own users; choose another name"
	// +required
	Name string `json:"name"`

	// PasswordSecretRef names the Secret key that holds the password; a change of the Secret changes the password.
	// +required
	PasswordSecretRef SecretKeyRef `json:"passwordSecretRef"`

	// Roles that the user gets. Default: none but public.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	// +listType=set
	// +optional
	Roles []string `json:"roles,omitempty"`
}

// IcebergCatalogMount makes an Iceberg catalog known to the cluster.
type IcebergCatalogMount struct {
	// Name of the catalog in SQL.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z_][a-z0-9_]*$')",message="a catalog's name holds lower-case letters, digits and '_', and does not begin with a digit"
	// +kubebuilder:validation:XValidation:rule="self != 'default'",message="default is Databend's own catalog; choose another name"
	// +required
	Name string `json:"name"`

	// Catalog to use. Default: the catalog that the manager was started with. Databend reads rest, glue and hive.
	// +kubebuilder:validation:XValidation:rule="self.type != 'sql'",message="Databend cannot read an SQL catalog; give it the REST catalog in front of it"
	// +optional
	Catalog *Catalog `json:"catalog,omitempty"`

	// Storage that holds the tables' files, for the credentials. Default: the cluster's own storage credentials.
	// +optional
	Storage *Storage `json:"storage,omitempty"`
}

// DatabendTLS is the certificate of the query service.
type DatabendTLS struct {
	// SecretName of a Secret of type kubernetes.io/tls (tls.crt, tls.key). While it is missing, the cluster waits.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	SecretName string `json:"secretName"`
}

// DatabendBackup copies the meta data to another place.
type DatabendBackup struct {
	// Schedule of backups.
	// +required
	Schedule Schedule `json:"schedule"`

	// Storage that gets the backups.
	// +required
	Storage Storage `json:"storage"`

	// Keep so many backups; older ones are removed. Default: 7.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	// +optional
	Keep *int32 `json:"keep,omitempty"`
}

// GPUAcceleration says how queries use GPUs.
type GPUAcceleration struct {
	// Enabled: false leaves the gateway without GPU workers. Default: true.
	// +optional
	Enabled *bool `json:"enabled,omitempty"`

	// Replicas (GPU worker pods). Default: 1.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=64
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`

	// GPU that each worker needs. Default: one amd.com/gpu, policy Preferred.
	// +optional
	GPU *GPU `json:"gpu,omitempty"`

	// HIPOptimizations of the kernels. Default: all.
	// +optional
	HIPOptimizations *HIPOptimizations `json:"hipOptimizations,omitempty"`

	// CacheSize of decoded columns in device memory, in bytes as a quantity; at most gpu.memoryLimit. Default: half of
	// the device's memory.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",message="cacheSize must be a quantity greater than zero, such as 120Gi"
	// +optional
	CacheSize *resource.Quantity `json:"cacheSize,omitempty"`

	// Thresholds of the choice between engines.
	// +optional
	Thresholds *EngineThresholds `json:"thresholds,omitempty"`
}

// HIPOptimizations switch off single optimizations of the kernels, to find a fault. Results are the same with and without.
type HIPOptimizations struct {
	// FuseOperators runs a pipeline of operators as one kernel. Default: true.
	// +optional
	FuseOperators *bool `json:"fuseOperators,omitempty"`

	// CacheKernels keeps compiled kernels on disk. Default: true.
	// +optional
	CacheKernels *bool `json:"cacheKernels,omitempty"`

	// OverlapTransfers copies the next columns while a kernel runs. Default: true.
	// +optional
	OverlapTransfers *bool `json:"overlapTransfers,omitempty"`

	// WavefrontSize that kernels are made for: 32 or 64. Default: the device's own.
	// +kubebuilder:validation:Enum=32;64
	// +optional
	WavefrontSize *int32 `json:"wavefrontSize,omitempty"`
}

// EngineThresholds of the choice between CPU, GPU and the distributed cluster. EXPLAIN shows the scores.
type EngineThresholds struct {
	// GPUBenefitPercent: a query goes to a GPU when it is expected to save more than this share of the CPU's time, in percent. Default: 70.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	GPUBenefitPercent *int32 `json:"gpuBenefitPercent,omitempty"`

	// DistributedBenefitPercent: a query goes to the cluster when it is expected to save more than this share, in percent. Default: 50.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	DistributedBenefitPercent *int32 `json:"distributedBenefitPercent,omitempty"`

	// MinGPUScan in bytes as a quantity: smaller scans whose columns are not in device memory stay on the CPU. Default: 100M.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0",message="minGPUScan must be a quantity of at least zero, such as 100M"
	// +optional
	MinGPUScan *resource.Quantity `json:"minGPUScan,omitempty"`

	// ParallelScanFiles above which (and above parallelScanSize) a scan is read in parallel. Default: 10.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	ParallelScanFiles *int32 `json:"parallelScanFiles,omitempty"`

	// ParallelScanSize above which (and above parallelScanFiles) a scan is read in parallel, in bytes as a quantity. Default: 1G.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="isQuantity(string(self)) && quantity(string(self)).compareTo(quantity('0')) >= 0",message="parallelScanSize must be a quantity of at least zero, such as 1G"
	// +optional
	ParallelScanSize *resource.Quantity `json:"parallelScanSize,omitempty"`
}
