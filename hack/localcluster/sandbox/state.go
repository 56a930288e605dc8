package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
)

// State is what a later command must know of a running cluster.
type State struct {
	Init          Process `json:"init"`          // the first process of the namespaces
	Port          int     `json:"port"`          // of the API server on the machine's loopback address
	SimulatedGPUs int     `json:"simulatedGPUs"` // devices that the node advertises
}

// ReadState returns the cluster's state; of a cluster that never ran, the zero State.
func ReadState(c layout.Cluster) (State, error) {
	b, err := os.ReadFile(c.State())
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, fmt.Errorf("read the cluster's state: %w", err)
	}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("read the cluster's state: %s is not the JSON that `localcluster up` writes (%w); remove the file if no process of the cluster runs", c.State(), err)
	}
	return s, nil
}

// Write replaces the state in one step: a crash leaves the old or the new one.
func (s State) Write(c layout.Cluster) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the cluster's state: %w", err)
	}
	temporary := c.State() + ".new"
	if err := os.WriteFile(temporary, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	if err := os.Rename(temporary, c.State()); err != nil {
		return fmt.Errorf("write the cluster's state: %w", err)
	}
	return nil
}
