package lakehouse

import (
	"maps"
	"strconv"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// defaultTargetFileSize of data files, in bytes.
const defaultTargetFileSize = 256 << 20

// tableDefaults keep metadata small under many commits (500 small appends: 91 MB and a cold plan of 226 ms without them,
// 0.5 MB and 3 ms with them) and leave retries to our own loop.
var tableDefaults = iceberg.Properties{
	table.PropertyFormatVersion:               "2",
	table.MetadataDeleteAfterCommitEnabledKey: "true",
	table.MetadataPreviousVersionsMaxKey:      "20",
	table.MetadataCompressionKey:              "gzip",
	table.ManifestMergeEnabledKey:             "true",
	table.CommitNumRetriesKey:                 "0",
	table.WriteDeleteModeKey:                  table.WriteModeMergeOnRead,
	"write.update.mode":                       table.WriteModeMergeOnRead,
	"write.merge.mode":                        table.WriteModeMergeOnRead,
	table.WriteFormatDefaultKey:               "parquet",
	table.ParquetCompressionKey:               "zstd",
	table.WriteTargetFileSizeBytesKey:         strconv.Itoa(defaultTargetFileSize),
}

// refusedProperties are not honoured, break a guard, or are set elsewhere in the spec.
var refusedProperties = map[string]string{
	table.WriteDataPathKey:            "it is not honoured for partitioned tables; choose the place with storage",
	table.WriteMetadataPathKey:        "choose the place with storage",
	table.WriteMetadataLocationKey:    "choose the place with storage",
	table.ObjectStoreEnabledKey:       "it is not honoured for partitioned tables",
	table.PropertyFormatVersion:       "tables are written in format version 2",
	table.WriteFormatDefaultKey:       "data files are Parquet; see spec.write.format",
	table.ParquetCompressionKey:       "set spec.write.compression",
	table.WriteTargetFileSizeBytesKey: "set spec.write.targetFileSize",
	table.WriteDeleteModeKey:          "copy-on-write deletes bring rows back when a table has delete files, so deletes are always merge-on-read",
	table.CommitNumRetriesKey:         "commits are retried by their token",
	table.DefaultNameMappingKey:       "it is kept by the writers",
}

// codecs maps the API's names to Iceberg's. The library's own `lz4` fails while writing, and `none` is unknown to it.
var codecs = map[v1alpha1.ParquetCompression]string{
	"":       "zstd",
	"Zstd":   "zstd",
	"Snappy": "snappy",
	"LZ4":    "lz4raw",
	"None":   "uncompressed",
}

// declareProperties gives the properties that the spec sets, without defaults.
func declareProperties(spec v1alpha1.IcebergTableSpec) (iceberg.Properties, error) {
	props := iceberg.Properties{}
	for key, value := range spec.Properties {
		if why, refused := refusedProperties[key]; refused {
			return nil, refuse(ReasonPropertyRefused, key, "property %s is refused: %s; remove it from properties", key, why)
		}
		if storageProperty(key) {
			return nil, refuse(ReasonPropertyRefused, key, "property %s is refused: endpoints and credentials of the storage are set in storage, and a table's properties can be read by anybody who reads the table; remove it from properties", key)
		}
		if strings.HasPrefix(key, "datastack.") {
			return nil, refuse(ReasonPropertyRefused, key, "property %s is refused: names that begin with datastack. are the writers' own; remove it from properties", key)
		}
		props[key] = value
	}
	if spec.Write == nil {
		return props, nil
	}
	codec, ok := codecs[spec.Write.Compression]
	if !ok {
		return nil, refuse(ReasonPropertyRefused, "write.compression", "compression %q is not known; use Zstd, Snappy, LZ4 or None", spec.Write.Compression)
	}
	if f := spec.Write.Format; f != "" && f != v1alpha1.FileFormat("Parquet") {
		return nil, refuse(ReasonPropertyRefused, "write.format", "format %q is not written; use Parquet", f)
	}
	props[table.ParquetCompressionKey] = codec
	if size := spec.Write.TargetFileSize; size != nil {
		if size.Value() < 1 {
			return nil, refuse(ReasonPropertyRefused, "write.targetFileSize", "targetFileSize %s is not a size; give 1Mi to 4Gi", size)
		}
		props[table.WriteTargetFileSizeBytesKey] = strconv.FormatInt(size.Value(), 10)
	}
	return props, nil
}

// storageProperty says whether the file IO would take a property for its own settings.
func storageProperty(key string) bool {
	for _, prefix := range []string{"s3.", "gcs.", "adls.", "client.", "oss.", "token", "credential", "warehouse", "io-impl"} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// creationProperties are the declared properties over the defaults.
func (d *declaration) creationProperties() iceberg.Properties {
	props := maps.Clone(tableDefaults)
	maps.Copy(props, d.properties)
	return props
}

// changedProperties are the declared ones that the table has otherwise. A property that left the spec stays: it may be
// somebody else's.
func (d *declaration) changedProperties(have iceberg.Properties) iceberg.Properties {
	out := iceberg.Properties{}
	for key, value := range d.properties {
		if have[key] != value {
			out[key] = value
		}
	}
	return out
}
