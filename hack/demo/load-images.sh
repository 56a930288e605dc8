#!/usr/bin/env bash
# Brings the images to the cluster that kubectl points at: into kind or minikube, or to the registry REGISTRY.
set -euo pipefail
cd "$(dirname "$0")/../.."

context=$(kubectl config current-context)
make images
case "$context" in
kind-*)
	for tar in bin/images/*.tar; do kind load image-archive "$tar" --name "${context#kind-}"; done
	;;
minikube)
	for tar in bin/images/*.tar; do minikube image load "$tar"; done
	;;
*)
	if [ -z "${IMAGES_PRESENT:-}" ]; then
		cat >&2 <<TEXT
The images are in bin/images/*.tar. I do not know how to bring them to the cluster of the context '$context'.
Import them there (docker load and push, ctr images import, ...), set MANAGER_IMAGE, WORKER_IMAGE, ENGINE_IMAGE and
LEDGERD_IMAGE when they have other names there, and run again with IMAGES_PRESENT=1.
TEXT
		exit 1
	fi
	;;
esac
