package lakehouse

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// extensionConvert keeps the same extension type and wraps its plain storage, such as 16 bytes for a uuid.
func extensionConvert(from arrow.DataType, to arrow.ExtensionType) (convert, error) {
	if source, ok := from.(arrow.ExtensionType); ok {
		from = source.StorageType()
	}
	storage, err := planConvert(from, to.StorageType())
	if err != nil {
		return nil, err
	}
	return func(in arrow.Array) (arrow.Array, *badCell) {
		if ext, ok := in.(array.ExtensionArray); ok {
			in = ext.Storage()
		}
		out, bad := storage(in)
		if bad != nil {
			return nil, bad
		}
		defer out.Release()
		return array.NewExtensionArrayWithStorage(to, out), nil
	}, nil
}

// structConvert matches fields by name. A missing optional field is null; an unknown or a missing required one has no
// conversion.
func structConvert(from arrow.DataType, to *arrow.StructType) (convert, error) {
	source, ok := from.(*arrow.StructType)
	if !ok {
		return nil, errNoExactConversion
	}
	for _, f := range source.Fields() {
		if _, known := to.FieldByName(f.Name); !known {
			return nil, fmt.Errorf("the table's struct has no field %q", f.Name)
		}
	}
	inputs, convs := make([]int, to.NumFields()), make([]convert, to.NumFields())
	for i, f := range to.Fields() {
		at, found := source.FieldIdx(f.Name)
		inputs[i] = at
		if !found {
			if !f.Nullable {
				return nil, fmt.Errorf("the data's struct has no field %q, which is required", f.Name)
			}
			inputs[i] = -1
			continue
		}
		var err error
		if convs[i], err = planConvert(source.Field(at).Type, f.Type); err != nil {
			return nil, fmt.Errorf("field %q: %w", f.Name, err)
		}
	}
	return func(in arrow.Array) (arrow.Array, *badCell) {
		return convertStruct(in.(*array.Struct), to, inputs, convs)
	}, nil
}

func convertStruct(s *array.Struct, to *arrow.StructType, inputs []int, convs []convert) (arrow.Array, *badCell) {
	children := make([]arrow.ArrayData, 0, len(inputs))
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for i, at := range inputs {
		var child arrow.Array
		var bad *badCell
		if at < 0 {
			child = array.MakeArrayOfNull(memory.DefaultAllocator, to.Field(i).Type, s.Len())
		} else if child, bad = convs[i](s.Field(at)); bad != nil {
			bad.message = fmt.Sprintf("field %q: %s", to.Field(i).Name, strings.TrimPrefix(bad.message, "the value is "))
			return nil, bad
		}
		child.Data().Retain()
		children = append(children, child.Data())
		child.Release()
		if !to.Field(i).Nullable && child.NullN() > 0 {
			for row := range s.Len() {
				if s.IsValid(row) && child.IsNull(row) {
					return nil, &badCell{row, ReasonNullInRequired, fmt.Sprintf("field %q is null and it is required", to.Field(i).Name)}
				}
			}
		}
	}
	return rebuilt(s, to, children), nil
}

func listConvert(from arrow.DataType, to *arrow.ListType) (convert, error) {
	source, ok := from.(arrow.ListLikeType)
	if !ok || from.ID() == arrow.MAP {
		return nil, errNoExactConversion
	}
	elem, err := planConvert(source.Elem(), to.Elem())
	if err != nil {
		return nil, fmt.Errorf("list element: %w", err)
	}
	required := !to.ElemField().Nullable
	return func(in arrow.Array) (arrow.Array, *badCell) {
		l := in.(array.ListLike)
		offsets := array.NewInt32Builder(memory.DefaultAllocator)
		defer offsets.Release()
		if l.Len() == 0 {
			return array.MakeArrayOfNull(memory.DefaultAllocator, to, 0), nil
		}
		start, _ := l.ValueOffsets(0)
		_, end := l.ValueOffsets(l.Len() - 1)
		for i := range l.Len() {
			s, _ := l.ValueOffsets(i)
			offsets.Append(int32(s - start)) //nolint:gosec // at most a list array's length
		}
		offsets.Append(int32(end - start)) //nolint:gosec // at most a list array's length
		part := array.NewSlice(l.ListValues(), start, end)
		defer part.Release()
		child, bad := elem(part)
		if bad == nil && required && child.NullN() > 0 {
			bad = &badCell{firstNull(child), ReasonNullInRequired, "a list element is null and elements are required"}
		}
		if bad != nil {
			bad.row = rowOfElement(l, start+int64(bad.row))
			return nil, bad
		}
		defer child.Release()
		return newList(in, to, offsets.NewInt32Array(), child), nil
	}, nil
}

func rowOfElement(l array.ListLike, element int64) int {
	for i := range l.Len() {
		if s, e := l.ValueOffsets(i); l.IsValid(i) && element >= s && element < e {
			return i
		}
	}
	return 0
}

func mapConvert(from arrow.DataType, to *arrow.MapType) (convert, error) {
	source, ok := from.(*arrow.MapType)
	if !ok {
		return nil, errNoExactConversion
	}
	key, err := planConvert(source.KeyType(), to.KeyType())
	if err != nil {
		return nil, fmt.Errorf("map key: %w", err)
	}
	item, err := planConvert(source.ItemType(), to.ItemType())
	if err != nil {
		return nil, fmt.Errorf("map value: %w", err)
	}
	return func(in arrow.Array) (arrow.Array, *badCell) {
		m := in.(*array.Map)
		if m.Len() == 0 {
			return array.MakeArrayOfNull(memory.DefaultAllocator, to, 0), nil
		}
		keys, bad := key(m.Keys())
		if bad != nil {
			bad.row = rowOfElement(m, int64(bad.row))
			return nil, bad
		}
		defer keys.Release()
		items, bad := item(m.Items())
		if bad == nil && !to.ItemField().Nullable && items.NullN() > 0 {
			bad = &badCell{firstNull(items), ReasonNullInRequired, "a map value is null and values are required"}
		}
		if bad != nil {
			bad.row = rowOfElement(m, int64(bad.row))
			return nil, bad
		}
		defer items.Release()
		entries := array.NewData(to.Elem(), keys.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{keys.Data(), items.Data()}, 0, 0)
		defer entries.Release()
		return rebuilt(m, to, []arrow.ArrayData{entries}), nil
	}, nil
}

// newList makes a list array with zero-based offsets and the validity of the input.
func newList(in arrow.Array, to arrow.DataType, offsets *array.Int32, child arrow.Array) arrow.Array {
	defer offsets.Release()
	valid := validity(in)
	data := array.NewData(to, in.Len(), []*memory.Buffer{valid, offsets.Data().Buffers()[1]}, []arrow.ArrayData{child.Data()}, in.NullN(), 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// validity is the input's null bitmap starting at bit 0, or nil without nulls.
func validity(in arrow.Array) *memory.Buffer {
	if in.NullN() == 0 {
		return nil
	}
	b := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer b.Release()
	for i := range in.Len() {
		b.Append(in.IsValid(i))
	}
	bits := b.NewBooleanArray()
	return bits.Data().Buffers()[1]
}

// rebuilt is the input with other children: validity, offsets and length stay.
func rebuilt(in arrow.Array, to arrow.DataType, children []arrow.ArrayData) arrow.Array {
	d := in.Data()
	if _, isStruct := in.(*array.Struct); isStruct {
		data := array.NewData(to, in.Len(), []*memory.Buffer{validity(in)}, children, in.NullN(), 0)
		defer data.Release()
		return array.MakeFromData(data)
	}
	data := array.NewData(to, d.Len(), d.Buffers(), children, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}
