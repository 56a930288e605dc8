// Package runspec is the contract between the controllers and the worker: a controller writes one RunSpec file for a
// run, the worker does what it says and answers with a RunResult. The same file run by hand does the same thing.
//
// The package imports only the API types, so that the manager can use it without any data library.
package runspec

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// Version is the version that this code writes. A worker accepts it and the one before it.
const Version = 1

// MaxBytes bounds a RunSpec file: it travels in a ConfigMap (design §5).
const MaxBytes = 512 << 10

// Action is what a worker is asked to do.
type Action string

const (
	// ActionPipeline runs an ETLPipeline: sources, transformations, destination.
	ActionPipeline Action = "Pipeline"
	// ActionTableApply creates the table of an IcebergTable, or evolves it to the declared schema.
	ActionTableApply Action = "TableApply"
	// ActionTableInspect reads the table's current metadata and changes nothing.
	ActionTableInspect Action = "TableInspect"
)

// Phase is the part of a run that one pod does.
type Phase string

const (
	// PhaseAll does plan, work and commit in one process.
	PhaseAll Phase = "all"
	// PhasePlan pins the input and writes the split list to the staging area.
	PhasePlan Phase = "plan"
	// PhaseWork does one shard and leaves a manifest in the staging area.
	PhaseWork Phase = "work"
	// PhaseCommit checks all manifests, looks for the run's token, commits once and records.
	PhaseCommit Phase = "commit"
)

// RunSpec is the whole order for one attempt of a run. It names Secrets and claims; it never holds a secret's value.
type RunSpec struct {
	Version int    `json:"version"`
	Action  Action `json:"action"`
	// Object is the custom resource that this run works for.
	Object ObjectRef `json:"object"`
	// RunID is the token of the run: equal for every attempt, carried by every commit.
	RunID string `json:"runID"`
	// Run is the run's name, a DNS label that its Jobs' names start with.
	Run string `json:"run"`
	// Attempt counts from 1; output paths contain it, and a commit is refused when a newer one has begun.
	Attempt int32 `json:"attempt"`
	// PipelineID names the writer across runs: the last token of each writer outlives snapshot expiry.
	PipelineID string `json:"pipelineID,omitempty"`
	// Pipeline is set with ActionPipeline.
	Pipeline *Pipeline `json:"pipeline,omitempty"`
	// Tables holds every IcebergTable that the run reads or writes, by object name. With ActionTableApply and
	// ActionTableInspect it holds exactly the object's own table.
	Tables map[string]Table `json:"tables,omitempty"`
	// Ledger is nil when the object says `lineage: Disabled`.
	Ledger *Ledger `json:"ledger,omitempty"`
	// Report makes the worker write its progress into the object's status.workers. By hand it is off.
	Report bool `json:"report,omitempty"`
	// User is the author of the object as far as it is known; recorded in lineage.
	User string `json:"user,omitempty"`
}

// ObjectRef names the custom resource, down to the uid: a pod of a deleted object cannot write to its namesake.
type ObjectRef struct {
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
	UID        string `json:"uid,omitempty"`
	Generation int64  `json:"generation,omitempty"`
}

// Pipeline is the data work of an ETLPipeline.
type Pipeline struct {
	Source          v1alpha1.PipelineSource   `json:"source"`
	Transformations []v1alpha1.Transformation `json:"transformations,omitempty"`
	Destination     v1alpha1.Destination      `json:"destination"`
	// Parallelism is the number of work shards, at least 1.
	Parallelism int32         `json:"parallelism"`
	GPU         *v1alpha1.GPU `json:"gpu,omitempty"`
	// GPUFallback says that this attempt runs without a GPU although one was preferred; receipts say why.
	GPUFallback string `json:"gpuFallback,omitempty"`
}

// Table is an IcebergTable with its defaults resolved.
type Table struct {
	Spec v1alpha1.IcebergTableSpec `json:"spec"`
}

// Ledger says where lineage records go.
type Ledger struct {
	// Name is the LineageLedger object.
	Name string `json:"name"`
	// Endpoint is ledgerd's base URL.
	Endpoint string `json:"endpoint"`
	// TokenSecret is the Secret whose key `token` is the bearer token, mounted under secrets/.
	TokenSecret string `json:"tokenSecret"`
	// OnUnavailable is Buffer (the outbox keeps the record, the run succeeds) or Block.
	OnUnavailable string `json:"onUnavailable,omitempty"`
}

// Read decodes a RunSpec and checks what no other part checks. Unknown fields are refused: they come from a newer
// manager, and ignoring what it asked for would be a silent half-done run.
func Read(r io.Reader) (*RunSpec, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the RunSpec: %w", err)
	}
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the RunSpec is over %d bytes; shorten scripts or split the pipeline", MaxBytes)
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("the RunSpec is not JSON: %w", err)
	}
	if head.Version > Version || head.Version < max(1, Version-1) {
		return nil, &VersionError{Found: head.Version}
	}
	spec, err := decodeStrict(data)
	if err != nil {
		return nil, err
	}
	return spec, spec.Validate()
}

// VersionError is a RunSpec written by a manager that this worker does not match.
type VersionError struct{ Found int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("this worker reads RunSpec version %d to %d and found %d; use the worker image of the manager's release",
		max(1, Version-1), Version, e.Found)
}
