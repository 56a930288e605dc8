// Package lakehouse is a guarded layer over iceberg-go: it opens catalogs, creates and evolves tables, writes data files,
// commits them exactly once and reads them back.
//
// It exists because iceberg-go v0.7.0, used naively, returns wrong rows for some row filters, brings deleted rows back
// in copy-on-write deletes, loses concurrent commits on SQL catalogs and does not fsync local files. So this layer never
// pushes a row filter down, replaces rows only by position deletes, has its own commit loop, and its own local file IO.
package lakehouse
