package etlpipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

const kind = "ETLPipeline"

// revisionOf hashes what decides about the rows that a run writes. Other fields
// (suspend, history, resources) are not in it, so editing them loads nothing again.
func revisionOf(spec *v1alpha1.ETLPipelineSpec) (string, error) {
	content, err := json.Marshal(struct {
		Source          v1alpha1.PipelineSource   `json:"source"`
		Transformations []v1alpha1.Transformation `json:"transformations,omitempty"`
		Destination     v1alpha1.Destination      `json:"destination"`
	}{spec.Source, spec.Transformations, spec.Destination})
	if err != nil {
		return "", fmt.Errorf("encode the spec for its revision: %w", err)
	}
	return runs.Hash(string(content))[:16], nil
}

// pipelineID is the spec's own, else the one in status, else the object's uid: it is
// known before anything is written, and never the same for a re-created object.
func pipelineID(p *v1alpha1.ETLPipeline) string {
	switch {
	case p.Spec.PipelineID != "":
		return p.Spec.PipelineID
	case p.Status.PipelineID != "":
		return p.Status.PipelineID
	}
	return string(p.UID)
}

// runID is the token that every attempt of the run, and each of its commits, carries.
func runID(p *v1alpha1.ETLPipeline, revision, trigger string) string {
	return runs.Hash(p.Namespace, p.Name, pipelineID(p), revision, trigger)[:32]
}

// Defaults that the API documents.
const (
	defaultBackoffLimit     = 3
	defaultTimeout          = 24 * time.Hour
	defaultHistory          = 5
	defaultStartingDeadline = time.Hour
	defaultPreferredWait    = 60 * time.Second
)

func backoffLimit(spec *v1alpha1.ETLPipelineSpec) int32 {
	if spec.BackoffLimit != nil {
		return *spec.BackoffLimit
	}
	return defaultBackoffLimit
}

func timeout(spec *v1alpha1.ETLPipelineSpec) time.Duration {
	if spec.TimeoutSeconds != nil {
		return time.Duration(*spec.TimeoutSeconds) * time.Second
	}
	return defaultTimeout
}

func historyLimit(spec *v1alpha1.ETLPipelineSpec) int {
	if spec.RunHistoryLimit != nil {
		return int(*spec.RunHistoryLimit)
	}
	return defaultHistory
}

func startingDeadline(spec *v1alpha1.ETLPipelineSpec) time.Duration {
	if spec.StartingDeadlineSeconds != nil {
		return time.Duration(*spec.StartingDeadlineSeconds) * time.Second
	}
	return defaultStartingDeadline
}

func parallelism(spec *v1alpha1.ETLPipelineSpec) int32 {
	if spec.Parallelism != nil {
		return *spec.Parallelism
	}
	return 1
}

func suspended(p *v1alpha1.ETLPipeline) bool { return p.Spec.Suspend != nil && *p.Spec.Suspend }

// active says whether a run goes on, be it waiting, working or between two attempts.
func active(run *v1alpha1.Run) bool {
	return run != nil && run.Phase != v1alpha1.RunSucceeded && run.Phase != v1alpha1.RunFailed
}
