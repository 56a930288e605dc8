package connector

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// csvFiles reads CSV. DuckDB's reader splits the rows and converts most values, and keeps what it rejects; decimals are
// converted by the query and integers after it, because the reader would round them. Lines are counted as the reader counts them:
// a row is one line even if a quoted field breaks it.
type csvFiles struct {
	dialect v1alpha1.CSVDialect
	header  bool
}

func newCSV(spec v1alpha1.FilesSource) csvFiles {
	c := csvFiles{header: true}
	if spec.CSV != nil {
		c.dialect = *spec.CSV
	}
	if c.dialect.Header != nil {
		c.header = *c.dialect.Header
	}
	return c
}

func (c csvFiles) unify(a, b string) string {
	if a == "" || b == "" {
		return a + b // a column without values says nothing of its type
	}
	return unifyText(a, b)
}

// read is a call of the reader without its final bracket. Columns are named c0, c1, ... by position.
func (c csvFiles) read(f localFile, header bool, types []string, nulls []string) string {
	d := c.dialect
	columns := make([]string, len(types))
	for i, t := range types {
		columns[i] = fmt.Sprintf("'c%d': %s", i, cpu.Literal(t))
	}
	quote, escape, delimiter := `"`, "", ","
	if d.Quote != nil {
		quote = *d.Quote
	}
	if escape = quote; d.Escape != nil && *d.Escape != "" {
		escape = *d.Escape
	}
	if d.Delimiter != "" {
		delimiter = d.Delimiter
	}
	for i, null := range nulls {
		nulls[i] = cpu.Literal(null)
	}
	options := []string{
		cpu.Literal(f.path), "auto_detect=false", "hive_partitioning=false", "columns={" + strings.Join(columns, ", ") + "}",
		"delim=" + cpu.Literal(delimiter), "quote=" + cpu.Literal(quote), "escape=" + cpu.Literal(escape), "comment=" + cpu.Literal(d.Comment),
		fmt.Sprintf("header=%t", header), "nullstr=[" + strings.Join(nulls, ", ") + "]", f.duckCompression(),
	}
	if d.SkipLines != nil {
		options = append(options, fmt.Sprintf("skip=%d", *d.SkipLines))
	}
	if d.Encoding != "" {
		options = append(options, "encoding="+cpu.Literal(strings.ToLower(d.Encoding)))
	}
	if d.DateFormat != "" {
		options = append(options, "dateformat="+cpu.Literal(d.DateFormat))
	}
	if d.TimestampFormat != "" {
		options = append(options, "timestampformat="+cpu.Literal(d.TimestampFormat))
	}
	return "read_csv(" + strings.Join(options, ", ")
}

func (c csvFiles) nulls() []string {
	if len(c.dialect.NullValues) == 0 {
		return []string{""}
	}
	return append([]string{}, c.dialect.NullValues...)
}

// columns gives the names of a file's columns, in their order: from the header, or c0, c1, ... without one.
func (c csvFiles) columns(ctx context.Context, db *cpu.Engine, f localFile) ([]fileColumn, error) {
	// The first line is read as one row of more columns than there are; the rest is padded with NULL. Bad rows further
	// down must not be in the way, and are left out only when the header itself is known to fit.
	for _, try := range []struct {
		width  int
		ignore bool
	}{{64, false}, {maxColumns + 1, false}, {maxColumns + 1, true}} {
		types := make([]string, try.width)
		for i := range types {
			types[i] = "VARCHAR"
		}
		never := []string{"\x01\x01"} // an empty name must not look like padding
		rows, err := db.Query(ctx, fmt.Sprintf("SELECT * FROM %s, null_padding=true, ignore_errors=%t, parallel=false) LIMIT 1", c.read(f, false, types, never), try.ignore))
		var names []string
		if err == nil {
			names, err = firstRow(rows), rows.Err()
			rows.Release()
		}
		if err != nil && try.ignore {
			return nil, err
		}
		if err == nil && len(names) <= maxColumns {
			return c.named(f, names)
		}
	}
	return nil, fail.Data("BadHeader", "file %s has more than %d columns", f.uri, maxColumns)
}

// maxColumns bounds the columns of a CSV file.
const maxColumns = 1024

func firstRow(rows array.RecordReader) (values []string) {
	if !rows.Next() {
		return nil
	}
	for _, column := range rows.RecordBatch().Columns() {
		if column.Len() > 0 && column.IsValid(0) {
			values = append(values, text(column, 0))
		}
	}
	return values
}

func (c csvFiles) named(f localFile, names []string) ([]fileColumn, error) {
	if len(names) == 0 && c.header {
		return nil, fail.NoInput("NoHeader", "file %s is empty; expected a header line with the names of the columns", f.uri)
	}
	out := make([]fileColumn, len(names))
	seen := map[string]bool{}
	for i, name := range names {
		if !c.header {
			name = fmt.Sprintf("c%d", i)
		}
		name = strings.TrimPrefix(name, "\ufeff")
		if name == "" || seen[name] {
			return nil, fail.Data("BadHeader", "the header of %s has %q as name of column %d; expected names that are not empty and differ", f.uri, name, i+1)
		}
		seen[name] = true
		out[i].Name = name
	}
	return out, nil
}

func (c csvFiles) query(ctx context.Context, db *cpu.Engine, f localFile, s *fileSchema, limit int64) (string, error) {
	position := map[string]int{}
	types := make([]string, len(s.Columns))
	if c.header {
		has, err := c.columns(ctx, db, f)
		if err != nil {
			return "", err
		}
		types = make([]string, len(has))
		for i, column := range has {
			position[column.Name], types[i] = i, "VARCHAR"
		}
		if err := s.check(f.uri, has); err != nil {
			return "", err
		}
	} else {
		for i, column := range s.Columns {
			position[column.Name] = i
		}
	}
	q := csvQuery{}
	for i, column := range s.Columns {
		at := position[column.Name]
		if types[at] = column.Type; isExact(column.Type) {
			types[at] = "VARCHAR"
		}
		q.add(i, fmt.Sprintf("c%d", at), column)
	}
	return q.sql(c.read(f, c.header, types, c.nulls()) + fmt.Sprintf(", store_rejects=true, rejects_limit=%d)", min(limit, 1<<40)*int64(len(types)))), nil
}

// check says whether a file has the pinned columns, and no other ones when those were found and not declared.
func (s *fileSchema) check(uri string, has []fileColumn) error {
	names := map[string]bool{}
	for _, column := range has {
		names[column.Name] = true
	}
	for _, column := range s.Columns {
		if !names[column.Name] {
			return missingColumn(uri, column.Name, has)
		}
		delete(names, column.Name)
	}
	for _, column := range has {
		if names[column.Name] && !s.Declared {
			return fail.Data("UnknownColumn", "file %s has a column %q that the first files of the source have not: %s; declare the columns in source.files.columns, or read the files apart", uri, column.Name, columnNames(s.Columns))
		}
	}
	return nil
}

func (c csvFiles) rejected(ctx context.Context, db *cpu.Engine) (left []reject, firstLine int64, err error) {
	firstLine = 1
	if c.header {
		firstLine++
	}
	if c.dialect.SkipLines != nil {
		firstLine += int64(*c.dialect.SkipLines)
	}
	rows, err := db.Query(ctx, fmt.Sprintf(`SELECT line::BIGINT, min_by(column_name, byte_position), min_by(error_message, byte_position),
		left(min_by(csv_line, byte_position), %d) FROM reject_errors GROUP BY line ORDER BY line`, maxRejectText))
	if err != nil {
		return nil, 0, err
	}
	for rows.Next() {
		b := rows.RecordBatch()
		for i := range int(b.NumRows()) {
			left = append(left, reject{Line: b.Column(0).(*array.Int64).Value(i), Reason: text(b.Column(2), i), Row: text(b.Column(3), i)})
		}
	}
	err = rows.Err()
	rows.Release()
	if err == nil && len(left) > 0 {
		if err = db.Exec("DELETE FROM reject_errors"); err == nil {
			err = db.Exec("DELETE FROM reject_scans")
		}
	}
	return left, firstLine, err
}
