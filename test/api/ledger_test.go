package api_test

import "testing"

func TestRefusedLedgers(t *testing.T) {
	checkRefused(t, "LineageLedger", "audit", []refusal{
		{"name too long", edits{"metadata.name": "a2345678901234567890123456789012345678901"}, "at most 40 characters"},
		{"chain member missing", edits{"spec.chain": m{"type": "external"}}, "chain type is external: set the member external"},
		{"full without chain", edits{"spec.chain": nil, "spec.recording": "Full"}, "add chain, or use recording: Anchored"},
		{"block without chain", edits{"spec.chain": nil, "spec.onChainUnavailable": "Block"}, "Block needs a chain"},
		{"neither deploy nor addresses", edits{"spec.contracts.deploy": false}, "set either deploy: true or addresses"},
		{"anchor without end", edits{"spec.anchor.maxInterval": "500ms"}, "at least 1s"},
		{"anchor of nothing", edits{"spec.anchor.maxRecords": int64(0)}, "should be greater than or equal to 1"},
		{"volume of nothing", edits{"spec.volume.size": "0"}, "size must be a quantity greater than zero"},
		{"volume of words", edits{"spec.volume.size": "large"}, "should match"},
		{"unknown access mode", edits{"spec.volume.accessModes": l{"RWO"}}, "supported values"},
		{"drop", edits{"spec.deletionPolicy": "Drop"}, "Retain (keep the volume) or Purge"},
		{"unknown recording", edits{"spec.recording": "None"}, `supported values: "Anchored", "Events", "Full"`},
	})
	checkRefused(t, "LineageLedger", "audit-external", []refusal{
		{"node by name", edits{"spec.chain.external.rpcURLs": l{"rpc.example.org"}}, "rpcURLs must be http(s) or ws(s) URLs"},
		{"key in a URL", edits{"spec.chain.external.rpcURLs": l{"https://key@rpc.example.org"}}, "must not carry a user or key"},
		{"no node", edits{"spec.chain.external.rpcURLs": l{}}, "should have at least 1 items"},
		{"no signer", edits{"spec.chain.external.signerSecretRef": nil}, "signerSecretRef: Required value"},
		{"short address", edits{"spec.contracts.addresses.dataLineage": "0x12"}, "0x and 40 hexadecimal digits"},
		{"region with a space", edits{"spec.mirror.s3.region": "eu central"}, "region holds letters"},
		{"devices of the engine", edits{"spec.worker": m{"engineResources": m{"claims": l{m{"name": "gpu"}}}}}, "the engine container has no devices"},
		{"user in OpenLineage", edits{"spec.openLineage.endpoint": "http://u:p@marquez"}, "put a token into authSecretRef"},
	})
}

func TestImmutableLedgers(t *testing.T) {
	checkUpdates(t, "LineageLedger", "audit-external", []update{
		{"chain id", edits{"spec.chain.external.chainID": int64(1)}, "chainID is immutable"},
		{"chain type", edits{"spec.chain": m{"type": "development", "development": m{}}}, "the chain's type is immutable"},
		{"volume shrinks", edits{"spec.volume.size": "10Gi"}, "a volume cannot shrink"},
		{"volume class", edits{"spec.volume.storageClassName": "slow"}, "storageClassName is immutable"},
		{"volume removed", edits{"spec.volume": nil}, "cannot be added or removed later"},
		{"volume grows", edits{"spec.volume.size": "0.1Ti"}, ""},
		{"another node", edits{"spec.chain.external.rpcURLs": l{"https://rpc-c.example.org"}}, ""},
	})
}
