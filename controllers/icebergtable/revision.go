package icebergtable

import (
	"encoding/json"
	"strconv"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

const kind = "IcebergTable"

// revision is the hash of what the table should be. Other fields (suspend, refreshInterval, worker, ...) say how the
// manager treats it; changing them starts no run.
func revision(spec v1alpha1.IcebergTableSpec) string {
	shape, _ := json.Marshal(v1alpha1.IcebergTableSpec{ // an API value always encodes
		Catalog: spec.Catalog, Storage: spec.Storage, Identifier: spec.Identifier, Schema: spec.Schema,
		Evolution: spec.Evolution, PartitionSpec: spec.PartitionSpec, SortOrder: spec.SortOrder,
		Properties: spec.Properties, Write: spec.Write,
	})
	return runs.Hash(string(shape))
}

// applyID is the token of a run that brings the table to a revision. The generation keeps a return to an earlier
// revision from being taken for the run of back then.
func applyID(table *v1alpha1.IcebergTable) string {
	return runs.Hash(string(table.UID), "apply", revision(table.Spec), strconv.FormatInt(table.Generation, 10), runAt(table))
}

// inspectID is the token of the look after the last one: the same answer however often it is asked.
func inspectID(table *v1alpha1.IcebergTable) string {
	last := ""
	if table.Status.LastRefresh != nil {
		last = strconv.FormatInt(table.Status.LastRefresh.Unix(), 10)
	}
	return runs.Hash(string(table.UID), "inspect", last)
}

func runAt(table *v1alpha1.IcebergTable) string { return table.Annotations[v1alpha1.AnnotationRunAt] }

// Triggers of runs, as status.lastRun.trigger shows them.
const (
	triggerApply   = "Apply"
	triggerInspect = "Refresh"
)

func inspects(run *v1alpha1.Run) bool { return run != nil && run.Trigger == triggerInspect }

func active(run *v1alpha1.Run) bool {
	return run != nil && run.Phase != v1alpha1.RunSucceeded && run.Phase != v1alpha1.RunFailed
}
