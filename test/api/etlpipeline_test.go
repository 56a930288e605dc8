package api_test

import (
	"strings"
	"testing"
)

func TestRefusedPipelines(t *testing.T) {
	checkRefused(t, "ETLPipeline", "load-flights", []refusal{
		{"name too long", edits{"metadata.name": strings.Repeat("a", 41)}, "at most 40 characters"},
		{"name begins with a digit", edits{"metadata.name": "1st"}, "beginning with a letter"},
		{"name with dots", edits{"metadata.name": "a.b"}, "lower-case letters, digits and '-'"},
		{"no lineage said", edits{"spec.ledgerRef": nil}, "lineage: Disabled"},
		{"ledger and no lineage", edits{"spec.lineage": "Disabled"}, "remove ledgerRef"},
		{"unknown lineage", edits{"spec.lineage": "Off"}, `supported values: "Enabled", "Disabled"`},
		{"unknown mode", edits{"spec.mode": "Once"}, `supported values: "Batch", "Streaming"`},
		{"stream from files", edits{"spec.mode": "Streaming", "spec.schedule": nil}, "mode: Streaming reads a pulsar source"},
		{"streaming settings in a batch", edits{"spec.streaming.maxBatch": int64(1)}, "streaming is only for mode: Streaming"},
		{"deadline without schedule", edits{"spec.schedule": nil, "spec.startingDeadlineSeconds": int64(60)}, "counts from a tick"},
		{"scheduled reload", edits{"spec.source.files.incremental": "None"}, "set source.files.incremental: ByFile"},
		{"scheduled reload by default", edits{"spec.source.files.incremental": nil, "spec.destination.icebergTable.mode": nil}, "set source.files.incremental: ByFile"},
		{"reload of what is read once", edits{"spec.source.files.allowReload": true}, "never reloads a file"},
		{"pipelineID", edits{"spec.pipelineID": "A"}, "pipelineID holds lower-case letters"},
		{"parallelism of none", edits{"spec.parallelism": int64(0)}, "should be greater than or equal to 1"},
		{"parallelism too high", edits{"spec.parallelism": int64(257)}, "should be less than or equal to 256"},
		{"timeout too short", edits{"spec.timeoutSeconds": int64(1)}, "should be greater than or equal to 10"},
		{"history too long", edits{"spec.runHistoryLimit": int64(11)}, "should be less than or equal to 10"},
		{"retries below zero", edits{"spec.backoffLimit": int64(-1)}, "should be greater than or equal to 0"},
		{"cron of four fields", edits{"spec.schedule.cron": "15 * * *"}, "cron needs five fields"},
		{"time zone in cron", edits{"spec.schedule.cron": "CRON_TZ=UTC 15 * * * *"}, "time zone in timeZone"},
		{"local time zone", edits{"spec.schedule.timeZone": "Local"}, "name of the IANA database"},
		{"unknown concurrency", edits{"spec.schedule.concurrencyPolicy": "Allow"}, `supported values: "Forbid", "Replace"`},
		{"no destination", edits{"spec.destination": nil}, "spec.destination: Required value"},
		{"misspelt field", edits{"spec.paralelism": int64(2)}, "paralelism"},
	})
}

func TestRefusedSources(t *testing.T) {
	checkRefused(t, "ETLPipeline", "load-flights", []refusal{
		{"member of another type", edits{"spec.source.type": "postgres"}, "source type is postgres: set the member postgres, and no other"},
		{"two members", edits{"spec.source.icebergTable": m{"tableRef": m{"name": "a"}}}, "source type is files"},
		{"unknown type", edits{"spec.source.type": "kafka"}, `supported values: "files"`},
		{"storage member missing", edits{"spec.source.files.storage": m{"type": "s3"}}, "storage type is s3: set the member s3, and no other"},
		{"bucket as URL", edits{"spec.source.files.storage.s3.bucket": "s3://landing"}, "bucket must be 3 to 63"},
		{"prefix with slash", edits{"spec.source.files.storage.s3.prefix": "/flights"}, "no leading '/'"},
		{"endpoint without scheme", edits{"spec.source.files.storage.s3.endpoint": "minio:9000"}, "endpoint must be http(s)://host[:port]"},
		{"volume path that climbs out", edits{"spec.source.files.storage": m{"type": "volume", "volume": m{"claimName": "a", "path": "../b"}}}, "path is relative to the volume"},
		{"relative host path", edits{"spec.source.files.storage": m{"type": "hostPath", "hostPath": m{"path": "data"}}}, "path must be absolute"},
		{"gcs bucket in capitals", edits{"spec.source.files.storage": m{"type": "gcs", "gcs": m{"bucket": "Models"}}}, "bucket holds lower-case letters"},
		{"azure account with dash", edits{"spec.source.files.storage": m{"type": "azure", "azure": m{"account": "my-account", "container": "data"}}}, "account holds 3 to 24"},
		{"azure container in capitals", edits{"spec.source.files.storage": m{"type": "azure", "azure": m{"account": "acc", "container": "Data"}}}, "container holds 3 to 63"},
		{"azure prefix with slash", edits{"spec.source.files.storage": m{"type": "azure", "azure": m{"account": "acc", "container": "data", "prefix": "/a"}}}, "prefix is relative to the container"},
		{"absolute glob", edits{"spec.source.files.glob": "/x/*.csv"}, "glob is relative to the storage"},
		{"csv of parquet", edits{"spec.source.files.format": "Parquet"}, "csv describes CSV files"},
		{"compressed parquet", edits{"spec.source.files.format": "Parquet", "spec.source.files.csv": nil, "spec.source.files.compression": "Gzip"}, "Parquet compresses its own pages"},
		{"two characters between fields", edits{"spec.source.files.csv.delimiter": "||"}, "Too long: may not be more than 1"},
		{"rejects below zero", edits{"spec.source.files.maxRejects": int64(-1)}, "should be greater than or equal to 0"},
		{"column of unknown type", edits{"spec.source.files.columns": l{m{"name": "a", "type": "varchar"}}}, "boolean|int|long"},
		{"too many columns", edits{"spec.source.files.columns": repeat(1025, func(i int) any {
			return m{"name": "c" + strings.Repeat("x", i%200) + string(rune('a'+i/200)), "type": "int"}
		})}, "must have at most 1024 items"},
	})
	checkRefused(t, "ETLPipeline", "carrier-report", []refusal{
		{"two times of one table", edits{"spec.source.icebergTable.ref": "main", "spec.source.icebergTable.snapshotID": "1"}, "at most one of snapshotID, asOf and ref"},
		{"time without zone", edits{"spec.source.icebergTable.asOf": "2026-01-01T00:00:00"}, "asOf"},
		{"time that Go cannot read", edits{"spec.source.icebergTable.asOf": "2026-01-01t00:00:00z"}, "asOf"},
		{"snapshot in words", edits{"spec.source.icebergTable.snapshotID": "latest"}, "snapshotID must be a decimal number"},
	})
	checkRefused(t, "ETLPipeline", "bookings-per-day", []refusal{
		{"table and query", edits{"spec.source.postgres.query": "SELECT 1"}, "set either query or table"},
		{"split of a query", edits{"spec.source.postgres.table": nil, "spec.source.postgres.query": "SELECT 1"}, "splitColumn splits a table"},
		{"mysql without either", edits{"spec.transformations.0.enrich.source.mysql.query": nil}, "set either query or table"},
		{"secret key with a slash", edits{"spec.source.postgres.dsnSecretRef.key": "a/b"}, "a Secret key holds"},
		{"upsert without keys", edits{"spec.destination.databend.keyColumns": nil}, "mode: Upsert needs keyColumns"},
	})
	checkRefused(t, "ETLPipeline", "score-weather", []refusal{
		{"url without scheme", edits{"spec.source.http.url": "weather.example.org"}, "url must be an http(s) URL"},
		{"header with a space", edits{"spec.source.http.headers.0.name": "A B"}, "a header's name holds letters"},
		{"credentials in a header", edits{"spec.source.http.headers.0.name": "Authorization"}, "use authSecretRef"},
		{"pages without parameter", edits{"spec.source.http.pagination.parameter": nil}, "needs parameter"},
		{"rows path without slash", edits{"spec.source.http.rowsPath": "data"}, "rowsPath is a JSON pointer"},
		{"topic without tenant", edits{"spec.destination.pulsar.topic": "risk"}, "topic must be persistent://tenant/namespace/topic"},
		{"columns and schema from", edits{"spec.transformations.0.jsonParse.schemaFrom": "destination"}, "set either columns or schemaFrom"},
		{"python and wasm", edits{"spec.transformations.1.custom.wasm": m{"configMapRef": m{"name": "a"}, "key": "b"}}, "set either python or wasm"},
		{"long parameter", edits{"spec.transformations.2.predict.parameters": m{"k": strings.Repeat("1", 257)}}, "its value at most 256"},
		{"onnx and model", edits{"spec.transformations.2.predict.model": "Linear"}, "set either onnx or model"},
	})
	checkRefused(t, "ETLPipeline", "live-positions", []refusal{
		{"batch of a stream", edits{"spec.mode": "Batch", "spec.streaming": nil}, "a pulsar source has no end"},
		{"scheduled stream", edits{"spec.schedule": m{"cron": "@daily"}}, "a streaming pipeline runs all the time"},
		{"timeout of a stream", edits{"spec.timeoutSeconds": int64(60)}, "remove timeoutSeconds"},
		{"commit interval without unit", edits{"spec.streaming.commitInterval": "10"}, "write a duration of at most 87600h"},
		{"interval that no worker can read", edits{"spec.streaming.commitInterval": "99999999999h"}, "write a duration of at most 87600h"},
		{"interval of ages", edits{"spec.streaming.latencyTarget": "87601h"}, "write a duration of at most 87600h"},
		{"broker by http", edits{"spec.source.pulsar.serviceURL": "http://broker"}, "serviceURL must be pulsar://"},
		{"topic that forgets", edits{"spec.source.pulsar.topic": "non-persistent://a/b/c"}, "cannot be read again"},
		{"threshold in words", edits{"spec.transformations.2.neuromorphic.model.lif.threshold": "high"}, "threshold must be a decimal number"},
		{"reset in words", edits{"spec.transformations.2.neuromorphic.model.lif.reset": "zero"}, "reset must be a decimal number"},
		{"leak in words", edits{"spec.transformations.2.neuromorphic.model.lif.leak": "some"}, "leak must be a decimal number"},
		{"resistance in words", edits{"spec.transformations.2.neuromorphic.model.lif.resistance": "high"}, "resistance must be a decimal number"},
		{"time step without unit", edits{"spec.transformations.2.neuromorphic.timeStep": "1"}, "such as 100us, 1ms or 20ms"},
		{"gap without unit", edits{"spec.transformations.2.neuromorphic.maxGap": "1"}, "such as 20ms, 10s or 1h"},
		{"tau without unit", edits{"spec.transformations.2.neuromorphic.model.lif.tau": "20"}, "write a duration of at most 87600h"},
		{"two models", edits{"spec.transformations.2.neuromorphic.model.nir": m{"path": "a.nir", "storage": m{"type": "volume", "volume": m{"claimName": "a"}}}}, "set either lif or nir"},
	})
}

func TestRefusedSteps(t *testing.T) {
	checkRefused(t, "ETLPipeline", "load-flights", []refusal{
		{"step of another type", edits{"spec.transformations.0.type": "polars"}, "transformation clean has type polars: set the member polars"},
		{"unknown step", edits{"spec.transformations.0.type": "spark"}, `supported values: "polars"`},
		{"step named input", edits{"spec.transformations.0.name": "input"}, "names of the pipeline's own steps"},
		{"step name in capitals", edits{"spec.transformations.0.name": "Clean"}, "a step's name holds lower-case letters"},
		{"same step twice", edits{"spec.transformations.0.name": "score"}, "duplicate entries"},
		{"empty query", edits{"spec.transformations.0.datafusion.query": ""}, "should be at least 1 chars long"},
		{"table named input", edits{"spec.transformations.0.datafusion.tables": l{m{"name": "input", "source": m{"type": "icebergTable", "icebergTable": m{"tableRef": m{"name": "a"}}}}}}, "input and pl are taken"},
		{"table that is a stream", edits{"spec.transformations.0.datafusion.tables": l{m{"name": "a", "source": m{"type": "pulsar", "pulsar": m{"serviceURL": "pulsar://a:1", "topic": "persistent://a/b/c", "subscription": "s"}}}}}, "a stream cannot be read whole"},
		{"no key to join by", edits{"spec.transformations.1.enrich.using": nil}, "set either using"},
		{"both kinds of keys", edits{"spec.transformations.1.enrich.onPairs": l{m{"input": "a", "source": "b"}}}, "set either using"},
		{"join with a stream", edits{"spec.transformations.1.enrich.source": m{"type": "pulsar", "pulsar": m{"serviceURL": "pulsar://a:1", "topic": "persistent://a/b/c", "subscription": "s"}}}, "a stream cannot be looked up"},
		{"too many steps", edits{"spec.transformations": repeat(33, func(i int) any {
			return m{"name": "f" + strings.Repeat("x", i), "type": "filter", "filter": m{"expression": "true"}}
		})}, "must have at most 32 items"},
		{"destination of another type", edits{"spec.destination.type": "files"}, "destination type is files: set the member files"},
		{"unknown write mode", edits{"spec.destination.icebergTable.mode": "Merge"}, `supported values: "Append", "Overwrite", "Upsert"`},
		{"unknown gpu policy", edits{"spec.gpu.policy": "Maybe"}, `supported values: "Required", "Preferred", "Disabled"`},
		{"no gpu with requirements", edits{"spec.gpu.policy": "Disabled"}, "policy: Disabled asks for no GPU"},
		{"wait without unit", edits{"spec.gpu.preferredWait": "60"}, "such as 90s, 10m or 168h"},
		{"wait for what is required", edits{"spec.gpu.policy": "Required", "spec.gpu.preferredWait": "1m"}, "preferredWait is only for policy: Preferred"},
		{"NVIDIA architecture", edits{"spec.gpu.architectures": l{"sm_90"}}, "architectures are gfx names"},
		{"resource without domain", edits{"spec.gpu.resourceName": "gpu"}, "must be an extended resource"},
		{"no memory", edits{"spec.gpu.memoryLimit": "0"}, "memoryLimit must be a quantity greater than zero"},
		{"driver version in words", edits{"spec.gpu.minDriverVersion": "latest"}, "minDriverVersion must be numbers with dots"},
		{"variable of the worker's own", edits{"spec.worker": m{"env": l{m{"name": "DATASTACK_X"}}}}, "the worker's own"},
		{"variable with a dash", edits{"spec.worker": m{"env": l{m{"name": "A-B"}}}}, "a variable's name holds letters"},
		{"label of the operator's own", edits{"spec.worker": m{"podLabels": m{"datastack.amdgpu.dev/name": "x"}}}, "set by the operator"},
		{"annotation of the operator's own", edits{"spec.worker": m{"podAnnotations": m{"datastack.amdgpu.dev/run-at": "x"}}}, "annotations of datastack.amdgpu.dev/ are set"},
		{"claims beside gpu", edits{"spec.worker": m{"resources": m{"claims": l{m{"name": "gpu"}}}}}, "resource claims are made from spec.gpu"},
	})
	checkRefused(t, "ETLPipeline", "carrier-report", []refusal{
		{"files outside the storage", edits{"spec.destination.files.path": "../x"}, "path is relative to the storage"},
		{"files by upsert", edits{"spec.destination.files.mode": "Upsert"}, "files cannot be matched by key"},
		{"files as CSV", edits{"spec.destination.files.format": "CSV"}, "files are written as Parquet"},
		{"unknown compression", edits{"spec.destination.files.compression": "Brotli"}, `supported values: "None", "Snappy", "LZ4", "Zstd"`},
	})
}
