#!/usr/bin/env bash
# Installs the CRDs and the manager on the cluster that kubectl points at. Everything is applied server-side: the CRDs are
# larger than the annotation of a client-side apply may be.
set -euo pipefail
cd "$(dirname "$0")/.."

MANAGER_IMAGE=${MANAGER_IMAGE:-datastack/manager:dev}
WORKER_IMAGE=${WORKER_IMAGE:-datastack/gpuworker:dev}
ENGINE_IMAGE=${ENGINE_IMAGE:-datastack/engine:dev}
LEDGERD_IMAGE=${LEDGERD_IMAGE:-datastack/ledgerd:dev}

oldest=33 # docs/quickstart.md says which feature needs it
minor=$(kubectl get --raw /version | sed -n 's/.*"minor": *"\([0-9]*\).*/\1/p')
if [ "${minor:-0}" -lt "$oldest" ]; then
	echo "this cluster is Kubernetes 1.$minor; Datastack needs 1.$oldest or newer" >&2
	exit 1
fi

kubectl apply --server-side --force-conflicts -k config/crd
kubectl kustomize config/crd | kubectl wait --for=condition=Established --timeout=60s -f - >/dev/null
kubectl kustomize config/default |
	sed -e "s#datastack/manager:dev#$MANAGER_IMAGE#; s#datastack/gpuworker:dev#$WORKER_IMAGE#; s#datastack/engine:dev#$ENGINE_IMAGE#; s#datastack/ledgerd:dev#$LEDGERD_IMAGE#" |
	kubectl apply --server-side --force-conflicts -f - >/dev/null
# The images have a fixed tag while developing; a new build is picked up by a restart.
kubectl -n datastack-system rollout restart deployment/datastack-manager >/dev/null
kubectl -n datastack-system rollout status deployment/datastack-manager --timeout=180s
