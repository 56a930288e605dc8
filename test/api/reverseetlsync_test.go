package api_test

import "testing"

func TestRefusedSyncs(t *testing.T) {
	checkRefused(t, "ReverseETLSync", "delayed-customers", []refusal{
		{"no lineage said", edits{"spec.ledgerRef": nil}, "lineage: Disabled"},
		{"two sources", edits{"spec.source.icebergTableRef": m{"name": "flights"}}, "set either databendClusterRef or icebergTableRef"},
		{"no query", edits{"spec.source.query": nil}, "a Databend source needs query"},
		{"mirror without key", edits{"spec.primaryKey": nil}, "compare rows by primaryKey"},
		{"deletes of an upsert", edits{"spec.mode": "Upsert"}, "only mode: Mirror deletes"},
		{"schedule and after", edits{"spec.after": m{"pipelineRef": m{"name": "load-flights"}}}, "set either schedule or after"},
		{"deadline without schedule", edits{"spec.schedule": nil, "spec.startingDeadlineSeconds": int64(60)}, "counts from a tick"},
		{"no destination", edits{"spec.destinations": l{}}, "should have at least 1 items"},
		{"member of another type", edits{"spec.destinations.0.type": "hubspot"}, "destination crm has type hubspot: set the member hubspot"},
		{"destination in capitals", edits{"spec.destinations.0.name": "CRM"}, "a destination's name holds lower-case letters"},
		{"same destination twice", edits{"spec.destinations.1.name": "crm"}, "duplicate entries"},
		{"field from two", edits{"spec.mapping.0.expression": "row.id"}, "set either from (a column) or expression"},
		{"field twice", edits{"spec.mapping.1.to": "Id"}, "mapping fills a field twice"},
		{"deletes above all", edits{"spec.guards.maxDeletePercent": int64(101)}, "should be less than or equal to 100"},
		{"unknown method", edits{"spec.destinations.0.http.method": "GET"}, `supported values: "POST", "PUT", "PATCH"`},
		{"batch of nothing", edits{"spec.destinations.0.http.batchSize": int64(0)}, "should be greater than or equal to 1"},
		{"no requests", edits{"spec.destinations.0.rateLimit.requestsPerSecond": int64(0)}, "should be greater than or equal to 1"},
		{"cookie in a header", edits{"spec.destinations.0.http.headers": l{m{"name": "Cookie", "value": "a"}}}, "use authSecretRef"},
		{"password in the URL", edits{"spec.destinations.1.multiwoven.endpoint": "https://u:p@multiwoven"}, "without user and password"},
	})
	checkRefused(t, "ReverseETLSync", "new-flights", []refusal{
		{"instance with a path", edits{"spec.destinations.1.salesforce.instanceURL": "https://a.b/c"}, "https://host with no path"},
		{"old API version", edits{"spec.destinations.1.salesforce.apiVersion": "v62"}, "apiVersion must be like"},
	})
}

func TestImmutableSyncs(t *testing.T) {
	checkUpdates(t, "ReverseETLSync", "delayed-customers", []update{
		{"primary key", edits{"spec.primaryKey": l{"email"}}, "primaryKey is immutable"},
		{"query", edits{"spec.source.query": "SELECT 1 AS customer_id"}, ""},
	})
}
