"""Random state is explicit: every seed derives from the base seed and what it is for.

NumPy pads what a generator is seeded with by zeros, so that `default_rng(7)` and `default_rng((7, 0))` are one stream.
Names of purposes keep streams apart.
"""

import dataclasses
import zlib

import numpy as np

from wool_tf.settings import setting


@dataclasses.dataclass(frozen=True)
class BaseSeed:
    """The setting that all seeds derive from, for other settings to take over (`settings.same`)."""

    # NumPy makes several words of a larger number, and other streams would have the second for their purpose.
    seed: int = setting(0, "Base of every random number.", at_least=0, at_most=2**32 - 1)


def derive(base: int, *path: int | str) -> int:
    """A seed in [0, 2³²) for one purpose, independent of every other.

    Arguments:
        base: int. The seed of the whole run, at least 0.
        *path: what the seed is for, from the general to the particular: repeat, fold, stage.

    >>> derive(0, 0, "fold1", "baseline") != derive(0, 0, "fold2", "baseline")
    True
    """
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in path]
    return int(np.random.SeedSequence([base, *words]).generate_state(1)[0])


def generator(base: int, *path: int | str) -> np.random.Generator:
    """A random generator of one purpose, with a stream of its own.

    Arguments:
        base: int. The seed of the whole run, at least 0.
        *path: what it is for; at least one part is a name.
    """
    return np.random.default_rng(derive(base, *path))
