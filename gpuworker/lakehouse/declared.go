package lakehouse

import (
	"fmt"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// declaration is what a spec says a table should be, checked and in Iceberg's terms. Field ids in it are provisional.
type declaration struct {
	fields      []declaredField
	identifiers []string
	partitions  []declaredPartition
	sort        []declaredSort
	properties  iceberg.Properties
	allowDrop   bool
}

type declaredField struct {
	iceberg.NestedField
	formerNames []string
}

type declaredPartition struct {
	source    string
	transform iceberg.Transform
	// name is empty when the spec leaves it to us.
	name string
}

type declaredSort struct {
	source    string
	transform iceberg.Transform
	direction table.SortDirection
	nulls     table.NullOrder
}

func declare(spec v1alpha1.IcebergTableSpec) (*declaration, error) {
	d := &declaration{identifiers: spec.Schema.IdentifierFields}
	if spec.Evolution != nil && spec.Evolution.AllowDrop != nil {
		d.allowDrop = *spec.Evolution.AllowDrop
	}
	if len(spec.Identifier.Namespace) == 0 || spec.Identifier.Name == "" {
		return nil, refuse(ReasonInvalidSchema, "identifier", "identifier needs a namespace and a name; found %q", strings.Join(identifier(spec.Identifier), "."))
	}
	if err := d.addFields(spec.Schema); err != nil {
		return nil, err
	}
	schema, err := d.schema()
	if err != nil {
		return nil, err
	}
	for _, p := range spec.PartitionSpec {
		t, err := transformOf(schema, p.Source, p.Transform, "partitionSpec")
		if err != nil {
			return nil, err
		}
		d.partitions = append(d.partitions, declaredPartition{source: p.Source, transform: t, name: p.Name})
	}
	for _, s := range spec.SortOrder {
		sort, err := declareSort(schema, s)
		if err != nil {
			return nil, err
		}
		d.sort = append(d.sort, sort)
	}
	d.properties, err = declareProperties(spec)
	return d, err
}

func (d *declaration) addFields(schema v1alpha1.TableSchema) error {
	if len(schema.Fields) == 0 {
		return refuse(ReasonInvalidSchema, "", "schema.fields is empty; a table needs at least one column")
	}
	names := map[string]bool{}
	parser := typeParser{lastID: len(schema.Fields)}
	for i, f := range schema.Fields {
		if f.Name == "" || names[f.Name] {
			return refuse(ReasonInvalidSchema, f.Name, "schema.fields[%d] is named %q, which is empty or there twice", i, f.Name)
		}
		names[f.Name] = true
		t, err := parser.parse(f.Type)
		if err != nil {
			return refuse(ReasonInvalidSchema, f.Name, "column %q has type %v", f.Name, err)
		}
		if f.Default != nil {
			return refuse(ReasonDefaultRefused, f.Name, "column %q declares a default, which needs a table of format version 3, and tables are written in version 2; remove it, and fill the value in a transformation", f.Name)
		}
		d.fields = append(d.fields, declaredField{
			NestedField: iceberg.NestedField{ID: i + 1, Name: f.Name, Type: t, Required: f.Required != nil && *f.Required, Doc: f.Doc},
			formerNames: f.FormerNames,
		})
	}
	for _, name := range d.identifiers {
		f, ok := d.field(name)
		if !ok || !f.Required {
			return refuse(ReasonIdentifierRefused, name, "identifierFields names %q, which is not a column with required: true; the columns are: %s", name, quoteList(d.names()))
		}
		switch f.Type.(type) {
		case iceberg.Float32Type, iceberg.Float64Type, *iceberg.StructType, *iceberg.ListType, *iceberg.MapType:
			return refuse(ReasonIdentifierRefused, name, "identifier column %q is %s; an identifier may not be a float, struct, list or map", name, f.Type)
		}
	}
	return nil
}

func (d *declaration) field(name string) (declaredField, bool) {
	for _, f := range d.fields {
		if f.Name == name {
			return f, true
		}
	}
	return declaredField{}, false
}

func (d *declaration) names() []string {
	var out []string
	for _, f := range d.fields {
		out = append(out, f.Name)
	}
	return out
}

// schema is the declared schema with fresh ids from 1.
func (d *declaration) schema() (*iceberg.Schema, error) {
	var fields []iceberg.NestedField
	for _, f := range d.fields {
		fields = append(fields, f.NestedField)
	}
	fresh, err := iceberg.AssignFreshSchemaIDs(iceberg.NewSchema(0, fields...), nil)
	if err != nil {
		return nil, refuse(ReasonInvalidSchema, "", "the schema is not valid: %v", err)
	}
	var ids []int
	for _, name := range d.identifiers {
		if f, ok := fresh.FindFieldByName(name); ok {
			ids = append(ids, f.ID)
		}
	}
	return iceberg.NewSchemaWithIdentifiers(0, ids, fresh.Fields()...), nil
}

func transformOf(schema *iceberg.Schema, source, name, where string) (iceberg.Transform, error) {
	f, ok := schema.FindFieldByName(source)
	if !ok {
		return nil, refuse(ReasonInvalidSchema, source, "%s names column %q, which the schema has not; it has: %s", where, source, quoteList(fieldNames(schema)))
	}
	t, err := iceberg.ParseTransform(name)
	if _, unknown := t.(iceberg.UnknownTransform); err != nil || unknown {
		return nil, refuse(ReasonInvalidSchema, source, "%s has transform %q on column %q; expected identity, year, month, day, hour, bucket[n], truncate[n] or void", where, name, source)
	}
	if !t.CanTransform(f.Type) {
		return nil, refuse(ReasonInvalidSchema, source, "%s: transform %s does not suit column %q of type %s", where, t, source, f.Type)
	}
	return t, nil
}

func declareSort(schema *iceberg.Schema, s v1alpha1.SortField) (declaredSort, error) {
	name := s.Transform
	if name == "" {
		name = "identity"
	}
	t, err := transformOf(schema, s.Source, name, "sortOrder")
	if err != nil {
		return declaredSort{}, err
	}
	out := declaredSort{source: s.Source, transform: t, direction: table.SortASC, nulls: table.NullsFirst}
	if s.Direction == v1alpha1.SortDescending {
		out.direction, out.nulls = table.SortDESC, table.NullsLast
	}
	switch s.NullOrder {
	case "First":
		out.nulls = table.NullsFirst
	case "Last":
		out.nulls = table.NullsLast
	}
	return out, nil
}

// partitionSpec resolves the sources in a schema.
func (d *declaration) partitionSpec(schema *iceberg.Schema) (*iceberg.PartitionSpec, error) {
	var fields []iceberg.PartitionField
	seen := map[string]bool{}
	for i, p := range d.partitions {
		f, _ := schema.FindFieldByName(p.source)
		name := p.name
		if name == "" {
			name = partitionName(p)
		}
		if _, isColumn := schema.FindFieldByName(name); seen[name] || isColumn && name != p.source {
			return nil, refuse(ReasonInvalidSchema, p.source, "partitionSpec[%d] would be named %q, which another column or partition has; set its name", i, name)
		}
		seen[name] = true
		fields = append(fields, iceberg.PartitionField{SourceIDs: []int{f.ID}, FieldID: 1000 + i, Name: name, Transform: p.transform})
	}
	spec := iceberg.NewPartitionSpec(fields...)
	return &spec, nil
}

// partitionName is the name that Iceberg's own builder gives.
func partitionName(p declaredPartition) string {
	base := strings.ReplaceAll(p.source, ".", "_")
	switch t := p.transform.(type) {
	case iceberg.IdentityTransform:
		return base
	case iceberg.VoidTransform:
		return base + "_null"
	case iceberg.BucketTransform:
		return base + "_bucket"
	case iceberg.TruncateTransform:
		return base + "_trunc"
	default:
		return fmt.Sprintf("%s_%s", base, t)
	}
}

func (d *declaration) sortOrder(schema *iceberg.Schema) (table.SortOrder, error) {
	if len(d.sort) == 0 {
		return table.UnsortedSortOrder, nil
	}
	var fields []table.SortField
	for _, s := range d.sort {
		f, _ := schema.FindFieldByName(s.source)
		fields = append(fields, table.SortField{SourceIDs: []int{f.ID}, Transform: s.transform, Direction: s.direction, NullOrder: s.nulls})
	}
	order, err := table.NewSortOrder(table.InitialSortOrderID, fields)
	if err != nil {
		return order, refuse(ReasonInvalidSchema, "", "sortOrder is not valid: %v", err)
	}
	return order, nil
}
