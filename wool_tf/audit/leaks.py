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
from sklearn.ensemble import RandomForestClassifier

from wool_tf import seeds
from wool_tf.audit import regressions
from wool_tf.audit.nuisance import MOVED
from wool_tf.progress import Count

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
class FeatureTest:
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
    progress: Count | None = None,
) -> list[FeatureTest]:
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
        progress: told how many folds of how many are done, of all tests.

    Returns:
        A row for each feature, in order, then those for several together.
    """
    tests = _tests(names, kinds, values, seed)
    if not tests:
        return []
    rng = seeds.generator(seed, "leaks: exchanged labels")
    labelled = np.stack([labels, *(_exchanged(labels, groups, rng) for _ in range(SHUFFLES))])
    results = []
    # Many small fits: to check what is given to each takes longer than the fit.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for number, test in enumerate(tests):
            told = functools.partial(_tell, progress, number * len(folds), len(tests) * len(folds))
            results.append(_guessed(test, labelled, folds, told))
    # First the true labels, then each exchange.
    found, by_chance = [result[0] for result in results], np.stack([result[1:, 0] for result in results], axis=1)
    limits = _limits(by_chance)
    return [
        FeatureTest(test.name, test.kind, test.guesser, float(auc), float(accuracy), float(limit))
        for test, (auc, accuracy), limit in zip(tests, found, limits, strict=True)
    ]


def to_text(rows: Sequence[FeatureTest]) -> str:
    """A table of the rows; a star marks those that tell something."""
    lines = [f"{'feature':22}{'of':8}{'guessed by':12}{'AUC':>5}{'chance':>9}{'accuracy':>10}"]
    for row in rows:
        star = " *" if row.tells else ""
        accuracy = f"{100 * row.accuracy:.1f} %"
        lines.append(
            f"{row.name:22}{row.kind:8}{row.classifier:12}{row.auc:5.2f}{f'to {row.chance:.2f}':>9}{accuracy:>10}{star}"
        )
    return "\n".join(lines)


def verdict(rows: Sequence[FeatureTest]) -> str:
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


def _listed(rows: Iterable[FeatureTest]) -> str:
    worst_first = sorted(rows, key=lambda row: -row.auc)
    return ", ".join(
        f"{row.name} (AUC {row.auc:.2f}, chance to {row.chance:.2f}{'; a defect moves it, too' * (row.name in MOVED)})"
        for row in worst_first
    )


def _tell(progress: Count | None, before: int, total: int, done: int) -> None:
    if progress:
        progress(before + done, total)


@dataclasses.dataclass(frozen=True)
class _Test:
    """Inputs, and what gives the scores of held-out crops for each labelling: (inputs, labels, held-out inputs)."""

    name: str
    kind: str
    guesser: str
    inputs: np.ndarray
    scores: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _tests(names: Sequence[str], kinds: Sequence[str], values: np.ndarray, seed: int) -> list[_Test]:
    varying = np.flatnonzero(np.ptp(values, axis=0) > 0).tolist()
    # Ranks from -1 to 1: a few huge files or dates must not rule a regression.
    ranks = (2 * rankdata(values, axis=0) - len(values) - 1) / len(values)
    tests = [
        _Test(names[i], kinds[i], "regression", np.column_stack([ranks[:, i], ranks[:, i] ** 2]), regressions.scores)
        for i in varying
    ]
    forests = functools.partial(_forests, seed=seeds.derive(seed, "leaks: forests"))
    for kind in ("pixels", "files"):
        inputs = ranks[:, [i for i in varying if kinds[i] == kind and names[i] not in MOVED]]
        if inputs.size:
            name = f"{kind} together"
            tests += [_Test(name, kind, "regression", inputs, regressions.scores)]
            tests += [_Test(name, kind, "forest", inputs, forests)] * (len(values) >= SPLITS * LEAF)
    return tests


def _forests(inputs: np.ndarray, labels: np.ndarray, held_out: np.ndarray, seed: int) -> np.ndarray:
    """Scores of a small random forest for each labelling."""
    settings = {"n_estimators": TREES, "max_depth": 4, "min_samples_leaf": LEAF, "random_state": seed}
    fitted = (RandomForestClassifier(**settings).fit(inputs, each) for each in labels)
    return np.stack([forest.predict_proba(held_out)[:, 1] for forest in fitted])


def _guessed(
    test: _Test, labels: np.ndarray, folds: Sequence[np.ndarray], progress: Callable[[int], None]
) -> np.ndarray:
    """(labellings, 2) AUC and accuracy, means over the folds that have both classes in both parts.

    Exchanged labels may lack one; 0.5 where all folds do.
    """
    found = np.full((len(folds), len(labels), 2), np.nan)
    for number, held_out in enumerate(folds):
        training = np.setdiff1d(np.arange(labels.shape[1]), held_out)
        usable = _mixed(labels[:, training]) & _mixed(labels[:, held_out])
        if usable.any():
            scores = test.scores(test.inputs[training], labels[usable][:, training], test.inputs[held_out])
            truth = labels[usable][:, held_out]
            found[number, usable] = np.stack([_auc(truth, scores), ((scores >= 0.5) == truth).mean(axis=1)], axis=1)
        progress(number + 1)
    known = np.isfinite(found)
    return np.where(known, found, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1) + 0.5 * ~known.any(axis=0)


def _mixed(labels: np.ndarray) -> np.ndarray:
    """Which labellings have both classes."""
    return np.ptp(labels, axis=1) > 0


def _auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Areas under the ROC curve, as the Mann-Whitney statistic, of each row of (rows, n) labels and scores."""
    defective = labels == 1
    first, others = defective.sum(axis=1), (~defective).sum(axis=1)
    ranks = np.where(defective, rankdata(scores, axis=1), 0).sum(axis=1)
    return (ranks - first * (first + 1) / 2) / (first * others)


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
