package query

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Formats of an answer.
const (
	FormatTable = "table"
	FormatCSV   = "csv"
)

var formats = map[string]func(array.RecordReader, io.Writer) error{FormatTable: writeTable, FormatCSV: writeCSV}

func writeCSV(reader array.RecordReader, out io.Writer) error {
	w := csv.NewWriter(out)
	if err := w.Write(names(reader)); err != nil {
		return err
	}
	if err := eachRow(reader, "", w.Write); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func writeTable(reader array.RecordReader, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	line := func(cells []string) error {
		_, err := fmt.Fprintln(w, "  "+strings.Join(cells, "\t"))
		return err
	}
	header := names(reader)
	rules := make([]string, len(header))
	for i, name := range header {
		rules[i] = strings.Repeat("-", len(name))
	}
	if err := line(header); err != nil {
		return err
	}
	if err := line(rules); err != nil {
		return err
	}
	if err := eachRow(reader, "NULL", line); err != nil {
		return err
	}
	return w.Flush()
}

func names(reader array.RecordReader) []string {
	fields := reader.Schema().Fields()
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

func eachRow(reader array.RecordReader, null string, do func([]string) error) error {
	for reader.Next() {
		batch := reader.RecordBatch()
		for row := range int(batch.NumRows()) {
			cells := make([]string, batch.NumCols())
			for i, column := range batch.Columns() {
				cells[i] = cell(column, row, null)
			}
			if err := do(cells); err != nil {
				return err
			}
		}
	}
	return reader.Err()
}

func cell(column arrow.Array, row int, null string) string {
	if column.IsNull(row) {
		return null
	}
	return column.ValueStr(row)
}
