import re
from itertools import product
from pathlib import Path

import numpy as np

import wool_tf
from wool_tf.seeds import derive, generator

PACKAGE = Path(wool_tf.__file__).parent
NAMED = re.compile(r'seeds\.(?:derive|generator)\(\s*[\w.]+,\s*"([^"]+)"|fold\.seed\(\s*\w+,\s*f?"([^"]+)"')
CAMPAIGN = [(0,), (1,), (2, 5, 0), (2, 5, 1), (2, 5, 2), (2, 5, 3), (3, 5, 0), (4,), (5,)]
"""What `simulation.campaign` seeds its generators with, behind the seed of the campaign."""


def test_every_purpose_has_its_own():
    seeds = {derive(base, fold, stage) for base, fold, stage in product(range(20), ("fold0", "fold1"), ("a", "b", "c"))}
    assert len(seeds) == 20 * 2 * 3
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_it_stays_the_same():
    assert derive(3, "fold1", "hard2") == derive(3, "fold1", "hard2")


def test_no_two_purposes_of_the_package_share_a_stream():
    sources = [path.read_text() for path in PACKAGE.rglob("*.py")]
    purposes = {next(filter(None, found)) for source in sources for found in NAMED.findall(source)}
    assert {"crops", "split", "bootstrap", "initial", "calibration"} <= purposes
    streams = [generator(0, purpose) for purpose in sorted(purposes)]
    streams += [np.random.default_rng((0, *path)) for path in CAMPAIGN]
    starts = {tuple(stream.integers(2**63, size=4)) for stream in streams}
    assert len(starts) == len(streams)


def test_a_generator_of_a_bare_seed_is_seeded_nowhere():
    # default_rng(7) is the stream of default_rng((7, 0)), with which a campaign draws its defective samples.
    assert np.random.default_rng(7).integers(2**63) == np.random.default_rng((7, 0)).integers(2**63)
    bare = re.compile(r"default_rng\(\w*\.?seed\)")
    allowed = {"seeds.py"}
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if bare.search(path.read_text())}
    # These get a seed that was derived for them alone.
    derived = {"networks/weights.py", "deploy/calibration_set.py", "pruning/importance.py", "data/batches.py",
               "baselines/pytorch/methods.py"}  # fmt: skip
    assert found - allowed <= derived
