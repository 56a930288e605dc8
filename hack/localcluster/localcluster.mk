# The local cluster: hack/localcluster, docs/localcluster.md. Everything goes into bin/localcluster and .localcluster.
##@ Local cluster
LC := bin/localcluster
LC_DIR ?= .localcluster
LC_GPUS ?= 0
LC_LAUNCHER_SOURCES := $(shell find hack/localcluster -name '*.go' -not -path '*/cmd/kubernetes/*' -o -name addons.yaml)
KUBERNETES_VERSION := v1.37.2
# Kubernetes tells clients its version, which the build sets.
LC_KUBERNETES_LDFLAGS := -s -w -X k8s.io/component-base/version.gitVersion=$(KUBERNETES_VERSION) -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37

# lc-build NAME,MODULE,PACKAGE,LDFLAGS: one static binary, and one line that says how long it took. The first build of
# Kubernetes takes minutes: say so before.
define lc-build
@mkdir -p $(LC)
@printf '%-32s %s\n' '$(1)' 'building ...'
@started=$$(date +%s); CGO_ENABLED=0 $(GO) build -C $(2) -trimpath -ldflags '$(4)' -o $(CURDIR)/$(LC)/$(1) $(3) && \
	touch $(LC)/$(1) && printf '%-32s %-10s %6d s\n' '$(1)' 'built' $$(( $$(date +%s) - started ))
endef

$(LC)/etcd: hack/tools/etcd/go.mod
	$(call lc-build,etcd,hack/tools/etcd,go.etcd.io/etcd/server/v3,-s -w)

$(LC)/coredns: hack/tools/coredns/go.mod hack/tools/coredns/main.go
	$(call lc-build,coredns,hack/tools/coredns,.,-s -w)

$(LC)/versitygw: hack/tools/versitygw/go.mod
	$(call lc-build,versitygw,hack/tools/versitygw,github.com/versity/versitygw/cmd/versitygw,-s -w)

$(LC)/kubernetes: hack/localcluster/go.mod hack/localcluster/cmd/kubernetes/main.go
	$(call lc-build,kubernetes,hack/localcluster,./cmd/kubernetes,$(LC_KUBERNETES_LDFLAGS))

$(LC)/pause: hack/localcluster/cmd/pause/main.go
	$(call lc-build,pause,hack/localcluster,./cmd/pause,-s -w)

$(LC)/localcluster: hack/localcluster/go.mod $(LC_LAUNCHER_SOURCES)
	$(call lc-build,localcluster,hack/localcluster,./cmd/localcluster,-s -w)

# The components under the names that people, and envtest (KUBEBUILDER_ASSETS), call them by.
$(LC)/assets/kubectl: $(LC)/kubernetes $(LC)/etcd
	@mkdir -p $(LC)/assets
	@for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl; do ln -sfn ../kubernetes $(LC)/assets/$$name; done
	@ln -sfn ../etcd $(LC)/assets/etcd

cluster-tools: $(LC)/etcd $(LC)/coredns $(LC)/versitygw $(LC)/pause $(LC)/localcluster $(LC)/kubernetes $(LC)/assets/kubectl ## Build etcd, Kubernetes, CoreDNS, the S3 gateway and the launcher (about 12 minutes the first time)

cluster-packages: $(LC)/localcluster ## Install the Debian packages that the local cluster needs (root), or name them
	@if [ "$$(id -u)" = 0 ]; then $(LC)/localcluster packages --install; else $(LC)/localcluster packages; fi

cluster-up: cluster-tools cluster-packages ## Start the local cluster (LC_GPUS=N: with N simulated amd.com/gpu)
	@$(LC)/localcluster --dir $(LC_DIR) up --simulated-gpus $(LC_GPUS)

cluster-down: $(LC)/localcluster ## Stop the local cluster and remove its data; its logs stay
	@$(LC)/localcluster --dir $(LC_DIR) down

cluster-status: $(LC)/localcluster ## Say whether the local cluster runs and is ready
	@$(LC)/localcluster --dir $(LC_DIR) status

images: build cluster-tools engine-venv ## Write container images of what was built into bin/images
	@$(LC)/localcluster image build

images-import: images ## Import the images into the local cluster
	@$(LC)/localcluster --dir $(LC_DIR) image import bin/images/*.tar

cluster-test: cluster-tools cluster-packages ## Test the local cluster itself: boot, kills, volumes, names, GPUs (root)
	@# The build's own flags: any others would compile all of Kubernetes a second time.
	cd hack/localcluster && CGO_ENABLED=0 LOCALCLUSTER_BIN=$(CURDIR)/$(LC) $(GO) test -trimpath -count=1 -timeout 15m ./...

.PHONY: cluster-tools cluster-packages cluster-up cluster-down cluster-status images images-import cluster-test
