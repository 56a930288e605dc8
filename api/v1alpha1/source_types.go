package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SourceType names a kind of source.
// +kubebuilder:validation:Enum=files;icebergTable;databend;postgres;mysql;pulsar;http
type SourceType string

// Source types.
const (
	SourceFiles        SourceType = "files"
	SourceIcebergTable SourceType = "icebergTable"
	SourceDatabend     SourceType = "databend"
	SourcePostgres     SourceType = "postgres"
	SourceMySQL        SourceType = "mysql"
	SourcePulsar       SourceType = "pulsar"
	SourceHTTP         SourceType = "http"
)

// PipelineSource is one place that rows come from: set type and the member of that name.
// +kubebuilder:validation:XValidation:rule="has(self.files) == (self.type == 'files') && has(self.icebergTable) == (self.type == 'icebergTable') && has(self.databend) == (self.type == 'databend') && has(self.postgres) == (self.type == 'postgres') && has(self.mysql) == (self.type == 'mysql') && has(self.pulsar) == (self.type == 'pulsar') && has(self.http) == (self.type == 'http')",message="source: set the member that type names, and no other",messageExpression="'source type is ' + self.type + ': set the member ' + self.type + ', and no other'"
type PipelineSource struct {
	// Type of the source. The member of that name must be set.
	// +required
	Type SourceType `json:"type"`

	// Files are CSV, NDJSON or Parquet files in a bucket, a volume or a folder.
	// +optional
	Files *FilesSource `json:"files,omitempty"`

	// IcebergTable is a table that an IcebergTable object describes.
	// +optional
	IcebergTable *IcebergTableSource `json:"icebergTable,omitempty"`

	// Databend is a query to a DatabendCluster.
	// +optional
	Databend *DatabendSource `json:"databend,omitempty"`

	// Postgres is a table or query of a PostgreSQL database.
	// +optional
	Postgres *PostgresSource `json:"postgres,omitempty"`

	// MySQL is a table or query of a MySQL or MariaDB database.
	// +optional
	MySQL *MySQLSource `json:"mysql,omitempty"`

	// Pulsar is a topic of Apache Pulsar, for mode Streaming.
	// +optional
	Pulsar *PulsarSource `json:"pulsar,omitempty"`

	// HTTP is an HTTP API that answers with JSON or CSV.
	// +optional
	HTTP *HTTPSource `json:"http,omitempty"`
}

// FileFormat is how rows are written in a file.
// +kubebuilder:validation:Enum=CSV;NDJSON;Parquet
type FileFormat string

// File formats.
const (
	FormatCSV     FileFormat = "CSV"
	FormatNDJSON  FileFormat = "NDJSON"
	FormatParquet FileFormat = "Parquet"
)

// FileCompression is how a file is compressed as a whole.
// +kubebuilder:validation:Enum=Auto;None;Gzip;Zstd
type FileCompression string

// File compressions.
const (
	FileCompressionAuto FileCompression = "Auto"
	FileCompressionNone FileCompression = "None"
	FileCompressionGzip FileCompression = "Gzip"
	FileCompressionZstd FileCompression = "Zstd"
)

// IncrementalMode says what a run reads of what earlier runs have read.
// +kubebuilder:validation:Enum=None;ByFile
type IncrementalMode string

// Incremental modes.
const (
	// IncrementalNone reads everything that matches, every time.
	IncrementalNone IncrementalMode = "None"
	// IncrementalByFile reads each file once; what was read is kept with the commit.
	IncrementalByFile IncrementalMode = "ByFile"
)

// FilesSource reads CSV, NDJSON or Parquet files.
// +kubebuilder:validation:XValidation:rule="!has(self.csv) || self.format == 'CSV'",message="csv describes CSV files; set format: CSV, or remove csv"
// +kubebuilder:validation:XValidation:rule="self.format != 'Parquet' || !has(self.compression) || self.compression in ['Auto', 'None']",message="Parquet compresses its own pages; remove compression"
// +kubebuilder:validation:XValidation:rule="!(has(self.allowReload) && self.allowReload && has(self.incremental) && self.incremental == 'ByFile')",message="incremental: ByFile never reloads a file; remove allowReload"
type FilesSource struct {
	// Storage that holds the files.
	// +required
	Storage Storage `json:"storage"`

	// Glob that the files' paths must match, relative to the storage: * (within a folder), ** (any folders), ?, [a-z]
	// and {a,b}. A glob that matches nothing fails the run (missing input), unless incremental is ByFile.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.contains('..')",message="glob is relative to the storage: no leading '/' and no '..'"
	// +required
	Glob string `json:"glob"`

	// Format of the files: CSV, NDJSON (one JSON object a line) or Parquet.
	// +required
	Format FileFormat `json:"format"`

	// CSV is the dialect of CSV files. Default: comma, double quotes, with a header line.
	// +optional
	CSV *CSVDialect `json:"csv,omitempty"`

	// Columns with their types, in the file's order for CSV without header. Default: names and types are found from the
	// whole of a sample, and files that do not agree with it fail. A value that does not fit its type is a rejected row.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +optional
	Columns []Column `json:"columns,omitempty"`

	// Compression of the files as a whole: Auto (by their names: .gz, .zst), None, Gzip or Zstd. Default: Auto.
	// +optional
	Compression FileCompression `json:"compression,omitempty"`

	// Incremental: None reads every file that matches, every time; ByFile reads each file once. Default: None.
	// +optional
	Incremental IncrementalMode `json:"incremental,omitempty"`

	// MaxRejects is how many malformed rows a run may have; they go to a rejects file with line number and reason. One
	// more fails the run, and nothing is committed. Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000000000
	// +optional
	MaxRejects *int64 `json:"maxRejects,omitempty"`

	// AllowReload lets a schedule append the same files again and again. Default: false: such a pipeline is refused
	// unless incremental is ByFile.
	// +optional
	AllowReload *bool `json:"allowReload,omitempty"`
}

// CSVDialect is how a CSV file is written.
type CSVDialect struct {
	// Header is true when the first line names the columns. Default: true.
	// +optional
	Header *bool `json:"header,omitempty"`

	// Delimiter between fields, one character. Default: a comma.
	// +kubebuilder:validation:MaxLength=1
	// +kubebuilder:validation:MinLength=1
	// +optional
	Delimiter string `json:"delimiter,omitempty"`

	// Quote character around fields. Default: the double quote. Empty: fields are never quoted.
	// +kubebuilder:validation:MaxLength=1
	// +optional
	Quote *string `json:"quote,omitempty"`

	// Escape character before a quote inside a quoted field. Default: the quote character, doubled.
	// +kubebuilder:validation:MaxLength=1
	// +optional
	Escape *string `json:"escape,omitempty"`

	// Comment character: lines that begin with it are left out. Default: none.
	// +kubebuilder:validation:MaxLength=1
	// +optional
	Comment string `json:"comment,omitempty"`

	// NullValues are the texts that stand for NULL. Default: the empty field.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=64
	// +listType=set
	// +optional
	NullValues []string `json:"nullValues,omitempty"`

	// SkipLines before the header (or the first row). Default: 0.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +optional
	SkipLines *int32 `json:"skipLines,omitempty"`

	// Encoding of the text: UTF-8, UTF-16 or Latin-1. Default: UTF-8. Bytes that are not of the encoding reject the row.
	// +kubebuilder:validation:Enum=UTF-8;UTF-16;Latin-1
	// +optional
	Encoding string `json:"encoding,omitempty"`

	// DateFormat of date columns, in strftime letters. Default: ISO 8601 (%Y-%m-%d).
	// +kubebuilder:validation:MaxLength=64
	// +optional
	DateFormat string `json:"dateFormat,omitempty"`

	// TimestampFormat of timestamp columns, in strftime letters. Default: ISO 8601.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	TimestampFormat string `json:"timestampFormat,omitempty"`
}

// Column is a column's name and Iceberg type.
type Column struct {
	// Name of the column.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Name string `json:"name"`

	// Type of the column, as Iceberg writes it: boolean, int, long, float, double, date, time, timestamp, timestamptz,
	// string, uuid, binary, decimal(p,s), fixed[n], struct<...>, list<...>, map<...>.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^(boolean|int|long|float|double|date|time|timestamp|timestamptz|timestamp_ns|timestamptz_ns|string|uuid|binary|decimal *[(] *[0-9]+ *, *[0-9]+ *[)]|fixed *[[][0-9]+[]]|struct *<.+>|list *<.+>|map *<.+>)$`
	// +required
	Type string `json:"type"`
}

// IcebergTableSource reads a table that an IcebergTable object describes.
// +kubebuilder:validation:XValidation:rule="[has(self.snapshotID), has(self.asOf), has(self.ref)].filter(x, x).size() <= 1",message="set at most one of snapshotID, asOf and ref"
type IcebergTableSource struct {
	// TableRef names the IcebergTable object.
	// +required
	TableRef LocalRef `json:"tableRef"`

	// Columns to read. Default: all. A column that the table does not have fails the run, and the message lists those it has.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=atomic
	// +optional
	Columns []string `json:"columns,omitempty"`

	// Filter that rows must meet, an SQL expression over the table's columns; files that cannot match are not read. Default: none.
	// +kubebuilder:validation:MaxLength=4096
	// +optional
	Filter string `json:"filter,omitempty"`

	// SnapshotID to read, a decimal number. Default: the current snapshot when the run is planned.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+$')",message="snapshotID must be a decimal number in quotes"
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// AsOf reads the snapshot that was current at this time.
	// +optional
	AsOf *metav1.Time `json:"asOf,omitempty"`

	// Ref is the branch or tag to read.
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Ref string `json:"ref,omitempty"`
}

// DatabendSource reads what a query to a Databend cluster answers.
type DatabendSource struct {
	// ClusterRef names the DatabendCluster object.
	// +required
	ClusterRef LocalRef `json:"clusterRef"`

	// Query to run. A query that Databend refuses fails the run with its message.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +required
	Query string `json:"query"`

	// Warehouse of the cluster that runs the query. Default: the cluster's own query service.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	Warehouse string `json:"warehouse,omitempty"`

	// UserSecretRef names a Secret with the keys username and password. Default: the user that the operator made for itself.
	// +optional
	UserSecretRef *LocalRef `json:"userSecretRef,omitempty"`
}

// PostgresSource reads a table or a query of a PostgreSQL database.
// +kubebuilder:validation:XValidation:rule="has(self.query) != has(self.table)",message="set either query or table"
// +kubebuilder:validation:XValidation:rule="!has(self.splitColumn) || has(self.table)",message="splitColumn splits a table; set table, or remove splitColumn"
type PostgresSource struct {
	// DSNSecretRef names the Secret key that holds the connection string (postgres://user:password@host:5432/database).
	// +required
	DSNSecretRef SecretKeyRef `json:"dsnSecretRef"`

	// Query to run, in one read-only transaction.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	Query string `json:"query,omitempty"`

	// Table to read whole, schema.table or table.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Table string `json:"table,omitempty"`

	// SplitColumn (integer) by whose ranges the table is shared out when parallelism is more than 1. Default: ranges of pages (ctid).
	// +kubebuilder:validation:MaxLength=63
	// +optional
	SplitColumn string `json:"splitColumn,omitempty"`
}

// MySQLSource reads a table or a query of a MySQL or MariaDB database.
// +kubebuilder:validation:XValidation:rule="has(self.query) != has(self.table)",message="set either query or table"
// +kubebuilder:validation:XValidation:rule="!has(self.splitColumn) || has(self.table)",message="splitColumn splits a table; set table, or remove splitColumn"
type MySQLSource struct {
	// DSNSecretRef names the Secret key that holds the connection string (user:password@tcp(host:3306)/database).
	// +required
	DSNSecretRef SecretKeyRef `json:"dsnSecretRef"`

	// Query to run, in one read-only transaction.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=32768
	// +optional
	Query string `json:"query,omitempty"`

	// Table to read whole, database.table or table.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Table string `json:"table,omitempty"`

	// SplitColumn (integer) by whose ranges the table is shared out when parallelism is more than 1. Default: no split.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	SplitColumn string `json:"splitColumn,omitempty"`
}
