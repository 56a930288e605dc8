package lakehouse

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

var errNoExactConversion = errors.New("there is no conversion that keeps every value")

func keep(in arrow.Array) (arrow.Array, *badCell) {
	in.Retain()
	return in, nil
}

// planConvert picks the conversion between two types, or says that there is none.
func planConvert(from, to arrow.DataType) (convert, error) {
	if from.ID() == arrow.DICTIONARY {
		return dictionaryConvert(from.(*arrow.DictionaryType), to)
	}
	if from.ID() == arrow.NULL {
		return func(in arrow.Array) (arrow.Array, *badCell) {
			return array.MakeArrayOfNull(memory.DefaultAllocator, to, in.Len()), nil
		}, nil
	}
	if arrow.TypeEqual(from, to) && !nested(to) {
		return keep, nil
	}
	switch target := to.(type) {
	case *arrow.StructType:
		return structConvert(from, target)
	case *arrow.ListType:
		return listConvert(from, target)
	case *arrow.MapType:
		return mapConvert(from, target)
	case arrow.ExtensionType:
		return extensionConvert(from, target)
	case *arrow.Int32Type:
		return intConvert(from, func(b *array.Int32Builder, v int64) bool {
			short := int32(v) //nolint:gosec // compared below
			b.Append(short)
			return int64(short) == v
		}, array.NewInt32Builder, to)
	case *arrow.Int64Type:
		return intConvert(from, func(b *array.Int64Builder, v int64) bool {
			b.Append(v)
			return true
		}, array.NewInt64Builder, to)
	case *arrow.Float64Type:
		return doubleConvert(from, to)
	case *arrow.Float32Type:
		return intConvert(from, func(b *array.Float32Builder, v int64) bool {
			b.Append(float32(v))
			return int64(float32(v)) == v && v>>53 == v>>63
		}, array.NewFloat32Builder, to)
	case *arrow.Decimal128Type:
		return decimalConvert(from, target)
	case *arrow.StringType:
		return stringConvert(from)
	case *arrow.BinaryType, *arrow.FixedSizeBinaryType:
		return binaryConvert(from, to)
	case *arrow.TimestampType:
		return timestampConvert(from, target)
	case *arrow.Date32Type:
		return dateConvert(from)
	case *arrow.Time64Type:
		return timeConvert(from, target)
	}
	return nil, errNoExactConversion
}

func nested(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.STRUCT, arrow.LIST, arrow.MAP:
		return true
	}
	return false
}

func doesNotFit(row int, value any, to arrow.DataType) *badCell {
	return &badCell{row, ReasonValueDoesNotFit, fmt.Sprintf("the value %v does not fit %s", value, to)}
}

func dictionaryConvert(from *arrow.DictionaryType, to arrow.DataType) (convert, error) {
	values, err := planConvert(from.ValueType, to)
	if err != nil {
		return nil, err
	}
	return func(in arrow.Array) (arrow.Array, *badCell) {
		d := in.(*array.Dictionary)
		b := array.NewBuilder(memory.DefaultAllocator, from.ValueType)
		defer b.Release()
		b.Reserve(d.Len())
		for i := range d.Len() {
			switch {
			case d.IsNull(i) || d.Dictionary().IsNull(d.GetValueIndex(i)):
				b.AppendNull()
			default:
				if err := b.AppendValueFromString(d.Dictionary().ValueStr(d.GetValueIndex(i))); err != nil {
					return nil, doesNotFit(i, d.Dictionary().ValueStr(d.GetValueIndex(i)), to)
				}
			}
		}
		plain := b.NewArray()
		defer plain.Release()
		return values(plain)
	}, nil
}

// scalarBuilder is what the typed builders of Arrow have in common here.
type scalarBuilder interface {
	array.Builder
	comparable
}

// build makes an array by appending one value a row; put says false when the value does not fit.
func build[B scalarBuilder](in arrow.Array, b B, put func(b B, i int) bool, to arrow.DataType) (arrow.Array, *badCell) {
	defer b.Release()
	b.Reserve(in.Len())
	for i := range in.Len() {
		if in.IsNull(i) {
			b.AppendNull()
		} else if !put(b, i) {
			return nil, doesNotFit(i, in.ValueStr(i), to)
		}
	}
	return b.NewArray(), nil
}

func intConvert[B scalarBuilder](from arrow.DataType, put func(b B, v int64) bool, newBuilder func(memory.Allocator) B, to arrow.DataType) (convert, error) {
	read := intReader(from)
	if read == nil {
		return nil, errNoExactConversion
	}
	return func(in arrow.Array) (arrow.Array, *badCell) {
		get := read(in)
		return build(in, newBuilder(memory.DefaultAllocator), func(b B, i int) bool {
			v, ok := get(i)
			return ok && put(b, v)
		}, to)
	}, nil
}

// intReader gives the values of a type that holds whole numbers, or nil for other types. A value over 63 bits is not ok.
func intReader(from arrow.DataType) func(arrow.Array) func(int) (int64, bool) {
	switch from.ID() {
	case arrow.INT8:
		return integers[int8](func(a arrow.Array) interface{ Value(int) int8 } { return a.(*array.Int8) })
	case arrow.INT16:
		return integers[int16](func(a arrow.Array) interface{ Value(int) int16 } { return a.(*array.Int16) })
	case arrow.INT32:
		return integers[int32](func(a arrow.Array) interface{ Value(int) int32 } { return a.(*array.Int32) })
	case arrow.INT64:
		return integers[int64](func(a arrow.Array) interface{ Value(int) int64 } { return a.(*array.Int64) })
	case arrow.UINT8:
		return integers[uint8](func(a arrow.Array) interface{ Value(int) uint8 } { return a.(*array.Uint8) })
	case arrow.UINT16:
		return integers[uint16](func(a arrow.Array) interface{ Value(int) uint16 } { return a.(*array.Uint16) })
	case arrow.UINT32:
		return integers[uint32](func(a arrow.Array) interface{ Value(int) uint32 } { return a.(*array.Uint32) })
	case arrow.UINT64:
		return integers[uint64](func(a arrow.Array) interface{ Value(int) uint64 } { return a.(*array.Uint64) })
	case arrow.DECIMAL128:
		// Sums of integers arrive as decimal(38,0), DuckDB's HUGEINT.
		if from.(*arrow.Decimal128Type).Scale != 0 {
			return nil
		}
		return func(a arrow.Array) func(int) (int64, bool) {
			d := a.(*array.Decimal128)
			return func(i int) (int64, bool) {
				v := d.Value(i)
				low := int64(v.LowBits()) //nolint:gosec // the same 64 bits
				return low, v.HighBits() == low>>63
			}
		}
	}
	return nil
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](typed func(arrow.Array) interface{ Value(int) T }) func(arrow.Array) func(int) (int64, bool) {
	return func(a arrow.Array) func(int) (int64, bool) {
		arr := typed(a)
		return func(i int) (int64, bool) {
			v := arr.Value(i)
			return int64(v), T(int64(v)) == v && (v > 0) == (int64(v) > 0)
		}
	}
}

func doubleConvert(from, to arrow.DataType) (convert, error) {
	switch from.ID() {
	case arrow.FLOAT16:
		return func(in arrow.Array) (arrow.Array, *badCell) {
			src := in.(*array.Float16)
			return build(in, array.NewFloat64Builder(memory.DefaultAllocator), func(b *array.Float64Builder, i int) bool {
				b.Append(float64(src.Value(i).Float32()))
				return true
			}, to)
		}, nil
	case arrow.FLOAT32:
		return func(in arrow.Array) (arrow.Array, *badCell) {
			src := in.(*array.Float32)
			return build(in, array.NewFloat64Builder(memory.DefaultAllocator), func(b *array.Float64Builder, i int) bool {
				b.Append(float64(src.Value(i)))
				return true
			}, to)
		}, nil
	}
	return intConvert(from, func(b *array.Float64Builder, v int64) bool {
		b.Append(float64(v))
		return v >= -1<<53 && v <= 1<<53
	}, array.NewFloat64Builder, to)
}
