"""The search itself: Optuna suggests, a journal remembers, and each trial is a few steps of work.

Suggestions come from the tree-structured Parzen estimator (Bergstra et al. 2011,
https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization) and depend on the seed, the number of the
trial and the results before it alone, so that a search that was interrupted goes on as if nothing had happened. A trial
that is worse after a step than the median of those before it ends there (Golovin et al. 2017,
https://dl.acm.org/doi/10.1145/3097983.3098043).
"""

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wool_tf import files, seeds
from wool_tf.errors import WoolError, extra
from wool_tf.search.space import Choice, Range
from wool_tf.study import units

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

NAME = "search"
OBJECTIVE = "log_loss"
STATES = {"COMPLETE": "complete", "PRUNED": "stopped", "FAIL": "failed"}
HOPELESS = 5
"""When so many trials of one call have failed and no other has finished, the cause is not the settings tried."""


class TrialFailure(Exception):
    """A trial cannot be completed: its training diverges, for example."""


@dataclasses.dataclass(frozen=True)
class TrialSteps:
    """What a trial has to do.

    Attributes:
        steps: to be called in order; each returns figures, `log_loss` among them, those of the last being the trial's,
            and raises `TrialFailure` where it cannot. A step that is done before is done in no time.
        tidy: to be called when the trial has its result.
    """

    steps: Sequence[Callable[[], Mapping[str, float]]]
    tidy: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial that has come to its end.

    Attributes:
        number: from 0, the first being that with the settings given.
        values: settings by name.
        state: `complete`, `stopped` early or `failed`.
        figures: of its last step, empty where it failed before.
        reason: why it failed, or empty.
    """

    number: int
    values: Mapping[str, object]
    state: str
    figures: Mapping[str, float]
    reason: str


def check_installed() -> None:
    """Checks that Optuna is there.

    Raises:
        WoolError: it is not.
    """
    if not importlib.util.find_spec("optuna"):
        raise WoolError(f"search.py: needs Optuna; {extra('search')}")


class SearchStudy:
    """The trials in a journal.

    Arguments:
        path: of the journal, which is made if it is missing; no other process writes to it.
        space: name of a setting to its values.
        first: values of the first trial.
        seed: int, at least 0.

    Raises:
        WoolError: the journal is damaged.
    """

    def __init__(self, path: Path, space: Mapping[str, Choice | Range], first: Mapping[str, object], seed: int):
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalStorage

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _mend(path)
        self._seed, self._space = seed, {name: _distribution(values) for name, values in space.items()}
        try:
            self._storage = JournalStorage(JournalFileBackend(str(path)))
            self._study = optuna.create_study(
                study_name=NAME, storage=self._storage, pruner=optuna.pruners.MedianPruner(), load_if_exists=True
            )
        except (ValueError, KeyError):
            raise WoolError(f"{path}: is damaged; restore it from a copy, or choose another folder") from None
        if not self._study.get_trials(deepcopy=False):
            self._study.enqueue_trial(dict(first))

    @property
    def trials(self) -> list[Trial]:
        """Those that have come to their end, in order."""
        every = self._study.get_trials(deepcopy=False)
        return [_told(each) for each in every if each.state.is_finished() and len(each.params) == len(self._space)]

    @property
    def best(self) -> Trial | None:
        """The complete one with the least log loss."""
        return min(
            (trial for trial in self.trials if trial.state == "complete"),
            key=lambda trial: trial.figures[OBJECTIVE],
            default=None,
        )

    def run(
        self,
        prepare: Callable[[int, Mapping], TrialSteps],
        left: Callable[[], bool],
        ended: Callable[[Trial], None],
        trials: int | None = None,
    ) -> None:
        """Goes on with the trial that was interrupted, if any, and then with new ones.

        Arguments:
            prepare: makes the work of a trial of its number and settings.
            left: whether there is time for another step; without it a trial stays for the next call.
            ended: told each trial that has come to its end.
            trials: how many there are to be, over all calls, or None.

        Raises:
            WoolError: trials fail one after the other.
        """
        failed: int | None = 0
        while left() and (trials is None or len(self.trials) < trials):
            trial = self._next()
            found = self._known(trial) or self._done(trial, prepare(trial.number, trial.params), left)
            if found is None:
                return
            ended(found)
            failed = failed + 1 if failed is not None and found.state == "failed" else None
            if failed == HOPELESS:
                raise WoolError(f"search.py: {failed} trials have failed and none did not; the last: {found.reason}")

    def _next(self) -> "optuna.Trial":
        """The trial that is at work, or a new one, as Optuna's."""
        import optuna

        every = self._study.get_trials(deepcopy=False)
        running = [each for each in every if each.state.name == "RUNNING"]
        waiting = [each for each in every if each.state.name == "WAITING"]
        begun = [*running, *waiting]
        number = begun[0].number if begun else len(every)
        self._study.sampler = optuna.samplers.TPESampler(seed=seeds.derive(self._seed, "search", number))
        if not running:
            return self._study.ask(self._space)
        study = self._storage.get_study_id_from_name(NAME)
        trial = optuna.trial.Trial(
            self._study, self._storage.get_trial_id_from_study_id_trial_number(study, running[0].number)
        )
        if len(trial.params) == len(self._space):
            return trial
        # It was interrupted before it had all of its settings.
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return self._next()

    def _known(self, trial: "optuna.Trial") -> Trial | None:
        """The trial with the result of an earlier one with the same settings, if there is one."""
        from optuna.trial import TrialState

        same = next((each for each in self.trials if each.values == trial.params), None)
        if same is None:
            return None
        trial.set_user_attr("figures", dict(same.figures))
        trial.set_user_attr("reason", same.reason)
        state = next(name for name, ours in STATES.items() if ours == same.state)
        value = same.figures[OBJECTIVE] if same.state == "complete" else None
        return _told(self._study.tell(trial, value, TrialState[state]))

    def _done(self, trial: "optuna.Trial", work: TrialSteps, left: Callable[[], bool]) -> Trial | None:
        """The trial at its end, or None where time has run out before."""
        from optuna.trial import TrialState

        state, value = TrialState.FAIL, None
        try:
            for number, step in enumerate(work.steps):
                if not left():
                    return None
                figures = step()
                trial.set_user_attr("figures", dict(figures))
                value = figures[OBJECTIVE]
                if number < len(work.steps) - 1 and self._stops(trial, number, value):
                    state, value = TrialState.PRUNED, None
                    break
            else:
                state = TrialState.COMPLETE
        except TrialFailure as error:
            value = None
            trial.set_user_attr("reason", str(error))
        ended = _told(self._study.tell(trial, value, state))
        work.tidy()
        return ended

    def _stops(self, trial: "optuna.Trial", number: int, value: float) -> bool:
        every = self._study.get_trials(deepcopy=False)
        if number not in every[trial.number].intermediate_values:
            trial.report(value, number)
        return trial.should_prune()


def _told(frozen: "FrozenTrial") -> Trial:
    attributes = frozen.user_attrs
    figures, reason = attributes.get("figures", {}), attributes.get("reason", "")
    return Trial(frozen.number, dict(frozen.params), STATES[frozen.state.name], figures, reason)


def _distribution(values: Choice | Range) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(values, Choice):
        return CategoricalDistribution(values.values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return IntDistribution(values.low, values.high, log=True)
    return FloatDistribution(values.low, values.high, log=True)


def _mend(path: Path) -> None:
    """Removes what a killed process leaves: half of a last line, on which Optuna fails, and a lock."""
    for lock in path.parent.glob(f"{path.name}.lock*"):
        units.remove(lock)
    content = path.read_bytes() if path.exists() else b""
    if not content.endswith(b"\n") and content:
        files.write(path, content[: content.rfind(b"\n") + 1])
