"""Studies that are assembled once for all tests of this folder; nothing changes them."""

import pytest

import study_sample
from wool_tf.study.results import Study


@pytest.fixture(scope="session")
def compared() -> Study:
    """Two configurations, nothing delivered."""
    return study_sample.sample(recipes=(("sgd", "imagenet"), ("adam", "none")))


@pytest.fixture(scope="session")
def delivered() -> Study:
    """One configuration from pretrained weights, whose third round is delivered."""
    return study_sample.delivered()
