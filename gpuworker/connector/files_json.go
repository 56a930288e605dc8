package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
)

// ndjson reads one JSON object a line. Lines are split first and parsed by the query, so that a bad line is a reject with
// its number and text, which DuckDB's own JSON reader does not give.
type ndjson struct{}

// maxLine bounds a line, in bytes.
const maxLine = 16 << 20

func (ndjson) unify(a, b string) string {
	if a == "JSON" || b == "JSON" { // what DuckDB calls a column without values
		return strings.TrimPrefix(a+b, "JSON")
	}
	return unifyText(a, b)
}

func (ndjson) infer(ctx context.Context, db *cpu.Engine, f localFile) ([]fileColumn, error) {
	size, sample := f.Size, "-1"
	if f.compression != v1alpha1.FileCompressionNone {
		size *= 10
	}
	if size > wholeBytes {
		sample = fmt.Sprint(sampleRows)
	}
	// Only ISO 8601 dates count; other texts stay text. Bad lines are left out here: Read rejects them.
	found, err := describe(ctx, db, fmt.Sprintf("read_json(%s, format='newline_delimited', records=true, ignore_errors=true, sample_size=%s, maximum_object_size=%d, "+
		"dateformat='%%Y-%%m-%%d', timestampformat='%%Y-%%m-%%dT%%H:%%M:%%S', map_inference_threshold=-1, field_appearance_threshold=0, hive_partitioning=false, %s)",
		cpu.Literal(f.path), sample, maxLine, f.duckCompression()))
	for i, c := range found {
		if c.Type == "UBIGINT" || c.Type == "HUGEINT" { // what DuckDB calls integers of which some are negative
			found[i].Type = "BIGINT"
		}
	}
	return found, err
}

// describe gives the columns of a table function; nil when there are no rows.
func describe(ctx context.Context, db *cpu.Engine, from string) ([]fileColumn, error) {
	rows, err := db.Query(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	var out []fileColumn
	for rows.Next() {
		b := rows.RecordBatch()
		for i := range int(b.NumRows()) {
			out = append(out, fileColumn{Name: text(b.Column(0), i), Type: text(b.Column(1), i)})
		}
	}
	return out, rows.Err()
}

func (ndjson) query(_ context.Context, _ *cpu.Engine, f localFile, s *fileSchema, _ int64) (string, error) {
	var pointers, out, tests, values, names []string
	for i, c := range s.Columns {
		pointer := cpu.Literal("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(c.Name))
		pointers, names = append(pointers, pointer), append(names, cpu.Literal(c.Name))
		value, text, wrong := "", fmt.Sprintf("v[%d]", i+1), ""
		switch {
		case isNested(c.Type):
			kind, err := json.Marshal(c.Type)
			if err != nil {
				return "", err
			}
			value = fmt.Sprintf("TRY(json_transform_strict(json_extract(CASE WHEN %s IS NOT NULL THEN t END, %s), %s))", text, pointer, cpu.Literal(string(kind)))
			wrong = fmt.Sprintf("(%s IS NOT NULL AND %s IS NULL)", text, value)
		case isExact(c.Type):
			value, wrong = fmt.Sprintf("TRY_CAST(%s AS %s)", text, c.Type), doesNotFit(text, c.Type)
		case c.Type == "VARCHAR":
			value = text
		default:
			value = fmt.Sprintf("TRY_CAST(%s AS %s)", text, c.Type)
			wrong = fmt.Sprintf("(%s IS NOT NULL AND %s IS NULL)", text, value)
		}
		out = append(out, value+" AS "+cpu.Quote(c.Name))
		if wrong != "" {
			tests = append(tests, fmt.Sprintf("WHEN %s THEN %d", wrong, i))
			values = append(values, fmt.Sprintf("WHEN %d THEN left(%s, 64)", i, text))
		}
	}
	if list := "[" + strings.Join(names, ", ") + "]"; !s.Declared {
		tests = append(tests, fmt.Sprintf("WHEN NOT list_has_all(%s, json_keys(t)) THEN %d", list, badKey))
		values = append(values, fmt.Sprintf("WHEN %d THEN list_filter(json_keys(t), lambda k: NOT list_contains(%s, k))[1]", badKey, list))
	}
	// One call parses the line and takes out the texts of all columns; NULL stands for a line that is no JSON.
	return fmt.Sprintf(`SELECT %s, bad, CASE bad WHEN %d THEN '' %s END AS value, CASE WHEN bad IS NOT NULL THEN left(t, %d) END AS row FROM (
		SELECT t, v, (CASE WHEN t IS NULL OR trim(t, E' \t\r') = '' THEN %d WHEN v IS NULL OR NOT starts_with(ltrim(t, E' \t'), '{') THEN %d %s END)::INTEGER AS bad
		FROM (SELECT t, TRY(json_extract_string(t, [%s])) AS v FROM %s))`,
		strings.Join(out, ", "), badObject, strings.Join(values, " "), maxRejectText,
		badBlank, badObject, strings.Join(tests, " "), strings.Join(pointers, ", "), lines(f)), nil
}

// isNested says whether a type has parts. Such values must have all declared parts.
func isNested(t string) bool {
	return strings.HasPrefix(t, "STRUCT(") || strings.HasPrefix(t, "MAP(") || strings.HasSuffix(t, "]")
}

// lines reads a text file as one column t.
func lines(f localFile) string {
	return fmt.Sprintf(`read_csv(%s, auto_detect=false, header=false, columns={'t': 'VARCHAR'}, delim=E'\n', quote='', escape='', comment='', nullstr='', max_line_size=%d, hive_partitioning=false, %s)`,
		cpu.Literal(f.path), maxLine, f.duckCompression())
}

func (ndjson) rejected(context.Context, *cpu.Engine) ([]reject, int64, error) { return nil, 1, nil }
