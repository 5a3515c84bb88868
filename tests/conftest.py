"""What tests of several folders share."""

import os

import hypothesis
import pytest

import checkout

# Processes that the library starts must import this checkout too, whatever is installed.
os.environ["PYTHONPATH"] = checkout.environment()["PYTHONPATH"]

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


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
