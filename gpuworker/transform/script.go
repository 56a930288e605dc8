package transform

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/transform/engine"
)

// runPolars runs a Python script over the lazy frame `input`.
func runPolars(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error) {
	return runScript(ctx, env, engine.Request{Step: t.Name, Engine: "polars", Script: t.Polars.Script, RowWise: isTrue(t.Polars.RowWise)}, t.Polars.Tables, in)
}

// runDataFusion runs an SQL query over the table `input`.
func runDataFusion(ctx context.Context, env *Env, t v1alpha1.Transformation, in array.RecordReader) (array.RecordReader, error) {
	return runScript(ctx, env, engine.Request{Step: t.Name, Engine: "datafusion", Script: t.DataFusion.Query, RowWise: isTrue(t.DataFusion.RowWise)}, t.DataFusion.Tables, in)
}

func runScript(ctx context.Context, env *Env, req engine.Request, tables []v1alpha1.NamedSource, in array.RecordReader) (array.RecordReader, error) {
	req.Timeout = env.Timeout
	req.Tables = map[string]array.RecordReader{}
	for _, table := range tables {
		reader, err := env.Open(ctx, req.Step, table.Source)
		if err != nil {
			for _, opened := range req.Tables {
				opened.Release()
			}
			in.Release()
			return nil, err
		}
		req.Tables[table.Name] = reader
	}
	return env.Engine.Run(ctx, req, in)
}

func isTrue(b *bool) bool { return b != nil && *b }
