package api_test

import (
	"strings"
	"testing"
)

func TestRefusedTables(t *testing.T) {
	checkRefused(t, "IcebergTable", "flights", []refusal{
		{"name in capitals", edits{"metadata.name": "fLights"}, "name"},
		{"no lineage said", edits{"spec.ledgerRef": nil}, "lineage: Disabled"},
		{"namespace with dots", edits{"spec.identifier.namespace": l{"a.b"}}, "write levels as list items"},
		{"no namespace", edits{"spec.identifier.namespace": l{}}, "should have at least 1 items"},
		{"table name with dots", edits{"spec.identifier.name": "aviation.flights"}, "its namespace goes into identifier.namespace"},
		{"no columns", edits{"spec.schema.fields": l{}}, "should have at least 1 items"},
		{"column twice", edits{"spec.schema.fields.1.name": "flight_id"}, "duplicate entries"},
		{"column of unknown type", edits{"spec.schema.fields.0.type": "bigint"}, "boolean|int|long"},
		{"decimal without scale", edits{"spec.schema.fields.5.type": "decimal(9)"}, "decimal"},
		{"column name with dots", edits{"spec.schema.fields.2.name": "carrier.code"}, "nested fields belong into the type"},
		{"former name is the present one", edits{"spec.schema.fields.3.formerNames": l{"carrier_name"}}, "remove its present name"},
		{"identifier that is optional", edits{"spec.schema.identifierFields": l{"carrier"}}, "required: true"},
		{"identifier that is no column", edits{"spec.schema.identifierFields": l{"id"}}, "required: true"},
		{"partition by no column", edits{"spec.partitionSpec.0.source": "departed"}, "partitionSpec names a source column"},
		{"sort by no column", edits{"spec.sortOrder.0.source": "airline"}, "sortOrder names a source column"},
		{"unknown transform", edits{"spec.partitionSpec.0.transform": "week"}, "transform must be identity"},
		{"no buckets", edits{"spec.partitionSpec.0.transform": "bucket[0]"}, "bucket[n]"},
		{"unknown direction", edits{"spec.sortOrder.0.direction": "Up"}, `supported values: "Ascending", "Descending"`},
		{"property that is not honoured", edits{"spec.properties": m{"write.data.path": "s3://x/y"}}, "write.data.path is not honoured"},
		{"property that write sets", edits{"spec.properties": m{"write.format.default": "orc"}}, "are set in spec.write"},
		{"long property", edits{"spec.properties": m{"comment": strings.Repeat("x", 1025)}}, "its value at most 1024"},
		{"sort by void", edits{"spec.sortOrder.0.transform": "void"}, "day, hour, bucket[n] or truncate[n]"},
		{"refresh without unit", edits{"spec.refreshInterval": "5"}, "write a duration"},
		{"small target", edits{"spec.write.targetFileSize": "1Ki"}, "targetFileSize must be from 1Mi to 4Gi"},
		{"table as CSV", edits{"spec.write.format": "CSV"}, "files are written as Parquet"},
		{"share above all", edits{"spec.maintenance.compaction.smallFileShare": int64(101)}, "should be less than or equal to 100"},
		{"small files of no size", edits{"spec.maintenance.compaction.smallFileSize": "0"}, "smallFileSize must be a quantity greater than zero"},
		{"compaction of nothing", edits{"spec.maintenance.compaction.maxBytesPerRun": "0"}, "maxBytesPerRun must be a quantity greater than zero"},
		{"expiry at once", edits{"spec.maintenance.expireSnapshots.olderThan": "59m"}, "at least 1h"},
		{"orphans at once", edits{"spec.maintenance.removeOrphans.olderThan": "10s"}, "longer than the longest run"},
		{"keep nothing", edits{"spec.maintenance.expireSnapshots.keepAtLeast": int64(0)}, "should be greater than or equal to 1"},
		{"catalog name with dash", edits{"spec.register.catalogName": "my-lake"}, "catalogName holds lower-case letters"},
		{"unknown deletion policy", edits{"spec.deletionPolicy": "Delete"}, `supported values: "Retain", "Drop", "Purge"`},
	})
	checkRefused(t, "IcebergTable", "positions", []refusal{
		{"catalog member missing", edits{"spec.catalog.type": "rest"}, "catalog type is rest: set the member rest"},
		{"sqlite without path", edits{"spec.catalog.sql.path": nil}, "dialect sqlite needs path"},
		{"postgres with a path", edits{"spec.catalog.sql.dialect": "postgres"}, "dialect postgres needs dsnSecretRef"},
		{"warehouse without scheme", edits{"spec.catalog.sql.warehouse": "/warehouse"}, "warehouse must be a URI"},
		{"rest without scheme", edits{"spec.catalog": m{"type": "rest", "rest": m{"uri": "catalog:8181"}}}, "uri must be an http(s) URL"},
		{"hive by http", edits{"spec.catalog": m{"type": "hive", "hive": m{"uri": "http://hive:9083"}}}, "uri must be thrift://host:port"},
		{"glue in a folder", edits{"spec.catalog": m{"type": "glue", "glue": m{"region": "eu-central-1", "warehouse": "file:///x"}}}, "warehouse must be s3://bucket/prefix"},
		{"tag of nothing", edits{"spec.refs.0.snapshotID": nil}, "a tag names one snapshot"},
		{"tag that keeps snapshots", edits{"spec.refs.0.minSnapshotsToKeep": int64(2)}, "are for branches"},
		{"age without unit", edits{"spec.refs.0.maxRefAge": "30d"}, "such as 168h"},
		{"branch main", edits{"spec.refs.1.name": "main"}, "main is the table's own branch"},
	})
}

func TestImmutableTables(t *testing.T) {
	checkUpdates(t, "IcebergTable", "positions", []update{
		{"identifier", edits{"spec.identifier.name": "places"}, "identifier is immutable"},
		{"catalog", edits{"spec.catalog.sql.path": "other.db"}, "catalog is immutable"},
		{"catalog removed", edits{"spec.catalog": nil}, "catalog is immutable"},
		{"storage", edits{"spec.storage.volume.path": "elsewhere"}, "storage is immutable"},
		{"a column more", edits{"spec.schema.fields.5": m{"name": "tags", "type": "list<string>"}}, ""},
		{"other partitions", edits{"spec.partitionSpec": l{m{"source": "at", "transform": "day"}}}, ""},
		{"suspend", edits{"spec.suspend": true}, ""},
	})
}
