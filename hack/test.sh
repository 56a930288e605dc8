#!/usr/bin/env bash
# Runs every test: packages first, then the local cluster, then the example and the end-to-end tests on a cluster.
set -euo pipefail
cd "$(dirname "$0")/.."

export KUBEBUILDER_ASSETS=$PWD/bin/localcluster/assets
export PATH=$PWD/bin/localcluster/assets:$PATH
tags=duckdb_arrow
step() { printf '\n== %s (%d s)\n' "$*" $SECONDS; }

step "unit, API, controller, ledger and worker tests"
# shellcheck disable=SC2046 # one package per word
go test -tags $tags -p 2 -timeout 20m $(go list -tags $tags ./... | grep -v -e /test/e2e -e /test/bench)

step "local cluster tests"
make cluster-test

step "the example, on a cluster that stays up"
trap 'make cluster-down' EXIT
KEEP=1 hack/demo/demo.sh
eval "$(bin/localcluster/localcluster env)"

step "end-to-end tests"
go test -tags $tags -count 1 -timeout 25m -parallel 6 ./test/e2e
