package etlpipeline

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/placement"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// annotationShape on a Job is the hash of what shapes its pods beside the revision:
// a pod that waits for a GPU or an image may be replaced when the spec changes it.
const annotationShape = "datastack.amdgpu.dev/shape"

// runSpec is the order for one attempt. fallback is why it runs without its GPU.
func (x *pass) runSpec(run *v1alpha1.Run, fallback string) *runspec.RunSpec {
	p := x.pipeline
	return &runspec.RunSpec{
		Version: runspec.Version,
		Action:  runspec.ActionPipeline,
		Object:  runspec.ObjectRef{Kind: kind, Namespace: p.Namespace, Name: p.Name, UID: string(p.UID), Generation: p.Generation},
		RunID:   run.RunID, Run: run.Name, Attempt: run.Attempt, PipelineID: pipelineID(p),
		Pipeline: &runspec.Pipeline{
			Source: p.Spec.Source, Transformations: p.Spec.Transformations, Destination: p.Spec.Destination,
			Parallelism: parallelism(&p.Spec), GPU: gpuOf(&p.Spec), GPUFallback: fallback,
		},
		Tables: x.deps.tables, Ledger: x.deps.ledger, Report: true,
	}
}

// order asks for the pods of one phase of the attempt that spec pins.
func (x *pass) order(spec *runspec.RunSpec, phase runspec.Phase) runs.Order {
	o := runs.Order{
		Owner:    ownerOf(x.pipeline),
		Resource: "etlpipelines",
		Spec:     spec, Phase: phase, Shards: 1,
		Timeout: x.remaining(), NeedsEngine: needsEngine(spec.Pipeline),
		Worker:      x.pipeline.Spec.Worker,
		Annotations: map[string]string{annotationShape: shapeOf(&x.pipeline.Spec)},
	}
	if phase == runspec.PhaseWork {
		o.Shards = spec.Pipeline.Parallelism
	}
	// Listing the input and committing it need no device.
	if spec.Pipeline.GPUFallback == "" && (phase == runspec.PhaseAll || phase == runspec.PhaseWork) {
		o.Placement = placement.Compile(gpuOf(&x.pipeline.Spec), x.nodes)
	}
	return o
}

func ownerOf(p *v1alpha1.ETLPipeline) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: p.Name, UID: p.UID,
		Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
	}
}

// remaining is what is left of the run's time; a pod gets at least a second, so that
// the pass that ends the run is the one that says why.
func (x *pass) remaining() time.Duration {
	run := x.status().LastRun
	if run == nil || run.StartTime == nil {
		return timeout(&x.pipeline.Spec)
	}
	return max(run.StartTime.Add(timeout(&x.pipeline.Spec)).Sub(x.now), time.Second)
}

// phasesOf are the Jobs of an attempt, in order.
func phasesOf(spec *runspec.RunSpec) []runspec.Phase {
	if spec.Pipeline.Parallelism <= 1 {
		return []runspec.Phase{runspec.PhaseAll}
	}
	return []runspec.Phase{runspec.PhasePlan, runspec.PhaseWork, runspec.PhaseCommit}
}

// needsEngine says whether a step runs in the engine container.
func needsEngine(p *runspec.Pipeline) bool {
	for _, step := range p.Transformations {
		switch step.Type {
		case v1alpha1.TransformPolars, v1alpha1.TransformDataFusion, v1alpha1.TransformCustom:
			return true
		}
	}
	return false
}

// gpuOf is spec.gpu; a step of type gpu alone means Preferred.
func gpuOf(spec *v1alpha1.ETLPipelineSpec) *v1alpha1.GPU {
	if spec.GPU != nil {
		return spec.GPU
	}
	for _, step := range spec.Transformations {
		if step.Type == v1alpha1.TransformGPU {
			return &v1alpha1.GPU{Policy: v1alpha1.GPUPreferred}
		}
	}
	return nil
}

// shapeOf hashes what pods look like beside what they load.
func shapeOf(spec *v1alpha1.ETLPipelineSpec) string {
	content, _ := json.Marshal(struct { // plain API structs always encode
		Worker      *v1alpha1.Worker `json:"worker,omitempty"`
		GPU         *v1alpha1.GPU    `json:"gpu,omitempty"`
		Parallelism int32            `json:"parallelism"`
	}{spec.Worker, spec.GPU, parallelism(spec)})
	return runs.Hash(string(content))[:16]
}
