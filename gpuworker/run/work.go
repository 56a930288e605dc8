package run

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/connector"
	"github.com/amdgpu-framework/datastack/gpuworker/cpu"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
	"github.com/amdgpu-framework/datastack/gpuworker/transform"
)

func shardFile(shard int) string { return fmt.Sprintf("shard-%d.json", shard) }

// shardOutput is what one shard leaves for the commit.
type shardOutput struct {
	Shard int `json:"shard"`
	// Manifest names the rows in the sink's own form, when the whole chain ran in the shard.
	Manifest *connector.Manifest `json:"manifest,omitempty"`
	// Extract is the key of the staged rows, when a step needs the whole input.
	Extract  string            `json:"extract,omitempty"`
	Rows     int64             `json:"rows"`
	Bytes    int64             `json:"bytes"`
	Rejected int64             `json:"rejected"`
	Rejects  string            `json:"rejects,omitempty"`
	Receipts []runspec.Receipt `json:"receipts"`
}

func (r *runner) workPhase(ctx context.Context) error {
	plan, err := r.readPlan(ctx)
	if err != nil {
		return err
	}
	r.progress.enter(ctx, v1alpha1.RunRunning)
	out, err := r.work(ctx, plan, r.Shard)
	if err != nil {
		return err
	}
	r.fill([]*shardOutput{out})
	// Last: a shard without this file has not ended. Whether an error left the file there is not known.
	r.given = true
	return r.staging.put(ctx, shardFile(r.Shard), out)
}

// work does one shard: its share of the splits, through the steps that a shard can do.
func (r *runner) work(ctx context.Context, plan *runPlan, shard int) (*shardOutput, error) {
	out := &shardOutput{Shard: shard}
	share := shareOf(plan.Source.Splits, shard, int(r.pipeline.Parallelism))
	if len(share) == 0 && shard > 0 || plan.noFiles {
		return out, nil // the first shard gives the columns, even of a table without rows
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // after an error in the chain the source may still be reading
	begun := time.Now()
	stream, err := r.source.Read(ctx, plan.Source, share)
	if err != nil {
		return nil, err
	}
	stream.Retain() // its statistics are read after the chain has let go of it
	defer stream.Release()
	sharded, whole := r.chain()
	rows := counted{stream, func(rows int64) { r.countStep("source", rows); r.progress.read(ctx, rows) }}
	err = r.through(ctx, sharded, rows, out, func(rows array.RecordReader) (err error) {
		if len(whole) > 0 {
			return r.extract(ctx, shard, rows, out)
		}
		out.Manifest, err = r.write(ctx, shard, rows)
		return err
	})
	stats := stream.Stats()
	out.Rows, out.Bytes, out.Rejected = stats.Rows, stats.Bytes, stats.Rejected
	r.result.RowsRejected = stats.Rejected
	if stats.RejectsFile != "" {
		if out.Rejects, err = r.keepRejects(ctx, shard, stats.RejectsFile, err); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	source := runspec.Receipt{Step: "source", Engine: "duckdb " + cpu.Version(), Reason: runspec.Truncate(plan.Source.Note), RowsIn: stats.Rows + stats.Rejected, RowsOut: stats.Rows, Bytes: stats.Bytes, DurationMs: time.Since(begun).Milliseconds()}
	if r.pipeline.Source.IcebergTable != nil {
		source.Engine = "iceberg-go"
	}
	out.Receipts = append([]runspec.Receipt{source}, out.Receipts...)
	return out, nil
}

// through runs steps over rows and gives their result to do.
func (r *runner) through(ctx context.Context, steps []v1alpha1.Transformation, rows array.RecordReader, out *shardOutput, do func(array.RecordReader) error) error {
	chain, err := transform.Run(ctx, r.steps, steps, rows, r.countStep)
	if err != nil {
		return err // it has let go of the rows
	}
	defer chain.Close()
	if err := do(chain.Rows); err != nil {
		return err
	}
	receipts := chain.Receipts()
	for _, receipt := range receipts {
		if r.Metrics != nil {
			r.Metrics.Step(receipt)
		}
	}
	out.Receipts = append(out.Receipts, receipts...)
	return nil
}

// keepRejects stores the rejects file where people find it. cause is the run's error so far, and comes back with the place.
func (r *runner) keepRejects(ctx context.Context, shard int, path string, cause error) (string, error) {
	key, err := r.staging.upload(context.WithoutCancel(ctx), fmt.Sprintf("rejects-%d.ndjson", shard), path)
	if err != nil {
		if cause != nil {
			return "", cause
		}
		return "", err
	}
	uri := r.staging.store.URI(key)
	if cause != nil {
		return uri, withPlace(cause, "; all of them: "+uri)
	}
	return uri, nil
}

// withPlace ends an error's message with a place, which must not fall to the message's bound.
func withPlace(cause error, place string) error {
	message := cause.Error()
	if most := runspec.MaxMessageBytes - len(place); len(message) > most {
		message = strings.ToValidUTF8(message[:max(most-3, 0)], "") + "…"
	}
	return &fail.Error{Code: fail.Code(cause), Reason: fail.Reason(cause, "Failed"), Message: message + place}
}

// counted tells how many rows pass.
type counted struct {
	connector.Stream
	each func(rows int64)
}

func (c counted) Next() bool {
	if !c.Stream.Next() {
		return false
	}
	c.each(c.RecordBatch().NumRows())
	return true
}
