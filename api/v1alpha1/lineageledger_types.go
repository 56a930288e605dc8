package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// LineageLedgerSpec says where records are kept and how they are anchored.
// +kubebuilder:validation:XValidation:rule="!has(self.deletionPolicy) || self.deletionPolicy != 'Drop'",message="deletionPolicy of a ledger is Retain (keep the volume) or Purge (delete it)"
// +kubebuilder:validation:XValidation:rule="has(self.volume) == has(oldSelf.volume)",message="volume holds the ledger's records: it cannot be added or removed later"
// +kubebuilder:validation:XValidation:rule="!has(self.onChainUnavailable) || self.onChainUnavailable != 'Block' || has(self.chain)",message="onChainUnavailable: Block needs a chain; add chain, or remove it"
// +kubebuilder:validation:XValidation:rule="!has(self.recording) || self.recording == 'Anchored' || has(self.chain)",message="recording: Events and Full write to a chain; add chain, or use recording: Anchored"
type LineageLedgerSpec struct {
	// Chain that roots are anchored on. Default: none, and status says anchored: false; trust is SingleOperator.
	// +optional
	Chain *LedgerChain `json:"chain,omitempty"`

	// Contracts on the chain: deploy them, or use those at the given addresses. Default: deploy.
	// +optional
	Contracts *LedgerContracts `json:"contracts,omitempty"`

	// Recording: Anchored puts roots on chain; Events adds a keyed hash of each record as an event; Full stores them in
	// contract storage. Default: Anchored.
	// +optional
	Recording LedgerRecording `json:"recording,omitempty"`

	// Anchor says when a root is anchored. Default: after 4096 records or 30s.
	// +optional
	Anchor *LedgerAnchor `json:"anchor,omitempty"`

	// OnChainUnavailable: Buffer goes on taking records and anchors them later; Block refuses records, so that runs wait. Default: Buffer.
	// +optional
	OnChainUnavailable ChainUnavailablePolicy `json:"onChainUnavailable,omitempty"`

	// Volume that holds the write-ahead log. Default: 10Gi of the cluster's default storage class.
	// +optional
	Volume *VolumeClaim `json:"volume,omitempty"`

	// Mirror gets the sealed segments of the log before they are anchored, so that the ledger can be rebuilt from it. Default: none.
	// +optional
	Mirror *Storage `json:"mirror,omitempty"`

	// OpenLineage endpoint that gets a copy of each record. Default: none.
	// +optional
	OpenLineage *OpenLineage `json:"openLineage,omitempty"`

	// DeletionPolicy, when this object is deleted: Retain keeps the volume and the keys beside it; Purge deletes them. Default: Retain.
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// Suspend stops the ledger's server; operations that need a record wait. Default: false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// Worker says how the ledger's pod looks. Default: the manager's ledger image and resources.
	// +optional
	Worker *Worker `json:"worker,omitempty"`
}

// ChainType names a kind of chain.
// +kubebuilder:validation:Enum=development;external
type ChainType string

// Chain types.
const (
	ChainDevelopment ChainType = "development"
	ChainExternal    ChainType = "external"
)

// LedgerChain is one EVM chain: set type and the member of that name.
// +kubebuilder:validation:XValidation:rule="has(self.development) == (self.type == 'development') && has(self.external) == (self.type == 'external')",message="chain: set the member that type names, and no other",messageExpression="'chain type is ' + self.type + ': set the member ' + self.type + ', and no other'"
// +kubebuilder:validation:XValidation:rule="self.type == oldSelf.type",message="the chain's type is immutable: anchors of one chain say nothing on another; create another LineageLedger"
type LedgerChain struct {
	// Type: development (a chain inside the ledger's pod) or external. Immutable.
	// +required
	Type ChainType `json:"type"`

	// Development is a chain with one signer inside the ledger's pod; status reports trust: SingleOperator.
	// +optional
	Development *DevelopmentChain `json:"development,omitempty"`

	// External is a chain that others run too.
	// +optional
	External *ExternalChain `json:"external,omitempty"`
}

// DevelopmentChain is a chain inside the ledger's pod.
type DevelopmentChain struct {
	// Volume that holds the chain's state. Default: 10Gi of the cluster's default storage class.
	// +optional
	Volume *VolumeClaim `json:"volume,omitempty"`
}

// ExternalChain is a chain that is reached over JSON-RPC.
type ExternalChain struct {
	// RPCURLs of nodes of the chain, in order of preference; they must agree.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.all(u, u.matches('^(https?|wss?)://[^ ]+$'))",message="rpcURLs must be http(s) or ws(s) URLs"
	// +kubebuilder:validation:XValidation:rule="self.all(u, !u.contains('@'))",message="rpcURLs must not carry a user or key; put the key into the Secret that signerSecretRef names (rpcToken)"
	// +listType=atomic
	// +required
	RPCURLs []string `json:"rpcURLs"`

	// ChainID of the chain (EIP-155). A node that answers with another one is refused. Immutable.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9007199254740991
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="chainID is immutable: anchors of one chain say nothing on another; create another LineageLedger"
	// +required
	ChainID int64 `json:"chainID"`

	// Confirmations (blocks) after which an anchor counts as final, where the chain names no finalized block. Default: 12.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Confirmations *int32 `json:"confirmations,omitempty"`

	// SignerSecretRef names a Secret with the key privateKey (32 bytes as hexadecimal digits), and rpcToken, if the node wants one.
	// +required
	SignerSecretRef LocalRef `json:"signerSecretRef"`
}

// LedgerContracts says which contracts are used.
// +kubebuilder:validation:XValidation:rule="has(self.addresses) != (has(self.deploy) && self.deploy)",message="set either deploy: true or addresses"
type LedgerContracts struct {
	// Deploy the contracts on the chain, once.
	// +optional
	Deploy *bool `json:"deploy,omitempty"`

	// Addresses of contracts that are there already.
	// +optional
	Addresses *ContractAddresses `json:"addresses,omitempty"`
}

// ContractAddresses are where contracts lie on the chain.
type ContractAddresses struct {
	// DataLineage takes the anchors.
	// +kubebuilder:validation:MaxLength=42
	// +kubebuilder:validation:XValidation:rule="self.matches('^0x[0-9a-fA-F]{40}$')",message="an address is 0x and 40 hexadecimal digits"
	// +required
	DataLineage string `json:"dataLineage"`

	// DataAudit takes query executions, for recording: Events and Full. Default: none.
	// +kubebuilder:validation:MaxLength=42
	// +kubebuilder:validation:XValidation:rule="self.matches('^0x[0-9a-fA-F]{40}$')",message="an address is 0x and 40 hexadecimal digits"
	// +optional
	DataAudit string `json:"dataAudit,omitempty"`

	// PerformanceMetrics takes figures of runs, for recording: Events and Full. Default: none.
	// +kubebuilder:validation:MaxLength=42
	// +kubebuilder:validation:XValidation:rule="self.matches('^0x[0-9a-fA-F]{40}$')",message="an address is 0x and 40 hexadecimal digits"
	// +optional
	PerformanceMetrics string `json:"performanceMetrics,omitempty"`
}

// LedgerRecording says what goes on chain.
// +kubebuilder:validation:Enum=Anchored;Events;Full
type LedgerRecording string

// Ledger recordings.
const (
	RecordingAnchored LedgerRecording = "Anchored"
	RecordingEvents   LedgerRecording = "Events"
	RecordingFull     LedgerRecording = "Full"
)

// ChainUnavailablePolicy says what happens while the chain does not answer.
// +kubebuilder:validation:Enum=Buffer;Block
type ChainUnavailablePolicy string

// Policies for an unavailable chain.
const (
	ChainBuffer ChainUnavailablePolicy = "Buffer"
	ChainBlock  ChainUnavailablePolicy = "Block"
)

// LedgerAnchor says when a root is anchored: whichever comes first.
type LedgerAnchor struct {
	// MaxRecords that wait before a root is anchored. Default: 4096.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxRecords *int32 `json:"maxRecords,omitempty"`

	// MaxInterval that a record waits before a root is anchored. Default: 30s.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]+(ms|s|m|h))+$') && duration(self) >= duration('1s') && duration(self) <= duration('87600h')",message="maxInterval must be a duration of at least 1s, such as 30s"
	// +optional
	MaxInterval *metav1.Duration `json:"maxInterval,omitempty"`
}

// OpenLineage is a server that takes OpenLineage events.
type OpenLineage struct {
	// Endpoint that events are posted to, such as http://marquez:5000/api/v1/lineage.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ @]+$')",message="endpoint must be an http(s) URL without a user; put a token into authSecretRef"
	// +required
	Endpoint string `json:"endpoint"`

	// AuthSecretRef names a Secret with the key token (sent as a bearer token). Default: no authentication.
	// +optional
	AuthSecretRef *LocalRef `json:"authSecretRef,omitempty"`
}

// LedgerTrust says who would have to cheat for the ledger to lie.
// +kubebuilder:validation:Enum=SingleOperator;External
type LedgerTrust string

// Ledger trust levels.
const (
	// TrustSingleOperator: whoever runs the ledger could rewrite it.
	TrustSingleOperator LedgerTrust = "SingleOperator"
	// TrustExternal: roots lie on a chain that others run too.
	TrustExternal LedgerTrust = "External"
)

// LineageLedgerStatus is what was seen of a ledger.
type LineageLedgerStatus struct {
	SharedStatus `json:",inline"`

	// Phase of the ledger: Pending, Running, Failed or Suspended.
	// +kubebuilder:validation:MaxLength=32
	// +optional
	Phase string `json:"phase,omitempty"`

	// Endpoint of the ledger's HTTP API inside the cluster.
	// +kubebuilder:validation:MaxLength=512
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// TokenSecretName of the Secret whose key token the HTTP API asks for.
	// +kubebuilder:validation:MaxLength=253
	// +optional
	TokenSecretName string `json:"tokenSecretName,omitempty"`

	// LogID names the log: the SHA-256 of its checkpoint key, 64 hexadecimal digits.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	LogID string `json:"logID,omitempty"`

	// Size is the number of records.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Size int64 `json:"size"`

	// Root of the Merkle tree over all records, 64 hexadecimal digits.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Root string `json:"root,omitempty"`

	// Anchored is true once a chain holds a root of this ledger.
	// +optional
	Anchored bool `json:"anchored"`

	// AnchoredSize is the number of records that the newest anchored root covers.
	// +kubebuilder:validation:Minimum=0
	// +optional
	AnchoredSize int64 `json:"anchoredSize"`

	// Lag is the number of records that wait for an anchor.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Lag int64 `json:"lag"`

	// OldestUnanchored is when the oldest record that waits for an anchor was appended.
	// +optional
	OldestUnanchored *metav1.Time `json:"oldestUnanchored,omitempty"`

	// Chain, as it answers.
	// +optional
	Chain *ChainStatus `json:"chain,omitempty"`

	// Contracts that are used.
	// +optional
	Contracts *ContractAddresses `json:"contracts,omitempty"`

	// Trust: SingleOperator when whoever runs the ledger could rewrite it; External when roots lie on a chain that others run too.
	// +optional
	Trust LedgerTrust `json:"trust,omitempty"`
}

// ChainStatus is what a chain says of itself.
type ChainStatus struct {
	// ID of the chain (EIP-155).
	// +kubebuilder:validation:Minimum=0
	// +optional
	ID int64 `json:"id"`

	// Head is the number of the newest block.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Head int64 `json:"head"`

	// Finalized is the number of the newest block that cannot be undone.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Finalized int64 `json:"finalized"`
}

// LineageLedger is a tamper-evident log of every operation on data, anchored on an EVM chain.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=lineageledgers,shortName=ledger,categories=datastack
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Records",type=integer,JSONPath=`.status.size`
// +kubebuilder:printcolumn:name="Anchored",type=integer,JSONPath=`.status.anchoredSize`
// +kubebuilder:printcolumn:name="Trust",type=string,JSONPath=`.status.trust`
// +kubebuilder:printcolumn:name="Endpoint",type=string,JSONPath=`.status.endpoint`,priority=1
// +kubebuilder:printcolumn:name="Root",type=string,JSONPath=`.status.root`,priority=1
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="the name must be at most 40 characters: lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"
type LineageLedger struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is at most 40 characters, as it begins the names of children.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is how the ledger should be.
	// +required
	Spec LineageLedgerSpec `json:"spec"`

	// Status is what was seen of it.
	// +optional
	Status LineageLedgerStatus `json:"status,omitempty"`
}

// LineageLedgerList is a list of ledgers.
// +kubebuilder:object:root=true
type LineageLedgerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	// Items of the list.
	Items []LineageLedger `json:"items"`
}
