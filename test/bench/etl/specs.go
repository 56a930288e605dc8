package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// lineitem's columns as tpchgen-cli writes them to Parquet.
var columns = [][2]string{
	{"l_orderkey", "long"}, {"l_partkey", "long"}, {"l_suppkey", "long"}, {"l_linenumber", "int"},
	{"l_quantity", "decimal(15,2)"}, {"l_extendedprice", "decimal(15,2)"}, {"l_discount", "decimal(15,2)"}, {"l_tax", "decimal(15,2)"},
	{"l_returnflag", "string"}, {"l_linestatus", "string"},
	{"l_shipdate", "date"}, {"l_commitdate", "date"}, {"l_receiptdate", "date"},
	{"l_shipinstruct", "string"}, {"l_shipmode", "string"}, {"l_comment", "string"},
}

// specs writes the two RunSpec files of one measurement: make a table, load it.
func specs(dir, format string, i int) (table, run string, err error) {
	name := fmt.Sprintf("%s-%d", format, i)
	lake := filepath.Join(dir, "mounts", "volumes", "lake")
	if err := os.MkdirAll(lake, 0o750); err != nil {
		return "", "", err
	}
	volume := func(claim string) v1alpha1.Storage {
		return v1alpha1.Storage{Type: "volume", Volume: &v1alpha1.VolumeStorage{ClaimName: claim}}
	}
	storage := volume("lake")
	spec := v1alpha1.IcebergTableSpec{
		Identifier: v1alpha1.TableIdentifier{Namespace: []string{"bench"}, Name: "lineitem_" + fmt.Sprintf("%s_%d", format, i)},
		Catalog: &v1alpha1.Catalog{Type: "sql", SQL: &v1alpha1.SQLCatalog{
			Dialect: "sqlite", ClaimName: "lake", Path: "catalog.db", Warehouse: "file://" + filepath.Join(lake, "warehouse")}},
		Storage: &storage,
	}
	files := &v1alpha1.FilesSource{Storage: volume("data"), Glob: "lineitem." + format, Format: "Parquet"}
	if format == "csv" {
		files.Format, files.CSV = "CSV", &v1alpha1.CSVDialect{Header: new(true)}
		// Sniffed decimals are doubles, which a decimal column refuses.
		for _, c := range columns {
			files.Columns = append(files.Columns, v1alpha1.Column{Name: c[0], Type: c[1]})
		}
	}
	for _, c := range columns {
		spec.Schema.Fields = append(spec.Schema.Fields, v1alpha1.SchemaField{Name: c[0], Type: c[1]})
	}
	tables := map[string]runspec.Table{name: {Spec: spec}}
	base := runspec.RunSpec{Version: runspec.Version, Run: name, Attempt: 1, Tables: tables, PipelineID: name}

	apply := base
	apply.Action, apply.RunID = runspec.ActionTableApply, name+"-table"
	apply.Object = runspec.ObjectRef{Kind: "IcebergTable", Namespace: "bench", Name: name}
	if table, err = write(dir, name+"-table.json", apply); err != nil {
		return "", "", err
	}
	load := base
	load.Action, load.RunID = runspec.ActionPipeline, name
	load.Object = runspec.ObjectRef{Kind: "ETLPipeline", Namespace: "bench", Name: name}
	load.Pipeline = &runspec.Pipeline{
		Source:      v1alpha1.PipelineSource{Type: "files", Files: files},
		Destination: v1alpha1.Destination{Type: "icebergTable", IcebergTable: &v1alpha1.IcebergTableDestination{TableRef: v1alpha1.LocalRef{Name: name}, Mode: "Append"}},
		Parallelism: 1,
	}
	run, err = write(dir, name+"-run.json", load)
	return table, run, err
}

func write(dir, name string, spec runspec.RunSpec) (string, error) {
	data, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, data, 0o600)
}
