package runspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

func decodeStrict(data []byte) (*RunSpec, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var spec RunSpec
	if err := dec.Decode(&spec); err != nil {
		return nil, fmt.Errorf("the RunSpec does not fit version %d: %w", Version, err)
	}
	if dec.More() {
		return nil, errors.New("the RunSpec file holds more than one JSON value")
	}
	return &spec, nil
}

// Validate says what is missing or contradictory in a RunSpec.
func (s *RunSpec) Validate() error {
	switch {
	case s.RunID == "":
		return errors.New("runID is empty; it is the token that makes a retry safe")
	case s.Attempt < 1:
		return fmt.Errorf("attempt is %d; it counts from 1", s.Attempt)
	case s.Object.Kind == "" || s.Object.Name == "" || s.Object.Namespace == "":
		return fmt.Errorf("object needs kind, namespace and name; found %q, %q, %q", s.Object.Kind, s.Object.Namespace, s.Object.Name)
	}
	switch s.Action {
	case ActionPipeline:
		if s.Pipeline == nil {
			return errors.New("action Pipeline needs the member pipeline")
		}
		if s.Pipeline.Parallelism < 1 {
			return fmt.Errorf("pipeline.parallelism is %d; it is at least 1", s.Pipeline.Parallelism)
		}
	case ActionTableApply, ActionTableInspect:
		if _, ok := s.Tables[s.Object.Name]; !ok || len(s.Tables) != 1 {
			return fmt.Errorf("action %s needs exactly the table %q in tables; found %d", s.Action, s.Object.Name, len(s.Tables))
		}
	default:
		return fmt.Errorf("action is %q; expected %s, %s or %s", s.Action, ActionPipeline, ActionTableApply, ActionTableInspect)
	}
	return nil
}
