#!/usr/bin/env bash
# Runs the long tests; their last results are committed in test/soak/results.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

export KUBEBUILDER_ASSETS=$PWD/bin/localcluster/assets
export DATASTACK_SOAK=1
tags=duckdb_arrow
{
	echo "# $(git rev-parse --short HEAD 2>/dev/null) $(nproc) cores"
	go test -tags $tags -count 1 -p 1 -timeout 3h -run 'Soak|Crash|Kill|Random|Model|Fuzz' -v ./ledger/... ./gpuworker/... 2>&1 |
		grep -E '^(=== RUN|--- |ok|FAIL|PASS|\s+.*(seed|crash points|kills|histories))' | grep -v '=== RUN'
} | tee test/soak/results.txt
