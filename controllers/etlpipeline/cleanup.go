package etlpipeline

import (
	"context"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

var (
	jobListKind   = batchv1.SchemeGroupVersion.WithKind("JobList")
	configMapKind = corev1.SchemeGroupVersion.WithKind("ConfigMap")
)

// stopStrays stops every Job that still works for something other than the current
// attempt, and counts them: nothing new starts before they are gone. One rule serves
// replaced, timed-out, superseded and fallen-back attempts, and a lost status write.
func (x *pass) stopStrays(ctx context.Context) error {
	run := x.status().LastRun
	for i := range x.jobs {
		job := &x.jobs[i]
		if ended(job) || active(run) && attemptOf(job, run) {
			continue
		}
		x.strays++
		if job.DeletionTimestamp != nil {
			continue
		}
		// Foreground: the Job stays until its pods have ended.
		if err := x.delete(ctx, job, metav1.DeletePropagationForeground); err != nil {
			return err
		}
	}
	return nil
}

// forgetOld removes Jobs and orders of runs that the history no longer holds.
func (x *pass) forgetOld(ctx context.Context) error {
	s := x.status()
	s.Runs = s.Runs[:min(len(s.Runs), historyLimit(&x.pipeline.Spec))]
	kept := map[string]bool{}
	for _, run := range s.Runs {
		kept[run.Name] = true
	}
	if active(s.LastRun) {
		kept[s.LastRun.Name] = true
	}
	for i := range x.jobs {
		if job := &x.jobs[i]; ended(job) && !kept[job.Labels[v1alpha1.LabelRun]] {
			if err := x.delete(ctx, job, metav1.DeletePropagationBackground); err != nil {
				return err
			}
		}
	}
	for _, cm := range x.orders {
		if !kept[cm.Labels[v1alpha1.LabelRun]] {
			if err := x.delete(ctx, cm, metav1.DeletePropagationBackground); err != nil {
				return err
			}
		}
	}
	return nil
}

// clearNamesake removes what is left of an earlier, failed run of this name (a spec
// edited there and back), and says whether all of it is gone. A run that succeeded
// is not run again, so its children stay.
func (x *pass) clearNamesake(ctx context.Context, name string) (bool, error) {
	for _, old := range x.status().Runs {
		if old.Name == name && old.Phase == v1alpha1.RunSucceeded {
			return true, nil
		}
	}
	gone := true
	for i := range x.jobs {
		if job := &x.jobs[i]; job.Labels[v1alpha1.LabelRun] == name {
			gone = false
			if err := x.delete(ctx, job, metav1.DeletePropagationForeground); err != nil {
				return false, err
			}
		}
	}
	for _, cm := range x.orders {
		if cm.Labels[v1alpha1.LabelRun] == name {
			gone = false
			if err := x.delete(ctx, cm, metav1.DeletePropagationBackground); err != nil {
				return false, err
			}
		}
	}
	return gone, nil
}

func (x *pass) delete(ctx context.Context, obj client.Object, how metav1.DeletionPropagation) error {
	if obj.GetDeletionTimestamp() != nil {
		return nil
	}
	uid := obj.GetUID()
	err := x.Client.Delete(ctx, obj, client.PropagationPolicy(how), client.Preconditions{UID: &uid})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("remove %s: %w", obj.GetName(), err)
	}
	return nil
}

// attemptJobs are the cached Jobs of the run's current attempt.
func (x *pass) attemptJobs(run *v1alpha1.Run) []*batchv1.Job {
	var jobs []*batchv1.Job
	for i := range x.jobs {
		if attemptOf(&x.jobs[i], run) {
			jobs = append(jobs, &x.jobs[i])
		}
	}
	return jobs
}

func attemptOf(job *batchv1.Job, run *v1alpha1.Run) bool {
	return job.Labels[v1alpha1.LabelRun] == run.Name && job.Labels[v1alpha1.LabelAttempt] == strconv.Itoa(int(run.Attempt))
}

func ended(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
