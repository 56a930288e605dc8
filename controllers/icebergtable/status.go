package icebergtable

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
	"github.com/amdgpu-framework/datastack/controllers/internal/runs"
)

// Phases beside those of a run.
const (
	phaseReady     = "Ready"
	phaseFailed    = "Failed"
	phasePending   = "Pending"
	phaseSuspended = "Suspended"
)

// report writes conditions and phase from the spec, the run in status and the facts.
func report(table *v1alpha1.IcebergTable, f facts) {
	status := &table.Status
	status.ObservedGeneration = table.Generation
	verdict, phase := judge(table, f)
	status.Phase = phase
	reportSchema(table, verdict)
	verdict.Apply(&status.Conditions, table.Generation)
	reportLineage(table, f)
	if table.Spec.Maintenance != nil {
		conditions.Set(&status.Conditions, table.Generation, v1alpha1.ConditionMaintained, metav1.ConditionFalse,
			v1alpha1.ReasonControllerNotAvailable, "spec.maintenance is validated, and not carried out by this version")
	} else {
		meta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionMaintained)
	}
}

// judge is the state in one verdict, worst news first.
func judge(table *v1alpha1.IcebergTable, f facts) (conditions.Verdict, string) {
	run := table.Status.LastRun
	notReady := conditions.Verdict{Ready: metav1.ConditionFalse}
	switch {
	case f.refusal != nil:
		notReady.Reason, notReady.Message, notReady.Stalled = f.refusal.Reason, f.refusal.Message, true
		return notReady, phaseFailed
	case f.failure != nil:
		notReady.Reason, notReady.Message, notReady.Reconciling = v1alpha1.ReasonInternalError, f.failure.Error(), true
		return notReady, phasePending
	case ptr.Deref(table.Spec.Suspend, false) && f.state() == "":
		return suspended(table)
	case run != nil && run.Phase == v1alpha1.RunFailed && !wantsRun(table):
		notReady.Reason, notReady.Message, notReady.Stalled = failedReason(table, f), run.Message, true
		return notReady, phaseFailed
	case inSync(table):
		return ready(table, run)
	case f.wait != "" && !active(run):
		notReady.Reason, notReady.Message, notReady.Reconciling = v1alpha1.ReasonDependencyNotReady, f.wait, true
		return notReady, phasePending
	}
	notReady.Reconciling, notReady.Reason, notReady.Message = true, v1alpha1.ReasonProgressing, "the table is being brought to the spec"
	if run == nil {
		return notReady, phasePending
	}
	switch {
	case run.Failures > 0 && f.state() == "":
		notReady.Reason = v1alpha1.ReasonRunRetrying
	case run.Phase == v1alpha1.RunPending:
		notReady.Reason = v1alpha1.ReasonRunPending
	}
	if run.Message != "" {
		notReady.Message = run.Message
	}
	return notReady, string(run.Phase)
}

// wantsRun says whether the spec or the annotation asks for more than was begun.
func wantsRun(table *v1alpha1.IcebergTable) bool {
	return table.Status.Revision != revision(table.Spec) || table.Status.RunAt != runAt(table)
}

// inSync: the newest apply was for this spec and succeeded. A look in flight does not change that.
func inSync(table *v1alpha1.IcebergTable) bool {
	run := table.Status.LastRun
	return run != nil && !wantsRun(table) && (inspects(run) || run.Phase == v1alpha1.RunSucceeded)
}

func ready(table *v1alpha1.IcebergTable, run *v1alpha1.Run) (conditions.Verdict, string) {
	verdict := conditions.Verdict{Ready: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: inSyncMessage(table)}
	if active(run) {
		if run.Failures > 0 {
			verdict.Message = "the last look at the table failed and is tried again: " + run.Message
		}
		return verdict, string(run.Phase)
	}
	return verdict, phaseReady
}

// suspended keeps what Ready said before.
func suspended(table *v1alpha1.IcebergTable) (conditions.Verdict, string) {
	verdict := conditions.Verdict{Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonSuspended,
		Message: "spec.suspend is true: the table is neither changed nor looked at; pipelines may still write to it"}
	if was := meta.FindStatusCondition(table.Status.Conditions, v1alpha1.ConditionReady); was != nil {
		verdict.Ready = was.Status
	}
	return verdict, phaseSuspended
}

// failedReason is found in the pass in which the run ends; later passes keep it, as the pod may be gone by then.
func failedReason(table *v1alpha1.IcebergTable, f facts) string {
	if f.ended != "" {
		return f.ended
	}
	if was := meta.FindStatusCondition(table.Status.Conditions, v1alpha1.ConditionStalled); was != nil {
		return was.Reason
	}
	return runs.ReasonOfExit(table.Status.LastRun.ErrorCode)
}

func reportSchema(table *v1alpha1.IcebergTable, verdict conditions.Verdict) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		conditions.Set(&table.Status.Conditions, table.Generation, v1alpha1.ConditionSchemaInSync, status, reason, message)
	}
	run := table.Status.LastRun
	switch {
	case inSync(table):
		set(metav1.ConditionTrue, v1alpha1.ReasonInSync, inSyncMessage(table))
	case verdict.Stalled:
		set(metav1.ConditionFalse, verdict.Reason, verdict.Message)
	case run != nil && run.Phase == v1alpha1.RunFailed && !wantsRun(table): // suspended after a failure: keep what it says
	default:
		set(metav1.ConditionUnknown, v1alpha1.ReasonProgressing, "the table has not been brought to this spec yet")
	}
}

func reportLineage(table *v1alpha1.IcebergTable, f facts) {
	list := &table.Status.Conditions
	if table.Spec.Lineage == v1alpha1.LineageDisabled {
		conditions.Set(list, table.Generation, v1alpha1.ConditionLineageDisabled, metav1.ConditionTrue,
			v1alpha1.ReasonLineageDisabled, "spec.lineage is Disabled: changes of this table are not recorded")
		meta.RemoveStatusCondition(list, v1alpha1.ConditionLedgerReady)
		return
	}
	meta.RemoveStatusCondition(list, v1alpha1.ConditionLineageDisabled)
	switch {
	case f.failure != nil: // not known in this pass
	case f.wait != "":
		conditions.Set(list, table.Generation, v1alpha1.ConditionLedgerReady, metav1.ConditionFalse, v1alpha1.ReasonDependencyNotReady, f.wait)
	case f.ledger != nil:
		conditions.Set(list, table.Generation, v1alpha1.ConditionLedgerReady, metav1.ConditionTrue, v1alpha1.ReasonAvailable,
			"records go to LineageLedger "+f.ledger.Name)
	}
}

func inSyncMessage(table *v1alpha1.IcebergTable) string {
	message := "table " + strings.Join(append(table.Spec.Identifier.Namespace, table.Spec.Identifier.Name), ".") + " is as the spec says"
	if ignored := ignoredFields(table.Spec); len(ignored) > 0 {
		message += "; not in this version, and without effect: " + strings.Join(ignored, ", ")
	}
	return message
}

// ignoredFields are set and validated, and do nothing yet: the status says so rather than letting a user believe it.
func ignoredFields(spec v1alpha1.IcebergTableSpec) []string {
	var ignored []string
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"maintenance", spec.Maintenance != nil},
		{"refs", len(spec.Refs) > 0},
		{"register", spec.Register != nil},
		{"write.gpuOptimize", spec.Write != nil && ptr.Deref(spec.Write.GPUOptimize, false)},
		{"write.autoCompact", spec.Write != nil && ptr.Deref(spec.Write.AutoCompact, false)},
		{"write.partitionOptimization", spec.Write != nil && ptr.Deref(spec.Write.PartitionOptimization, false)},
		{"deletionPolicy (deleting this object leaves the table where it is)",
			spec.DeletionPolicy == v1alpha1.DeletionDrop || spec.DeletionPolicy == v1alpha1.DeletionPurge},
	} {
		if field.set {
			ignored = append(ignored, "spec."+field.name)
		}
	}
	return ignored
}
