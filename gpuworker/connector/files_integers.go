package connector

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// integers converts the first n columns of a batch: those that are text and are pinned as integers. A fraction, an
// exponent or a number that is too large does not fit; misfits gives such rows, each with the first column at fault.
func (s *filesStream) integers(in arrow.RecordBatch, n int) (columns []arrow.Array, misfits map[int]int) {
	columns = make([]arrow.Array, n)
	for i := range columns {
		columns[i] = in.Column(i)
		texts, ok := columns[i].(*array.String)
		if !ok || !isInteger(s.pinned.Columns[i].Type) {
			continue
		}
		bad := func(row int) {
			if misfits == nil {
				misfits = map[int]int{}
			}
			if _, known := misfits[row]; !known {
				misfits[row] = i
			}
		}
		if s.pinned.Columns[i].Type == "INTEGER" {
			columns[i] = parseIntegers(texts, arrow.PrimitiveTypes.Int32, math.MinInt32, math.MaxInt32, bad)
		} else {
			columns[i] = parseIntegers(texts, arrow.PrimitiveTypes.Int64, math.MinInt64, math.MaxInt64, bad)
		}
	}
	return columns, misfits
}

// parseIntegers makes an array of Int32 or Int64 of texts. A text that is no integer of the range is NULL, and bad gets
// its row.
func parseIntegers(texts *array.String, to arrow.DataType, low, high int64, bad func(row int)) arrow.Array {
	builder := array.NewBuilder(memory.DefaultAllocator, to)
	defer builder.Release()
	builder.Reserve(texts.Len())
	wide, _ := builder.(*array.Int64Builder)
	narrow, _ := builder.(*array.Int32Builder)
	for row := range texts.Len() {
		if texts.IsNull(row) {
			builder.UnsafeAppendBoolToBitmap(false)
			continue
		}
		value, ok := parseInteger(texts.Value(row))
		switch {
		case !ok || value < low || value > high:
			bad(row)
			builder.UnsafeAppendBoolToBitmap(false)
		case wide != nil:
			wide.UnsafeAppend(value)
		default:
			narrow.UnsafeAppend(int32(value)) //nolint:gosec // within low and high
		}
	}
	return builder.NewArray()
}

// parseInteger takes an optional sign and digits, and blanks around them.
func parseInteger(s string) (value int64, ok bool) {
	digits := s
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return parseRareInteger(s)
	}
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return parseRareInteger(s)
		}
		value = value*10 + int64(d)
	}
	if len(digits) < len(s) {
		value = -value
	}
	return value, true
}

func parseRareInteger(s string) (int64, bool) {
	value, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	return value, err == nil
}
