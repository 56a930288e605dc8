package lakehouse

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// keyEncoder turns the key columns of a row into bytes that are equal exactly when the keys are.
type keyEncoder struct {
	names   []string
	columns []int
}

// keyRows is a keyEncoder on one batch. The bytes of key are valid until the next call.
type keyRows struct {
	names  []string
	arrays []arrow.Array
	write  []func(buf []byte, i int) []byte
	buf    []byte
}

func newKeyEncoder(schema *arrow.Schema, names []string) (*keyEncoder, error) {
	e := &keyEncoder{names: names}
	for _, name := range names {
		at := schema.FieldIndices(name)
		if len(at) != 1 {
			return nil, fmt.Errorf("key column %q is %d times in the data; expected once", name, len(at))
		}
		if keyWriter(array.MakeArrayOfNull(memory.DefaultAllocator, schema.Field(at[0]).Type, 0)) == nil {
			return nil, refuse(ReasonIdentifierRefused, name, "key column %q is %s, which cannot be a key", name, schema.Field(at[0]).Type)
		}
		e.columns = append(e.columns, at[0])
	}
	return e, nil
}

func (e *keyEncoder) bind(batch arrow.RecordBatch) *keyRows {
	r := &keyRows{names: e.names}
	for _, c := range e.columns {
		r.arrays = append(r.arrays, batch.Column(c))
		r.write = append(r.write, keyWriter(batch.Column(c)))
	}
	return r
}

func (r *keyRows) key(i int) ([]byte, error) {
	r.buf = r.buf[:0]
	for c, arr := range r.arrays {
		if arr.IsNull(i) {
			return nil, &BadData{Reason: ReasonNullInRequired, Column: r.names[c],
				Message: fmt.Sprintf("key column %q holds NULL, so it is not clear which row is meant; make the column required, or filter such rows", r.names[c])}
		}
		r.buf = r.write[c](r.buf, i)
	}
	return r.buf, nil
}

// text is the key as a person reads it: id=7, day=2026-01-02.
func (r *keyRows) text(i int) string {
	var parts []string
	for c, arr := range r.arrays {
		parts = append(parts, r.names[c]+"="+arr.ValueStr(i))
	}
	return strings.Join(parts, ", ")
}

// keyWriter appends one value's canonical bytes; nil for types that cannot be keys. Values of variable size carry their
// length, so that ("ab","c") and ("a","bc") differ.
func keyWriter(arr arrow.Array) func(buf []byte, i int) []byte {
	fixed := func(value func(i int) uint64) func([]byte, int) []byte {
		return func(buf []byte, i int) []byte { return binary.LittleEndian.AppendUint64(buf, value(i)) }
	}
	sized := func(value func(i int) []byte) func([]byte, int) []byte {
		return func(buf []byte, i int) []byte { return appendSized(buf, value(i)) }
	}
	switch a := arr.(type) {
	case *array.Boolean:
		return func(buf []byte, i int) []byte {
			if a.Value(i) {
				return append(buf, 1)
			}
			return append(buf, 0)
		}
	case *array.Int32:
		return fixed(bits(a.Value))
	case *array.Int64:
		return fixed(bits(a.Value))
	case *array.Date32:
		return fixed(bits(a.Value))
	case *array.Time64:
		return fixed(bits(a.Value))
	case *array.Timestamp:
		return fixed(bits(a.Value))
	case *array.Decimal128:
		return func(buf []byte, i int) []byte {
			v := a.Value(i)
			return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(buf, v.LowBits()), uint64(v.HighBits())) //nolint:gosec // the same 64 bits
		}
	case *array.FixedSizeBinary:
		return sized(a.Value)
	case *array.LargeBinary:
		return sized(a.Value)
	case *array.Binary:
		return sized(a.Value)
	case array.StringLike:
		return func(buf []byte, i int) []byte { return appendSized(buf, a.Value(i)) }
	case array.ExtensionArray:
		return keyWriter(a.Storage())
	}
	return nil
}

// bits gives a signed value's bits: the same for the same value, whatever its width.
func bits[T ~int32 | ~int64](value func(i int) T) func(i int) uint64 {
	return func(i int) uint64 { return uint64(value(i)) }
}

func appendSized[T ~string | ~[]byte](buf []byte, v T) []byte {
	return append(binary.LittleEndian.AppendUint32(buf, uint32(len(v))), v...) //nolint:gosec // one cell of an Arrow array is below 4 GiB
}
