// Package fail has the errors by which a worker ends: each carries the exit code and the reason that the manager shows.
package fail

import (
	"errors"
	"fmt"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// Error is a failure whose exit code is known. Codes 64 to 78 are not retried.
type Error struct {
	// Code is one of the runspec.Exit constants.
	Code int32
	// Reason is a CamelCase word for conditions and events.
	Reason string
	// Message says what was expected, what was found, where, and what to do.
	Message string
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

func of(code int32, reason, format string, args []any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Reason: reason, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Usage is a spec that this worker refuses.
func Usage(reason, format string, args ...any) *Error {
	return of(runspec.ExitUsage, reason, format, args)
}

// Data is data that does not fit.
func Data(reason, format string, args ...any) *Error {
	return of(runspec.ExitBadData, reason, format, args)
}

// NoInput is a file, column or table that is not there.
func NoInput(reason, format string, args ...any) *Error {
	return of(runspec.ExitNoInput, reason, format, args)
}

// NoEngine is a step whose engine is not in this image.
func NoEngine(reason, format string, args ...any) *Error {
	return of(runspec.ExitEngineUnavailable, reason, format, args)
}

// Code is the exit code that an error means; everything unknown may succeed when tried again.
func Code(err error) int32 {
	var known *Error
	var version *runspec.VersionError
	switch {
	case err == nil:
		return runspec.ExitOK
	case errors.As(err, &known):
		return known.Code
	case errors.As(err, &version):
		return runspec.ExitConfig
	}
	return runspec.ExitRetryable
}

// Reason is the word for conditions and events that an error carries, or the fallback.
func Reason(err error, fallback string) string {
	var known *Error
	if errors.As(err, &known) {
		return known.Reason
	}
	return fallback
}
