package run

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/connector"
)

const planFile = "plan.json"

// runPlan pins all that a run reads, so that every shard reads the same.
type runPlan struct {
	Source *connector.Plan `json:"source"`
	// Seconds are the plans of the sources that steps read beside the source, by their spec.
	Seconds map[string]*connector.Plan `json:"seconds,omitempty"`
	// noFiles says that an incremental source has nothing new, and so no columns either.
	noFiles bool
}

func (r *runner) planPhase(ctx context.Context) error {
	plan, err := r.plan(ctx)
	if err != nil {
		return err
	}
	return r.staging.put(ctx, planFile, plan)
}

// plan lists and pins the input, and runs the chain over none of it.
func (r *runner) plan(ctx context.Context) (*runPlan, error) {
	r.progress.enter(ctx, v1alpha1.RunPlanning)
	source, err := r.source.Plan(ctx)
	if err != nil {
		return nil, err
	}
	plan := &runPlan{Source: source, Seconds: map[string]*connector.Plan{}}
	r.use(plan)
	if plan.noFiles {
		return plan, nil
	}
	for _, spec := range secondSources(r.pipeline.Transformations) {
		second, err := connector.OpenSource(ctx, r.env, spec)
		if err != nil {
			return nil, err
		}
		if plan.Seconds[keyOf(spec)], err = second.Plan(ctx); err != nil {
			return nil, err
		}
	}
	return plan, r.preflight(ctx, plan)
}

// readPlan takes the plan that another process made.
func (r *runner) readPlan(ctx context.Context) (*runPlan, error) {
	plan := &runPlan{Source: &connector.Plan{}}
	if err := r.staging.get(ctx, planFile, plan); err != nil {
		return nil, fmt.Errorf("the run is not committed and has no plan, so its work must be done again: %w", err)
	}
	r.use(plan)
	return plan, nil
}

func (r *runner) use(plan *runPlan) {
	files := r.pipeline.Source.Files
	plan.noFiles = len(plan.Source.Splits) == 0 && files != nil && files.Incremental == v1alpha1.IncrementalByFile
	r.seconds = plan.Seconds
}

// inputs are all datasets that the run reads.
func (p *runPlan) inputs() []connector.Dataset {
	all := append([]connector.Dataset{}, p.Source.Inputs...)
	for _, second := range p.Seconds {
		all = append(all, second.Inputs...)
	}
	return all
}

func secondSources(chain []v1alpha1.Transformation) (all []v1alpha1.PipelineSource) {
	var tables []v1alpha1.NamedSource
	for _, t := range chain {
		if t.Enrich != nil {
			all = append(all, t.Enrich.Source)
		}
		if t.Polars != nil {
			tables = append(tables, t.Polars.Tables...)
		}
		if t.DataFusion != nil {
			tables = append(tables, t.DataFusion.Tables...)
		}
	}
	for _, table := range tables {
		all = append(all, table.Source)
	}
	return all
}

func keyOf(spec v1alpha1.PipelineSource) string {
	key, _ := json.Marshal(spec) // plain API structs always encode
	return string(key)
}

// openSecond reads a further source of a step whole, as it was planned.
func (r *runner) openSecond(ctx context.Context, step string, spec v1alpha1.PipelineSource) (array.RecordReader, error) {
	return r.readSecond(ctx, step, spec, true)
}

func (r *runner) readSecond(ctx context.Context, step string, spec v1alpha1.PipelineSource, rows bool) (array.RecordReader, error) {
	plan, ok := r.seconds[keyOf(spec)]
	if !ok {
		return nil, fmt.Errorf("step %s: the plan does not have its second source, so another version of the worker made it; start a new run", step)
	}
	source, err := connector.OpenSource(ctx, r.env, spec)
	if err != nil {
		return nil, err
	}
	if !rows {
		return source.Read(ctx, plan, nil)
	}
	return source.Read(ctx, plan, plan.Splits)
}
