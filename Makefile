# What people type. Each target installs what it misses (Debian and relatives).

SHELL := /bin/bash
GO ?= go
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# Bases and other things that are slow to make and the same for every checkout.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ingot
TEST_BASE := $(CACHE)/debian-12.raw
S3_SERVER := $(CURDIR)/bin/tools/versitygw
AGENTS := $(addprefix guest/agentbin/ingot-agent-,linux-amd64 linux-arm64 windows-amd64)

.PHONY: build demo test bench lint generate deps clean

build: $(AGENTS)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ingot ./cmd/ingot
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/awstoe ./cmd/awstoe

# The executor alone, for other machines, as in `make bin/awstoe-windows-amd64.exe`.
bin/awstoe-%: FORCE
	GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(basename $(word 2,$(subst -, ,$*))) \
		$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/awstoe

guest/agentbin/ingot-agent-%: FORCE
	GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(word 2,$(subst -, ,$*)) \
		$(GO) build -trimpath -ldflags '-s -w' -o $@ ./cmd/ingot-agent

.PHONY: FORCE
FORCE: # go build decides what is stale

# deps installs the Debian packages that builds and tests use.
deps:
	@scripts/install-deps

# demo bakes and tests a real image and shows it.
demo: deps build
	@scripts/demo

# test runs everything this machine can run and prints what it cannot.
# `make test RUN=... PKG=./build/...` narrows it.
PKG ?= ./...
test: deps build $(TEST_BASE) $(S3_SERVER)
	INGOT_TEST_BASE=$(TEST_BASE) INGOT_TEST_S3SERVER=$(S3_SERVER) $(GO) test -timeout 20m $(if $(RUN),-run '$(RUN)') $(PKG)

$(TEST_BASE): | build
	mkdir -p $(CACHE)
	bin/ingot base build debian-12 --out $@

# The S3 server of tests, at the version of its go.mod.
$(S3_SERVER): tools/s3server/go.mod
	cd tools/s3server && GOBIN=$(dir $@) $(GO) install github.com/versity/versitygw/cmd/versitygw

# bench prints the table of speed and memory, packer beside it.
bench: deps build $(TEST_BASE)
	@INGOT_TEST_BASE=$(TEST_BASE) scripts/bench

lint:
	@scripts/lint

generate:
	$(GO) generate ./...

clean:
	rm -rf bin guest/agentbin/ingot-agent-*
