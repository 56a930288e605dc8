package lakehouse

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

func sortedKeys(props iceberg.Properties) []string { return slices.Sorted(maps.Keys(props)) }

// checkPartitions refuses another partition spec than the table has.
func checkPartitions(d *declaration, meta table.Metadata, matched map[string]iceberg.NestedField) error {
	spec := meta.PartitionSpec()
	var have, want []string
	same := true
	fields := values(spec.Fields())
	for i, p := range d.partitions {
		want = append(want, fmt.Sprintf("%s(%s)", p.transform, p.source))
		same = same && i < len(fields) && p.transform.Equals(fields[i].Transform) &&
			slices.Equal(fields[i].SourceIDs, []int{sourceID(meta, matched, p.source)}) && (p.name == "" || p.name == fields[i].Name)
	}
	for _, f := range fields {
		name, _ := meta.CurrentSchema().FindColumnName(f.SourceID())
		have = append(have, fmt.Sprintf("%s(%s)", f.Transform, name))
	}
	if !same || len(fields) != len(d.partitions) {
		return refuse(ReasonPartitionChangeRefused, "partitionSpec", "partitionSpec is %s in the table and declared %s; changing it is not supported yet. Declare what the table has, or create another table",
			quoteList(have), quoteList(want))
	}
	return nil
}

// sourceID finds a declared source in the table: a nested one by the path under its top-level column.
func sourceID(meta table.Metadata, matched map[string]iceberg.NestedField, source string) int {
	top, rest, nested := strings.Cut(source, ".")
	f, ok := matched[top]
	if ok && !nested {
		return f.ID
	}
	if ok {
		if inner, found := meta.CurrentSchema().FindFieldByName(f.Name + "." + rest); found {
			return inner.ID
		}
	}
	return -1
}

func checkSortOrder(d *declaration, meta table.Metadata, matched map[string]iceberg.NestedField) error {
	order := meta.SortOrder()
	fields := values(order.Fields())
	same := len(fields) == len(d.sort)
	var have, want []string
	for i, s := range d.sort {
		want = append(want, fmt.Sprintf("%s(%s) %s", s.transform, s.source, s.direction))
		same = same && s.transform.Equals(fields[i].Transform) && slices.Equal(fields[i].SourceIDs, []int{sourceID(meta, matched, s.source)}) &&
			s.direction == fields[i].Direction && s.nulls == fields[i].NullOrder
	}
	for _, f := range fields {
		name, _ := meta.CurrentSchema().FindColumnName(f.SourceID())
		have = append(have, fmt.Sprintf("%s(%s) %s", f.Transform, name, f.Direction))
	}
	if !same {
		return refuse(ReasonSortOrderChangeRefused, "sortOrder", "sortOrder is %s in the table and declared %s; changing it is not supported yet. Declare what the table has, or create another table",
			quoteList(have), quoteList(want))
	}
	return nil
}

func values[V any](seq iter.Seq2[int, V]) []V {
	var out []V
	for _, v := range seq {
		out = append(out, v)
	}
	return out
}
