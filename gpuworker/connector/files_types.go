package connector

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
)

// duckTypes are DuckDB's names of Iceberg's primitive types.
var duckTypes = map[string]string{
	"boolean": "BOOLEAN", "int": "INTEGER", "long": "BIGINT", "float": "FLOAT", "double": "DOUBLE", "date": "DATE", "time": "TIME",
	"timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE", "timestamp_ns": "TIMESTAMP_NS",
	"string": "VARCHAR", "uuid": "UUID", "binary": "BLOB",
}

var (
	decimalType = regexp.MustCompile(`^decimal\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)$`)
	fixedType   = regexp.MustCompile(`^fixed\s*\[\d+\]$`)
	nestedType  = regexp.MustCompile(`(?s)^(struct|list|map)\s*<(.*)>$`)
)

// duckType gives DuckDB's name of an Iceberg type.
func duckType(iceberg string) (string, error) {
	t := strings.TrimSpace(iceberg)
	if name, ok := duckTypes[t]; ok {
		return name, nil
	}
	if d := decimalType.FindStringSubmatch(t); d != nil {
		return "DECIMAL(" + d[1] + "," + d[2] + ")", nil
	}
	if fixedType.MatchString(t) {
		return "BLOB", nil
	}
	nested := nestedType.FindStringSubmatch(t)
	if nested == nil {
		return "", fmt.Errorf("type %q cannot be read from files; expected boolean, int, long, float, double, date, time, timestamp, timestamptz, string, uuid, binary, decimal(p,s), fixed[n], struct<...>, list<...> or map<...>", iceberg)
	}
	var parts []string
	for _, part := range splitTop(nested[2]) {
		name := ""
		if nested[1] == "struct" {
			var ok bool
			if name, part, ok = strings.Cut(part, ":"); !ok {
				return "", fmt.Errorf("type %q: expected struct<name: type, ...>", iceberg)
			}
			name = cpu.Quote(strings.TrimSpace(name)) + " "
		}
		inner, err := duckType(part)
		if err != nil {
			return "", err
		}
		parts = append(parts, name+inner)
	}
	switch {
	case nested[1] == "list" && len(parts) == 1:
		return parts[0] + "[]", nil
	case nested[1] == "map" && len(parts) == 2:
		return "MAP(" + strings.Join(parts, ", ") + ")", nil
	case nested[1] == "struct":
		return "STRUCT(" + strings.Join(parts, ", ") + ")", nil
	}
	return "", fmt.Errorf("type %q: expected list<type> or map<type, type>", iceberg)
}

// splitTop splits at commas outside of brackets.
func splitTop(s string) (parts []string) {
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '<', '(', '[':
			depth++
		case '>', ')', ']':
			depth--
		case ',':
			if depth == 0 {
				parts = append(parts, s[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, s[start:])
}

// wider lists, for text formats, the type that holds the values of two types.
var wider = map[[2]string]string{
	{"BIGINT", "DOUBLE"}:                      "DOUBLE",
	{"DATE", "TIMESTAMP"}:                     "TIMESTAMP",
	{"DATE", "TIMESTAMP WITH TIME ZONE"}:      "VARCHAR",
	{"UBIGINT", "DOUBLE"}:                     "DOUBLE",
	{"BIGINT", "HUGEINT"}:                     "HUGEINT",
	{"TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}: "VARCHAR",
}

// unifyText is unify for formats in which every value is text: text holds them all.
func unifyText(a, b string) string {
	if a == b {
		return a
	}
	if both, ok := wider[[2]string{a, b}]; ok {
		return both
	}
	if both, ok := wider[[2]string{b, a}]; ok {
		return both
	}
	return "VARCHAR"
}

// isExact says whether DuckDB's cast from text would round: integers and decimals.
func isExact(t string) bool {
	return t == "INTEGER" || t == "BIGINT" || t == "HUGEINT" || strings.HasPrefix(t, "DECIMAL(")
}

// isInteger says whether a column of text is converted by parseIntegers.
func isInteger(t string) bool { return t == "INTEGER" || t == "BIGINT" }

// doesNotFit is an SQL condition: the text is a value that the exact type does not hold as it is.
func doesNotFit(text, t string) string {
	test := fmt.Sprintf("TRY_CAST(%s AS %s) IS NULL OR contains(%s, 'e') OR contains(%s, 'E')", text, t, text, text)
	if scale, ok := strings.CutPrefix(t, "DECIMAL("); ok {
		_, scale, _ = strings.Cut(strings.TrimSuffix(scale, ")"), ",")
		test += fmt.Sprintf(" OR (contains(%s, '.') AND length(rtrim(split_part(trim(%s), '.', 2), '0')) > %s)", text, text, scale)
	} else {
		test += fmt.Sprintf(" OR contains(%s, '.')", text)
	}
	return fmt.Sprintf("(%s IS NOT NULL AND (%s))", text, test)
}
