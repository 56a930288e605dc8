package icebergtable

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

// commits are the states in which pipelines left the table, by their workers' own reports. So our own commits show in
// status at once and cost no pod; those of others show after refreshInterval.
func (r *Reconciler) commits(ctx context.Context, table *v1alpha1.IcebergTable) ([]v1alpha1.TableFacts, error) {
	var pipelines v1alpha1.ETLPipelineList
	if err := r.List(ctx, &pipelines, client.InNamespace(table.Namespace)); err != nil {
		return nil, fmt.Errorf("list the pipelines that write the table: %w", err)
	}
	var found []v1alpha1.TableFacts
	for i := range pipelines.Items {
		if writes(&pipelines.Items[i]) != table.Name {
			continue
		}
		for _, worker := range pipelines.Items[i].Status.Workers {
			if worker.Table != nil && worker.Phase == v1alpha1.RunSucceeded {
				found = append(found, *worker.Table)
			}
		}
	}
	return found, nil
}

// learn takes over the newest of the states, if it is newer than what status shows and of the very same table.
func learn(status *v1alpha1.IcebergTableStatus, commits []v1alpha1.TableFacts) {
	for _, facts := range commits {
		is, was := facts.CurrentSnapshot, status.CurrentSnapshot
		if is == nil || is.At == nil || facts.TableUUID == "" || facts.TableUUID != status.TableUUID {
			continue
		}
		if was == nil || was.At == nil || is.At.After(was.At.Time) {
			version := status.FormatVersion
			status.TableFacts = facts
			if facts.FormatVersion == 0 {
				status.FormatVersion = version
			}
		}
	}
}

// writes names the IcebergTable that a pipeline writes; empty when it writes something else.
func writes(pipeline *v1alpha1.ETLPipeline) string {
	if to := pipeline.Spec.Destination.IcebergTable; to != nil {
		return to.TableRef.Name
	}
	return ""
}

func tableOfPipeline(_ context.Context, object client.Object) []reconcile.Request {
	pipeline, ok := object.(*v1alpha1.ETLPipeline)
	if !ok || writes(pipeline) == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: pipeline.Namespace, Name: writes(pipeline)}}}
}
