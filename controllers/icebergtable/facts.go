package icebergtable

import (
	"context"
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// facts are what the verdict rests on, beside the status itself.
type facts struct {
	// twin is another IcebergTable that has described the same table for longer.
	twin string
	// ledger is where a run records; wait says what it lacks.
	ledger *runspec.Ledger
	wait   string
	// outcome of the run in status; nil when no Job of its attempt is there.
	outcome *runs.Outcome
	// commits are the states in which pipelines left the table.
	commits []v1alpha1.TableFacts

	// refusal is why nothing is done until a person acts.
	refusal *runs.RefusedError
	// ended is the reason why the run in status ended in this pass, when it failed for good.
	ended string
	// failure is why the facts or the children could not be had; the pass is tried again.
	failure error
}

// state of the Job of the attempt in status: Waiting, Running, or empty when there is none or it has ended.
func (f facts) state() runs.State {
	if f.outcome != nil && (f.outcome.State == runs.StateWaiting || f.outcome.State == runs.StateRunning) {
		return f.outcome.State
	}
	return ""
}

func (r *Reconciler) gather(ctx context.Context, table *v1alpha1.IcebergTable) (f facts, err error) {
	if f.twin, err = r.olderTwin(ctx, table); err != nil {
		return f, err
	}
	if f.commits, err = r.commits(ctx, table); err != nil {
		return f, err
	}
	f.ledger, f.wait, err = ledgerref.Resolve(ctx, r.Client, table.Namespace, table.Spec.LedgerRef, table.Spec.Lineage)
	if err != nil || !active(table.Status.LastRun) {
		return f, err
	}
	f.outcome, err = r.observe(ctx, table)
	return f, err
}

// observe the Job of the attempt in status. An end is read uncached, so that the pod's answer is not missed.
func (r *Reconciler) observe(ctx context.Context, table *v1alpha1.IcebergTable) (*runs.Outcome, error) {
	run := table.Status.LastRun
	var job batchv1.Job
	key := client.ObjectKey{Namespace: table.Namespace, Name: runs.AttemptName(run.Name, run.Attempt)}
	if err := r.Get(ctx, key, &job); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read Job %s: %w", key, err)
	}
	outcome, err := r.observeThrough(ctx, r.Client, table, &job)
	if err != nil || outcome.State == runs.StateWaiting || outcome.State == runs.StateRunning {
		return outcome, err
	}
	return r.observeThrough(ctx, r.Uncached, table, &job)
}

func (r *Reconciler) observeThrough(ctx context.Context, c client.Reader, table *v1alpha1.IcebergTable, job *batchv1.Job) (*runs.Outcome, error) {
	run := table.Status.LastRun
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(table.Namespace), client.MatchingLabels{
		v1alpha1.LabelKind: kind, v1alpha1.LabelName: table.Name,
		v1alpha1.LabelRun: run.Name, v1alpha1.LabelAttempt: strconv.Itoa(int(run.Attempt)),
	}); err != nil {
		return nil, fmt.Errorf("list the pods of run %s: %w", run.Name, err)
	}
	outcome := runs.Observe(job, pods.Items)
	return &outcome, nil
}

// olderTwin names the object that was first to describe this table; two would undo each other's changes for ever.
func (r *Reconciler) olderTwin(ctx context.Context, table *v1alpha1.IcebergTable) (string, error) {
	var all v1alpha1.IcebergTableList
	if err := r.List(ctx, &all, client.InNamespace(table.Namespace)); err != nil {
		return "", fmt.Errorf("list IcebergTables: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != table.UID && sameTable(other, table) && older(other, table) {
			return other.Name, nil
		}
	}
	return "", nil
}

func sameTable(a, b *v1alpha1.IcebergTable) bool {
	return equality.Semantic.DeepEqual(a.Spec.Identifier, b.Spec.Identifier) &&
		equality.Semantic.DeepEqual(a.Spec.Catalog, b.Spec.Catalog)
}

func older(a, b *v1alpha1.IcebergTable) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}
