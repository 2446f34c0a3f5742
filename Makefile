# The one developer interface; CI calls the same targets. Needs Python 3.11+ and make, installs the rest into .venv.

BIN := .venv/bin
NETWORK := sh tools/setup/network.sh $(BIN)
COMPILE = $(NETWORK) $(BIN)/uv pip compile --quiet --universal --python-version $(1) --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make lock' --annotation-style line $(if $(UPGRADE),--upgrade)
BUILD := $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
SDKS := $(patsubst constraints/sdk-%.txt,%,$(wildcard constraints/sdk-*.txt)) # an empty file is a new version's start

.DEFAULT_GOAL := help
.PHONY: help setup demo stack check test test-bare soak pull-plug drill lint format bench bench-collector docs lock release clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  PYTHON=/path/to/python3 chooses the interpreter; else it is one of 3.11 to 3.15, which every library has wheels for first.'

setup: ## Lay out .venv with the pinned packages (every target does)
	@sh tools/setup/venv.sh .venv

demo: ## Run a real training and show what was recorded (FAIL=train: a step fails, KILL=1: SIGKILL)
	@sh tools/setup/venv.sh .venv demo
	@$(BIN)/python examples/digits_demo.py --page $(if $(FAIL),--fail '$(FAIL)') $(if $(KILL),--kill)

stack: setup ## Start the real agent, gateway, Jaeger, Prometheus and VictoriaLogs; Ctrl-C stops them
	@$(BIN)/python -m tools.stack up

check: lint ## Lint, and run the tests that are quick: the loop to work in
	@sh tools/setup/check.sh $(BIN)

test: setup ## Run all tests, the real servers included; what may depend on the Python also on 3.11, 3.13 and 3.15
	@sh tools/setup/system.sh
	$(NETWORK) $(BIN)/python -m tools.stack build
	$(NETWORK) $(BIN)/python -m tools.containers prepare
	@sh tools/setup/sdk.sh $(BIN)
	@sh tools/setup/test.sh $(BIN)

test-bare: ## Run make demo and make test in a bare Debian (DISTRIBUTION=bookworm, trixie or sid; COLD=1: no caches)
	@sh tools/setup/bare.sh $(or $(DISTRIBUTION),bookworm)

soak: setup ## Kill jobs and shippers at 1,000 random moments and count what is lost (SEEDS=50 FROM=0); long property tests
	@$(BIN)/python -m tools.soak $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM))
	@$(BIN)/python -m pytest -n auto --dist worksteal -m 'hypothesis and not stack' --hypothesis-profile large --timeout 1800

pull-plug: setup ## Take away backend, agent, gateway and disk under load and count what is lost (SECONDS=180 KAFKA=1)
	@$(BIN)/python -m tools.pull_plug $(if $(KAFKA),--kafka) $(if $(SECONDS),--seconds $(SECONDS))

drill: setup ## Take one part away after the other at random under load for ten minutes; nothing may be missing (SECONDS=600 KAFKA=1; BESIDE=COMMIT: also jobs of that release)
	@$(BIN)/python -m tools.pull_plug $(if $(KAFKA),--kafka) --seconds $(or $(SECONDS),600) \
		$(if $(BESIDE),--beside "$$(sh tools/setup/beside.sh $(BIN) $(BESIDE))") drill

lint: setup ## Check style, types, shell scripts, English and the tree
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(NETWORK) $(BIN)/python hatch_build.py check
	@if [ -x $(BIN)/shellcheck ]; then set -x; $(BIN)/shellcheck .ci/run tools/setup/*.sh; \
		else echo 'shellcheck: has no wheel for this machine, left out'; fi
	$(BIN)/codespell --skip 'native/xxhash*' --ignore-words-list ecret native src docs tools tests web/src README.md CONTRIBUTING.md SECURITY.md
	$(BIN)/python -m tools.setup.check_prose
	$(BIN)/python -m tools.setup.check_tree

format: setup ## Write the style that lint checks
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## Measure all that docs/performance.md shows (WRITE=1: write it there, NAME=day: only that table)
	@$(BIN)/python -m benchmarks $(NAME) $(if $(WRITE),--write)

bench-collector: setup ## Measure the agent and the gateway: docs/scaling.md (WRITE=1: write it there)
	@$(BIN)/python -m benchmarks.collector $(if $(WRITE),--write)

docs: setup ## Write what is generated anew (tables, Helm values, rules), and the site to site/ (SERVE=1: serve it)
	@$(BIN)/python -m tools.docs
	@$(BIN)/python -m tools.collector
	@$(BIN)/python -m tools.grafana
	@$(BIN)/python -m tools.docs site $(if $(SERVE),--serve)

lock: setup ## Pin what pyproject.toml asks for (UPGRADE=1: the newest versions)
	$(call COMPILE,3.11) pyproject.toml --extra grpc --output-file constraints/runtime.txt
	$(BIN)/python -m tools.release jobs
	$(call COMPILE,3.11) pyproject.toml --extra demo --extra grpc --group dev --constraints constraints/runtime.txt \
		--output-file constraints/dev.txt
	$(call COMPILE,3.11) pyproject.toml --extra demo --group build --constraints constraints/dev.txt \
		--output-file constraints/demo.txt
	$(call COMPILE,3.11) --group peers --output-file constraints/peers.txt
	echo uv | $(call COMPILE,3.11) - --constraints constraints/dev.txt --output-file constraints/uv.txt
	for sdk in $(SDKS); do echo "synapse-sdk==$$sdk" | $(call COMPILE,3.12) - pyproject.toml --group sdk \
		--constraints constraints/runtime.txt --output-file "constraints/sdk-$$sdk.txt" || exit; done

release: setup ## Build into dist/ the source archive, the wheel of this platform, the pure wheel, and the bill of materials
	rm -rf dist
	$(BUILD) --sdist
	$(BUILD) --wheel dist/synapse_otel-*.tar.gz
	CC=none $(BUILD) --wheel dist/synapse_otel-*.tar.gz
	$(BIN)/python -m tools.release bom dist
	$(BIN)/python -m twine check --strict dist/*.whl dist/*.tar.gz
	cd dist && sha256sum synapse_otel-* >SHA256SUMS

clean: ## Remove what was made in the tree; the caches outside it stay
	rm -rf .venv .venv-* dist site web/node_modules src/synapse_otel/ui/web/static .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
