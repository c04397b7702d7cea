# Everything one does with this repository. `make` alone lists it.
#
#   PYTHON=python3.12 make dev     another Python (3.11 to 3.13)
#   VENV=/tmp/venv make test       another virtual environment
#   make test ARGS='-k kafka -x'   arguments for pytest, the demo or the benchmarks

PYTHON ?= python3
VENV ?= .venv
TORCH_VENV ?= .venv-torch
TENSORFLOW_VENV ?= .venv-tensorflow
ARGS ?=

bin := $(VENV)/bin
stamp := $(VENV)/.relineage-dev
torch_stamp := $(TORCH_VENV)/.relineage-dev
tensorflow_stamp := $(TENSORFLOW_VENV)/.relineage-dev
links := $(addprefix .typing/relineage/,facets emitter consumer)
ready := $(stamp) $(links)
broker := $(bin)/python tools/kafka/broker.py run --

# The tests start hundreds of processes: without bytecode each would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL: # one broker and one report at a time
.PHONY: help dev demo demo-kafka test soak test-torch test-tensorflow test-golden check format bench clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

dev: $(ready) ## make the virtual environment with everything to develop, test and try
	@echo 'Ready: source $(bin)/activate'

# An environment of an older pyproject.toml is brought up to date; a half-made one has no stamp.
$(stamp) $(torch_stamp) $(tensorflow_stamp): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo 'relineage needs Python 3.11, 3.12 or 3.13; $(PYTHON) is not one of them. Try: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable '.[$(extras)]'
	@touch $@

$(stamp): extras := consumer,dev
$(torch_stamp): extras := dev-torch
$(tensorflow_stamp): extras := dev-tensorflow

# mypy and pyright do not follow the import hook of an editable install: they read the packages through links.
.typing/relineage/%:
	@mkdir -p $(@D)
	ln -sfn ../../$* $@

demo: $(ready) ## run the demo: a small pipeline, its lineage, and questions to it; no server, no Kafka
	$(bin)/python -m demo $(ARGS)

demo-kafka: $(ready) ## the same with events through a real Kafka broker, started for it
	$(broker) $(bin)/python -m demo --kafka $(ARGS)

# Brokers that live for seconds: Java's second compiler takes a third of the CPU time of such a start and gains nothing.
test: export JDK_JAVA_OPTIONS := $(JDK_JAVA_OPTIONS) -XX:TieredStopAtLevel=1
# In every process that records, pydantic would look for plugins among all that is installed here: 0.03 s each.
test: export PYDANTIC_DISABLE_PLUGINS := 1
test: $(ready) ## run all tests, with a real Kafka broker (needs Java 17 or newer; the first time Maven)
	$(broker) $(bin)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

soak: $(ready) ## run the laws of the database with twenty times the examples; a quarter of an hour
	RELINEAGE_SOAK=1 $(bin)/python -m pytest -m soak --numprocesses auto --dist worksteal $(ARGS)

test-torch: $(torch_stamp) ## run the tests of models with torch, in .venv-torch (the first time it takes 6 GB and minutes)
	$(TORCH_VENV)/bin/python -m pytest tests/with_torch $(ARGS)

test-tensorflow: $(tensorflow_stamp) ## run the tests of seeds with TensorFlow and JAX, in .venv-tensorflow (the first time it takes 3 GB)
	$(TENSORFLOW_VENV)/bin/python -m pytest tests/with_tensorflow $(ARGS)

test-golden: ## run the golden tests with the oldest libraries on Python 3.11 and the newest on 3.13, in environments of their own
	$(PYTHON) tools/golden.py $(ARGS)

check: $(ready) ## lint, formatting, types
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

format: $(ready) ## repair formatting and what ruff can repair
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

bench: $(ready) ## run the benchmarks, with a real Kafka broker and the libraries we are measured against
	$(bin)/python -m pip install --quiet --editable '.[consumer,dev,bench]'
	$(broker) $(bin)/python -m benchmarks $(ARGS)

clean: ## remove everything that can be made again
	rm -rf $(VENV) $(TORCH_VENV) $(TENSORFLOW_VENV) .typing .kafka .relineage-demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
