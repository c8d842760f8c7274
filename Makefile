# The few words of this project; each sets up what it needs the first time, and nothing the second. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python of at least 3.11; `make PYTHON=/path/to/python …` takes another.
CANDIDATES := python3.11 python3 python3.12 python3.13
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
# A second environment, with torch and the official packages beside all of the first; only a few words need it.
TORCH_VENV := .venv-torch
TORCH_BIN := $(TORCH_VENV)/bin
TORCH_STAMP := $(TORCH_VENV)/.set-up
TORCH := $(shell sed -nE 's/^ *"(torch==[0-9.]+)".*/\1/p' pyproject.toml)

# Locks come from the ordinary index, whatever this machine has configured beside it.
ORDINARY := env -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS PIP_CONFIG_FILE=/dev/null
RESOLVE := $(ORDINARY) $(BIN)/uv --no-config --quiet pip compile pyproject.toml --universal --python-version 3.11 \
	--upgrade --generate-hashes --no-header
FLAVOURS := cpu openvino cuda ray

# The image: its flavour, its name, and what builds it. BASE is another base image than the public one.
TARGET ?= cpu
IMAGE ?= localhost/faceswap-predictor:dev$(if $(filter gpu ray,$(TARGET)),-$(TARGET))
BUILDERS := docker podman buildah
# Of a remote only what anybody may read: no address of this machine, no name and password.
REMOTE = git remote get-url origin 2>/dev/null | sed -nE 's|^(https://)([^/@]*@)?|\1|p'
LABELS = --build-arg VERSION=$$(sed -nE 's/^__version__ = "(.*)"/\1/p' predictor/__init__.py) \
	--build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null) --build-arg SOURCE=$$($(REMOTE))

RAY_IMAGE := localhost/faceswap-predictor:dev-ray
# RAY=no leaves out the RayService, and the minutes that its image and its two clusters take.
RAY ?= yes
RAY_TOO = $(filter yes,$(RAY))
TEST_CLUSTER = $(BIN)/python -m pytest -m cluster tests/cluster$(if $(RAY_TOO),, --ignore=tests/cluster/test_ray.py) $(TESTS)

.PHONY: help demo serve test test-ray check manifests render parity bench bench-memory load fuzz image test-cluster lock setup setup-torch

help:  ## list the words
	@echo "make WORD"
	@sed -nE 's/^([a-z][a-z-]*):[^#]*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 15

demo: $(STAMP)  ## swap faces through a running predictor, over every protocol; pictures in out/demo
	@$(BIN)/python -m predictor.client.demo --output out/demo

serve: $(STAMP)  ## keep a predictor running on 8080 (REST) and 8081 (gRPC), and print a call that works
	@$(BIN)/python -m predictor.client.sample_server --folder out/serve

test: $(STAMP)  ## run every test
	@$(BIN)/python -m pytest

test-ray: $(STAMP)  ## run tests/scaling: Rays of two nodes, one of which is lost, and one in a pod (ten minutes; out/ray)
	@$(BIN)/python -m pytest -m ray tests/scaling

check: $(STAMP)  ## all gates: format, lint, types, imports, locks, tests with coverage
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest --cov --cov-report=term

parity: $(TORCH_STAMP)  ## compare with the peers' own packages, networks of full size included: minutes and gigabytes
	@$(TORCH_BIN)/python -m pytest -m "needs_torch or full_size" tests

manifests: $(STAMP)  ## check charts/ and deploy/: lint, render, schemas, every refusal (part of `make check`)
	@$(BIN)/python -m pytest tests/manifests

render: $(STAMP)  ## write deploy/ and the chart's list of refusals anew
	@$(BIN)/python -m tests.manifests.deployed
	@$(BIN)/python -m tests.manifests.pages

bench: $(TORCH_STAMP)  ## ours against the peers' own packages, in turns; QUICK=1 takes 5 minutes, the whole about 30; out/bench
	@$(TORCH_BIN)/python -m predictor bench --output out/bench $(if $(QUICK),--quick)

bench-memory: $(TORCH_STAMP)
	@$(TORCH_BIN)/python -m predictor.bench.memory --output out/bench

load: $(STAMP)  ## the server under load on loopback: table and plots in out/load; QUICK=1 takes 5 minutes, the whole about 30
	@$(BIN)/python -m tests.load.run --output out/load $(if $(QUICK),--quick)

fuzz: $(STAMP)  ## hostile requests, drawn, at the codec, the models and a server, and every bomb; COUNT=50000; out/fuzz
	@$(BIN)/python -m tests.hostile.fuzz --output out/fuzz --count $(or $(COUNT),50000) $(if $(SEED),--seed $(SEED))

# A builder counts if it answers: docker is often there without its daemon. CLUSTER is a program whose word `build` is
# buildah's, with a base image of its own.
image:  ## build the container image with docker, podman or buildah; TARGET=gpu for CUDA, ray for many nodes, IMAGE=name:tag
	@builder="$(CLUSTER)"; for each in $(if $(CLUSTER),,$(BUILDERS)); do \
		[ -n "$$builder" ] || ! $$each info >/dev/null 2>&1 || builder=$$each; done; \
	[ -n "$$builder" ] || { echo "none of '$(BUILDERS)' is installed and answers" >&2; exit 1; }; \
	echo "$(IMAGE), built by $$builder" && $$builder build --file Dockerfile.kserve --target $(TARGET) --tag $(IMAGE) \
		$(if $(BASE),--build-arg BASE=$(BASE)) $(LABELS) .

# Where CLUSTER starts one of its own, that one is taken down whatever happens. Else KUBECONFIG names it, and LOAD is what
# gives it an image; kind's and minikube's are known by their contexts.
test-cluster: $(STAMP)  ## run tests/cluster, with its images built and loaded, on the KServe of KUBECONFIG or CLUSTER=…
	@$(MAKE) image TARGET=cpu
	@$(if $(RAY_TOO),$(MAKE) image TARGET=ray IMAGE=$(RAY_IMAGE))
ifneq ($(CLUSTER),)
	@trap '$(CLUSTER) down' EXIT && $(CLUSTER) up && $(CLUSTER) load $(IMAGE)$(if $(RAY_TOO), && $(CLUSTER) load $(RAY_IMAGE)) && $(CLUSTER) exec $(TEST_CLUSTER)
else
	@load="$(LOAD)"; [ -n "$$load" ] || case $$(kubectl config current-context) in \
		kind-*) load="kind load docker-image --name $$(kubectl config current-context | cut -c 6-)" ;; \
		minikube) load="minikube image load" ;; \
		*) echo "how is this cluster given an image? make test-cluster LOAD='program that takes its name'" >&2; exit 1 ;; esac; \
	$$load $(IMAGE)$(if $(RAY_TOO), && $$load $(RAY_IMAGE)) && $(TEST_CLUSTER)
endif

lock: $(STAMP)  ## resolve the lock files anew, and prove each by installing it
	$(RESOLVE) --extra cpu --group dev --overrides requirements/overrides-dev.txt --output-file requirements/dev.txt >/dev/null
	@$(MAKE) $(addprefix lock-,$(FLAVOURS) torch)
	@$(MAKE) $(addprefix prove-,$(FLAVOURS) torch dev)
	@! git diff --quiet -- requirements/dev.txt || touch $(STAMP)  # nothing new to set up

lock-%:
	$(RESOLVE) --extra $* $(EXTRAS) --overrides $(if $(filter ray,$*),requirements/overrides-ray.txt,requirements/overrides-serving.txt) \
		$(if $(filter cuda torch,$*),--overrides requirements/overrides-$*.txt) --constraints requirements/dev.txt \
		--output-file requirements/$*.txt >/dev/null

lock-torch: EXTRAS := --extra cpu --group build-basicsr
lock-ray: EXTRAS := --extra openvino

# A release can be up for one platform only, so a lock counts once it was installed here, and once each of its
# files was found for 3.12.
prove-%:
	@echo "proving requirements/$*.txt"
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(PYTHON) -m venv "$$fresh/venv" && \
		$(ORDINARY) "$$fresh/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
			--no-deps --require-hashes --only-binary :all: -r requirements/$*.txt && \
		$(ORDINARY) "$$fresh/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps . && \
		(cd "$$fresh" && venv/bin/python -c 'import predictor.cli, predictor.serving.server') && \
		$(ORDINARY) $(BIN)/uv --no-config --quiet pip install --dry-run --target "$$fresh/other" --python-version 3.12 \
			--no-deps --require-hashes --only-binary :all: -r requirements/$*.txt && \
		echo "requirements/$*.txt installs, and every file of it exists for Python 3.12 too"

prove-torch:
	@echo "proving requirements/torch.txt"
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(MAKE) setup-torch TORCH_VENV="$$fresh/venv" && \
		$(ORDINARY) $(BIN)/uv --no-config --quiet pip install --dry-run --target "$$fresh/other" --python-version 3.12 \
			--no-deps --require-hashes --only-binary :all: -r requirements/torch.txt && \
		echo "requirements/torch.txt installs, and every file of it exists for Python 3.12 too"

setup: $(STAMP)

setup-torch: $(TORCH_STAMP)

# pip's own words and progress bars are shown: this is the minute a newcomer waits. Files are compiled when they are
# first imported (--no-compile): most never are, and it halves the minute.
$(STAMP): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none of '$(CANDIDATES)' is one;" \
		"name yours: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make virtual environments; where Python came from Debian, install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --no-compile \
		--no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --quiet -e .
	@touch $@

# basicsr cannot be built without torch, hence the order. Its build of torch is this machine's: a wheel that pip has been
# told of (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL), else the registry's own, which brings CUDA.
$(TORCH_STAMP): requirements/dev.txt requirements/torch.txt requirements/basicsr.txt pyproject.toml
	@echo "setting up $(TORCH_VENV) (once; two minutes, longer where torch has to be fetched)"
	@$(PYTHON) -m venv --clear $(TORCH_VENV)
	@$(TORCH_BIN)/python -m pip install --disable-pip-version-check --no-compile $(TORCH)
	@$(TORCH_BIN)/python -m pip install --disable-pip-version-check --no-compile \
		--no-deps --require-hashes -r requirements/dev.txt -r requirements/torch.txt
	@$(TORCH_BIN)/python -m pip install --disable-pip-version-check --no-compile \
		--no-deps --require-hashes --no-build-isolation -r requirements/basicsr.txt
	@$(TORCH_BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --quiet -e .
	@$(TORCH_BIN)/python -c 'from predictor.weights.convert.official_packages import make_importable; make_importable()'
	@touch $@
