# make demo       the main job on simulated crops, from set-up to report
# make test       the tests
# make coverage   the tests, and which lines they reach
# make bench      all benchmarks, in 12 to 30 minutes on two cores; figures go to build/bench. With alternatives beside
#                 ours: .venv/bin/pip install -c constraints.txt -e '.[torch,onnx,executorch]'
# make lint       style, format and types
# make board      the Debian package of a board, in build/ (ARCH=amd64 for a PC instead of a Raspberry Pi)
# make board-test installs, upgrades and removes it in a clean Debian tree (as root; takes minutes)
# All set up a private environment in .venv on their first run.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
ARCH ?= arm64
# One process more than two cores: a fifth of the time a test waits for programs that it has started.
TESTS := $(VENV)/bin/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

# Containers often set it: every process that a test starts would then compile the project, and pytest every test, anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage bench lint board board-test clean

demo: $(READY)
	@echo "== main job on simulated crops; Ctrl-C stops it, make demo goes on"
	@$(VENV)/bin/python experiments/reproduce.py --flagfile=experiments/flagfiles/demo.cfg

test: $(READY)
	@echo "== tests"
	@$(TESTS)

coverage: $(READY)
	@echo "== tests with coverage"
	@$(TESTS) --cov --cov-report=term:skip-covered

bench: $(READY)
	@echo "== benchmarks, one after the other: leave the machine alone meanwhile"
	@rm -rf build/bench && mkdir -p build/bench
	@$(VENV)/bin/python benchmarks/inference.py --rounds=3 --turn_seconds=0.3 --json=build/bench/inference.json
	@$(VENV)/bin/python benchmarks/agreement.py --json=build/bench/agreement.json
	@$(VENV)/bin/python benchmarks/board_options.py --json=build/bench/board_options.json
	@$(VENV)/bin/python experiments/latency_table.py --image_size=64 --out=build/bench/table.json
	@$(VENV)/bin/python benchmarks/latency_prediction.py --table=build/bench/table.json --json=build/bench/latency_prediction.json
	@$(VENV)/bin/python benchmarks/inspection.py --json=build/bench/inspection.json
	@$(VENV)/bin/python benchmarks/waiting.py --crops=100 --json=build/bench/waiting.json
	@$(VENV)/bin/python benchmarks/loading.py --folder=build/bench/crops --images=10000 --json=build/bench/loading.json
	@$(VENV)/bin/python benchmarks/finetune.py --json=build/bench/finetune.json
	@$(VENV)/bin/python benchmarks/protocol.py --without="plain Keras" --json=build/bench/protocol.json
	@if $(VENV)/bin/python -c 'import torch' 2>/dev/null; then $(VENV)/bin/python benchmarks/training.py --depths=18 --sizes=64,112 --batches=16 --json=build/bench/training.json; else echo "training.py is left out: it needs PyTorch (the extra torch)"; fi
	@rm -rf build/bench/crops

lint: $(READY)
	@echo "== style, format and types"
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

board: $(READY)
	@echo "== package of a board"
	@$(VENV)/bin/python installer/build_package.py --arch=$(ARCH)

board-test: $(READY)
	@echo "== package of a board, in a clean Debian tree"
	@$(VENV)/bin/python -m pytest -m slow tests/installer

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "error: Python 3.11 to 3.13 is needed, $(PYTHON) is %d.%d; name another with make PYTHON=..." % sys.version_info[:2])'
	@echo "== private environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv" >&2; exit 1; }
	@echo "== installing the project and its pinned dependencies (about 2 GB on disk; minutes at first)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lint,search,simulate,test]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
