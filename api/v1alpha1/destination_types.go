package v1alpha1

// DestinationType names a kind of destination.
// +kubebuilder:validation:Enum=icebergTable;databend;files;postgres;pulsar
type DestinationType string

// Destination types.
const (
	DestinationIcebergTable DestinationType = "icebergTable"
	DestinationDatabend     DestinationType = "databend"
	DestinationFiles        DestinationType = "files"
	DestinationPostgres     DestinationType = "postgres"
	DestinationPulsar       DestinationType = "pulsar"
)

// WriteMode says what a run does with the rows that are there already.
// +kubebuilder:validation:Enum=Append;Overwrite;Upsert
type WriteMode string

// Write modes.
const (
	// WriteAppend adds rows.
	WriteAppend WriteMode = "Append"
	// WriteOverwrite replaces all rows, in one commit.
	WriteOverwrite WriteMode = "Overwrite"
	// WriteUpsert replaces rows of the same key, and adds the others.
	WriteUpsert WriteMode = "Upsert"
)

// Destination is one place that rows go to: set type and the member of that name.
// +kubebuilder:validation:XValidation:rule="has(self.icebergTable) == (self.type == 'icebergTable') && has(self.databend) == (self.type == 'databend') && has(self.files) == (self.type == 'files') && has(self.postgres) == (self.type == 'postgres') && has(self.pulsar) == (self.type == 'pulsar')",message="destination: set the member that type names, and no other",messageExpression="'destination type is ' + self.type + ': set the member ' + self.type + ', and no other'"
type Destination struct {
	// Type of the destination. The member of that name must be set.
	// +required
	Type DestinationType `json:"type"`

	// IcebergTable is a table that an IcebergTable object describes.
	// +optional
	IcebergTable *IcebergTableDestination `json:"icebergTable,omitempty"`

	// Databend is a table of a DatabendCluster.
	// +optional
	Databend *DatabendDestination `json:"databend,omitempty"`

	// Files are Parquet files in a bucket, a volume or a folder.
	// +optional
	Files *FilesDestination `json:"files,omitempty"`

	// Postgres is a table of a PostgreSQL database.
	// +optional
	Postgres *PostgresDestination `json:"postgres,omitempty"`

	// Pulsar is a topic of Apache Pulsar.
	// +optional
	Pulsar *PulsarDestination `json:"pulsar,omitempty"`
}

// IcebergTableDestination writes a table that an IcebergTable object describes, in one commit a run.
type IcebergTableDestination struct {
	// TableRef names the IcebergTable object. While the table is not ready, the pipeline waits.
	// +required
	TableRef LocalRef `json:"tableRef"`

	// Mode: Append adds rows; Overwrite replaces all; Upsert replaces the rows that have the same identifier fields (the
	// table's schema.identifierFields must be set). Default: Append.
	// +optional
	Mode WriteMode `json:"mode,omitempty"`

	// Branch to commit to. Default: main.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Branch string `json:"branch,omitempty"`
}

// DatabendDestination writes a table of a Databend cluster.
// +kubebuilder:validation:XValidation:rule="(has(self.keyColumns) && self.keyColumns.size() > 0) == (has(self.mode) && self.mode == 'Upsert')",message="mode: Upsert needs keyColumns, and the other modes have none"
type DatabendDestination struct {
	// ClusterRef names the DatabendCluster object.
	// +required
	ClusterRef LocalRef `json:"clusterRef"`

	// Database of the table. Default: default.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Database string `json:"database,omitempty"`

	// Table to write. It is made from the rows' types when it is missing.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Table string `json:"table"`

	// Mode: Append, Overwrite or Upsert (REPLACE INTO by keyColumns). Default: Append.
	// +optional
	Mode WriteMode `json:"mode,omitempty"`

	// KeyColumns of mode Upsert.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +optional
	KeyColumns []string `json:"keyColumns,omitempty"`
}

// FilesDestination writes Parquet files.
type FilesDestination struct {
	// Storage that gets the files.
	// +required
	Storage Storage `json:"storage"`

	// Path of the folder, relative to the storage. A run's files become visible with its manifest, _manifests/<runID>.json.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="path is relative to the storage: no leading '/' and no '..'"
	// +required
	Path string `json:"path"`

	// Format of the files: Parquet. Default: Parquet.
	// +kubebuilder:validation:XValidation:rule="self == 'Parquet'",message="files are written as Parquet; remove format, or set Parquet"
	// +optional
	Format FileFormat `json:"format,omitempty"`

	// Compression of the pages: Zstd, Snappy, LZ4 or None. Default: Zstd.
	// +optional
	Compression ParquetCompression `json:"compression,omitempty"`

	// Mode: Append adds files; Overwrite replaces those of earlier runs. Default: Append.
	// +kubebuilder:validation:XValidation:rule="self != 'Upsert'",message="files cannot be matched by key; use mode: Append or Overwrite"
	// +optional
	Mode WriteMode `json:"mode,omitempty"`
}

// ParquetCompression is how the pages of a Parquet file are compressed.
// +kubebuilder:validation:Enum=None;Snappy;LZ4;Zstd
type ParquetCompression string

// Parquet compressions.
const (
	ParquetNone   ParquetCompression = "None"
	ParquetSnappy ParquetCompression = "Snappy"
	ParquetLZ4    ParquetCompression = "LZ4"
	ParquetZstd   ParquetCompression = "Zstd"
)

// PostgresDestination writes a table of a PostgreSQL database, in one transaction a run.
// +kubebuilder:validation:XValidation:rule="(has(self.keyColumns) && self.keyColumns.size() > 0) == (has(self.mode) && self.mode == 'Upsert')",message="mode: Upsert needs keyColumns, and the other modes have none"
type PostgresDestination struct {
	// DSNSecretRef names the Secret key that holds the connection string (postgres://user:password@host:5432/database).
	// +required
	DSNSecretRef SecretKeyRef `json:"dsnSecretRef"`

	// Table to write, schema.table or table. It must exist: a missing one fails the run before anything is written.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Table string `json:"table"`

	// Mode: Append, Overwrite or Upsert (by keyColumns). Default: Append.
	// +optional
	Mode WriteMode `json:"mode,omitempty"`

	// KeyColumns of mode Upsert; the table needs a unique index over them.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +optional
	KeyColumns []string `json:"keyColumns,omitempty"`
}

// PulsarDestination writes each row as a JSON message.
type PulsarDestination struct {
	// ServiceURL of the brokers, pulsar:// or pulsar+ssl://.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^pulsar([+]ssl)?://[^/ ]+/?$')",message="serviceURL must be pulsar://host:6650 or pulsar+ssl://host:6651"
	// +required
	ServiceURL string `json:"serviceURL"`

	// Topic, in full: persistent://tenant/namespace/topic.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^persistent://[^/ ]+/[^/ ]+/[^/ ]+$')",message="topic must be persistent://tenant/namespace/topic"
	// +required
	Topic string `json:"topic"`

	// KeyColumn whose value becomes the message's key. Default: no key.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	KeyColumn string `json:"keyColumn,omitempty"`

	// AuthSecretRef names a Secret with the key token (a JSON web token). Default: no authentication.
	// +optional
	AuthSecretRef *LocalRef `json:"authSecretRef,omitempty"`

	// TLSSecretRef names a Secret with the key ca.crt, and tls.crt and tls.key for mutual TLS. Default: the system's authorities.
	// +optional
	TLSSecretRef *LocalRef `json:"tlsSecretRef,omitempty"`
}
