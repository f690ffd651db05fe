# What one types here. Every target makes the virtual environment .venv first; tools/setup_environment.sh does that.

PYTHON ?= python3
ARGS ?=
RANKS ?= 4
ARRAY_API_TESTS ?= ../array-api-tests

export PYTHON
setup := sh tools/setup_environment.sh
python := .venv/bin/python
pycuda := $(python) tools/install_pycuda.py
# NVIDIA's compiler from PyPI, where there is a GPU and nvcc is nowhere.
nvcc_is_here := from tinygrad_lite import cuda; from tinygrad_lite.backends.cuda import compiler
nvcc_is_here += ; raise SystemExit(cuda.is_available() and compiler.nvcc() is None)
nvcc := $(python) -c '$(nvcc_is_here)' || $(setup) cuda-toolkit
# The tests that launch kernels: on the emulated driver everywhere, on the real one where there is a GPU.
cuda_tests := tests/backends/cuda tests/gpu tests/operations/test_cuda.py

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help mnist distributed test test-gpu nightly lint style formatting types bench bench-gpu accuracy array-api clean

help: ## list these targets
	@echo "make <target> [ARGS='...'] [PYTHON=python3.12]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

mnist: ## train a network on handwritten digits; ARGS='--help' lists its options
	@$(setup) examples
	$(python) examples/mnist_mlp.py $(ARGS)

distributed: ## train on several ranks, data parallel, model parallel, ring against parameter server; RANKS=4
	@$(setup) examples,mpi
	@set -e; for name in mnist_data_parallel mnist_model_parallel ring_vs_parameter_server; do \
		printf '\n== mpirun -n %s python examples/%s.py\n' '$(RANKS)' $$name; \
		$(python) tests/distributed/launch.py -n $(RANKS) --timeout 3600 examples/$$name.py; done

test: ## run every test that this machine can run, and say which it cannot; ARGS go to pytest
	@$(setup) examples,test
	@$(pycuda) || echo 'setup: going on without PyCUDA; the tests that need it are left out'
	$(python) -m pytest $(ARGS)

test-gpu: ## run the tests of the CUDA backend on this machine's GPU instead of the emulated one
	@$(setup) examples,test
	@$(pycuda)
	@$(nvcc)
	TINYGRAD_LITE_TEST_DEVICE=gpu $(python) -m pytest $(cuda_tests) $(ARGS)

nightly: ## run the tests of the CUDA backend under every order of threads and with late execution; takes a while
	@$(setup) examples,test
	@$(pycuda)
	@set -e; for order in forward reverse 1 2 3; do echo "== threads in the order: $$order"; \
		FAKE_CUDA_SCHEDULE=$$order $(python) -m pytest $(cuda_tests) $(ARGS); done
	@echo '== work done only when something waits for it'; FAKE_CUDA_ASYNC=1 $(python) -m pytest $(cuda_tests) $(ARGS)
	@echo '== memory of exact sizes, never used twice'; \
		TINYGRAD_LITE_CUDA_POOL=0 $(python) -m pytest $(cuda_tests) $(ARGS)
	@echo '== a product and a sum rounded once'; FAKE_NVCC_FMA=1 $(python) -m pytest $(cuda_tests) $(ARGS)

lint: style formatting types ## check style, formatting and types

style:
	@$(setup) dev
	$(python) -m ruff check .

formatting:
	@$(setup) dev
	$(python) -m ruff format --check .

types:
	@$(setup) dev
	$(python) -m mypy --strict tinygrad_lite

bench: ## compare speed and memory with PyTorch; takes some minutes on an idle machine
	@$(setup) examples,test
	@$(python) -c 'import torch' 2>/dev/null || { \
		echo 'bench: PyTorch is not installed; put the CPU build of torch 2.13.0 into .venv'; exit 1; }
	@set -e; for name in operation_overhead training_step functions scatter memory import_time; do \
		echo "== benchmarks/$$name.py"; $(python) benchmarks/$$name.py; done

bench-gpu: ## check and time every kernel on this machine's GPU, against ceilings measured in the same run
	@$(setup) examples,test
	@$(pycuda)
	@$(nvcc)
	$(python) benchmarks/gpu/run.py $(ARGS)

accuracy: ## train the example's four configurations with five seeds each; takes some minutes and real MNIST
	@$(setup) examples
	$(python) benchmarks/mnist_accuracy.py $(ARGS)

array-api: ## run the array API standard's own tests; ARRAY_API_TESTS names the folder of their repository
	@test -f '$(ARRAY_API_TESTS)/array_api_tests/__init__.py' || { \
		echo 'array-api: $(ARRAY_API_TESTS) does not hold the test-suite; docs/array_api.md says how to get it'; exit 1; }
	@$(setup) test
	@$(python) -c 'import ndindex, pytest_jsonreport' 2>/dev/null || \
		$(python) -m pip install --quiet -r '$(ARRAY_API_TESTS)/requirements.txt'
	cd '$(ARRAY_API_TESTS)' && ARRAY_API_TESTS_MODULE=tinygrad_lite '$(CURDIR)/$(python)' -m pytest array_api_tests \
		-q -p no:cacheprovider --disable-warnings --disable-deadline \
		--xfails-file='$(CURDIR)/tests/array_api/xfails.txt' $(ARGS)

clean: ## remove the virtual environment and everything generated
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
