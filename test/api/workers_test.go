package api_test

import (
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	ac "github.com/amdgpu-framework/datastack/api/v1alpha1/applyconfiguration/api/v1alpha1"
)

// TestWorkersKeepApart: each worker applies its own item of status.workers with the generated apply configurations, and
// overwrites neither another worker's nor what the manager wrote.
func TestWorkersKeepApart(t *testing.T) {
	ctx := t.Context()
	object := sample(t, "ETLPipeline", "carrier-report")
	object.SetName("workers")
	if err := apply(ctx, object); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(server.Scheme()); err != nil {
		t.Fatal(err)
	}

	report := func(owner string, status *ac.ETLPipelineStatusApplyConfiguration) {
		t.Helper()
		pipeline := ac.ETLPipeline("workers", namespace).WithStatus(status)
		if err := server.Status().Apply(ctx, pipeline, client.FieldOwner(owner)); err != nil {
			t.Fatalf("%s: %v", owner, err)
		}
	}
	report("manager", ac.ETLPipelineStatus().WithPhase("Running").WithPipelineID("p1"))
	for _, rows := range []int64{10, 20} {
		for shard := range int64(2) {
			name := fmt.Sprint(shard)
			report("gpuworker-"+name, ac.ETLPipelineStatus().WithWorkers(ac.WorkerStatus().
				WithShard(name).WithRun("workers-1").WithAttempt(1).WithPhase(v1alpha1.RunRunning).WithRowsRead(rows+shard)))
		}
	}

	var got v1alpha1.ETLPipeline
	if err := server.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "workers"}, &got); err != nil {
		t.Fatal(err)
	}
	if got.Status.Phase != "Running" || got.Status.PipelineID != "p1" || len(got.Status.Workers) != 2 {
		t.Fatalf("want what the manager wrote and two workers, got %+v", got.Status)
	}
	for shard, worker := range got.Status.Workers {
		if worker.Shard != fmt.Sprint(shard) || worker.RowsRead != int64(20+shard) {
			t.Errorf("worker %d: got %+v", shard, worker)
		}
	}
}
