package lakehouse

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/iceberg-go"
)

// parseType reads an Iceberg type string: a primitive, or struct<name: type, ...>, list<type>, map<type, type>. Primitives
// are read by iceberg-go.
func parseType(s string) (iceberg.Type, error) { return new(typeParser).parse(s) }

// typeParser gives nested fields ids that are unique among all types that it parses; a catalog assigns the final ones.
type typeParser struct{ lastID int }

func (p *typeParser) id() int {
	p.lastID++
	return p.lastID
}

func (p *typeParser) parse(s string) (iceberg.Type, error) {
	s = strings.TrimSpace(s)
	kind, inner, nested, err := cutNested(s)
	if err != nil {
		return nil, err
	}
	if !nested {
		return parsePrimitive(s)
	}
	parts, err := splitTop(inner, ',')
	if err != nil {
		return nil, fmt.Errorf("%q: %w", s, err)
	}
	switch kind {
	case "list":
		if len(parts) != 1 {
			return nil, fmt.Errorf("%q: expected list<type>", s)
		}
		element, err := p.parse(parts[0])
		return &iceberg.ListType{ElementID: p.id(), Element: element}, err
	case "map":
		if len(parts) != 2 {
			return nil, fmt.Errorf("%q: expected map<type, type>", s)
		}
		key, err := p.parse(parts[0])
		if err != nil {
			return nil, err
		}
		value, err := p.parse(parts[1])
		return &iceberg.MapType{KeyID: p.id(), KeyType: key, ValueID: p.id(), ValueType: value}, err
	}
	return p.parseStruct(s, parts)
}

func (p *typeParser) parseStruct(s string, parts []string) (iceberg.Type, error) {
	out := &iceberg.StructType{}
	seen := map[string]bool{}
	for _, part := range parts {
		name, typ, ok := strings.Cut(part, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("%q: expected struct<name: type, ...>, found %q", s, strings.TrimSpace(part))
		}
		if seen[name] {
			return nil, fmt.Errorf("%q: the field %q is there twice", s, name)
		}
		seen[name] = true
		t, err := p.parse(typ)
		if err != nil {
			return nil, err
		}
		out.FieldList = append(out.FieldList, iceberg.NestedField{ID: p.id(), Name: name, Type: t})
	}
	return out, nil
}

// cutNested splits struct<...>, list<...> and map<...> into the word and what is between the angle brackets.
func cutNested(s string) (kind, inner string, nested bool, err error) {
	open := strings.IndexByte(s, '<')
	if open < 0 {
		return "", "", false, nil
	}
	kind = strings.TrimSpace(s[:open])
	if !strings.HasSuffix(s, ">") || kind != "struct" && kind != "list" && kind != "map" {
		return "", "", false, fmt.Errorf("%q is not a type; expected struct<name: type, ...>, list<type> or map<type, type>", s)
	}
	return kind, s[open+1 : len(s)-1], true, nil
}

// splitTop splits at the separator outside of brackets.
func splitTop(s string, sep byte) ([]string, error) {
	var parts []string
	depth, start := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '<', '(', '[':
			depth++
		case '>', ')', ']':
			depth--
		case sep:
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
		if depth < 0 {
			return nil, fmt.Errorf("a bracket is closed and never opened")
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("a bracket is opened and never closed")
	}
	return append(parts, s[start:]), nil
}

// laterTypes exist in Iceberg format version 3 only.
var laterTypes = map[string]bool{"timestamp_ns": true, "timestamptz_ns": true, "variant": true, "unknown": true, "geometry": true, "geography": true}

func parsePrimitive(s string) (iceberg.Type, error) {
	compact := strings.ReplaceAll(s, " ", "")
	if word, _, _ := strings.Cut(compact, "("); laterTypes[word] {
		return nil, fmt.Errorf("%q needs a table of format version 3, and tables are written in version 2; use timestamp, timestamptz, string or binary", s)
	}
	quoted, err := json.Marshal(compact)
	if err != nil {
		return nil, err
	}
	var f iceberg.NestedField
	if err := json.Unmarshal(fmt.Appendf(nil, `{"id":1,"name":"x","required":false,"type":%s}`, quoted), &f); err != nil {
		return nil, fmt.Errorf("%q is not an Iceberg type; expected boolean, int, long, float, double, date, time, timestamp, timestamptz, string, uuid, binary, decimal(p,s), fixed[n], struct<name: type, ...>, list<type> or map<type, type>", s)
	}
	return f.Type, nil
}

// sameType compares types without field ids and docs.
func sameType(a, b iceberg.Type) bool {
	switch x := a.(type) {
	case *iceberg.StructType:
		y, ok := b.(*iceberg.StructType)
		if !ok || len(x.FieldList) != len(y.FieldList) {
			return false
		}
		for i, f := range x.FieldList {
			if g := y.FieldList[i]; f.Name != g.Name || f.Required != g.Required || !sameType(f.Type, g.Type) {
				return false
			}
		}
		return true
	case *iceberg.ListType:
		y, ok := b.(*iceberg.ListType)
		return ok && x.ElementRequired == y.ElementRequired && sameType(x.Element, y.Element)
	case *iceberg.MapType:
		y, ok := b.(*iceberg.MapType)
		return ok && x.ValueRequired == y.ValueRequired && sameType(x.KeyType, y.KeyType) && sameType(x.ValueType, y.ValueType)
	}
	return a.Equals(b)
}

// widens says whether every value of the type from is a value of to, as Iceberg allows it for existing files.
func widens(from, to iceberg.Type) bool {
	switch f := from.(type) {
	case iceberg.Int32Type:
		_, ok := to.(iceberg.Int64Type)
		return ok
	case iceberg.Float32Type:
		_, ok := to.(iceberg.Float64Type)
		return ok
	case iceberg.DecimalType:
		t, ok := to.(iceberg.DecimalType)
		return ok && t.Scale() == f.Scale() && t.Precision() > f.Precision()
	}
	return false
}
