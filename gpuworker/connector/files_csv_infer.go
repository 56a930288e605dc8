package connector

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
)

const (
	// wholeBytes is the size up to which the types of a file are found from all of its rows; compressed files count tenfold.
	wholeBytes = 64 << 20
	// sampleRows is how many rows of a larger file are looked at.
	sampleRows = 500_000
	// firstRows narrow the types down before all rows are tested.
	firstRows = 2_000
)

// offset is an SQL condition: a text that is a timestamp ends with a time zone.
const offset = "(contains(substring(%[1]s, 12), '+') OR contains(substring(%[1]s, 12), '-') OR contains(%[1]s, 'Z'))"

// zeros is an SQL condition: a text with leading zeros, which is a code rather than a number.
const zeros = "(length(%[1]s) > 1 AND starts_with(ltrim(%[1]s, '+-'), '0') AND NOT starts_with(ltrim(%[1]s, '+-'), '0.') AND ltrim(%[1]s, '+-') <> '0')"

// plainly is an SQL condition that finds the common form of a number by its letters, and tests only other texts in full:
// that takes several casts, of which those that fail are slow.
func plainly(common, condition string) string {
	return "CASE WHEN regexp_full_match(%[1]s, '" + common + "') THEN true ELSE " + condition + " END"
}

// candidates are the types that a text may have, in the order in which they are preferred, each with the condition that a
// text is of it. Only ISO 8601 dates count, unless the dialect says otherwise: 01/02/2026 has two meanings.
func (c csvFiles) candidates() [][2]string {
	date, timestamp, zoned := "length(%[1]s) = 10 AND TRY_CAST(%[1]s AS DATE) IS NOT NULL",
		"TRY_CAST(%[1]s AS TIMESTAMP) IS NOT NULL AND NOT "+offset, "TRY_CAST(%[1]s AS TIMESTAMP WITH TIME ZONE) IS NOT NULL AND "+offset
	if c.dialect.DateFormat != "" {
		date = "try_strptime(%[1]s, " + strings.ReplaceAll(cpu.Literal(c.dialect.DateFormat), "%", "%%") + ") IS NOT NULL"
	}
	if c.dialect.TimestampFormat != "" {
		timestamp, zoned = "try_strptime(%[1]s, "+strings.ReplaceAll(cpu.Literal(c.dialect.TimestampFormat), "%", "%%")+") IS NOT NULL", "false"
	}
	return [][2]string{
		{"BOOLEAN", "lower(%[1]s) IN ('true', 'false')"},
		{"BIGINT", plainly("-?[1-9][0-9]{0,17}|0", "TRY_CAST(%[1]s AS BIGINT) IS NOT NULL AND NOT contains(%[1]s, '.') AND NOT contains(lower(%[1]s), 'e') AND NOT "+zeros)},
		{"DOUBLE", plainly("-?([1-9][0-9]{0,17}|0)[.][0-9]{1,17}", "TRY_CAST(%[1]s AS DOUBLE) IS NOT NULL AND NOT contains(lower(%[1]s), 'n') AND NOT "+zeros+
			" AND (TRY_CAST(%[1]s AS BIGINT) IS NOT NULL OR contains(%[1]s, '.') OR contains(lower(%[1]s), 'e'))")},
		{"DATE", date}, {"TIMESTAMP", timestamp}, {"TIMESTAMP WITH TIME ZONE", zoned},
		{"TIME", "TRY_CAST(%[1]s AS TIME) IS NOT NULL AND contains(%[1]s, ':') AND length(%[1]s) >= 8"},
	}
}

func (c csvFiles) infer(ctx context.Context, db *cpu.Engine, f localFile) ([]fileColumn, error) {
	columns, err := c.columns(ctx, db, f)
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	types := make([]string, len(columns))
	for i := range types {
		types[i] = "VARCHAR"
	}
	rows := "SELECT * FROM " + c.read(f, c.header, types, c.nulls()) + ", ignore_errors=true)"
	candidates := c.candidates()
	// left holds, for each column, the candidates that no value has spoken against.
	left := make([][]int, len(columns))
	for i := range left {
		for k := range candidates {
			left[i] = append(left[i], k)
		}
	}
	limit := ""
	size := f.Size
	if f.compression != v1alpha1.FileCompressionNone {
		size *= 10
	}
	if size > wholeBytes {
		limit = fmt.Sprintf(" LIMIT %d", sampleRows)
	}
	empty, _, err := narrow(ctx, db, rows+fmt.Sprintf(" LIMIT %d", firstRows), candidates, left, len(candidates))
	if err != nil || empty == nil {
		return nil, err
	}
	// Then only the preferred one of each column, until all rows agree: a column that fails has fewer ones left.
	for again := true; again; {
		if empty, again, err = narrow(ctx, db, rows+limit, candidates, left, 1); err != nil {
			return nil, err
		}
	}
	for i := range columns {
		switch {
		case empty[i]:
		case len(left[i]) == 0:
			columns[i].Type = "VARCHAR"
		default:
			columns[i].Type = candidates[left[i][0]][0]
		}
	}
	return columns, nil
}

// narrow tests the first few candidates of each column that are left, drops those that do not hold for all rows, and says
// which columns have no value at all (nil when there is no row) and whether a candidate was dropped.
func narrow(ctx context.Context, db *cpu.Engine, rows string, candidates [][2]string, left [][]int, few int) (empty []bool, dropped bool, err error) {
	sql := []string{"count(*)"}
	for i, some := range left {
		name := fmt.Sprintf("c%d", i)
		sql = append(sql, "count("+name+")")
		for _, k := range some[:min(few, len(some))] {
			sql = append(sql, "count(*) FILTER ("+name+" IS NOT NULL AND NOT ("+fmt.Sprintf(candidates[k][1], name)+"))")
		}
	}
	answer, err := db.Query(ctx, "SELECT "+strings.Join(sql, ", ")+" FROM ("+rows+")")
	if err != nil {
		return nil, false, err
	}
	defer answer.Release()
	if !answer.Next() {
		return nil, false, answer.Err()
	}
	count := func(at int) int64 { return answer.RecordBatch().Column(at).(*array.Int64).Value(0) }
	if count(0) == 0 {
		return nil, false, nil
	}
	empty = make([]bool, len(left))
	at := 1
	for i, some := range left {
		empty[i] = count(at) == 0
		at++
		kept := []int{}
		tested := min(few, len(some))
		for _, k := range some[:tested] {
			if count(at) == 0 {
				kept = append(kept, k)
			} else {
				dropped = true
			}
			at++
		}
		left[i] = append(kept, some[tested:]...)
	}
	return empty, dropped, nil
}
