"""The figures that the paper reports, and those that it claims.

Mehdi Rafiei, Dat Thanh Tran and Alexandros Iosifidis, "Recognition of Defective Mineral Wool Using Pruned ResNet
Models". Accuracies are validation accuracies in percent, means over repeats of a cross-validation on the authors' own
X-ray crops.
"""

from typing import Final, Literal, Protocol

CITATION: Final = (
    "Mehdi Rafiei, Dat Thanh Tran and Alexandros Iosifidis, "
    "“Recognition of Defective Mineral Wool Using Pruned ResNet Models”"
)

REPEATS: Final = 10
FOLDS: Final = 10
CROPS: Final = 478
SCANS: Final = 316
SAMPLES: Final = 153

CLAIMED_ACCURACY: Final = 98
"""Percent that a pruned network exceeds. This and the next are of the abstract, section V and the conclusion."""
CLAIMED_ADVANTAGE: Final = 16.96
"""Points of accuracy over thresholding, at least."""
CLAIMED_MORE_FOUND: Final = 20
"""Percent more defective products found than by thresholding."""
CLAIMED_DROP: Final = 1.34
"""Points of accuracy that hard pruning costs, at most."""
CLAIMED_SHARES: Final = {"params": (10, 40), "operations": (10, 45)}
"""Percent of the parameters and operations that rounds leave, least and most."""
THRESHOLDING: Final = (76, 82)
"""Accuracy in percent of thresholding, lowest and highest."""

Optimizer = Literal["adam", "sgd"]
RowKey = tuple[int, Optimizer, bool]
"""Depth, optimizer, and whether the weights were trained on ImageNet first."""

PRUNED_STAGES: Final = ("hard1", "hard2", "hard3", "asfp10", "asfp20", "asfp30")

BASELINE: Final[dict[RowKey, tuple[float, float]]] = {
    (18, "adam", False): (98.08, 0.24),
    (18, "adam", True): (98.33, 0.27),
    (18, "sgd", False): (97.28, 0.23),
    (18, "sgd", True): (98.92, 0.15),
    (34, "adam", False): (98.02, 0.12),
    (34, "adam", True): (98.28, 0.20),
    (34, "sgd", False): (97.44, 0.36),
    (34, "sgd", True): (98.44, 0.21),
    (50, "adam", False): (98.29, 0.27),
    (50, "adam", True): (98.37, 0.31),
    (50, "sgd", False): (96.44, 0.26),
    (50, "sgd", True): (98.25, 0.41),
    (101, "adam", False): (98.12, 0.00),
    (101, "adam", True): (98.96, 0.30),
    (101, "sgd", False): (91.12, 2.50),
    (101, "sgd", True): (98.75, 0.30),
    (152, "adam", False): (98.02, 0.27),
    (152, "adam", True): (98.44, 0.27),
    (152, "sgd", False): (82.89, 2.87),
    (152, "sgd", True): (98.65, 0.21),
}
"""Table I: mean accuracy and standard deviation in percent, before pruning."""

PRUNED: Final[dict[RowKey, tuple[float, ...]]] = {
    (18, "adam", False): (98.16, 98.12, 98.50, 96.91, 96.45, 94.05),
    (18, "adam", True): (98.58, 98.75, 98.74, 99.08, 99.34, 98.51),
    (18, "sgd", False): (97.74, 97.49, 97.46, 88.80, 86.14, 84.72),
    (18, "sgd", True): (97.62, 97.58, 97.58, 98.80, 99.37, 98.02),
    (34, "adam", False): (98.05, 98.33, 98.40, 97.77, 96.85, 97.25),
    (34, "adam", True): (98.47, 98.68, 98.61, 99.22, 98.84, 98.85),
    (34, "sgd", False): (97.64, 97.70, 97.70, 87.67, 88.12, 88.68),
    (34, "sgd", True): (97.63, 94.85, 79.35, 98.87, 99.30, 98.62),
    (50, "adam", False): (98.54, 98.86, 98.62, 94.57, 94.23, 92.94),
    (50, "adam", True): (98.47, 98.37, 98.46, 99.10, 98.93, 97.69),
    (50, "sgd", False): (97.07, 97.35, 97.28, 83.67, 82.08, 79.07),
    (50, "sgd", True): (98.54, 98.36, 98.54, 98.98, 99.08, 97.74),
    (101, "adam", False): (98.54, 98.61, 98.61, 93.58, 94.99, 92.87),
    (101, "adam", True): (98.54, 98.75, 98.61, 99.26, 99.05, 99.42),
    (101, "sgd", False): (96.51, 96.93, 97.35, 87.96, 85.28, 84.40),
    (101, "sgd", True): (98.26, 98.47, 98.54, 98.16, 99.12, 98.94),
    (152, "adam", False): (98.80, 98.80, 98.89, 92.94, 91.95, 93.51),
    (152, "adam", True): (98.54, 98.59, 98.61, 99.26, 97.38, 97.62),
    (152, "sgd", False): (87.31, 92.06, 95.19, 84.32, 83.64, 81.98),
    (152, "sgd", True): (98.33, 98.54, 98.40, 98.97, 99.13, 98.52),
}
"""Table II: accuracy in percent after pruning, in the order of `PRUNED_STAGES`."""

COMPLEXITY: Final[dict[int, tuple[tuple[float, float], ...]]] = {
    18: ((1.2e7, 1.8e9), (4.8e6, 1.0e9), (2.0e6, 6.3e8), (9.0e5, 4.1e8)),
    34: ((2.2e7, 3.7e9), (5.3e6, 1.3e9), (1.4e6, 6.2e8), (5.0e5, 3.5e8)),
    50: ((2.6e7, 4.1e9), (1.8e7, 3.1e9), (1.4e7, 2.4e9), (1.1e7, 2.0e9)),
    101: ((4.5e7, 7.8e9), (3.2e7, 5.8e9), (2.3e7, 4.4e9), (1.8e7, 3.4e9)),
    152: ((6.0e7, 1.2e10), (4.3e7, 8.5e9), (3.2e7, 6.3e9), (2.4e7, 4.9e9)),
}
"""Table III: parameters and "FLOPs" before pruning and after rounds 1, 2, 3; `wool_tf.networks.complexity` says how
they are counted."""
COMPLEXITY_RECIPE: Final = "paper-table3"
COMPLEXITY_CLASSES: Final = 1000
COMPLEXITY_INPUT: Final = (224, 224, 3)
"""What Table III is of: what each round removes, outputs, and (height, width, channels) of an image in pixels."""


def pruned_accuracy(depth: int, optimizer: Optimizer, pretrained: bool, stage: str) -> float | None:
    """Table II: the accuracy after a stage of `PRUNED_STAGES`, in percent, or None where the paper has none.

    >>> pruned_accuracy(18, "adam", False, "hard3")
    98.5
    """
    accuracies = PRUNED.get((depth, optimizer, pretrained))
    if accuracies is None or stage not in PRUNED_STAGES:
        return None
    return accuracies[PRUNED_STAGES.index(stage)]


def complexity(depth: int, round: int) -> tuple[float, float] | None:
    """Table III: parameters and FLOPs after 0 (unpruned) to 3 rounds of hard pruning, or None."""
    rounds = COMPLEXITY.get(depth, ())
    return rounds[round] if 0 <= round < len(rounds) else None


class Trained(Protocol):
    """What tells the rows of Tables I and II apart."""

    @property
    def depth(self) -> int:
        """Of the ResNet."""

    @property
    def optimizer(self) -> str:
        """`adam` or `sgd`."""

    @property
    def pretrained(self) -> bool | None:
        """Whether training started from ImageNet weights, None where it is unknown."""


def row(one: Trained) -> RowKey | None:
    """Which row of the paper's Tables I and II a configuration is, or None where it is none of them."""
    key = one.depth, one.optimizer, one.pretrained
    return key if key in BASELINE else None


def accuracy(one: Trained, stage: str) -> float | None:
    """The paper's mean accuracy in percent after a stage of a configuration, or None."""
    key = row(one)
    if key is None:
        return None
    return BASELINE[key][0] if stage == "baseline" else pruned_accuracy(*key, stage)
