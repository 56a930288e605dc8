package icebergtable

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
	"github.com/amdgpu-framework/datastack/gpuworker/runspec"
)

// resource is the plural that Roles name.
const resource = "icebergtables"

// runTimeout bounds a run that reads and writes metadata only.
const runTimeout = 15 * time.Minute

// newRun is the first attempt of a run.
func newRun(table *v1alpha1.IcebergTable, trigger string, now time.Time) *v1alpha1.Run {
	id := applyID(table)
	if trigger == triggerInspect {
		id = inspectID(table)
	}
	return &v1alpha1.Run{
		Name: runs.RunName(table.Name, id), RunID: id, Trigger: trigger, Attempt: 1,
		Phase: v1alpha1.RunPending, StartTime: ptr.To(metav1.NewTime(now)),
	}
}

// orderOf is what the worker of the run in status is to do. Without a ledger (nil) nothing is recorded.
func orderOf(table *v1alpha1.IcebergTable, ledger *runspec.Ledger) runs.Order {
	run, action := table.Status.LastRun, runspec.ActionTableApply
	if inspects(run) {
		action, ledger = runspec.ActionTableInspect, nil // a look changes nothing, so there is nothing to record
	}
	return runs.Order{
		Owner: metav1.OwnerReference{
			APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: table.Name, UID: table.UID,
			Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
		},
		Resource: resource,
		Timeout:  runTimeout,
		Worker:   table.Spec.Worker,
		Spec: &runspec.RunSpec{
			Version: runspec.Version,
			Action:  action,
			Object: runspec.ObjectRef{
				Kind: kind, Namespace: table.Namespace, Name: table.Name, UID: string(table.UID), Generation: table.Generation,
			},
			RunID: run.RunID, Run: run.Name, Attempt: run.Attempt,
			Tables: map[string]runspec.Table{table.Name: {Spec: table.Spec}},
			Ledger: ledger,
			Report: true,
		},
	}
}
