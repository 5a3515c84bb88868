"""Imported before anything else: makes the programs, and what the experiment scripts share, importable from here.

Those folders hold scripts and no package, since each script is run by its path.
"""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT / "experiments"), str(_ROOT / "tflite")]
