package etlpipeline

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/controllers/internal/schedule"
)

// pass is one reconcile: the facts that were gathered, what was decided, and the
// pipeline whose status is written at its end.
type pass struct {
	*Reconciler
	pipeline *v1alpha1.ETLPipeline
	// before is the pipeline as it was read.
	before *v1alpha1.ETLPipeline
	now    time.Time

	revision string
	cron     *schedule.Cron
	deps     dependencies
	jobs     []batchv1.Job
	pods     map[string][]corev1.Pod
	orders   map[string]*corev1.ConfigMap
	nodes    []corev1.Node
	// draHidden: the manager may not list what DRA drivers offer.
	draHidden bool

	// invalid stops everything until the spec changes.
	invalid *runs.RefusedError
	// wait says why the run does not go on.
	wait   *wait
	gpu    *gpuFinding
	events []event
	// finished are runs that ended in this pass, for the metrics.
	finished []*v1alpha1.Run
	// strays counts Jobs that must end before an attempt starts.
	strays int
	// again is when to look next; zero is when something changes.
	again time.Duration
}

// wait is why a run does not go on, as a condition says it.
type wait struct{ reason, message string }

// after asks for another pass within d.
func (x *pass) after(d time.Duration) {
	d = max(d, time.Millisecond)
	if x.again == 0 || d < x.again {
		x.again = d
	}
}

func (x *pass) status() *v1alpha1.ETLPipelineStatus { return &x.pipeline.Status }

// gather reads everything that decisions are made from. Children of a deleted
// namesake are left out by its uid.
func (x *pass) gather(ctx context.Context) error {
	var err error
	if x.revision, err = revisionOf(&x.pipeline.Spec); err != nil {
		return err
	}
	if x.deps, err = resolve(ctx, x.Client, x.pipeline); err != nil {
		return err
	}
	mine := []client.ListOption{client.InNamespace(x.pipeline.Namespace), client.MatchingLabels{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelKind: kind,
		v1alpha1.LabelName: x.pipeline.Name, runs.LabelUID: string(x.pipeline.UID)}}
	var jobs batchv1.JobList
	if err := x.Client.List(ctx, &jobs, mine...); err != nil {
		return fmt.Errorf("list the pipeline's Jobs: %w", err)
	}
	x.jobs = jobs.Items
	var pods corev1.PodList
	if err := x.Client.List(ctx, &pods, mine...); err != nil {
		return fmt.Errorf("list the pipeline's pods: %w", err)
	}
	x.pods = map[string][]corev1.Pod{}
	for _, pod := range pods.Items {
		job := pod.Labels[batchv1.JobNameLabel]
		x.pods[job] = append(x.pods[job], pod)
	}
	var orders corev1.ConfigMapList
	if err := x.Client.List(ctx, &orders, mine...); err != nil {
		return fmt.Errorf("list the pipeline's ConfigMaps: %w", err)
	}
	x.orders = map[string]*corev1.ConfigMap{}
	for i := range orders.Items {
		x.orders[orders.Items[i].Name] = &orders.Items[i]
	}
	return x.gatherNodes(ctx)
}

// job finds a Job of the pipeline by name.
func (x *pass) job(name string) *batchv1.Job {
	for i := range x.jobs {
		if x.jobs[i].Name == name {
			return &x.jobs[i]
		}
	}
	return nil
}
