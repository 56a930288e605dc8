# `make help` explains each target. Everything that a target needs is installed into bin/, .venv/ and .localcluster/.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
GO ?= go
# DuckDB hands over Arrow record batches only with this tag; one tag set for all builds keeps one build cache.
TAGS := duckdb_arrow
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOFILES := $(shell git ls-files '*.go' 2>/dev/null)

include hack/localcluster/localcluster.mk
include hack/python/python.mk
include hack/generate.mk

##@ Use
demo: build cluster-tools engine-venv test-venv cluster-packages ## Start a local cluster and run the whole example in it (CLUSTER=current: where kubectl points; KEEP=1: leave it up)
	hack/demo/demo.sh

##@ Build
build: bin/manager bin/gpuworker bin/ledgerd ## Build the three binaries into bin/

bin/manager: $(GOFILES) go.mod
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ .

bin/gpuworker: $(GOFILES) $(wildcard gpuworker/transform/engine/*.py) go.mod
	CGO_ENABLED=1 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./gpuworker

bin/ledgerd: $(GOFILES) go.mod
	CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)' -o $@ ./ledger/cmd/ledgerd

##@ Check
test: build cluster-tools engine-venv test-venv cluster-packages ## Run all tests against real servers (about 10 minutes with warm caches)
	hack/test.sh

soak: build cluster-tools engine-venv test-venv cluster-packages ## Run the long tests: hundreds of kills, big inputs
	hack/soak.sh

bench: build engine-venv test-venv ## Time us beside our peers on the same data; JSON in bench.json
	$(GO) run -tags $(TAGS) ./test/bench/etl | tee bench.json

lint: ## Vet, format and lint every module
	CGO_ENABLED=0 $(GO) build -C hack/tools/golangci-lint -o $(CURDIR)/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	CGO_ENABLED=1 bin/golangci-lint run --build-tags $(TAGS) ./...
	cd hack/localcluster && CGO_ENABLED=0 GOFLAGS=-trimpath $(CURDIR)/bin/golangci-lint run --config $(CURDIR)/.golangci.yml ./...

##@ Deploy
deploy: manifests ## Install CRDs and manager on the cluster that kubectl points at (MANAGER_IMAGE, WORKER_IMAGE, ENGINE_IMAGE, LEDGERD_IMAGE name the images)
	hack/deploy.sh

clean: ## Remove what the Makefile built or installed
	rm -rf bin .venv dist

help: ## Show this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-zA-Z_-]+:.*?##/ {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo build test soak bench lint deploy clean help
