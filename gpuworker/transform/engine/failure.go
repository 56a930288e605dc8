package engine

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/amdgpu-framework/datastack/gpuworker/fail"
)

// Failure is what the engine says went wrong in a step.
type Failure struct {
	// Kind is MissingColumn, MissingTable, BadScript, BadData, OutOfMemory, Timeout, Protocol or Internal.
	Kind    string `json:"kind"`
	Message string `json:"message"`
	// Available are the columns that the step's input has, with MissingColumn.
	Available []string `json:"available"`
}

func (f *Failure) Error() string { return f.Message }

func readFailure(r io.Reader, size int) error {
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	f := &Failure{}
	if err := json.Unmarshal(data, f); err != nil {
		return fmt.Errorf("the engine's failure message is not JSON: %w", err)
	}
	return f
}

// explain turns a failure into the error by which the run ends.
func (f *Failure) explain(step string) error {
	switch f.Kind {
	case "MissingColumn":
		return fail.NoInput("MissingColumn", "step %s: %s; the columns are: %s", step, f.Message, strings.Join(f.Available, ", "))
	case "MissingTable", "BadScript":
		return fail.Usage(f.Kind, "step %s: %s", step, f.Message)
	case "BadData":
		return fail.Data(f.Kind, "step %s: %s", step, f.Message)
	}
	return fmt.Errorf("step %s: %s: %s", step, f.Kind, f.Message)
}
