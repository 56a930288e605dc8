package lineageledger

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/conditions"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

const (
	// reasonChainNotAvailable: this version of ledgerd has no chain; records are kept, and not anchored.
	reasonChainNotAvailable = "ChainNotAvailable"
	// reasonServerFailing: ledgerd ends again and again.
	reasonServerFailing = "ServerFailing"
)

// Phases of a ledger.
const (
	phasePending   = "Pending"
	phaseRunning   = "Running"
	phaseFailed    = "Failed"
	phaseSuspended = "Suspended"
)

func suspended(ledger *v1alpha1.LineageLedger) bool { return ptr.Deref(ledger.Spec.Suspend, false) }

// report writes the whole status from the facts; it reads nothing else and has no side effect.
func report(ledger *v1alpha1.LineageLedger, f facts, failure error) {
	status := &ledger.Status
	status.ObservedGeneration = ledger.Generation
	status.Endpoint = ledgerref.Endpoint(ledger.Namespace, ledger.Name)
	status.TokenSecretName = ledgerref.TokenSecretName(ledger.Name)
	status.Trust = v1alpha1.TrustSingleOperator
	status.Anchored = false
	if f.checkpoint != nil {
		status.Size, status.Root = f.checkpoint.Size, f.checkpoint.Root
		status.Lag = status.Size
	}
	verdict, phase := judge(ledger, f, failure)
	status.Phase = phase
	verdict.Apply(&status.Conditions, ledger.Generation)
	conditions.Set(&status.Conditions, ledger.Generation, v1alpha1.ConditionAnchoring, metav1.ConditionFalse,
		reasonChainNotAvailable, "no root is anchored: this version of ledgerd keeps records and their Merkle tree, and has no chain yet")
}

// judge is the state in one verdict, worst news first.
func judge(ledger *v1alpha1.LineageLedger, f facts, failure error) (conditions.Verdict, string) {
	notReady := conditions.Verdict{Ready: metav1.ConditionFalse}
	if refusal := refused(ledger, f); refusal != nil {
		notReady.Reason, notReady.Message, notReady.Stalled = refusal.reason, refusal.message, true
		return notReady, phaseFailed
	}
	if apierrors.IsInvalid(failure) {
		notReady.Reason, notReady.Stalled = v1alpha1.ReasonInvalidSpec, true
		notReady.Message = "the API server refuses what the spec leads to; correct the spec: " + failure.Error()
		return notReady, phaseFailed
	}
	if failure != nil {
		failing := conditions.Verdict{Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonInternalError, Message: failure.Error(), Reconciling: true}
		if f.serving() { // ledgerd goes on taking records while the manager tries again
			failing.Ready = metav1.ConditionTrue
			return failing, phaseRunning
		}
		return failing, phasePending
	}
	if suspended(ledger) {
		return stopped(ledger, f)
	}
	if f.serving() {
		return conditions.Verdict{Ready: metav1.ConditionTrue, Reason: v1alpha1.ReasonSucceeded, Message: servingMessage(ledger, f)}, phaseRunning
	}
	trouble, hopeless := podTrouble(f.pod)
	notReady.Reason, notReady.Message, notReady.Reconciling = v1alpha1.ReasonProgressing, "ledgerd is starting", true
	if trouble != "" {
		notReady.Message = trouble
	}
	if hopeless {
		notReady.Reason, notReady.Reconciling, notReady.Stalled = reasonServerFailing, false, true
		return notReady, phaseFailed
	}
	return notReady, phasePending
}

// stopped keeps what Ready said before, as every suspended kind does.
func stopped(ledger *v1alpha1.LineageLedger, f facts) (conditions.Verdict, string) {
	verdict := conditions.Verdict{Ready: metav1.ConditionFalse, Reason: v1alpha1.ReasonSuspended,
		Message: "ledgerd is stopped; operations that need a record wait until spec.suspend is false"}
	if was := meta.FindStatusCondition(ledger.Status.Conditions, v1alpha1.ConditionReady); was != nil {
		verdict.Ready = was.Status
	}
	if f.server != nil && f.server.Status.Replicas > 0 {
		verdict.Reconciling, verdict.Message = true, "ledgerd is stopping"
	}
	return verdict, phaseSuspended
}

func servingMessage(ledger *v1alpha1.LineageLedger, f facts) string {
	message := fmt.Sprintf("ledgerd answers at %s; records are durable and not anchored on a chain",
		ledgerref.Endpoint(ledger.Namespace, ledger.Name))
	if larger := surplus(ledger, f.claim); larger != nil {
		message += fmt.Sprintf("; the volume has %s, which is more than spec.volume.size, and cannot shrink", larger)
	}
	if ignored := ignoredFields(ledger.Spec); len(ignored) > 0 {
		message += "; not in this version, and without effect: " + strings.Join(ignored, ", ")
	}
	return message
}

// ignoredFields are set and validated, and do nothing yet: the status says so rather than letting a user believe it.
func ignoredFields(spec v1alpha1.LineageLedgerSpec) []string {
	var ignored []string
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"chain", spec.Chain != nil},
		{"contracts", spec.Contracts != nil},
		{"recording", spec.Recording != "" && spec.Recording != v1alpha1.RecordingAnchored},
		{"anchor", spec.Anchor != nil},
		{"mirror", spec.Mirror != nil},
		{"openLineage", spec.OpenLineage != nil},
	} {
		if field.set {
			ignored = append(ignored, "spec."+field.name)
		}
	}
	return ignored
}
