##@ Generate
CONTROLLER_GEN = $(GO) tool -modfile=hack/tools/controller-gen/go.mod controller-gen

generate: manifests ## Generate deep copies and apply configurations from api/, and the pages in docs/kinds from the CRDs
	$(CONTROLLER_GEN) object applyconfiguration paths=./api/v1alpha1
	$(GO) run -tags $(TAGS) ./hack/apidocs

manifests: ## Generate the CRDs in config/crd/bases from api/
	$(CONTROLLER_GEN) crd paths=./api/v1alpha1 output:crd:dir=config/crd/bases

.PHONY: generate manifests
