// Package cpu is the CPU engine: DuckDB, embedded. It reads files, filters, groups and joins, and hands rows on as Arrow
// batches while it works, so that neither an input nor a result has to fit in memory.
//
// It uses DuckDB's C API through its Go bindings instead of database/sql, because only the streaming calls keep memory
// bounded: a materialised result of a large file would be held whole.
package cpu
