"""The memory that a model needs, found in a process of its own.

That process is `python -m wool_board.benchmark.memory MODEL THREADS`, which prints what it found.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from wool_board.benchmark.candidates import TimedModel
from wool_board.machine import board

PACKAGES = Path(__file__).parents[2]
"""Where this package lies; it need not be installed."""


def added(model: Path, threads: int) -> dict:
    """The memory that a model needs.

    Returns:
        In 1e6 bytes: `memory_mb`, what loading and running it adds to a process, and `process_mb`, the most that the
        process had in all. None where that cannot be found.
    """
    # -P: nothing in the current folder must be mistaken for a module.
    command = [sys.executable, "-P", "-m", "wool_board.benchmark.memory", str(model), str(threads)]
    path = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
    try:
        environment = os.environ | {"PYTHONPATH": path}
        finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return json.loads(finished.stdout)
    except (OSError, ValueError):
        # The program is emulated, and what it starts is not; or the memory was not enough.
        return {"memory_mb": None, "process_mb": None}


def _measured(model: str, threads: int) -> dict:
    import ai_edge_litert.interpreter  # noqa: F401

    board.reset_peak()
    before = board.peak_memory_mb()
    TimedModel(Path(model), threads)
    peak = board.peak_memory_mb()
    model_mb = None if peak is None or before is None else round(peak - before, 1)
    return {"memory_mb": model_mb, "process_mb": peak}


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], int(sys.argv[2]))))
