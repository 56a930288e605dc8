package lakehouse

import (
	"fmt"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// evolution is the way from a table's schema to the declared one. Paths name columns as they are before any change.
type evolution struct {
	drops   []string
	updates []columnUpdate
	adds    []iceberg.NestedField
	props   iceberg.Properties
	// words describe the changes for a person.
	words []string
}

type columnUpdate struct {
	name   string
	change table.ColumnUpdate
}

func (e *evolution) empty() bool { return len(e.words) == 0 }

// planEvolution compares the declaration with the table. It refuses, before anything is written, what would lose data or
// change the meaning of rows that are there.
func planEvolution(d *declaration, meta table.Metadata) (*evolution, error) {
	schema := meta.CurrentSchema()
	e := &evolution{props: d.changedProperties(meta.Properties())}
	matched, err := matchFields(d, schema)
	if err != nil {
		return nil, err
	}
	kept := map[int]bool{}
	for _, f := range d.fields {
		have, ok := matched[f.Name]
		if !ok {
			err = e.add(f.NestedField)
		} else {
			kept[have.ID] = true
			err = e.update(have, f.NestedField)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := e.drop(d, schema, kept, meta); err != nil {
		return nil, err
	}
	if err := checkIdentifiers(d, schema, matched); err != nil {
		return nil, err
	}
	if err := checkPartitions(d, meta, matched); err != nil {
		return nil, err
	}
	if err := checkSortOrder(d, meta, matched); err != nil {
		return nil, err
	}
	for _, key := range sortedKeys(e.props) {
		e.words = append(e.words, fmt.Sprintf("set property %s to %s", key, e.props[key]))
	}
	return e, nil
}

// matchFields finds the table's column for each declared one: by name, else by a former name.
func matchFields(d *declaration, schema *iceberg.Schema) (map[string]iceberg.NestedField, error) {
	byName := map[string]iceberg.NestedField{}
	for _, f := range schema.Fields() {
		byName[f.Name] = f
	}
	matched := map[string]iceberg.NestedField{}
	claimed := map[string]string{}
	for _, f := range d.fields {
		if have, ok := byName[f.Name]; ok {
			matched[f.Name], claimed[f.Name] = have, f.Name
		}
	}
	for _, f := range d.fields {
		if _, ok := matched[f.Name]; ok {
			continue
		}
		for _, former := range f.formerNames {
			have, ok := byName[former]
			if !ok {
				continue
			}
			if by, taken := claimed[former]; taken && by != former {
				return nil, refuse(ReasonRenameRefused, f.Name, "columns %q and %q both claim the former name %q; only one of them can have been it", by, f.Name, former)
			} else if taken {
				continue
			}
			if first, twice := matched[f.Name]; twice {
				return nil, refuse(ReasonRenameRefused, f.Name, "column %q claims the former names %q and %q, and the table has both; leave the right one in formerNames", f.Name, first.Name, former)
			}
			matched[f.Name], claimed[former] = have, f.Name
		}
	}
	return matched, nil
}

func (e *evolution) add(f iceberg.NestedField) error {
	if f.Required {
		return refuse(ReasonRequiredRefused, f.Name, "column %q is new and required, and the rows that are there have no value for it; declare it without required", f.Name)
	}
	e.adds = append(e.adds, f)
	e.words = append(e.words, fmt.Sprintf("added column %s (%s)", f.Name, f.Type))
	return nil
}

func (e *evolution) update(have, want iceberg.NestedField) error {
	var c table.ColumnUpdate
	if have.Name != want.Name {
		c.Name = iceberg.Optional[string]{Valid: true, Val: want.Name}
		e.words = append(e.words, fmt.Sprintf("renamed column %s to %s", have.Name, want.Name))
	}
	if !sameType(have.Type, want.Type) {
		if !widens(have.Type, want.Type) {
			return refuse(ReasonTypeChangeRefused, want.Name, "column %q is %s in the table and declared %s; only int to long, float to double and a decimal of more digits and the same scale keep the rows that are there. Declare %s, or add a column of another name",
				have.Name, have.Type, want.Type, have.Type)
		}
		c.FieldType = iceberg.Optional[iceberg.Type]{Valid: true, Val: want.Type}
		e.words = append(e.words, fmt.Sprintf("widened column %s from %s to %s", want.Name, have.Type, want.Type))
	}
	switch {
	case !have.Required && want.Required:
		return refuse(ReasonRequiredRefused, want.Name, "column %q is optional in the table and declared required; rows that are there may hold NULL. Declare it without required", want.Name)
	case have.Required && !want.Required:
		c.Required = iceberg.Optional[bool]{Valid: true, Val: false}
		e.words = append(e.words, fmt.Sprintf("made column %s optional", want.Name))
	}
	if have.Doc != want.Doc {
		c.Doc = iceberg.Optional[string]{Valid: true, Val: want.Doc}
		e.words = append(e.words, fmt.Sprintf("changed the doc of column %s", want.Name))
	}
	if c != (table.ColumnUpdate{}) {
		e.updates = append(e.updates, columnUpdate{have.Name, c})
	}
	return nil
}

func (e *evolution) drop(d *declaration, schema *iceberg.Schema, kept map[int]bool, meta table.Metadata) error {
	for _, f := range schema.Fields() {
		if kept[f.ID] {
			continue
		}
		if !d.allowDrop {
			return refuse(ReasonDropRefused, f.Name, "the table has column %q and the schema no longer declares it; the schema declares: %s. If it was renamed, list %q in the new column's formerNames; to drop it, set evolution.allowDrop: true",
				f.Name, quoteList(d.names()), f.Name)
		}
		if use := columnUse(meta, f.ID); use != "" {
			return refuse(ReasonDropRefused, f.Name, "column %q cannot be dropped: it is %s; keep it in schema.fields", f.Name, use)
		}
		e.drops = append(e.drops, f.Name)
		e.words = append(e.words, fmt.Sprintf("dropped column %s", f.Name))
	}
	return nil
}

// columnUse says what of the table rests on a column, or "".
func columnUse(meta table.Metadata, id int) string {
	for _, spec := range meta.PartitionSpecs() {
		for _, p := range spec.Fields() {
			if slices.Contains(p.SourceIDs, id) {
				return "the source of partition " + p.Name
			}
		}
	}
	order := meta.SortOrder()
	for _, s := range order.Fields() {
		if slices.Contains(s.SourceIDs, id) {
			return "part of the sort order"
		}
	}
	if slices.Contains(meta.CurrentSchema().IdentifierFieldIDs, id) {
		return "an identifier field"
	}
	return ""
}

func checkIdentifiers(d *declaration, schema *iceberg.Schema, matched map[string]iceberg.NestedField) error {
	want := map[int]bool{}
	for _, name := range d.identifiers {
		want[matched[name].ID] = true
	}
	var have []string
	same := len(want) == len(schema.IdentifierFieldIDs)
	for _, id := range schema.IdentifierFieldIDs {
		name, _ := schema.FindColumnName(id)
		have = append(have, name)
		same = same && want[id]
	}
	if !same {
		return refuse(ReasonIdentifierRefused, "identifierFields", "identifierFields are %s in the table and declared %s; the rows that are there may not be unique by other columns. Declare what the table has, or create another table",
			quoteList(have), quoteList(d.identifiers))
	}
	return nil
}

// apply puts the changes into a transaction.
func (e *evolution) apply(tx *table.Transaction) error {
	if len(e.drops)+len(e.updates)+len(e.adds) > 0 {
		u := tx.UpdateSchema(true, false)
		for _, name := range e.drops {
			u = u.DeleteColumn([]string{name})
		}
		for _, c := range e.updates {
			u = u.UpdateColumn([]string{c.name}, c.change)
		}
		for _, f := range e.adds {
			u = u.AddColumn([]string{f.Name}, f.Type, f.Doc, false, nil)
		}
		if err := u.Commit(); err != nil {
			return fmt.Errorf("change the schema: %w", err)
		}
	}
	return tx.SetProperties(e.props)
}
