package run

import (
	"context"
	"os"
	"path/filepath"

	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

// openEngine makes sure that the engines of the steps that run here answer: a missing one must fail before anything is
// written.
func (r *runner) openEngine(ctx context.Context) error {
	r.steps = &transform.Env{Scratch: r.env.Scratch, Budget: r.env.Budget, Open: r.openSecond, Reason: r.pipeline.GPUFallback}
	here := r.pipeline.Transformations // phase plan runs them over no rows
	switch sharded, whole := r.chain(); r.Phase {
	case runspec.PhaseWork:
		here = sharded
	case runspec.PhaseCommit:
		here = whole
	}
	if !transform.NeedsEngine(here) {
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
