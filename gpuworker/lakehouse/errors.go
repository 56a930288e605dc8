package lakehouse

import (
	"fmt"
	"strings"
)

// Reasons of a Refusal, in the form that conditions use.
const (
	ReasonDropRefused             = "DropRefused"
	ReasonTypeChangeRefused       = "TypeChangeRefused"
	ReasonRequiredRefused         = "RequiredRefused"
	ReasonRenameRefused           = "RenameRefused"
	ReasonIdentifierRefused       = "IdentifierRefused"
	ReasonDefaultRefused          = "DefaultRefused"
	ReasonPartitionChangeRefused  = "PartitionChangeRefused"
	ReasonSortOrderChangeRefused  = "SortOrderChangeRefused"
	ReasonPropertyRefused         = "PropertyRefused"
	ReasonInvalidSchema           = "InvalidSchema"
	ReasonUnsupportedCatalog      = "UnsupportedCatalog"
	ReasonUnsupportedStorage      = "UnsupportedStorage"
	ReasonInvalidConfiguration    = "InvalidConfiguration"
	ReasonMissingMount            = "MissingMount"
	ReasonTableNotFound           = "TableNotFound"
	ReasonMissingColumn           = "MissingColumn"
	ReasonMissingSnapshot         = "MissingSnapshot"
	ReasonUnknownColumn           = "UnknownColumn"
	ReasonTypeMismatch            = "TypeMismatch"
	ReasonValueDoesNotFit         = "ValueDoesNotFit"
	ReasonNullInRequired          = "NullInRequiredColumn"
	ReasonDuplicateKey            = "DuplicateKey"
	ReasonEmptyPartitionString    = "EmptyPartitionString"
	ReasonCommitConflict          = "CommitConflict"
	ReasonCommitUnknown           = "CommitUnknown"
	ReasonUnsupportedTableFeature = "UnsupportedTableFeature"
)

// Refusal is a declared state or a configuration that this layer does not carry out. Nothing was written.
type Refusal struct {
	// Reason is one of the Reason constants.
	Reason string
	// Field is the column or property at fault; empty when the whole is.
	Field string
	// Message says what was declared, what exists and what to do.
	Message string
}

func (e *Refusal) Error() string { return e.Message }

func refuse(reason, field, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

// BadData is input that does not fit the table. Nothing was committed.
type BadData struct {
	Reason string
	// Row counts the rows of the input from 1; 0 when the fault is in the columns, not in a row.
	Row int64
	// Column is the column at fault.
	Column  string
	Message string
}

func (e *BadData) Error() string {
	if e.Row > 0 {
		return fmt.Sprintf("row %d, column %q: %s", e.Row, e.Column, e.Message)
	}
	return e.Message
}

func badColumn(reason, column, format string, args ...any) *BadData {
	return &BadData{Reason: reason, Column: column, Message: fmt.Sprintf(format, args...)}
}

// CommitError is a commit that did not end in a known success.
type CommitError struct {
	// Unknown says that the catalog may have accepted the commit. No file was removed; committing again with the same
	// token answers what happened.
	Unknown  bool
	Attempts int
	Err      error
}

func (e *CommitError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("the catalog did not say whether it accepted the commit (%d tries); run again with the same token: %v", e.Attempts, e.Err)
	}
	return fmt.Sprintf("the commit was not accepted in %d tries and its files were removed; run again: %v", e.Attempts, e.Err)
}

func (e *CommitError) Unwrap() error { return e.Err }

// quoteList writes names as a person reads them: a, b and c.
func quoteList(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
