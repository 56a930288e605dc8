package lakehouse

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func decimalConvert(from arrow.DataType, to *arrow.Decimal128Type) (convert, error) {
	newBuilder := func() *array.Decimal128Builder { return array.NewDecimal128Builder(memory.DefaultAllocator, to) }
	rescale := func(b *array.Decimal128Builder, v decimal128.Num, scale int32) bool {
		out, err := v.Rescale(scale, to.Scale)
		b.Append(out)
		return err == nil && out.FitsInPrecision(to.Precision)
	}
	if read := intReader(from); read != nil && from.ID() != arrow.DECIMAL128 {
		return func(in arrow.Array) (arrow.Array, *badCell) {
			get := read(in)
			return build(in, newBuilder(), func(b *array.Decimal128Builder, i int) bool {
				v, ok := get(i)
				return ok && rescale(b, decimal128.FromI64(v), 0)
			}, to)
		}, nil
	}
	value := decimalReader(from)
	if value == nil {
		return nil, errNoExactConversion
	}
	scale := from.(arrow.DecimalType).GetScale()
	return func(in arrow.Array) (arrow.Array, *badCell) {
		get := value(in)
		return build(in, newBuilder(), func(b *array.Decimal128Builder, i int) bool {
			v, ok := get(i)
			return ok && rescale(b, v, scale)
		}, to)
	}, nil
}

func decimalReader(from arrow.DataType) func(arrow.Array) func(int) (decimal128.Num, bool) {
	switch from.ID() {
	case arrow.DECIMAL32:
		return func(a arrow.Array) func(int) (decimal128.Num, bool) {
			return func(i int) (decimal128.Num, bool) {
				return decimal128.FromI64(int64(a.(*array.Decimal32).Value(i))), true
			}
		}
	case arrow.DECIMAL64:
		return func(a arrow.Array) func(int) (decimal128.Num, bool) {
			return func(i int) (decimal128.Num, bool) {
				return decimal128.FromI64(int64(a.(*array.Decimal64).Value(i))), true
			}
		}
	case arrow.DECIMAL128:
		return func(a arrow.Array) func(int) (decimal128.Num, bool) {
			return func(i int) (decimal128.Num, bool) { return a.(*array.Decimal128).Value(i), true }
		}
	case arrow.DECIMAL256:
		return func(a arrow.Array) func(int) (decimal128.Num, bool) {
			return func(i int) (decimal128.Num, bool) {
				v := a.(*array.Decimal256).Value(i)
				return decimal128.FromBigInt(v.BigInt()), v.FitsInPrecision(38)
			}
		}
	}
	return nil
}

func stringConvert(from arrow.DataType) (convert, error) {
	switch from.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return func(in arrow.Array) (arrow.Array, *badCell) {
			src := in.(array.StringLike)
			return build(in, array.NewStringBuilder(memory.DefaultAllocator), func(b *array.StringBuilder, i int) bool {
				b.Append(src.Value(i))
				return true
			}, arrow.BinaryTypes.String)
		}, nil
	}
	return nil, errNoExactConversion
}

func binaryConvert(from, to arrow.DataType) (convert, error) {
	var value func(arrow.Array) func(int) []byte
	switch from.ID() {
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		value = func(a arrow.Array) func(int) []byte { return a.(interface{ Value(int) []byte }).Value }
	case arrow.FIXED_SIZE_BINARY:
		value = func(a arrow.Array) func(int) []byte { return a.(*array.FixedSizeBinary).Value }
	default:
		return nil, errNoExactConversion
	}
	fixed, isFixed := to.(*arrow.FixedSizeBinaryType)
	return func(in arrow.Array) (arrow.Array, *badCell) {
		get := value(in)
		if isFixed {
			return build(in, array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, fixed), func(b *array.FixedSizeBinaryBuilder, i int) bool {
				v := get(i)
				if len(v) != fixed.ByteWidth {
					return false
				}
				b.Append(v)
				return true
			}, to)
		}
		return build(in, array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary), func(b *array.BinaryBuilder, i int) bool {
			b.Append(get(i))
			return true
		}, to)
	}, nil
}

// timestampConvert changes the unit exactly. A timestamp without zone is taken as UTC when the column has one, as SQL's
// to_timestamp gives it; one with a zone is an instant and does not fit a column without.
func timestampConvert(from arrow.DataType, to *arrow.TimestampType) (convert, error) {
	source, ok := from.(*arrow.TimestampType)
	if !ok || source.TimeZone != "" && to.TimeZone == "" {
		return nil, errNoExactConversion
	}
	scale := unitScale(source.Unit, to.Unit)
	return func(in arrow.Array) (arrow.Array, *badCell) {
		src := in.(*array.Timestamp)
		return build(in, array.NewTimestampBuilder(memory.DefaultAllocator, to), func(b *array.TimestampBuilder, i int) bool {
			v, ok := scale(int64(src.Value(i)))
			b.Append(arrow.Timestamp(v))
			return ok
		}, to)
	}, nil
}

// unitScale converts between time units and says whether the value stayed exact.
func unitScale(from, to arrow.TimeUnit) func(int64) (int64, bool) {
	f, t := int64(from.Multiplier()), int64(to.Multiplier())
	return func(v int64) (int64, bool) {
		if f >= t {
			m := f / t
			return v * m, v*m/m == v
		}
		d := t / f
		return v / d, v%d == 0
	}
}

func dateConvert(from arrow.DataType) (convert, error) {
	if from.ID() != arrow.DATE64 {
		return nil, errNoExactConversion
	}
	const day = 24 * 60 * 60 * 1000
	return func(in arrow.Array) (arrow.Array, *badCell) {
		src := in.(*array.Date64)
		return build(in, array.NewDate32Builder(memory.DefaultAllocator), func(b *array.Date32Builder, i int) bool {
			v := int64(src.Value(i))
			date := arrow.Date32(v / day) //nolint:gosec // a day that Date32 has not is found in the comparison
			b.Append(date)
			return int64(date)*day == v
		}, arrow.FixedWidthTypes.Date32)
	}, nil
}

func timeConvert(from arrow.DataType, to *arrow.Time64Type) (convert, error) {
	var value func(arrow.Array) func(int) int64
	var unit arrow.TimeUnit
	switch source := from.(type) {
	case *arrow.Time32Type:
		unit = source.Unit
		value = func(a arrow.Array) func(int) int64 {
			return func(i int) int64 { return int64(a.(*array.Time32).Value(i)) }
		}
	case *arrow.Time64Type:
		unit = source.Unit
		value = func(a arrow.Array) func(int) int64 {
			return func(i int) int64 { return int64(a.(*array.Time64).Value(i)) }
		}
	default:
		return nil, errNoExactConversion
	}
	scale := unitScale(unit, to.Unit)
	return func(in arrow.Array) (arrow.Array, *badCell) {
		get := value(in)
		return build(in, array.NewTime64Builder(memory.DefaultAllocator, to), func(b *array.Time64Builder, i int) bool {
			v, ok := scale(get(i))
			b.Append(arrow.Time64(v))
			return ok
		}, to)
	}, nil
}
