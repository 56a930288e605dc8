package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Command is `gpuworker query`.
func Command() *cobra.Command {
	var tables, sql, sqlFile, mounts, format string
	cmd := &cobra.Command{
		Use:   "query --tables FILE (--sql SQL | --sql-file FILE)",
		Short: "Answer one SQL query over Iceberg tables with the CPU engine",
		Long: `Answer one SQL query over Iceberg tables with the CPU engine.

The file of --tables is a JSON object: names that the query may use, each with the spec of an IcebergTable:
  {"flights": {"spec": {"identifier": ..., "catalog": ..., "storage": ...}}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			req := Request{SQL: sql, Mounts: lakehouse.Mounts(mounts), Format: format}
			if err := readJSON(tables, &req.Tables); err != nil {
				return err
			}
			if sqlFile != "" {
				text, err := readBounded(sqlFile)
				if err != nil {
					return err
				}
				req.SQL = string(text)
			}
			if req.SQL == "" {
				return errors.New("no query: give --sql or --sql-file")
			}
			return Run(cmd.Context(), req, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&tables, "tables", "", "JSON file with the tables' specs")
	f.StringVar(&sql, "sql", "", "the query, in DuckDB's dialect")
	f.StringVar(&sqlFile, "sql-file", "", "a file with the query")
	f.StringVar(&mounts, "mounts", "/datastack", "folder with secrets/NAME/KEY and volumes/CLAIM")
	f.StringVar(&format, "format", FormatTable, "table or csv")
	cmd.MarkFlagsMutuallyExclusive("sql", "sql-file")
	_ = cmd.MarkFlagRequired("tables")
	return cmd
}

func readJSON(path string, into *map[string]runspec.Table) error {
	data, err := readBounded(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s is not a JSON object of tables: %w", path, err)
	}
	return nil
}

// readBounded reads a file of at most the size that a ConfigMap can bring.
func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, 1<<20+1))
	if err == nil && len(data) > 1<<20 {
		err = fmt.Errorf("%s is over 1 MiB", path)
	}
	return data, err
}
