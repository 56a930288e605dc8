package v1alpha1

// StorageType names a place that holds files.
// +kubebuilder:validation:Enum=s3;gcs;azure;volume;hostPath
type StorageType string

// Storage types.
const (
	StorageS3       StorageType = "s3"
	StorageGCS      StorageType = "gcs"
	StorageAzure    StorageType = "azure"
	StorageVolume   StorageType = "volume"
	StorageHostPath StorageType = "hostPath"
)

// Storage is one place that holds files: set type and the member of that name.
// +kubebuilder:validation:XValidation:rule="has(self.s3) == (self.type == 's3') && has(self.gcs) == (self.type == 'gcs') && has(self.azure) == (self.type == 'azure') && has(self.volume) == (self.type == 'volume') && has(self.hostPath) == (self.type == 'hostPath')",message="storage: set the member that type names, and no other",messageExpression="'storage type is ' + self.type + ': set the member ' + self.type + ', and no other'"
type Storage struct {
	// Type of the storage: s3, gcs, azure, volume or hostPath. The member of that name must be set.
	// +required
	Type StorageType `json:"type"`

	// S3 is a bucket of Amazon S3 or of a store that speaks its API.
	// +optional
	S3 *S3Storage `json:"s3,omitempty"`

	// GCS is a bucket of Google Cloud Storage.
	// +optional
	GCS *GCSStorage `json:"gcs,omitempty"`

	// Azure is a container of Azure Data Lake Storage or Blob Storage.
	// +optional
	Azure *AzureStorage `json:"azure,omitempty"`

	// Volume is a folder of a PersistentVolumeClaim of the same namespace.
	// +optional
	Volume *VolumeStorage `json:"volume,omitempty"`

	// HostPath is a folder of the node. Refused (Stalled, reason HostPathNotAllowed) unless the manager runs with --allow-host-path for a prefix of it.
	// +optional
	HostPath *HostPathStorage `json:"hostPath,omitempty"`
}

// S3Storage is a bucket, and the folder in it, of a store that speaks the S3 API.
type S3Storage struct {
	// Bucket that holds the files. A bucket that does not exist fails the run before anything is written.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9][a-z0-9.-]*[a-z0-9]$')",message="bucket must be 3 to 63 lower-case letters, digits, '.' and '-', and begin and end with a letter or digit; give the folder in prefix"
	// +required
	Bucket string `json:"bucket"`

	// Prefix (folder) inside the bucket, such as landing/flights/. Default: the whole bucket.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="prefix is relative to the bucket: no leading '/' and no '..'"
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// Region of the bucket. Default: us-east-1. A wrong region fails the run with the store's answer.
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-zA-Z0-9-]*$')",message="region holds letters, digits and '-' only, such as eu-central-1"
	// +optional
	Region string `json:"region,omitempty"`

	// Endpoint URL of the store, such as http://minio.storage:9000. Default: Amazon's endpoint of the region.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/ ]+/?$')",message="endpoint must be http(s)://host[:port] with no path"
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// PathStyle puts the bucket into the path instead of the host name, as most stores with an endpoint of their own
	// need. Default: true with an endpoint, else false.
	// +optional
	PathStyle *bool `json:"pathStyle,omitempty"`

	// CredentialsSecretRef names a Secret with the keys accessKeyID and secretAccessKey (and sessionToken, if there is one).
	// Default: the credentials of the pod's own identity (instance or workload identity), else anonymous.
	// +optional
	CredentialsSecretRef *LocalRef `json:"credentialsSecretRef,omitempty"`
}

// GCSStorage is a bucket, and the folder in it, of Google Cloud Storage.
type GCSStorage struct {
	// Bucket that holds the files. A bucket that does not exist fails the run before anything is written.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=222
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9][a-z0-9._-]*[a-z0-9]$')",message="bucket holds lower-case letters, digits, '.', '_' and '-', and begins and ends with a letter or digit"
	// +required
	Bucket string `json:"bucket"`

	// Prefix (folder) inside the bucket. Default: the whole bucket.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="prefix is relative to the bucket: no leading '/' and no '..'"
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// Endpoint URL, for stores that speak the API of Google Cloud Storage. Default: Google's own.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="endpoint must be an http(s) URL"
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// CredentialsSecretRef names a Secret with the key credentials.json (a service account key). Default: workload identity.
	// +optional
	CredentialsSecretRef *LocalRef `json:"credentialsSecretRef,omitempty"`
}

// AzureStorage is a container, and the folder in it, of an Azure storage account.
type AzureStorage struct {
	// Account is the storage account's name.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=24
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]+$')",message="account holds 3 to 24 lower-case letters and digits"
	// +required
	Account string `json:"account"`

	// Container that holds the files. One that does not exist fails the run before anything is written.
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9$][a-z0-9-]*[a-z0-9]$')",message="container holds 3 to 63 lower-case letters, digits and '-'"
	// +required
	Container string `json:"container"`

	// Prefix (folder) inside the container. Default: the whole container.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="prefix is relative to the container: no leading '/' and no '..'"
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// Endpoint URL, for sovereign clouds and emulators. Default: https://ACCOUNT.dfs.core.windows.net.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="endpoint must be an http(s) URL"
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// CredentialsSecretRef names a Secret with the key accountKey, or with tenantID, clientID and clientSecret. Default: workload identity.
	// +optional
	CredentialsSecretRef *LocalRef `json:"credentialsSecretRef,omitempty"`
}

// VolumeStorage is a folder of a PersistentVolumeClaim of the same namespace.
type VolumeStorage struct {
	// ClaimName of the PersistentVolumeClaim. While it is missing, the object waits (reason DependencyNotReady).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	ClaimName string `json:"claimName"`

	// Path of the folder inside the volume, such as landing/flights. Default: the volume's root.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="path is relative to the volume: no leading '/' and no '..'"
	// +optional
	Path string `json:"path,omitempty"`
}

// HostPathStorage is a folder of the node that the pod runs on.
type HostPathStorage struct {
	// Path of the folder on the node, absolute.
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.startsWith('/') && !self.contains('..')",message="path must be absolute and must not contain '..'"
	// +required
	Path string `json:"path"`
}
