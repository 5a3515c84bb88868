"""Does anything but the defects tell the class of a crop?

A network learns whatever separates the classes. If the defective crops came from another detector, another day or
another program, it learns that, scores well, and fails in the factory. Here simple classifiers guess the class from
features that a defect should not change (`wool_tf.audit.nuisance`), and how well they do is compared with chance.

A large defect changes some of these features by itself (`nuisance.MOVED`), the mean grey by its mass: what tells
something is found here, and a person has to judge why.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import sklearn
from scipy.stats import rankdata
from scipy.stats import t as student
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from wool_tf import seeds
from wool_tf.audit.nuisance import MOVED

SHUFFLES = 40
"""Times that labels are exchanged to learn what chance does; its mean and deviation are all that is taken from them."""

TREES = 20

LEAF = 5
"""Least crops of a leaf; with fewer than `SPLITS` times as many to learn from, a forest has nothing to part."""
SPLITS = 4

ALPHA = 0.05
"""Share of clean data sets in which some row is taken for more than chance."""

BLIND = 0.8
"""AUC: where chance reaches it in most rows, a feature that tells four classes of five would go unnoticed."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """How well the class is told from one feature, or from several.

    Attributes:
        name: the feature, or what the features are together.
        kind: "pixels" or "files".
        classifier: what guesses.
        auc: mean over folds of the area under the ROC curve on held-out crops; 0.5 tells nothing.
        accuracy: mean over folds of the share of held-out crops that are called rightly.
        chance: AUC that chance exceeds in any row of 5 % of clean data sets.
        tells: whether the AUC is above that.
    """

    name: str
    kind: str
    classifier: str
    auc: float
    accuracy: float
    chance: float

    @property
    def tells(self) -> bool:
        return self.auc > self.chance


def audit(
    names: Sequence[str],
    kinds: Sequence[str],
    values: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    folds: Sequence[np.ndarray],
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Lets simple classifiers guess the class from features that should not tell it.

    Each feature alone goes to a logistic regression on its rank and the square of that; those of the pixels together,
    and those of the files together, but for `MOVED`, to a logistic regression on the ranks and to a small random
    forest. What chance would do is learnt by repeating everything with labels exchanged among groups: each group gets
    the labels of another one, so that crops of one sample stay as alike in class as they are. A feature that is the
    same for all is left out.

    Arguments:
        names, kinds, values: as `features` gave them.
        labels: (n,) int, 1 for defective crops.
        groups: (n,) the physical sample of each crop.
        folds: the indices that each fold holds out, as `folds.split` gave them.
        seed: int, at least 0. Of the exchanged labels and the forests.
        progress: told how many of how many repetitions are done.

    Returns:
        A row for each feature, in order, then those for several together.
    """
    tests = _tests(names, kinds, values, seed)
    if not tests:
        return []
    rng = seeds.generator(seed, "leaks: exchanged labels")
    by_chance = np.empty((SHUFFLES, len(tests)))
    # Thousands of small fits: to check what is given to each takes longer than the fit.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = [_guessed(test, labels, folds) for test in tests]
        for number in range(SHUFFLES):
            exchanged = _exchanged(labels, groups, rng)
            by_chance[number] = [_guessed(test, exchanged, folds)[0] for test in tests]
            if progress:
                progress(number + 1, SHUFFLES)
    limits = _limits(by_chance)
    return [
        Finding(test.name, test.kind, test.guesser, auc, accuracy, float(limit))
        for test, (auc, accuracy), limit in zip(tests, found, limits, strict=True)
    ]


def to_text(rows: Sequence[Finding]) -> str:
    """A table of the rows; a star marks those that tell something."""
    lines = [f"{'feature':22}{'of':8}{'guessed by':12}{'AUC':>5}{'chance':>9}{'accuracy':>10}"]
    for row in rows:
        star = " *" if row.tells else ""
        accuracy = f"{100 * row.accuracy:.1f} %"
        lines.append(
            f"{row.name:22}{row.kind:8}{row.classifier:12}{row.auc:5.2f}{f'to {row.chance:.2f}':>9}{accuracy:>10}{star}"
        )
    return "\n".join(lines)


def verdict(rows: Sequence[Finding]) -> str:
    """What the rows of an audit come to, in one line."""
    seen, unseen = ([row for row in rows if row.tells and row.kind == kind] for kind in ("pixels", "files"))
    if seen:
        return f"A network may learn these instead of defects: {_listed(seen)}."
    if unseen:
        return f"No network sees them, but the classes were recorded or stored apart: {_listed(unseen)}."
    if not rows:
        return "Nothing was judged: all features are the same for all crops."
    typical = float(np.median([row.chance for row in rows]))
    if typical >= BLIND:
        return f"Too few samples to tell: chance alone reaches an AUC of {typical:.2f}; ask again with more of them."
    return "None of these features tells the class better than chance may."


def _listed(rows: Iterable[Finding]) -> str:
    worst_first = sorted(rows, key=lambda row: -row.auc)
    return ", ".join(
        f"{row.name} (AUC {row.auc:.2f}, chance to {row.chance:.2f}{'; a defect moves it, too' * (row.name in MOVED)})"
        for row in worst_first
    )


@dataclasses.dataclass(frozen=True)
class _Test:
    name: str
    kind: str
    guesser: str
    inputs: np.ndarray
    make: Callable[[], ClassifierMixin]


def _tests(names: Sequence[str], kinds: Sequence[str], values: np.ndarray, seed: int) -> list[_Test]:
    varying = np.flatnonzero(np.ptp(values, axis=0) > 0).tolist()
    # Ranks from -1 to 1: a few huge files or dates must not rule a regression.
    ranks = (2 * rankdata(values, axis=0) - len(values) - 1) / len(values)
    # Of few inputs this solver takes a third of the default's time.
    regression = functools.partial(LogisticRegression, solver="newton-cholesky")
    tests = [
        _Test(names[i], kinds[i], "regression", np.column_stack([ranks[:, i], ranks[:, i] ** 2]), regression)
        for i in varying
    ]
    forest = functools.partial(
        RandomForestClassifier,
        n_estimators=TREES,
        max_depth=4,
        min_samples_leaf=LEAF,
        random_state=seeds.derive(seed, "leaks: forests"),
    )
    for kind in ("pixels", "files"):
        inputs = ranks[:, [i for i in varying if kinds[i] == kind and names[i] not in MOVED]]
        if inputs.size:
            name = f"{kind} together"
            tests += [_Test(name, kind, "regression", inputs, regression)]
            tests += [_Test(name, kind, "forest", inputs, forest)] * (len(values) >= SPLITS * LEAF)
    return tests


def _guessed(test: _Test, labels: np.ndarray, folds: Sequence[np.ndarray]) -> tuple[float, float]:
    """Mean AUC and accuracy over the folds that have both classes in both parts; exchanged labels may lack one."""
    results = []
    for held_out in folds:
        training = np.setdiff1d(np.arange(len(labels)), held_out)
        if len(np.unique(labels[training])) == len(np.unique(labels[held_out])) == 2:
            guesser = test.make().fit(test.inputs[training], labels[training])
            scores = guesser.predict_proba(test.inputs[held_out])[:, 1]
            called = scores >= 0.5
            results.append((_auc(labels[held_out], scores), np.mean(called == labels[held_out])))
    auc, accuracy = np.mean(results, axis=0) if results else (0.5, 0.5)
    return float(auc), float(accuracy)


def _auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, as the Mann-Whitney statistic; scikit-learn's checks take fifty times as long."""
    defective = labels == 1
    first, others = int(defective.sum()), int((~defective).sum())
    return float((rankdata(scores)[defective].sum() - first * (first + 1) / 2) / (first * others))


def _exchanged(labels: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels where each group has those of another one, drawn without replacement, cut or repeated to its size."""
    of = np.unique(groups, return_inverse=True)[1]
    members = [np.flatnonzero(of == number) for number in range(of.max() + 1)]
    exchanged = np.empty_like(labels)
    for group, donor in zip(members, rng.permutation(len(members)), strict=True):
        exchanged[group] = np.resize(rng.permutation(labels[members[donor]]), len(group))
    return exchanged


def _limits(by_chance: np.ndarray) -> np.ndarray:
    """(tests,) what one more draw of the columns exceeds anywhere with a probability of at most `ALPHA` (Bonferroni).

    The upper end of Student's prediction interval: mean + t·s·sqrt(1 + 1/n), and no AUC is above 1.
    """
    draws, tests = by_chance.shape
    quantile = student.ppf(1 - ALPHA / tests, draws - 1) * np.sqrt(1 + 1 / draws)
    return np.minimum(by_chance.mean(axis=0) + quantile * by_chance.std(axis=0, ddof=1), 1.0)
