package run

import (
	"context"
	"log/slog"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform"
)

// preflight runs the chain over no rows, with the columns that the plan pinned: a mistyped column fails before any input
// is read. A fault that may come of the missing rows is left for the run itself to find.
func (r *runner) preflight(ctx context.Context, plan *runPlan) error {
	chain := predictable(r.pipeline.Transformations)
	rows, err := r.source.Read(ctx, plan.Source, nil)
	if err != nil {
		return err
	}
	env := *r.steps
	env.Open = func(ctx context.Context, step string, spec v1alpha1.PipelineSource) (array.RecordReader, error) {
		return r.readSecond(ctx, step, spec, false)
	}
	scripts := slices.ContainsFunc(r.pipeline.Transformations, func(t v1alpha1.Transformation) bool { return t.Type == v1alpha1.TransformPolars })
	running, err := transform.Run(ctx, &env, chain, rows, func(string, int64) {})
	if err == nil {
		defer running.Close()
		for running.Rows.Next() { //nolint:revive // some steps find their faults when they run
		}
		err = running.Rows.Err()
	}
	if err != nil && !certain(ctx, err, scripts) {
		slog.Info("the chain cannot be checked without rows", "error", err)
		return nil
	}
	if err == nil && !scripts { // a script may find other types in no rows than in some; SQL does not
		_, err = r.sink.Write(ctx, 0, columnsOnly{running.Rows})
	}
	return err
}

// predictable is the part of a chain whose columns do not depend on the rows.
func predictable(chain []v1alpha1.Transformation) []v1alpha1.Transformation {
	for i, t := range chain {
		if t.Polars != nil && slices.ContainsFunc([]string{"pivot", "to_dummies", "transpose", "unstack", "unnest"}, func(s string) bool { return strings.Contains(t.Polars.Script, s) }) {
			return chain[:i]
		}
	}
	return chain
}

// certain says whether rows would not mend an error of the chain.
func certain(ctx context.Context, err error, scripts bool) bool {
	switch fail.Code(err) {
	case runspec.ExitNoInput, runspec.ExitEngineUnavailable:
		return true
	case runspec.ExitBadData:
		return false // such as a division by the number of rows
	}
	return !scripts || ctx.Err() != nil
}

// columnsOnly has the columns of a reader that is at its end, and no rows: an aggregate gives one for no input.
type columnsOnly struct{ array.RecordReader }

func (columnsOnly) Next() bool                     { return false }
func (columnsOnly) RecordBatch() arrow.RecordBatch { return nil }
