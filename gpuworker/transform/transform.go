// Package transform runs the steps of a pipeline: each takes an Arrow stream and gives one, and leaves a receipt.
package transform

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

// Env is what steps need of their surroundings.
type Env struct {
	// Scratch is an existing folder for spills.
	Scratch string
	Budget  cpu.Budget
	// Engine runs polars and datafusion steps; nil when the chain has none.
	Engine   *engine.Client
	Versions engine.Versions
	// Open reads a further source whole: the second table of enrich, the tables of a script.
	Open func(ctx context.Context, step string, source v1alpha1.PipelineSource) (array.RecordReader, error)
	// Timeout bounds one script; 0 is the engine's own limit.
	Timeout time.Duration
	// Reason is set when the run fell back to the CPU; it goes into receipts.
	Reason string
}

// step is one type of transformation.
type step struct {
	engine string
	run    func(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error)
}

// steps lists the types of transformation that this worker can run.
var steps = map[v1alpha1.TransformationType]step{
	v1alpha1.TransformPolars:     {"polars", runPolars},
	v1alpha1.TransformDataFusion: {"datafusion", runDataFusion},
	v1alpha1.TransformFilter:     {"duckdb", runFilter},
	v1alpha1.TransformAggregate:  {"duckdb", runAggregate},
	v1alpha1.TransformEnrich:     {"duckdb", runEnrich},
}

// Check refuses a chain with a step that this worker cannot run, before anything is read.
func Check(chain []v1alpha1.Transformation) error {
	for _, t := range chain {
		if _, ok := steps[t.Type]; !ok {
			known := make([]string, 0, len(steps))
			for name := range steps {
				known = append(known, string(name))
			}
			slices.Sort(known)
			return fail.NoEngine("EngineUnavailable", "step %s: this worker has no engine for type %s; it has: %s", t.Name, t.Type, strings.Join(known, ", "))
		}
	}
	return nil
}

// NeedsEngine says whether a chain has a step for the Python engine.
func NeedsEngine(chain []v1alpha1.Transformation) bool {
	return slices.ContainsFunc(chain, func(t v1alpha1.Transformation) bool {
		return t.Type == v1alpha1.TransformPolars || t.Type == v1alpha1.TransformDataFusion
	})
}

// Chain is a running chain of steps.
type Chain struct {
	// Rows is the end of the chain.
	Rows   array.RecordReader
	stages []*stage
}

// Run starts a chain over the input, which it then owns. Rows stream through all steps at once.
func Run(ctx context.Context, env *Env, chain []v1alpha1.Transformation, in array.RecordReader, progress func(step string, rows int64)) (*Chain, error) {
	c := &Chain{Rows: in}
	for _, t := range chain {
		s := &stage{name: t.Name, begun: time.Now(), progress: progress, in: &counter{RecordReader: c.Rows}}
		s.engine, s.reason = env.describe(t)
		out, err := steps[t.Type].run(ctx, env, t, s.in)
		if err != nil {
			c.Rows = nil
			return c, err
		}
		s.out = &counter{RecordReader: out, each: func(rows int64) { progress(t.Name, rows) }, end: func() { s.took = time.Since(s.begun) }}
		c.Rows = s.out
		c.stages = append(c.stages, s)
	}
	return c, nil
}

// describe names the engine of a step, with its version, and why it was taken.
func (env *Env) describe(t v1alpha1.Transformation) (name, reason string) {
	name = steps[t.Type].engine
	reason = fmt.Sprintf("steps of type %s run in it", t.Type)
	if version := env.Versions[name]; version != "" {
		name += " " + version
	} else if name == "duckdb" {
		name += " " + strings.TrimPrefix(cpu.Version(), "v")
	}
	if env.Reason != "" {
		reason = env.Reason
	}
	return name, reason
}

// Receipts are complete when Rows is at its end.
func (c *Chain) Receipts() []runspec.Receipt {
	out := make([]runspec.Receipt, 0, len(c.stages))
	for _, s := range c.stages {
		out = append(out, runspec.Receipt{
			Step: s.name, Engine: s.engine, Reason: s.reason,
			RowsIn: s.in.rows.Load(), RowsOut: s.out.rows.Load(), Bytes: s.out.bytes.Load(), DurationMs: s.took.Milliseconds(),
		})
	}
	return out
}

// Close gives back the chain's readers.
func (c *Chain) Close() {
	if c.Rows != nil {
		c.Rows.Release()
		c.Rows = nil
	}
}
