package run

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

// openEngine makes sure that the engines of the chain answer: a missing one must fail before anything is written.
func (r *runner) openEngine(ctx context.Context) error {
	r.steps = &transform.Env{Scratch: r.env.Scratch, Budget: r.env.Budget, Open: r.openSecond, Reason: r.pipeline.GPUFallback}
	if !transform.NeedsEngine(r.pipeline.Transformations) || r.Phase == runspec.PhasePlan {
		return nil
	}
	var err error
	if r.steps.Engine, err = r.connectEngine(ctx); err != nil {
		return err
	}
	r.steps.Versions, err = r.steps.Engine.Health(ctx)
	return err
}

func (r *runner) connectEngine(ctx context.Context) (*engine.Client, error) {
	folder := filepath.Join(string(r.Mounts), "engine")
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return engine.Connect(ctx, filepath.Join(folder, "engine.sock"))
	}
	process, err := engine.Start(ctx, r.EnginePython, r.env.Scratch, r.env.Budget.Total/2)
	if err != nil {
		return nil, err
	}
	r.closers = append(r.closers, process.Stop)
	return process.Client, nil
}

// inputs gathers the datasets that steps read beside the source.
type inputs struct {
	mu   sync.Mutex
	seen []connector.Dataset
}

func (i *inputs) add(sets []connector.Dataset) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen = append(i.seen, sets...)
}

// openSecond reads a further source of a step whole.
func (r *runner) openSecond(ctx context.Context, _ string, spec v1alpha1.PipelineSource) (array.RecordReader, error) {
	source, err := connector.OpenSource(ctx, r.env, spec)
	if err != nil {
		return nil, err
	}
	plan, err := source.Plan(ctx)
	if err != nil {
		return nil, err
	}
	r.inputs.add(plan.Inputs)
	return source.Read(ctx, plan, plan.Splits)
}
