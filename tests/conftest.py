"""What tests of several folders share."""

import gc
import os

import hypothesis
import pytest

import checkout
from wool_tf import quiet

# Many tests import Keras by themselves, and PyTorch after it.
quiet.import_triton()

# Processes that the library starts must import this checkout too, whatever is installed.
os.environ["PYTHONPATH"] = checkout.environment()["PYTHONPATH"]

# There is a process for each core already, and threads of OpenBLAS that wait for one another keep cores busy: small
# products of matrices take ten times as long. To be said before NumPy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Building and tracing networks makes objects by the hundred thousand. With Python's thresholds the collector looks for
# garbage among them so often that it takes a sixth of the time.
gc.set_threshold(20_000, 20, 20)

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


LONG = ("experiments", "deploy", "training", "pruning", "networks", "simulation")
"""Folders whose modules take longest. They begin first, so that no process is left with one when the others have ended
(`--no-loadscope-reorder` keeps this order)."""


def pytest_collection_modifyitems(items):
    def place(item) -> int:
        folder = item.path.relative_to(checkout.TESTS).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=place)


@pytest.fixture
def precision(request):
    """Keras in float64 or float32."""
    import keras

    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(request.param)
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_floatx(before[0])
    keras.config.set_dtype_policy(before[1])
