package api_test

import "testing"

func TestRefusedClusters(t *testing.T) {
	checkRefused(t, "DatabendCluster", "warehouse", []refusal{
		{"no lineage said", edits{"spec.ledgerRef": nil}, "lineage: Disabled"},
		{"no storage", edits{"spec.storage": nil}, "storage holds the warehouse's data"},
		{"no version", edits{"spec.version": nil}, "set version (or image)"},
		{"version in words", edits{"spec.version": "latest"}, "version must be like 1.2.881"},
		{"external and managed", edits{"spec.endpoint": m{"url": "https://x", "userSecretRef": m{"name": "a"}}}, "with endpoint no server is managed"},
		{"even group", edits{"spec.meta.replicas": int64(2)}, "must be odd"},
		{"tenant in capitals", edits{"spec.tenant": "Analytics"}, "tenant holds lower-case letters"},
		{"user root", edits{"spec.users.0.name": "root"}, "the operator's own users"},
		{"user with a space", edits{"spec.users.0.name": "b i"}, "a user's name holds letters"},
		{"user without password", edits{"spec.users.0.passwordSecretRef": nil}, "passwordSecretRef: Required value"},
		{"catalog with a dash", edits{"spec.icebergCatalogs.0.name": "my-lake"}, "a catalog's name holds lower-case letters"},
		{"catalog default", edits{"spec.icebergCatalogs.0.name": "default"}, "default is Databend's own catalog"},
		{"SQL catalog", edits{"spec.icebergCatalogs.0.catalog": m{"type": "sql", "sql": m{"dialect": "sqlite", "path": "a", "warehouse": "s3://b"}}}, "give it the REST catalog in front of it"},
		{"cache of nothing", edits{"spec.query.cache.size": "0"}, "size must be a quantity greater than zero"},
		{"setting in capitals", edits{"spec.query.settings": m{"MAX": "1"}}, "a setting's name holds lower-case letters"},
		{"too many replicas", edits{"spec.query.replicas": int64(257)}, "should be less than or equal to 256"},
		{"backup without schedule", edits{"spec.backup.schedule": nil}, "schedule: Required value"},
		{"SQL catalog outside the volume", edits{"spec.icebergCatalogs.0.catalog": m{"type": "sql", "sql": m{"dialect": "sqlite", "path": "../a", "warehouse": "s3://b"}}}, "path must not contain '..'"},
		{"devices of the meta service", edits{"spec.meta.resources": m{"claims": l{m{"name": "gpu"}}}}, "the meta service has no devices"},
		{"devices of the query service", edits{"spec.query.resources.claims": l{m{"name": "gpu"}}}, "GPUs belong to gpuAcceleration"},
		{"cache of no columns", edits{"spec.gpuAcceleration.cacheSize": "0"}, "cacheSize must be a quantity greater than zero"},
		{"scan below zero", edits{"spec.gpuAcceleration.thresholds": m{"minGPUScan": "-1"}}, "minGPUScan must be a quantity of at least zero"},
		{"parallel scan below zero", edits{"spec.gpuAcceleration.thresholds": m{"parallelScanSize": "-1"}}, "parallelScanSize must be a quantity of at least zero"},
		{"benefit above all", edits{"spec.gpuAcceleration.thresholds": m{"gpuBenefitPercent": int64(101)}}, "should be less than or equal to 100"},
		{"wavefront of 16", edits{"spec.gpuAcceleration.hipOptimizations": m{"wavefrontSize": int64(16)}}, `supported values: "32", "64"`},
		{"drop", edits{"spec.deletionPolicy": "Drop"}, "Retain (keep volumes and data) or Purge"},
	})
	checkRefused(t, "DatabendCluster", "lab", []refusal{
		{"warehouse name too long", edits{"spec.warehouses.0.name": "a-very-long-warehouse-name"}, "may not be more than 20"},
		{"warehouse in capitals", edits{"spec.warehouses.0.name": "Nightly"}, "a warehouse's name holds lower-case letters"},
		{"sleep at once", edits{"spec.warehouses.0.autoSuspendAfter": "10s"}, "at least 1m"},
	})
	checkRefused(t, "DatabendCluster", "cloud", []refusal{
		{"password in the URL", edits{"spec.endpoint.url": "https://u:p@databend"}, "put them into the Secret"},
	})
}

func TestImmutableClusters(t *testing.T) {
	checkUpdates(t, "DatabendCluster", "warehouse", []update{
		{"tenant", edits{"spec.tenant": "other"}, "tenant is immutable"},
		{"bucket", edits{"spec.storage.s3.bucket": "other"}, "storage is where the data lies"},
		{"meta volume shrinks", edits{"spec.meta.volume.size": "50Gi"}, "a volume cannot shrink"},
		{"meta volume removed", edits{"spec.meta.volume": nil}, "cannot be added or removed later"},
		{"becomes external", edits{"spec.endpoint": m{"url": "https://x", "userSecretRef": m{"name": "a"}}}, "a managed cluster cannot become an external one"},
		{"other credentials", edits{"spec.storage.s3.credentialsSecretRef.name": "rotated"}, ""},
		{"meta volume grows", edits{"spec.meta.volume.size": "200Gi"}, ""},
	})
}
