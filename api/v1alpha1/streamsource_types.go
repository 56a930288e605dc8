package v1alpha1

// PulsarPosition is where a new subscription begins.
// +kubebuilder:validation:Enum=Earliest;Latest
type PulsarPosition string

// Pulsar positions.
const (
	PulsarEarliest PulsarPosition = "Earliest"
	PulsarLatest   PulsarPosition = "Latest"
)

// PulsarSource reads a topic of Apache Pulsar.
type PulsarSource struct {
	// ServiceURL of the brokers, pulsar:// or pulsar+ssl://.
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="self.matches('^pulsar([+]ssl)?://[^/ ]+/?$')",message="serviceURL must be pulsar://host:6650 or pulsar+ssl://host:6651"
	// +required
	ServiceURL string `json:"serviceURL"`

	// Topic, in full: persistent://tenant/namespace/topic.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^persistent://[^/ ]+/[^/ ]+/[^/ ]+$')",message="topic must be persistent://tenant/namespace/topic; a non-persistent topic cannot be read again after a failure"
	// +required
	Topic string `json:"topic"`

	// Subscription that holds the position. One consumer per partition; a second pipeline needs a name of its own.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Subscription string `json:"subscription"`

	// InitialPosition of a new subscription: Earliest or Latest. Default: Earliest.
	// +optional
	InitialPosition PulsarPosition `json:"initialPosition,omitempty"`

	// AuthSecretRef names a Secret with the key token (a JSON web token). Default: no authentication.
	// +optional
	AuthSecretRef *LocalRef `json:"authSecretRef,omitempty"`

	// TLSSecretRef names a Secret with the key ca.crt, and tls.crt and tls.key for mutual TLS. Default: the system's authorities.
	// +optional
	TLSSecretRef *LocalRef `json:"tlsSecretRef,omitempty"`
}

// HTTPMethod of a request; each field says which of them it allows.
type HTTPMethod string

// HTTPHeader is one header of a request; never a secret.
type HTTPHeader struct {
	// Name of the header.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9-]+$')",message="a header's name holds letters, digits and '-' only"
	// +kubebuilder:validation:XValidation:rule="!(self.lowerAscii() in ['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])",message="credentials belong into a Secret: use authSecretRef"
	// +required
	Name string `json:"name"`

	// Value of the header.
	// +kubebuilder:validation:MaxLength=1024
	// +required
	Value string `json:"value"`
}

// HTTPSource reads an HTTP API.
// +kubebuilder:validation:XValidation:rule="!has(self.pagination) || self.pagination.type == 'linkHeader' || has(self.pagination.parameter)",message="pagination by page, offset or cursor needs parameter, the query parameter's name"
type HTTPSource struct {
	// URL to read.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="url must be an http(s) URL"
	// +required
	URL string `json:"url"`

	// Method: GET or POST. Default: GET.
	// +kubebuilder:validation:Enum=GET;POST
	// +optional
	Method HTTPMethod `json:"method,omitempty"`

	// Headers of each request; credentials belong into authSecretRef. Default: none.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`

	// AuthSecretRef names a Secret with the key token (sent as a bearer token), or with username and password. Default: no authentication.
	// +optional
	AuthSecretRef *LocalRef `json:"authSecretRef,omitempty"`

	// Format of the answer: JSON, NDJSON or CSV. Default: JSON.
	// +kubebuilder:validation:Enum=JSON;NDJSON;CSV
	// +optional
	Format string `json:"format,omitempty"`

	// RowsPath is the JSON pointer (RFC 6901) to the array of rows, such as /data/items. Default: the answer itself.
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self == '' || self.startsWith('/')",message="rowsPath is a JSON pointer and begins with '/'"
	// +optional
	RowsPath string `json:"rowsPath,omitempty"`

	// Columns with their types. Default: found from the first page; a later page that does not agree fails the run.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +listType=map
	// +listMapKey=name
	// +optional
	Columns []Column `json:"columns,omitempty"`

	// Pagination says how the next page is asked for. Default: there is one page.
	// +optional
	Pagination *HTTPPagination `json:"pagination,omitempty"`

	// TimeoutSeconds of each request. Default: 60.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
}

// HTTPPagination says how an API gives its pages.
type HTTPPagination struct {
	// Type: linkHeader (RFC 8288, rel=next), page (numbers from 1), offset (rows from 0), or cursor (a value in the answer).
	// +kubebuilder:validation:Enum=linkHeader;page;offset;cursor
	// +required
	Type string `json:"type"`

	// Parameter of the query that carries page, offset or cursor.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Parameter string `json:"parameter,omitempty"`

	// CursorPath is the JSON pointer to the next cursor in the answer, for type cursor; the last page has none, or null.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	CursorPath string `json:"cursorPath,omitempty"`

	// PageSize that is asked for, in rows, and by which offset grows. Default: 1000.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	PageSize *int32 `json:"pageSize,omitempty"`

	// PageSizeParameter of the query that carries pageSize. Default: none is sent.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	PageSizeParameter string `json:"pageSizeParameter,omitempty"`

	// MaxPages after which the run fails, as a guard against an API that never ends. Default: 10000.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	MaxPages *int32 `json:"maxPages,omitempty"`
}
