package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// IcebergTableSpec says how a table should be: where, with which columns, how written and how maintained.
// +kubebuilder:validation:XValidation:rule="has(self.ledgerRef) || (has(self.lineage) && self.lineage == 'Disabled')",message="name a LineageLedger in ledgerRef, or say openly that nothing is recorded with lineage: Disabled"
// +kubebuilder:validation:XValidation:rule="!(has(self.ledgerRef) && has(self.lineage) && self.lineage == 'Disabled')",message="lineage: Disabled records nothing; remove ledgerRef, or remove lineage"
// +kubebuilder:validation:XValidation:rule="has(self.catalog) == has(oldSelf.catalog) && (!has(self.catalog) || self.catalog == oldSelf.catalog)",message="catalog is immutable: create another IcebergTable for the other catalog"
// +kubebuilder:validation:XValidation:rule="has(self.storage) == has(oldSelf.storage) && (!has(self.storage) || self.storage == oldSelf.storage)",message="storage is immutable, as it is where the table lies: create another IcebergTable for the other place"
// +kubebuilder:validation:XValidation:rule="!has(self.partitionSpec) || self.partitionSpec.all(p, self.schema.fields.exists(f, f.name == p.source || p.source.startsWith(f.name + '.')))",message="partitionSpec names a source column that schema.fields does not have; use a column's name (parent.child for a nested one)"
// +kubebuilder:validation:XValidation:rule="!has(self.sortOrder) || self.sortOrder.all(s, self.schema.fields.exists(f, f.name == s.source || s.source.startsWith(f.name + '.')))",message="sortOrder names a source column that schema.fields does not have; use a column's name (parent.child for a nested one)"
type IcebergTableSpec struct {
	// Catalog that holds the table. Default: the catalog that the manager was started with. Immutable.
	// +optional
	Catalog *Catalog `json:"catalog,omitempty"`

	// Storage that holds the table's files; gives the credentials, and the location where the catalog does not choose it.
	// Default: the warehouse that the manager was started with. Immutable.
	// +optional
	Storage *Storage `json:"storage,omitempty"`

	// Identifier of the table in its catalog. Immutable. Two objects with one identifier in one catalog are refused (Stalled).
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="identifier is immutable: create another IcebergTable, or rename the object's table by re-creating it with deletionPolicy: Retain"
	// +required
	Identifier TableIdentifier `json:"identifier"`

	// Schema of the table: its columns, in order.
	// +required
	Schema TableSchema `json:"schema"`

	// Evolution says which changes of the schema may lose data. Default: none.
	// +optional
	Evolution *Evolution `json:"evolution,omitempty"`

	// RefreshInterval between looks at the table for commits of others. Default: 5m.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 90s, 10m or 1h"
	// +optional
	RefreshInterval *metav1.Duration `json:"refreshInterval,omitempty"`

	// PartitionSpec of new files, in order. Files that are there already keep theirs. Default: not partitioned.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	PartitionSpec []PartitionField `json:"partitionSpec,omitempty"`

	// SortOrder of the rows within new files. Default: as they come.
	// +kubebuilder:validation:MaxItems=16
	// +listType=atomic
	// +optional
	SortOrder []SortField `json:"sortOrder,omitempty"`

	// Properties of the table, as Iceberg names them. Those that other fields of this spec set are refused. Default: none.
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() > 0 && k.size() <= 255 && self[k].size() <= 1024)",message="a property's name has at most 255 characters, and its value at most 1024"
	// +kubebuilder:validation:XValidation:rule="!('write.data.path' in self)",message="write.data.path is not honoured for partitioned tables; remove it, and choose the place with storage"
	// +kubebuilder:validation:XValidation:rule="!self.exists(k, k in ['write.parquet.compression-codec', 'write.target-file-size-bytes', 'write.format.default'])",message="file format, compression and size are set in spec.write; remove them from properties"
	// +optional
	Properties map[string]string `json:"properties,omitempty"`

	// Write says how files are written.
	// +optional
	Write *TableWrite `json:"write,omitempty"`

	// Maintenance of the table. Default: none.
	// +optional
	Maintenance *Maintenance `json:"maintenance,omitempty"`

	// Refs are branches and tags to keep. Those that are not listed are left alone. Default: none but main.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Refs []TableRef `json:"refs,omitempty"`

	// Register makes the table known to a Databend cluster. Default: not registered.
	// +optional
	Register *TableRegistration `json:"register,omitempty"`

	// DeletionPolicy, when this object is deleted: Retain leaves the table, Drop removes it from the catalog, Purge removes
	// its files too. Default: Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// Suspend stops changes and maintenance; pipelines may still write. Default: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// GPU that maintenance workers need. Default: none, unless write.gpuOptimize; then policy Preferred.
	// +optional
	GPU *GPU `json:"gpu,omitempty"`

	// Worker says how worker pods look. Default: the manager's image and resources.
	// +optional
	Worker *Worker `json:"worker,omitempty"`

	// LedgerRef names the LineageLedger that gets a record of each operation. Needed, unless lineage is Disabled.
	// +optional
	LedgerRef *LocalRef `json:"ledgerRef,omitempty"`

	// Lineage: Enabled, or Disabled to record nothing, which the condition LineageDisabled says openly. Default: Enabled.
	// +optional
	Lineage LineagePolicy `json:"lineage,omitempty"`
}

// TableIdentifier names a table in its catalog.
type TableIdentifier struct {
	// Namespace levels, from the outside. It is made when it is missing.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.all(n, n.matches('^[A-Za-z0-9_][A-Za-z0-9_-]*$'))",message="each level of the namespace holds letters, digits, '_' and '-'; write levels as list items, not with dots"
	// +listType=atomic
	// +required
	Namespace []string `json:"namespace"`

	// Name of the table.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_][A-Za-z0-9_-]*$')",message="the table's name holds letters, digits, '_' and '-'; its namespace goes into identifier.namespace"
	// +required
	Name string `json:"name"`
}

// TableSchema is a table's columns.
// +kubebuilder:validation:XValidation:rule="!has(self.identifierFields) || self.identifierFields.all(i, self.fields.exists(f, f.name == i && has(f.required) && f.required))",message="identifierFields must name columns of fields that have required: true"
type TableSchema struct {
	// Fields (columns), in order.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +required
	Fields []SchemaField `json:"fields"`

	// IdentifierFields are the columns whose values together name a row; Upsert matches by them. They must be required.
	// Default: none, and Upsert is refused.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=set
	// +optional
	IdentifierFields []string `json:"identifierFields,omitempty"`
}

// SchemaField is one column.
// +kubebuilder:validation:XValidation:rule="!has(self.formerNames) || !(self.name in self.formerNames)",message="formerNames lists the names that the column had before; remove its present name"
type SchemaField struct {
	// Name of the column.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="!self.contains('.')",message="a column's name has no '.'; nested fields belong into the type: struct<name: type>"
	// +required
	Name string `json:"name"`

	// Type, as Iceberg writes it: boolean, int, long, float, double, date, time, timestamp, timestamptz, string, uuid,
	// binary, decimal(p,s), fixed[n], struct<name: type, ...>, list<type>, map<type, type>. int may become long, float
	// double, and decimal a wider one of the same scale; other changes are refused (SchemaInSync false).
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^(boolean|int|long|float|double|date|time|timestamp|timestamptz|timestamp_ns|timestamptz_ns|string|uuid|binary|decimal *[(] *[0-9]+ *, *[0-9]+ *[)]|fixed *[[][0-9]+[]]|struct *<.+>|list *<.+>|map *<.+>)$`
	// +required
	Type string `json:"type"`

	// Required columns have no NULL. A column can become optional later, and not required, unless it is new and has a
	// default. Default: false.
	// +optional
	Required *bool `json:"required,omitempty"`

	// Doc says what the column means. Default: none.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Doc string `json:"doc,omitempty"`

	// Default value of rows that are older than the column, as text of its type (JSON for nested ones). Default: NULL.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Default *string `json:"default,omitempty"`

	// FormerNames of the column. A column of the table that has one of them is renamed and keeps its values. Without it,
	// the old column counts as dropped, which is refused unless evolution.allowDrop.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=255
	// +listType=set
	// +optional
	FormerNames []string `json:"formerNames,omitempty"`
}

// Evolution says which changes of the schema may lose data.
type Evolution struct {
	// AllowDrop lets columns that left schema.fields go out of the table; snapshots from before keep them. Default:
	// false: the change is refused (SchemaInSync false, reason DropRefused).
	// +optional
	AllowDrop *bool `json:"allowDrop,omitempty"`
}

// PartitionField is one part of the partitioning.
type PartitionField struct {
	// Source column; parent.child for a nested one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Source string `json:"source"`

	// Transform of the column's value: identity, year, month, day, hour, bucket[n], truncate[n] or void. One that does
	// not suit the column's type is refused (Stalled).
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(identity|year|month|day|hour|void|bucket[[][1-9][0-9]{0,8}[]]|truncate[[][1-9][0-9]{0,8}[]])$')",message="transform must be identity, year, month, day, hour, bucket[n], truncate[n] or void"
	// +required
	Transform string `json:"transform"`

	// Name of the partition column. Default: Iceberg's custom, such as departed_at_month.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +optional
	Name string `json:"name,omitempty"`
}

// SortDirection of a sort field.
// +kubebuilder:validation:Enum=Ascending;Descending
type SortDirection string

// Sort directions.
const (
	SortAscending  SortDirection = "Ascending"
	SortDescending SortDirection = "Descending"
)

// SortField is one part of the sort order.
type SortField struct {
	// Source column; parent.child for a nested one.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	// +required
	Source string `json:"source"`

	// Direction: Ascending or Descending. Default: Ascending.
	// +optional
	Direction SortDirection `json:"direction,omitempty"`

	// NullOrder: First or Last. Default: First for Ascending, Last for Descending.
	// +kubebuilder:validation:Enum=First;Last
	// +optional
	NullOrder string `json:"nullOrder,omitempty"`

	// Transform of the value that is sorted by, as in partitionSpec. Default: identity.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(identity|year|month|day|hour|bucket[[][1-9][0-9]{0,8}[]]|truncate[[][1-9][0-9]{0,8}[]])$')",message="transform must be identity, year, month, day, hour, bucket[n] or truncate[n]"
	// +optional
	Transform string `json:"transform,omitempty"`
}

// TableRefType of a named reference.
// +kubebuilder:validation:Enum=Branch;Tag
type TableRefType string

// Table reference types.
const (
	RefBranch TableRefType = "Branch"
	RefTag    TableRefType = "Tag"
)

// TableRef is a branch or tag.
// +kubebuilder:validation:XValidation:rule="self.type == 'Tag' ? has(self.snapshotID) : true",message="a tag names one snapshot; set snapshotID"
// +kubebuilder:validation:XValidation:rule="self.type == 'Branch' || (!has(self.minSnapshotsToKeep) && !has(self.maxSnapshotAge))",message="minSnapshotsToKeep and maxSnapshotAge are for branches; remove them from the tag"
type TableRef struct {
	// Name of the branch or tag.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule="self != 'main'",message="main is the table's own branch; choose another name"
	// +required
	Name string `json:"name"`

	// Type: Branch or Tag.
	// +required
	Type TableRefType `json:"type"`

	// SnapshotID that a tag names, or that a branch starts from, a decimal number in quotes. Default for a branch: the current snapshot.
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+$')",message="snapshotID must be a decimal number in quotes"
	// +optional
	SnapshotID string `json:"snapshotID,omitempty"`

	// MaxRefAge after which expiry removes the reference. Default: never.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 168h"
	// +optional
	MaxRefAge *metav1.Duration `json:"maxRefAge,omitempty"`

	// MinSnapshotsToKeep on a branch. Default: as maintenance.expireSnapshots says.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	MinSnapshotsToKeep *int32 `json:"minSnapshotsToKeep,omitempty"`

	// MaxSnapshotAge on a branch. Default: as maintenance.expireSnapshots says.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) <= duration('87600h')",message="write a duration of at most 87600h, such as 168h"
	// +optional
	MaxSnapshotAge *metav1.Duration `json:"maxSnapshotAge,omitempty"`
}

// TableRegistration makes a table known to a Databend cluster.
type TableRegistration struct {
	// DatabendClusterRef names the DatabendCluster.
	// +required
	DatabendClusterRef LocalRef `json:"databendClusterRef"`

	// CatalogName under which the cluster knows the table's catalog.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z_][a-z0-9_]*$')",message="catalogName holds lower-case letters, digits and '_', and does not begin with a digit"
	// +required
	CatalogName string `json:"catalogName"`
}
