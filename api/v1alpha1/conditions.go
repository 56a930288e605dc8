package v1alpha1

// Condition types. Ready is normal-true; Reconciling and Stalled are abnormal-true and present only while they are
// true; the others say one thing each, and are normal-true unless their comment says otherwise.
const (
	// ConditionReady is true when the object does what its spec says.
	ConditionReady = "Ready"
	// ConditionReconciling is true while the controller works towards the spec, or waits for something it expects.
	ConditionReconciling = "Reconciling"
	// ConditionStalled is true when nothing more will happen until a person changes something.
	ConditionStalled = "Stalled"

	// ConditionSourceReady: the source exists and can be read (ETLPipeline, ReverseETLSync).
	ConditionSourceReady = "SourceReady"
	// ConditionDestinationReady: the destination exists and can be written (ETLPipeline).
	ConditionDestinationReady = "DestinationReady"
	// ConditionDestinationsReady: every destination can be written (ReverseETLSync).
	ConditionDestinationsReady = "DestinationsReady"
	// ConditionGPUAvailable: a GPU that meets the requirements was found, and used (DatabendCluster, ETLPipeline, IcebergTable, ReverseETLSync).
	ConditionGPUAvailable = "GPUAvailable"
	// ConditionLedgerReady: the ledger that ledgerRef names takes records (DatabendCluster, ETLPipeline, IcebergTable, ReverseETLSync).
	ConditionLedgerReady = "LedgerReady"
	// ConditionLineageDisabled is abnormal-true: the spec says that operations are not recorded (DatabendCluster, ETLPipeline, IcebergTable, ReverseETLSync).
	ConditionLineageDisabled = "LineageDisabled"

	// ConditionSchemaInSync: the table's schema, partitioning and sort order are those of the spec (IcebergTable).
	ConditionSchemaInSync = "SchemaInSync"
	// ConditionMaintained: the last run of each maintenance action succeeded (IcebergTable).
	ConditionMaintained = "Maintained"

	// ConditionGuardTripped is abnormal-true: a guard stopped the sync before it did harm (ReverseETLSync).
	ConditionGuardTripped = "GuardTripped"

	// ConditionMetaReady: the meta service has a leader and a quorum (DatabendCluster).
	ConditionMetaReady = "MetaReady"
	// ConditionQueryReady: the query service answers (DatabendCluster).
	ConditionQueryReady = "QueryReady"
	// ConditionBackupHealthy: the newest backup is not older than its schedule wants (DatabendCluster).
	ConditionBackupHealthy = "BackupHealthy"

	// ConditionChainReachable: the chain answers (LineageLedger).
	ConditionChainReachable = "ChainReachable"
	// ConditionAnchoring: roots reach the chain within anchor.maxInterval (LineageLedger).
	ConditionAnchoring = "Anchoring"
	// ConditionConsistent: the log agrees with every root that was ever anchored (LineageLedger).
	ConditionConsistent = "Consistent"
)

// Reasons of conditions; events carry the same ones.
const (
	// ReasonSucceeded: the work that the spec asks for is done.
	ReasonSucceeded = "Succeeded"
	// ReasonProgressing: the work goes on.
	ReasonProgressing = "Progressing"
	// ReasonScheduled: accepted; the next tick is in status.
	ReasonScheduled = "Scheduled"
	// ReasonSuspended: spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonDependencyNotReady: an object that the spec names is missing or not ready.
	ReasonDependencyNotReady = "DependencyNotReady"
	// ReasonControllerNotAvailable: this version of the manager has no controller for the kind or the feature.
	ReasonControllerNotAvailable = "ControllerNotAvailable"
	// ReasonInvalidSpec: the spec passed the schema, and is still wrong; the message says where.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonHostPathNotAllowed: hostPath storage outside --allow-host-path.
	ReasonHostPathNotAllowed = "HostPathNotAllowed"
	// ReasonImageNotAllowed: the worker image is not on --worker-image-allowlist.
	ReasonImageNotAllowed = "ImageNotAllowed"
	// ReasonQuotaReached: --max-concurrent-runs runs go on; this one waits.
	ReasonQuotaReached = "QuotaReached"
	// ReasonInternalError: the manager could not gather the facts; it tries again.
	ReasonInternalError = "InternalError"
	// ReasonDeleting: the object is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonPurgeSkipped: a purge could not run; the event names the location that is left.
	ReasonPurgeSkipped = "PurgeSkipped"

	// ReasonRunPending: the run waits for its pods.
	ReasonRunPending = "RunPending"
	// ReasonRunStarted: a run started.
	ReasonRunStarted = "RunStarted"
	// ReasonRunSucceeded: the run succeeded.
	ReasonRunSucceeded = "RunSucceeded"
	// ReasonRunFailed: the run failed, and no try is left.
	ReasonRunFailed = "RunFailed"
	// ReasonRunRetrying: an attempt failed; the next one starts after the back-off.
	ReasonRunRetrying = "RunRetrying"
	// ReasonRunTimedOut: the run took longer than timeoutSeconds.
	ReasonRunTimedOut = "RunTimedOut"
	// ReasonRunReplaced: the run was stopped for the next tick (concurrencyPolicy Replace).
	ReasonRunReplaced = "RunReplaced"
	// ReasonRunSkipped: a tick passed while a run went on, or was missed by more than startingDeadlineSeconds.
	ReasonRunSkipped = "RunSkipped"
	// ReasonBadSpec: the worker refused the spec (exit code 64).
	ReasonBadSpec = "BadSpec"
	// ReasonBadInput: the data does not fit (exit code 65).
	ReasonBadInput = "BadInput"
	// ReasonMissingInput: a file, column or table does not exist (exit code 66).
	ReasonMissingInput = "MissingInput"
	// ReasonEngineUnavailable: the engine of a step does not run (exit code 69).
	ReasonEngineUnavailable = "EngineUnavailable"
	// ReasonWrongDevice: the pod's device does not meet spec.gpu (exit code 70).
	ReasonWrongDevice = "WrongDevice"
	// ReasonVersionMismatch: the worker does not know this version of RunSpec (exit code 78).
	ReasonVersionMismatch = "VersionMismatch"
	// ReasonRejectedRows: rows went to the rejects file.
	ReasonRejectedRows = "RejectedRows"

	// ReasonAvailable: the thing that the condition speaks of is there.
	ReasonAvailable = "Available"
	// ReasonNotRequested: the spec does not ask for it.
	ReasonNotRequested = "NotRequested"
	// ReasonFallbackToCPU: no GPU fitted within preferredWait; the run used the CPU.
	ReasonFallbackToCPU = "FallbackToCPU"
	// ReasonNoMatchingNode: no node meets the GPU requirements; the message names the one that fails.
	ReasonNoMatchingNode = "NoMatchingNode"
	// ReasonUnschedulable: the pod could not be placed before scheduleTimeout.
	ReasonUnschedulable = "Unschedulable"
	// ReasonLineageDisabled: spec.lineage is Disabled.
	ReasonLineageDisabled = "LineageDisabled"

	// ReasonInSync: the table is as the spec says.
	ReasonInSync = "InSync"
	// ReasonDropRefused: a column left the spec without formerNames entry, and evolution.allowDrop is not true.
	ReasonDropRefused = "DropRefused"
	// ReasonEvolutionRefused: Iceberg does not allow this change of type or nullability.
	ReasonEvolutionRefused = "EvolutionRefused"
	// ReasonIdentityChanged: catalog and storage hold another table under this name than the one in status.
	ReasonIdentityChanged = "IdentityChanged"
	// ReasonMaintenanceFailed: the last run of a maintenance action failed.
	ReasonMaintenanceFailed = "MaintenanceFailed"

	// ReasonNotAnchored: no root was anchored yet, or anchoring is behind.
	ReasonNotAnchored = "NotAnchored"
	// ReasonInconsistent: the log contradicts a root that was anchored.
	ReasonInconsistent = "Inconsistent"
	// ReasonChainUnreachable: the chain does not answer.
	ReasonChainUnreachable = "ChainUnreachable"

	// ReasonDeleteLimit: more rows would be deleted than guards.maxDeletePercent allows.
	ReasonDeleteLimit = "DeleteLimit"
	// ReasonRejectLimit: the destination rejected more rows than guards.maxRejectPercent allows.
	ReasonRejectLimit = "RejectLimit"
	// ReasonDryRun: the plan was made, and nothing was sent.
	ReasonDryRun = "DryRun"
)

// Annotations, labels and finalizer that belong to the API.
const (
	// AnnotationRunAt starts a run when its value changes (any text, by custom the time); status echoes it.
	AnnotationRunAt = "datastack.amdgpu.dev/run-at"
	// LabelKind on a child is the kind of the object that it belongs to.
	LabelKind = "datastack.amdgpu.dev/kind"
	// LabelName on a child is the name of the object that it belongs to.
	LabelName = "datastack.amdgpu.dev/name"
	// LabelRun on a child is the run that it belongs to.
	LabelRun = "datastack.amdgpu.dev/run"
	// LabelAttempt on a child is the attempt that it belongs to.
	LabelAttempt = "datastack.amdgpu.dev/attempt"
	// LabelPhase on a child is what it does in the run: plan, work, load or commit.
	LabelPhase = "datastack.amdgpu.dev/phase"
	// LabelManagedBy and ManagedBy mark every child.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "datastack"
	// Finalizer is set while an object has outside state to clean up.
	Finalizer = "datastack.amdgpu.dev/finalizer"
)
