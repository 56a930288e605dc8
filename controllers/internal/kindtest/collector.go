package kindtest

import (
	"context"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/controllers/internal/apitest"
)

// CollectGarbage ends Jobs that are deleted in the foreground, pods first, as the
// garbage collector does. It works until the test ends.
func CollectGarbage(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			collect(ctx, namespace)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// collect does one round; what fails is tried again in the next.
func collect(ctx context.Context, namespace string) {
	var jobs batchv1.JobList
	if apitest.Client.List(ctx, &jobs, client.InNamespace(namespace)) != nil {
		return
	}
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if job.DeletionTimestamp == nil || !slices.Contains(job.Finalizers, metav1.FinalizerDeleteDependents) {
			continue
		}
		pods := client.MatchingLabels{batchv1.JobNameLabel: job.Name}
		if apitest.Client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace), pods, client.GracePeriodSeconds(0)) != nil {
			continue
		}
		job.Finalizers = slices.DeleteFunc(job.Finalizers, func(f string) bool { return f == metav1.FinalizerDeleteDependents })
		_ = apitest.Client.Update(ctx, job)
	}
}
