package v1alpha1

// SyncDestinationType names a kind of system that rows are sent to.
// +kubebuilder:validation:Enum=http;postgres;files;salesforce;hubspot;multiwoven
type SyncDestinationType string

// Sync destination types.
const (
	SyncHTTP       SyncDestinationType = "http"
	SyncPostgres   SyncDestinationType = "postgres"
	SyncFiles      SyncDestinationType = "files"
	SyncSalesforce SyncDestinationType = "salesforce"
	SyncHubSpot    SyncDestinationType = "hubspot"
	SyncMultiwoven SyncDestinationType = "multiwoven"
)

// SyncDestination is one system that rows are sent to: set name, type and the member that type names.
// +kubebuilder:validation:XValidation:rule="has(self.http) == (self.type == 'http') && has(self.postgres) == (self.type == 'postgres') && has(self.files) == (self.type == 'files') && has(self.salesforce) == (self.type == 'salesforce') && has(self.hubspot) == (self.type == 'hubspot') && has(self.multiwoven) == (self.type == 'multiwoven')",message="destination: set the member that type names, and no other",messageExpression="'destination ' + self.name + ' has type ' + self.type + ': set the member ' + self.type + ', and no other'"
type SyncDestination struct {
	// Name of the destination. Unique in the sync; its position is kept under it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="a destination's name holds lower-case letters, digits and '-', and begins and ends with a letter or digit"
	// +required
	Name string `json:"name"`

	// Type of the destination. The member of that name must be set.
	// +required
	Type SyncDestinationType `json:"type"`

	// HTTP is any API that takes JSON.
	// +optional
	HTTP *HTTPSyncDestination `json:"http,omitempty"`

	// Postgres is a table of a PostgreSQL database.
	// +optional
	Postgres *PostgresSyncDestination `json:"postgres,omitempty"`

	// Files are Parquet files with the changes of each run.
	// +optional
	Files *FilesDestination `json:"files,omitempty"`

	// Salesforce is an object of a Salesforce organisation.
	// +optional
	Salesforce *SalesforceDestination `json:"salesforce,omitempty"`

	// HubSpot is an object of a HubSpot account.
	// +optional
	HubSpot *HubSpotDestination `json:"hubspot,omitempty"`

	// Multiwoven is a connector of a Multiwoven server.
	// +optional
	Multiwoven *MultiwovenDestination `json:"multiwoven,omitempty"`

	// RateLimit of requests. A Retry-After of the server is always honoured. Default: no limit.
	// +optional
	RateLimit *RateLimit `json:"rateLimit,omitempty"`
}

// RateLimit of requests to a destination.
type RateLimit struct {
	// RequestsPerSecond that are sent at most.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +required
	RequestsPerSecond int32 `json:"requestsPerSecond"`

	// Burst of requests that may be sent at once. Default: requestsPerSecond.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100000
	// +optional
	Burst *int32 `json:"burst,omitempty"`
}

// HTTPSyncDestination is an API that takes rows as JSON. Each request carries an Idempotency-Key header.
type HTTPSyncDestination struct {
	// URL that rows are sent to; {column} is replaced by the row's value, URL-encoded, when batchSize is 1.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ ]+$')",message="url must be an http(s) URL"
	// +required
	URL string `json:"url"`

	// Method of inserts and updates: POST, PUT or PATCH. Default: POST.
	// +kubebuilder:validation:Enum=POST;PUT;PATCH
	// +optional
	Method HTTPMethod `json:"method,omitempty"`

	// DeleteMethod of deletes, in mode Mirror: DELETE or POST. Default: DELETE.
	// +kubebuilder:validation:Enum=DELETE;POST
	// +optional
	DeleteMethod HTTPMethod `json:"deleteMethod,omitempty"`

	// Headers of each request; credentials belong into authSecretRef. Default: none.
	// +kubebuilder:validation:MaxItems=32
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`

	// BatchSize: rows in a request, as a JSON array when it is more than 1. A batch that is rejected is split until the
	// rejected rows are found. Default: 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	BatchSize *int32 `json:"batchSize,omitempty"`

	// AuthSecretRef names a Secret with the key token (sent as a bearer token), or with username and password. Default: no authentication.
	// +optional
	AuthSecretRef *LocalRef `json:"authSecretRef,omitempty"`

	// TimeoutSeconds of each request. Default: 30.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=3600
	// +optional
	TimeoutSeconds *int32 `json:"timeoutSeconds,omitempty"`
}

// PostgresSyncDestination is a table of a PostgreSQL database.
type PostgresSyncDestination struct {
	// DSNSecretRef names the Secret key that holds the connection string (postgres://user:password@host:5432/database).
	// +required
	DSNSecretRef SecretKeyRef `json:"dsnSecretRef"`

	// Table to write, schema.table or table, with a unique index over the fields that primaryKey is mapped to. It must exist.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	Table string `json:"table"`

	// BatchSize: rows in a statement. Default: 1000.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	BatchSize *int32 `json:"batchSize,omitempty"`
}

// SalesforceDestination is an object of a Salesforce organisation.
type SalesforceDestination struct {
	// InstanceURL of the organisation, such as https://example.my.salesforce.com.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^/ @]+/?$')",message="instanceURL must be https://host with no path"
	// +required
	InstanceURL string `json:"instanceURL"`

	// Object to write, such as Contact or Flight__c.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +required
	Object string `json:"object"`

	// ExternalIDField of the object that rows are matched by.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	// +required
	ExternalIDField string `json:"externalIDField"`

	// APIVersion, such as 62.0. Default: 62.0.
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]{2,3}[.]0$')",message="apiVersion must be like '62.0'"
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`

	// CredentialsSecretRef names a Secret with the keys clientID and clientSecret (OAuth 2 client credentials).
	// +required
	CredentialsSecretRef LocalRef `json:"credentialsSecretRef"`
}

// HubSpotDestination is an object of a HubSpot account.
type HubSpotDestination struct {
	// Endpoint of the API. Default: https://api.hubapi.com.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ @]+$')",message="endpoint must be an http(s) URL"
	// +optional
	Endpoint string `json:"endpoint,omitempty"`

	// Object to write: contacts, companies, deals, tickets, or a custom object's type.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Object string `json:"object"`

	// IDProperty that rows are matched by, such as email.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	IDProperty string `json:"idProperty"`

	// AuthSecretRef names a Secret with the key token (a private app's access token).
	// +required
	AuthSecretRef LocalRef `json:"authSecretRef"`
}

// MultiwovenDestination is a connector of a Multiwoven server, which does the sending.
type MultiwovenDestination struct {
	// Endpoint of the server.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="self.matches('^https?://[^ @]+$')",message="endpoint must be an http(s) URL without user and password"
	// +required
	Endpoint string `json:"endpoint"`

	// WorkspaceID there.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9007199254740991
	// +required
	WorkspaceID int64 `json:"workspaceID"`

	// CredentialsSecretRef names a Secret with the keys email and password, of a user that only this sync uses: each login
	// ends the session before it.
	// +required
	CredentialsSecretRef LocalRef `json:"credentialsSecretRef"`

	// DestinationName of the connector there. A missing one stops the sync (Stalled), and the message lists those there are.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	DestinationName string `json:"destinationName"`

	// StreamName of that connector that takes the rows.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	// +required
	StreamName string `json:"streamName"`
}
