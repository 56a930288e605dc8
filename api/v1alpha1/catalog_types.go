package v1alpha1

// CatalogType names a kind of Iceberg catalog.
// +kubebuilder:validation:Enum=rest;sql;glue;hive
type CatalogType string

// Catalog types.
const (
	CatalogREST CatalogType = "rest"
	CatalogSQL  CatalogType = "sql"
	CatalogGlue CatalogType = "glue"
	CatalogHive CatalogType = "hive"
)

// Catalog is one Iceberg catalog: set type and the member of that name.
// +kubebuilder:validation:XValidation:rule="has(self.rest) == (self.type == 'rest') && has(self.sql) == (self.type == 'sql') && has(self.glue) == (self.type == 'glue') && has(self.hive) == (self.type == 'hive')",message="catalog: set the member that type names, and no other",messageExpression="'catalog type is ' + self.type + ': set the member ' + self.type + ', and no other'"
type Catalog struct {
	// Type of the catalog: rest, sql, glue or hive. The member of that name must be set.
	// +required
	Type CatalogType `json:"type"`

	// REST is a catalog that speaks the Iceberg REST protocol.
	// +optional
	REST *RESTCatalog `json:"rest,omitempty"`

	// SQL is a catalog kept in a relational database.
	// +optional
	SQL *SQLCatalog `json:"sql,omitempty"`

	// Glue is the AWS Glue data catalog.
	// +optional
	Glue *GlueCatalog `json:"glue,omitempty"`

	// Hive is a Hive metastore.
	// +optional
	Hive *HiveCatalog `json:"hive,omitempty"`
}

// RESTCatalog is a catalog that speaks the Iceberg REST protocol.
type RESTCatalog struct {
	// URI of the catalog, without the /v1 at its end.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="uri must be an http(s) URL, such as http://catalog:8181"
	// +required
	URI string `json:"uri"`

	// Warehouse that the catalog is asked for. Default: the catalog's own default.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Warehouse string `json:"warehouse,omitempty"`

	// Prefix of the catalog's paths, for servers that hold several catalogs. Default: the one that the server's configuration names.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	Prefix string `json:"prefix,omitempty"`

	// CredentialSecretRef names a Secret with the key token (a bearer token), or with clientID and clientSecret (OAuth 2
	// client credentials). Default: no authentication.
	// +optional
	CredentialSecretRef *LocalRef `json:"credentialSecretRef,omitempty"`
}

// SQLDialect is the database that holds an SQL catalog.
// +kubebuilder:validation:Enum=sqlite;postgres
type SQLDialect string

// SQL dialects.
const (
	DialectSQLite   SQLDialect = "sqlite"
	DialectPostgres SQLDialect = "postgres"
)

// SQLCatalog is a catalog kept in a relational database, with the tables that other Iceberg clients know.
// +kubebuilder:validation:XValidation:rule="self.dialect == 'sqlite' ? has(self.path) && !has(self.dsnSecretRef) : has(self.dsnSecretRef) && !has(self.path) && !has(self.claimName)",message="dialect sqlite needs path (and claimName) and no dsnSecretRef; dialect postgres needs dsnSecretRef and neither path nor claimName"
type SQLCatalog struct {
	// Dialect of the database: sqlite (one file; one writer at a time) or postgres.
	// +required
	Dialect SQLDialect `json:"dialect"`

	// ClaimName of the PersistentVolumeClaim that holds the SQLite file. Without it, path is taken on the machine itself,
	// which only a worker that is run by hand can do.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +optional
	ClaimName string `json:"claimName,omitempty"`

	// Path of the SQLite file, relative to the volume's root when claimName is set. The file is made when it is missing.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="!self.contains('..')",message="path must not contain '..'"
	// +optional
	Path string `json:"path,omitempty"`

	// DSNSecretRef names the Secret key that holds the PostgreSQL connection string (postgres://user:password@host:5432/database).
	// +optional
	DSNSecretRef *SecretKeyRef `json:"dsnSecretRef,omitempty"`

	// Name of the catalog inside the database (column catalog_name); catalogs of different names share a database and
	// see nothing of each other. Default: datastack.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Name string `json:"name,omitempty"`

	// Warehouse under which new tables lie: s3://bucket/prefix, gs://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix or file:///folder.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^(s3|s3a|gs|abfs|abfss)://[^/ ]+(/[^ ]*)?$') || self.matches('^file:///[^ ]*$')",message="warehouse must be a URI: s3://bucket/prefix, gs://bucket/prefix, abfss://container@account/prefix or file:///folder"
	// +required
	Warehouse string `json:"warehouse"`
}

// GlueCatalog is the AWS Glue data catalog of one account and region.
type GlueCatalog struct {
	// Region of the catalog.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +required
	Region string `json:"region"`

	// Warehouse under which new tables lie, s3://bucket/prefix. Default: the location of the Glue database.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^s3a?://[^/ ]+(/[^ ]*)?$')",message="warehouse must be s3://bucket/prefix"
	// +optional
	Warehouse string `json:"warehouse,omitempty"`

	// CredentialsSecretRef names a Secret with the keys accessKeyID and secretAccessKey. Default: the pod's own identity.
	// +optional
	CredentialsSecretRef *LocalRef `json:"credentialsSecretRef,omitempty"`
}

// HiveCatalog is a Hive metastore, spoken to over Thrift.
type HiveCatalog struct {
	// URI of the metastore.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^thrift://[^/ ]+:[0-9]+$')",message="uri must be thrift://host:port"
	// +required
	URI string `json:"uri"`

	// Warehouse under which new tables lie. Default: the location of the Hive database.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Warehouse string `json:"warehouse,omitempty"`
}
