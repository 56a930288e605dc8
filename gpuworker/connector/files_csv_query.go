package connector

import (
	"fmt"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
)

// csvQuery builds the query over a CSV file. Columns of integers leave it as text. Those of other exact types are cast
// once; cheap tests of the whole row decide whether the tests that find the column at fault have to be made.
type csvQuery struct {
	out, casts, texts []string
	tests, values     []string
	// suspect holds conditions that are true for every row that some test finds bad, and for few others.
	suspect []string
	// whole are the integer columns: together they must not contain a point or an exponent.
	whole []string
}

// add takes the pinned column i, which the reader calls name.
func (q *csvQuery) add(i int, name string, column fileColumn) {
	q.texts = append(q.texts, "coalesce("+name+"::VARCHAR, '')")
	if !isExact(column.Type) || isInteger(column.Type) { // integers are converted by parseIntegers
		q.out = append(q.out, name+" AS "+cpu.Quote(column.Name))
		return
	}
	test := doesNotFit(name, column.Type)
	q.casts = append(q.casts, fmt.Sprintf("TRY_CAST(%s AS %s) AS x%d", name, column.Type, i))
	q.out = append(q.out, fmt.Sprintf("x%d AS %s", i, cpu.Quote(column.Name)))
	q.tests = append(q.tests, fmt.Sprintf("WHEN %s THEN %d", test, i))
	q.values = append(q.values, fmt.Sprintf("WHEN %d THEN left(%s, 64)", i, name))
	if strings.HasPrefix(column.Type, "DECIMAL(") {
		q.suspect = append(q.suspect, test)
		return
	}
	q.whole = append(q.whole, name)
	q.suspect = append(q.suspect, fmt.Sprintf("(x%d IS NULL) <> (%s IS NULL)", i, name))
}

func (q *csvQuery) sql(read string) string {
	if len(q.tests) == 0 {
		return "SELECT " + strings.Join(q.out, ", ") + " FROM " + read
	}
	if len(q.whole) > 0 {
		q.casts = append(q.casts, "concat("+strings.Join(q.whole, ", ")+") AS whole")
		q.suspect = append(q.suspect, "contains(whole, '.') OR contains(whole, 'e') OR contains(whole, 'E')")
	}
	return fmt.Sprintf(`SELECT %s, bad, CASE bad %s END AS value, CASE WHEN bad IS NOT NULL THEN left(concat_ws(',', %s), %d) END AS row
		FROM (SELECT *, (CASE WHEN %s THEN CASE %s END END)::INTEGER AS bad FROM (SELECT *, %s FROM %s))`,
		strings.Join(q.out, ", "), strings.Join(q.values, " "), strings.Join(q.texts, ", "), maxRejectText,
		strings.Join(q.suspect, " OR "), strings.Join(q.tests, " "), strings.Join(q.casts, ", "), read)
}
