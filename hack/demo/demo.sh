#!/usr/bin/env bash
# The example from CSV to an Iceberg table, on a real Kubernetes. `make demo` runs it; the tour is in docs/quickstart.md.
#   CLUSTER=local    (default) start a cluster on this machine; needs root
#   CLUSTER=current  use the cluster that kubectl points at
#   KEEP=1           leave everything up
set -euo pipefail
cd "$(dirname "$0")/../.."

CLUSTER=${CLUSTER:-local}
KEEP=${KEEP:-}
NAMESPACE=${NAMESPACE:-datastack-demo}
SAMPLES=config/samples/quickstart
started=$SECONDS
forwards=()

say() { printf '\n\033[1m== %s\033[0m  (%d s)\n' "$*" $((SECONDS - started)); }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

cleanup() {
	local code=$?
	trap - EXIT INT TERM
	for pid in "${forwards[@]}"; do kill "$pid" 2>/dev/null || true; done
	if [ "$code" -ne 0 ] && [ "${cluster_is_up:-}" ]; then
		say "It failed. What the cluster says:"
		kubectl -n "$NAMESPACE" get etl,ibt,ledger,pods 2>&1 | head -40 || true
		kubectl -n "$NAMESPACE" get events --sort-by=.lastTimestamp 2>&1 | tail -15 || true
		kubectl -n datastack-system logs deploy/datastack-manager --tail=15 2>&1 || true
	fi
	if [ -z "$KEEP" ] && [ "${cluster_is_up:-}" ]; then
		if [ "$CLUSTER" = local ]; then
			say "Taking the cluster down (KEEP=1 leaves it up)"
			make cluster-down
		else
			say "Removing the namespace $NAMESPACE (KEEP=1 leaves it)"
			kubectl delete namespace "$NAMESPACE" --wait=false
		fi
	fi
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# forward NAME PORT: opens a port-forward to a service and prints the local port.
forward() {
	local log; log=$(mktemp)
	kubectl -n "$NAMESPACE" port-forward "$1" ":$2" >"$log" 2>&1 &
	forwards+=($!)
	for _ in $(seq 100); do
		port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\).*/\1/p' "$log")
		if [ -n "$port" ]; then rm -f "$log"; return; fi
		sleep 0.1
	done
	echo "no port-forward to $1: $(cat "$log")" >&2
	return 1
}

case "$CLUSTER" in
local)
	say "Starting Kubernetes on this machine"
	make cluster-up images-import
	eval "$(bin/localcluster/localcluster env)"
	;;
current)
	say "Using the cluster of the current kubectl context: $(kubectl config current-context)"
	hack/demo/load-images.sh
	;;
*)
	echo "CLUSTER is '$CLUSTER'; expected 'local' or 'current'" >&2
	exit 2
	;;
esac
cluster_is_up=1

say "Installing the CRDs and the manager"
hack/deploy.sh

say "Starting an S3 store and putting the CSV files there"
kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
if ! kubectl -n "$NAMESPACE" get secret store-credentials >/dev/null 2>&1; then
	kubectl -n "$NAMESPACE" create secret generic store-credentials \
		--from-literal=accessKeyID=datastack --from-literal=secretAccessKey="$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')" >/dev/null
fi
run kubectl -n "$NAMESPACE" apply -f "$SAMPLES/00-store.yaml"
kubectl -n "$NAMESPACE" rollout status deployment/store --timeout=180s
forward service/store 7070
secret() { kubectl -n "$NAMESPACE" get secret store-credentials -o "jsonpath={.data.$1}" | base64 -d; }
AWS_ACCESS_KEY_ID=$(secret accessKeyID) AWS_SECRET_ACCESS_KEY=$(secret secretAccessKey) \
	.venv/test/bin/python hack/demo/upload.py "http://127.0.0.1:$port"

say "Applying the ledger, two tables and two pipelines"
run kubectl -n "$NAMESPACE" apply -f "$SAMPLES/10-ledger.yaml" -f "$SAMPLES/20-tables.yaml" -f "$SAMPLES/30-load-flights.yaml" -f "$SAMPLES/40-report.yaml"
run kubectl -n "$NAMESPACE" wait --for=condition=Ready --timeout=300s ledger/audit ibt/flights ibt/delays-by-carrier
run kubectl -n "$NAMESPACE" wait --for=condition=Ready --timeout=600s etl/load-flights etl/report-delays

say "What the cluster shows"
run kubectl -n "$NAMESPACE" get ledger,ibt,etl

say "One SQL query over the report table"
hack/demo/query.sh "$NAMESPACE" delays-by-carrier \
	'SELECT carrier_name, flights, mean_dep_delay_minutes, late_percent, mean_delay_in_wind_minutes FROM "delays-by-carrier" ORDER BY mean_dep_delay_minutes DESC LIMIT 5'

say "Where the report comes from"
ledger() { kubectl -n "$NAMESPACE" get ledger audit -o "jsonpath={.status.$1}"; }
host=$(ledger endpoint) && host=${host#http://} # http://SERVICE.NAMESPACE.svc:PORT
forward "service/${host%%.*}" "${host##*:}"
token=$(mktemp)
kubectl -n "$NAMESPACE" get secret "$(ledger tokenSecretName)" -o 'jsonpath={.data.token}' | base64 -d >"$token"
bin/ledgerd lineage --url "http://127.0.0.1:$port" --token-file "$token" aviation.delays_by_carrier
rm -f "$token"

say "Done: $(kubectl -n "$NAMESPACE" get etl load-flights -o 'jsonpath={.status.lastRun.rowsRead}') rows read from CSV, $(kubectl -n "$NAMESPACE" get etl load-flights -o 'jsonpath={.status.lastRun.rowsWritten}') written to Iceberg"
if [ -n "$KEEP" ] && [ "$CLUSTER" = local ]; then
	# shellcheck disable=SC2016 # the reader's shell runs it
	printf 'The cluster stays up. To use it:\n  eval "$(bin/localcluster/localcluster env)"\n  kubectl -n %s get etl\nTo stop it: make cluster-down\n' "$NAMESPACE"
fi
