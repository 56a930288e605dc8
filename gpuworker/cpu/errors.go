package cpu

import (
	"regexp"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Kind is what sort of fault a statement ended with.
type Kind string

const (
	// KindStatement is SQL that cannot be planned: syntax, unknown function, types that do not go together.
	KindStatement Kind = "Statement"
	// KindMissingColumn is a column that the input does not have.
	KindMissingColumn Kind = "MissingColumn"
	// KindData is a value that an expression or a reader cannot handle.
	KindData Kind = "Data"
	// KindResources is too little memory or disk.
	KindResources Kind = "Resources"
	// KindOther is anything else.
	KindOther Kind = "Other"
)

// Error is an error of DuckDB.
type Error struct {
	Kind Kind
	// Column is the missing column, with KindMissingColumn.
	Column  string
	Message string
}

func (e *Error) Error() string { return e.Message }

var missingColumn = []*regexp.Regexp{
	regexp.MustCompile(`(?s)^Binder Error: Referenced column "(.+?)" not found`),
	regexp.MustCompile(`(?s)^Binder Error: Table "[^"]*" does not have a column named "(.+?)"`),
	regexp.MustCompile(`(?s)^Binder Error: Values list "[^"]*" does not have a column named "(.+?)"`),
}

// kinds maps the first words of DuckDB's messages, which every path of the C API keeps (types are lost when preparing).
var kinds = []struct {
	prefix string
	kind   Kind
}{
	{"Binder Error", KindStatement}, {"Parser Error", KindStatement}, {"Catalog Error", KindStatement},
	{"Permission Error", KindStatement}, // SQL that reads files where none may be read
	{"Conversion Error", KindData}, {"Invalid Input Error", KindData}, {"Out of Range Error", KindData},
	{"Mismatch Type Error", KindData}, {"Constraint Error", KindData}, {"Divide by Zero Error", KindData},
	{"Out of Memory Error", KindResources}, {"IO Error: No space left", KindResources},
}

func newError(_ duckdb.ErrorType, message string) *Error {
	e := &Error{Kind: KindOther, Message: firstParagraph(message)}
	for _, pattern := range missingColumn {
		if found := pattern.FindStringSubmatch(message); found != nil {
			e.Kind, e.Column = KindMissingColumn, found[1]
			return e
		}
	}
	for _, k := range kinds {
		if strings.HasPrefix(message, k.prefix) {
			e.Kind = k.kind
		}
	}
	return e
}

// firstParagraph leaves out what DuckDB appends for its shell: the statement with a caret, hints on settings.
func firstParagraph(message string) string {
	text, _, _ := strings.Cut(message, "\n\n")
	if before, _, found := strings.Cut(text, "\nLINE "); found {
		text = before
	}
	return strings.TrimSpace(text)
}

// Quote writes a name as an SQL identifier.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal writes a text as an SQL string.
func Literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
