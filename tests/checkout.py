"""Where the parts of this checkout lie, and how a process that a test starts imports them and nothing else."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS, EXPERIMENTS, TESTS = ROOT / "tflite", ROOT / "experiments", ROOT / "tests"


def environment(*folders: Path) -> dict[str, str]:
    """The environment with this checkout's packages, and the modules of some folders, for Python to import."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*folders, ROOT, PROGRAMS)))}
