package cpu

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/cdata"
	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Options of an engine.
type Options struct {
	// MemoryLimit in bytes; above it DuckDB spills to TempDir.
	MemoryLimit int64
	// TempDir takes spills. It must exist.
	TempDir string
	// Threads; 0: GOMAXPROCS.
	Threads int
	// UnorderedRows lets a query return rows in any order, which saves memory on large files.
	UnorderedRows bool
	// NoFiles refuses every access to files and network: for SQL that users write.
	NoFiles bool
}

// Engine is one in-memory DuckDB with one connection. Its methods may be called from one goroutine at a time; a reader
// that Query returned must be released before the next query.
type Engine struct {
	db     duckdb.Database
	conn   duckdb.Connection
	closed sync.Once
	views  []unsafe.Pointer
}

// pushdowns are the optimizers that move filters and column lists into a scan. DuckDB 1.5.5's arrow_scan accepts both, and
// the C API's stream ignores them: rows that should be filtered come out, columns are taken for others (and it crashes).
const pushdowns = "filter_pushdown,unused_columns,join_filter_pushdown,late_materialization,top_n,statistics_propagation,column_lifetime"

// Version is DuckDB's version, such as v1.5.5.
func Version() string { return duckdb.LibraryVersion() }

// Open starts an engine that reaches no network and loads no extension.
func Open(o Options) (*Engine, error) {
	if o.Threads == 0 {
		o.Threads = threads()
	}
	settings := [][2]string{
		{"threads", fmt.Sprint(o.Threads)},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
		{"preserve_insertion_order", fmt.Sprint(!o.UnorderedRows)},
	}
	if o.MemoryLimit > 0 {
		settings = append(settings, [2]string{"memory_limit", fmt.Sprintf("%dKiB", o.MemoryLimit>>10)})
	}
	if o.TempDir != "" {
		settings = append(settings, [2]string{"temp_directory", filepath.Join(o.TempDir, "duckdb")})
	}
	e := &Engine{}
	if err := e.open(settings); err != nil {
		return nil, err
	}
	if err := e.Exec("SET TimeZone = 'UTC'"); err != nil && !strings.Contains(err.Error(), "icu") {
		e.Close()
		return nil, err
	}
	if o.NoFiles {
		// Last, and for good: DuckDB does not let a statement take it back.
		if err := e.Exec("SET enable_external_access = false"); err != nil {
			e.Close()
			return nil, err
		}
	}
	return e, nil
}

func (e *Engine) open(settings [][2]string) error {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) == duckdb.StateError {
		return errors.New("start DuckDB: no memory for its configuration")
	}
	defer duckdb.DestroyConfig(&config)
	for _, s := range settings {
		if duckdb.SetConfig(config, s[0], s[1]) == duckdb.StateError {
			return fmt.Errorf("start DuckDB: it refuses %s = %s", s[0], s[1])
		}
	}
	var message string
	if duckdb.OpenExt(":memory:", &e.db, config, &message) == duckdb.StateError {
		return fmt.Errorf("start DuckDB: %s", message)
	}
	if duckdb.Connect(e.db, &e.conn) == duckdb.StateError {
		duckdb.Close(&e.db)
		return errors.New("start DuckDB: no connection")
	}
	return nil
}

// Close ends the engine and frees its memory and spills.
func (e *Engine) Close() {
	e.closed.Do(func() {
		duckdb.Disconnect(&e.conn)
		duckdb.Close(&e.db)
		for _, stream := range e.views {
			releaseStream(stream)
		}
	})
}

// Exec runs one statement and throws its rows away.
func (e *Engine) Exec(sql string) error {
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.Query(e.conn, sql, &result) == duckdb.StateError {
		return newError(duckdb.ResultErrorType(&result), duckdb.ResultError(&result))
	}
	return nil
}

// View makes an Arrow reader readable as a table, once: a query consumes it. The engine holds the reader until Close.
func (e *Engine) View(name string, reader array.RecordReader) error {
	stream := newStream()
	pumped := newPump(reader)
	cdata.ExportRecordReader(pumped, (*cdata.CArrowArrayStream)(stream))
	pumped.Release() // the stream has its own reference
	e.views = append(e.views, stream)
	if err := e.Exec("SET disabled_optimizers = '" + pushdowns + "'"); err != nil {
		return err
	}
	if duckdb.ArrowScan(e.conn, name, duckdb.ArrowStream{Ptr: stream}) == duckdb.StateError {
		return fmt.Errorf("DuckDB cannot read the Arrow columns of %s: %v", name, reader.Schema())
	}
	return nil
}

// Query runs a statement and returns its rows while they are computed. The caller releases the reader. A cancelled
// context interrupts the query.
func (e *Engine) Query(ctx context.Context, sql string) (array.RecordReader, error) {
	var prepared duckdb.PreparedStatement
	defer duckdb.DestroyPrepare(&prepared)
	if duckdb.Prepare(e.conn, sql, &prepared) == duckdb.StateError {
		return nil, newError(duckdb.ErrorTypeInvalid, duckdb.PrepareError(prepared))
	}
	stop := context.AfterFunc(ctx, func() { duckdb.Interrupt(e.conn) })
	var result duckdb.Result
	if duckdb.ExecutePreparedStreaming(prepared, &result) == duckdb.StateError {
		stop()
		defer duckdb.DestroyResult(&result)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, newError(duckdb.ResultErrorType(&result), duckdb.ResultError(&result))
	}
	return newResultReader(ctx, result, stop)
}
