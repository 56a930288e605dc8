package lakehouse

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// badCell is a value that does not fit, at a row of one array.
type badCell struct {
	row     int
	reason  string
	message string
}

// convert turns an array of one type into one of another. It never rounds, wraps or truncates: a value that does not
// fit is a badCell.
type convert func(in arrow.Array) (arrow.Array, *badCell)

// conformer fits input batches to a table's schema: columns by name, exact conversions only.
type conformer struct {
	out     *arrow.Schema
	columns []conformColumn
	rows    int64
}

type conformColumn struct {
	name     string
	input    int
	required bool
	convert  convert
	// noEmptyString guards a string source of an identity or truncate partition field: iceberg-go would write a manifest
	// that every engine prunes as "all null", so the rows would vanish.
	noEmptyString bool
}

// newConformer checks the input's columns before anything is written.
func newConformer(in *arrow.Schema, meta table.Metadata) (*conformer, error) {
	schema := meta.CurrentSchema()
	target, err := table.SchemaToArrowSchemaWithOptions(schema, table.ArrowSchemaOptions{IncludeFieldIDs: true, TableProperties: meta.Properties()})
	if err != nil {
		return nil, fmt.Errorf("the table's schema in Arrow: %w", err)
	}
	if err := checkColumnNames(in, schema); err != nil {
		return nil, err
	}
	guarded := emptyStringSources(meta)
	c := &conformer{}
	var fields []arrow.Field
	for i, f := range schema.Fields() {
		at := in.FieldIndices(f.Name)
		if len(at) == 0 {
			continue // the writer fills the default, or null
		}
		conv, err := planConvert(in.Field(at[0]).Type, target.Field(i).Type)
		if err != nil {
			return nil, badColumn(ReasonTypeMismatch, f.Name, "column %q is %s in the data and %s in the table: %v; cast it in a transformation, or declare another type",
				f.Name, in.Field(at[0]).Type, f.Type, err)
		}
		fields = append(fields, target.Field(i))
		c.columns = append(c.columns, conformColumn{name: f.Name, input: at[0], required: f.Required, convert: conv, noEmptyString: guarded[f.ID]})
	}
	c.out = arrow.NewSchema(fields, nil)
	return c, nil
}

func checkColumnNames(in *arrow.Schema, schema *iceberg.Schema) error {
	var have, declared []string
	known := map[string]bool{}
	for _, f := range schema.Fields() {
		known[f.Name] = true
		declared = append(declared, f.Name)
	}
	seen := map[string]bool{}
	for _, f := range in.Fields() {
		have = append(have, f.Name)
		if seen[f.Name] {
			return badColumn(ReasonUnknownColumn, f.Name, "the data has two columns named %q; rename one in a transformation", f.Name)
		}
		seen[f.Name] = true
	}
	for _, name := range have {
		if !known[name] {
			return badColumn(ReasonUnknownColumn, name, "the data has a column %q that the table has not; the table has: %s; drop or rename it in a transformation, or add it to the table",
				name, quoteList(declared))
		}
	}
	for _, f := range schema.Fields() {
		if f.Required && !seen[f.Name] && f.WriteDefault == nil {
			return badColumn(ReasonMissingColumn, f.Name, "the table requires column %q and the data has none of that name; the data has: %s", f.Name, quoteList(have))
		}
	}
	return nil
}

func emptyStringSources(meta table.Metadata) map[int]bool {
	out := map[int]bool{}
	spec := meta.PartitionSpec()
	for _, f := range spec.Fields() {
		switch f.Transform.(type) {
		case iceberg.IdentityTransform, iceberg.TruncateTransform:
			if source, ok := meta.CurrentSchema().FindFieldByID(f.SourceID()); ok {
				if _, isString := source.Type.(iceberg.StringType); isString {
					out[source.ID] = true
				}
			}
		}
	}
	return out
}

// batch converts one batch; the caller owns the result. Rows are counted from 1 over all batches.
func (c *conformer) batch(in arrow.RecordBatch) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, len(c.columns))
	defer func() {
		for _, col := range cols {
			col.Release()
		}
	}()
	for _, col := range c.columns {
		out, bad := col.convert(in.Column(col.input))
		if bad == nil {
			cols = append(cols, out)
			bad = col.check(out)
		}
		if bad != nil {
			return nil, &BadData{Reason: bad.reason, Row: c.rows + int64(bad.row) + 1, Column: col.name, Message: bad.message}
		}
	}
	c.rows += in.NumRows()
	return array.NewRecordBatch(c.out, cols, in.NumRows()), nil
}

func (c conformColumn) check(arr arrow.Array) *badCell {
	if c.required && arr.NullN() > 0 {
		return &badCell{firstNull(arr), ReasonNullInRequired, "the value is null and the column is required"}
	}
	if !c.noEmptyString {
		return nil
	}
	s := arr.(*array.String)
	for i := range s.Len() {
		if s.IsValid(i) && s.ValueLen(i) == 0 {
			return &badCell{i, ReasonEmptyPartitionString,
				"the value is the empty string and the table is partitioned by this column; other engines would not find the row: turn '' into NULL in a transformation"}
		}
	}
	return nil
}

func firstNull(arr arrow.Array) int {
	for i := range arr.Len() {
		if arr.IsNull(i) {
			return i
		}
	}
	return 0
}
