// Package query answers one SQL question over IcebergTables with the CPU engine. It is for people and for demonstrations;
// the query service with its choice of engines is another matter.
package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Request is one question.
type Request struct {
	// Tables are the tables that the query may name, by the names of their objects.
	Tables map[string]runspec.Table
	// SQL is one statement in DuckDB's dialect. A table may stand in it once, or be named by a CTE first.
	SQL string
	// Mounts is the folder with secrets and volumes.
	Mounts lakehouse.Mounts
	// Format is FormatTable or FormatCSV.
	Format string
}

// Run answers a Request on out.
func Run(ctx context.Context, req Request, out io.Writer) error {
	write, ok := formats[req.Format]
	if !ok {
		return fmt.Errorf("format is %q; expected %s or %s", req.Format, FormatTable, FormatCSV)
	}
	scratch, err := req.Mounts.Scratch("query-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	engine, err := cpu.Open(cpu.Options{MemoryLimit: cpu.DetectBudget().DuckDB, TempDir: scratch, NoFiles: true})
	if err != nil {
		return err
	}
	defer engine.Close()
	for name, table := range req.Tables {
		// Only what the query names is opened: a broken table must not stop a question about another.
		if !strings.Contains(req.SQL, name) {
			continue
		}
		done, err := view(ctx, engine, name, table.Spec, req.Mounts)
		if err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
		defer done()
	}
	reader, err := engine.Query(ctx, req.SQL)
	if err != nil {
		names := make([]string, 0, len(req.Tables))
		for name := range req.Tables {
			names = append(names, name)
		}
		slices.Sort(names)
		return fmt.Errorf("%w (tables: %s)", err, strings.Join(names, ", "))
	}
	defer reader.Release()
	return write(reader, out)
}

// view makes the newest snapshot of a table readable under a name.
func view(ctx context.Context, engine *cpu.Engine, name string, spec v1alpha1.IcebergTableSpec, mounts lakehouse.Mounts) (func(), error) {
	if spec.Catalog == nil || spec.Storage == nil {
		return nil, errors.New("it has no catalog and storage; set spec.catalog and spec.storage")
	}
	catalog, err := lakehouse.OpenCatalog(ctx, *spec.Catalog, *spec.Storage, mounts)
	if err != nil {
		return nil, err
	}
	closeCatalog := func() { _ = catalog.Close() }
	table, err := catalog.LoadTable(ctx, spec.Identifier)
	if err != nil {
		closeCatalog()
		return nil, err
	}
	reader, _, err := lakehouse.Scan(ctx, table, lakehouse.ScanRequest{})
	if err != nil {
		closeCatalog()
		return nil, err
	}
	if err := engine.View(name, reader); err != nil {
		reader.Release()
		closeCatalog()
		return nil, err
	}
	return func() { reader.Release(); closeCatalog() }, nil
}
