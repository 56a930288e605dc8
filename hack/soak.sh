#!/usr/bin/env bash
# Runs the tests whose counts are too big for `make test`: hundreds of killed writers, long random histories. The last
# results are committed in test/soak/results.txt.   HISTORIES and KILLS set the counts, SEED repeats a run.
set -euo pipefail
cd "$(dirname "$0")/.."

export KUBEBUILDER_ASSETS=$PWD/bin/localcluster/assets
export HISTORIES=${HISTORIES:-150} KILLS=${KILLS:-150}
mkdir -p test/soak
{
	echo "commit $(git rev-parse --short HEAD), $(nproc) cores, HISTORIES=$HISTORIES KILLS=$KILLS"
	go test -tags duckdb_arrow -count 1 -p 1 -timeout 4h -run 'Model|Killed|Kill' -v ./gpuworker/lakehouse ./gpuworker/run 2>&1 |
		grep -E '^(--- |ok|FAIL|panic)|seed|kills|histories' || true
	go test -tags duckdb_arrow -count 10 -p 1 -timeout 2h -run 'Crash|Kill|Power' ./ledger/... 2>&1 | grep -v 'no test files'
} | tee test/soak/results.txt
if grep -qE '^(--- FAIL|FAIL|panic)' test/soak/results.txt; then exit 1; fi
