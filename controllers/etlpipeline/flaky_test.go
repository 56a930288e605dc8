package etlpipeline

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
	"github.com/amdgpu-framework/datastack/controllers/internal/kindtest"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// TestFlakyAPIServer loses a sixth of the writes, some before and some after they took
// effect: the run still has the Jobs that it should have, and no other.
func TestFlakyAPIServer(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	apitest.Manager(t, metav1.NamespaceAll, func(mgr manager.Manager) error {
		r := newReconciler(mgr, 0)
		r.Client = &flakyClient{Client: mgr.GetClient(), random: rand.New(rand.NewPCG(seed, 4))}
		r.Starter.Client = r.Client
		return r.SetupWithManager(mgr)
	})
	p := newPlace(t).withDependencies()
	p.pipeline(func(s *v1alpha1.ETLPipelineSpec) { s.Parallelism = ptr.To(int32(2)) })
	p.finish(p.waitJob(1, runspec.PhasePlan))
	work := p.waitJob(1, runspec.PhaseWork)
	kindtest.Fail(t, work, kindtest.Run(t, work), runspec.ExitRetryable, nil, "")
	for _, phase := range []runspec.Phase{runspec.PhasePlan, runspec.PhaseWork, runspec.PhaseCommit} {
		p.finish(p.waitJob(2, phase))
	}
	done := p.waitCondition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)
	run := done.Status.LastRun
	if run.Attempt != 2 || run.Failures != 1 || run.RowsWritten != 10 || len(done.Status.Runs) != 1 {
		t.Fatalf("the run is %+v, the history %+v", run, done.Status.Runs)
	}
	want := []string{run.Name + "-a1-plan", run.Name + "-a1-work", run.Name + "-a2-commit", run.Name + "-a2-plan", run.Name + "-a2-work"}
	if got := p.jobs(); !slices.Equal(got, want) {
		t.Fatalf("the Jobs are %v, want %v", got, want)
	}
	p.settled(status.CurrentStatus)
}

var errLost = errors.New("the connection was lost (a test's doing)")

// flakyClient loses a write in six: before it is sent, or its answer.
type flakyClient struct {
	client.Client
	mu     sync.Mutex
	random *rand.Rand
}

func (c *flakyClient) try(write func() error) error {
	c.mu.Lock()
	n := c.random.IntN(12)
	c.mu.Unlock()
	switch n {
	case 0:
		return errLost
	case 1:
		if err := write(); err != nil {
			return err
		}
		return errLost
	}
	return write()
}

func (c *flakyClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return c.try(func() error { return c.Client.Create(ctx, obj, opts...) })
}

func (c *flakyClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	return c.try(func() error { return c.Client.Delete(ctx, obj, opts...) })
}

func (c *flakyClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	return c.try(func() error { return c.Client.Apply(ctx, obj, opts...) })
}

func (c *flakyClient) Status() client.SubResourceWriter {
	return &flakyStatus{SubResourceWriter: c.Client.Status(), c: c}
}

type flakyStatus struct {
	client.SubResourceWriter
	c *flakyClient
}

func (s *flakyStatus) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	return s.c.try(func() error { return s.SubResourceWriter.Apply(ctx, obj, opts...) })
}

func (s *flakyStatus) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	return s.c.try(func() error { return s.SubResourceWriter.Patch(ctx, obj, patch, opts...) })
}
