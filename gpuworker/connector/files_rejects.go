package connector

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// rejectColumns are what a format's query adds to a file's columns, for rows that are no good: which column is at fault
// (or one of the bad constants; NULL for a good row), the value found there, and the row's text.
const rejectColumns = 3 // bad, value, row

const (
	badObject = -1 // the row is not what the format has for a row
	badBlank  = -2 // an empty line: left out, and no reject
	badKey    = -3 // the value names a column that the plan does not have
)

// maxRejectText bounds the text of a row in the rejects file, in characters.
const maxRejectText = 2000

// maxPending bounds the rejects of one file that wait in memory for their line number; later ones go without.
const maxPending = 10_000

// firstReasons is how many rejects an error message shows.
const firstReasons = 3

// reject is one row that was left out: a line of the rejects file.
type reject struct {
	File   string `json:"file"`
	Line   int64  `json:"line,omitempty"`
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
	Row    string `json:"row"`
	// index counts the rows that the reader gave before this one, from the start of the file.
	index int64
}

// rejectLog writes rejects to a file and counts them.
type rejectLog struct {
	max     int64
	dir     string
	path    string
	file    *os.File
	out     *bufio.Writer
	total   int64
	first   []string
	pending []reject
	err     error
}

// limit is how many rejects of the next file are worth knowing: one more than may be.
func (l *rejectLog) limit() int64 { return max(l.max-l.total, 0) + 1 }

// collect takes the rejects out of a batch of n columns and perhaps rejectColumns, whose first row has the given index, and
// gives the mask of good rows. misfits are rows whose integers do not fit, each with the first such column.
func (l *rejectLog) collect(in arrow.RecordBatch, n int, misfits map[int]int, start int64, pinned []fileColumn) *array.Boolean {
	keep := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer keep.Release()
	var bad *array.Int32
	if int(in.NumCols()) == n+rejectColumns {
		bad = in.Column(n).(*array.Int32)
	}
	for i := range int(in.NumRows()) {
		column, misfit := misfits[i]
		judged := bad != nil && bad.IsValid(i)
		keep.Append(!misfit && !judged)
		switch {
		case misfit:
			l.pending = append(l.pending, newReject(column, clip(text(in.Column(column), i), 64), clip(rowText(in, n, i), maxRejectText), start+int64(i), pinned))
		case judged && bad.Value(i) != badBlank:
			l.pending = append(l.pending, newReject(int(bad.Value(i)), text(in.Column(n+1), i), text(in.Column(n+2), i), start+int64(i), pinned))
		}
		if len(l.pending) > maxPending {
			last := l.pending[maxPending]
			l.pending = l.pending[:maxPending]
			l.write(last)
		}
	}
	return keep.NewBooleanArray()
}

func text(column arrow.Array, i int) string {
	if column.IsNull(i) {
		return ""
	}
	return strings.Clone(column.ValueStr(i)) // the batch's memory goes with it
}

// rowText is a row with its fields as they were found, or as Arrow writes their values.
func rowText(in arrow.RecordBatch, n, i int) string {
	fields := make([]string, n)
	for k := range fields {
		fields[k] = text(in.Column(k), i)
	}
	return strings.Join(fields, ",")
}

// clip cuts a text to a number of characters.
func clip(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most])
	}
	return s
}

func newReject(bad int, value, row string, index int64, pinned []fileColumn) reject {
	r := reject{Row: row, index: index}
	switch {
	case bad >= 0:
		r.Column = pinned[bad].Name
		r.Reason = fmt.Sprintf("expected %s, found %q", pinned[bad].Type, value)
	case bad == badKey:
		r.Column = value
		r.Reason = "the column is not among those found when the run was planned; declare source.files.columns"
	default:
		r.Reason = "expected a JSON object"
	}
	return r
}

// settle gives the rejects of a finished file their lines: among them are the rows that the reader left out by itself,
// which it gives in the order of lines. Too many rejects are an error of kind Data.
func (l *rejectLog) settle(uri string, firstLine int64, left []reject) (total int64, err error) {
	pending := l.pending
	l.pending = nil
	for before := int64(0); len(pending) > 0 || len(left) > 0; {
		if len(pending) > 0 {
			line := firstLine + pending[0].index + before
			if len(left) == 0 || line < left[0].Line {
				pending[0].Line = line
				l.record(uri, pending[0])
				pending = pending[1:]
				continue
			}
		}
		l.record(uri, left[0])
		left = left[1:]
		before++
	}
	if l.err != nil {
		return l.total, fmt.Errorf("write the rejects file: %w", l.err)
	}
	if l.total > l.max {
		return l.total, fail.Data("RejectedRows", "%d rows do not fit, and maxRejects is %d: %s; correct the file, declare other columns, or raise maxRejects", l.total, l.max, strings.Join(l.first, "; "))
	}
	return l.total, nil
}

func (l *rejectLog) record(uri string, r reject) {
	r.File = uri
	if len(l.first) < firstReasons {
		where := fmt.Sprintf("%s line %d", uri, r.Line)
		if r.Column != "" {
			where += " column " + r.Column
		}
		l.first = append(l.first, where+": "+r.Reason)
	}
	l.write(r)
}

func (l *rejectLog) write(r reject) {
	l.total++
	if l.err != nil {
		return
	}
	if l.file == nil {
		l.path = filepath.Join(l.dir, "rejects-"+uuid.NewString()+".ndjson")
		if l.file, l.err = os.Create(l.path); l.err != nil {
			return
		}
		l.out = bufio.NewWriter(l.file)
	}
	data, err := json.Marshal(r)
	if err == nil {
		_, err = l.out.Write(append(data, '\n'))
	}
	l.err = err
}

func (l *rejectLog) close() error {
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.out.Flush(), l.file.Close())
	l.file = nil
	return err
}
