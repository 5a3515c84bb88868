"""Trials that compute instead of training: order, interruption, failures."""

import math
import subprocess
import sys

import pytest

from checkout import TESTS, environment

pytest.importorskip("optuna", reason="needs the extra search")

from wool_tf.errors import WoolError
from wool_tf.search.optimisation import SearchStudy, TrialFailure, TrialSteps
from wool_tf.search.space import Choice, Range

SPACE = {"rate": Range(1e-4, 1e-2), "epochs": Range(2, 8), "kind": Choice(("a", "b"))}
FIRST = {"rate": 1e-3, "epochs": 4, "kind": "a"}


def loss(values) -> float:
    return abs(math.log10(values["rate"] / 3e-3)) + 1 / values["epochs"] + (values["kind"] == "a")


def make(log, judge=loss):
    """Prepares trials of two steps that log what they are; the first gives twice the loss."""

    def prepare(number, values):
        def step(name, factor):
            log.append((name, number))
            return {"log_loss": factor * judge(values), "accuracy": 0.5, "auc": 0.5}

        return TrialSteps([lambda: step("first", 2), lambda: step("last", 1)], lambda: log.append(("tidy", number)))

    return prepare


def always():
    return True


def search(folder, trials, log=None, seed=0, **others):
    folder.mkdir(exist_ok=True)
    study = SearchStudy(folder / "study.journal", SPACE, FIRST, seed)
    study.run(others.pop("prepare", make([] if log is None else log)), trials=trials, ended=print, left=always)
    return study


def test_the_first_trial_has_the_settings_given_and_all_lie_in_the_space(tmp_path):
    found = search(tmp_path, 14).trials
    assert found[0].values == FIRST
    assert [trial.number for trial in found] == list(range(14))
    for trial in found:
        assert all(trial.values[name] in values for name, values in SPACE.items())
    assert {type(trial.values["epochs"]) for trial in found} == {int}


def test_the_best_is_the_complete_trial_with_the_least_loss(tmp_path):
    study = search(tmp_path, 14)
    complete = [trial for trial in study.trials if trial.state == "complete"]
    assert study.best.figures["log_loss"] == min(loss(trial.values) for trial in complete)


def test_the_same_seed_gives_the_same_trials_in_one_call_or_several(tmp_path):
    whole = search(tmp_path / "a", 13).trials
    for trials in (1, 4, 11, 13):
        parts = search(tmp_path / "b", trials).trials
    assert parts == whole
    assert [t.values for t in search(tmp_path / "c", 13, seed=1).trials[1:]] != [t.values for t in whole[1:]]


def test_a_search_that_is_over_does_nothing(tmp_path):
    log = []
    search(tmp_path, 3)
    search(tmp_path, 3, log)
    assert log == []


def test_a_trial_that_is_worse_than_most_is_stopped_after_its_first_step(tmp_path):
    log = []
    # Each is worse than the ones before it.
    prepare = make(log, lambda values: len(log))
    found = search(tmp_path, 7, prepare=prepare).trials
    assert [trial.state for trial in found] == ["complete"] * 5 + ["stopped"] * 2
    assert ("last", 4) in log and ("last", 5) not in log and ("tidy", 5) in log


def test_a_trial_that_time_or_a_mistake_cuts_short_is_continued(tmp_path):
    log, steps = [], iter([True] * 7 + [False] * 2)
    whole = search(tmp_path / "whole", 5).trials
    folder = tmp_path / "parts"
    folder.mkdir()
    # Two whole trials take six questions, and the third has no time for its first step.
    SearchStudy(folder / "study.journal", SPACE, FIRST, 0).run(
        make(log), left=lambda: next(steps), ended=print, trials=5
    )
    assert log[-1] == ("tidy", 1)

    def full_disk(number, values):
        raise WoolError("disk full")

    with pytest.raises(WoolError, match="disk full"):
        search(folder, 5, prepare=full_disk)
    assert len(search(folder, 3, log).trials) == 3
    assert log[-3:] == [("first", 2), ("last", 2), ("tidy", 2)]
    assert search(folder, 5).trials == whole


KILLED = """
import os, sys, test_optimisation
from pathlib import Path
def prepare(number, values):
    if number == 2:
        os._exit(9)
    return test_optimisation.make([])(number, values)
test_optimisation.search(Path(sys.argv[1]), 5, prepare=prepare)
"""


def test_a_killed_search_goes_on_though_its_last_line_is_cut_off_and_its_lock_is_left(tmp_path):
    command, env = [sys.executable, "-c", KILLED, tmp_path], environment(TESTS / "search", TESTS)
    killed = subprocess.run(command, env=env, check=False)
    assert killed.returncode == 9
    with open(tmp_path / "study.journal", "a") as journal:
        journal.write('{"op_code": 5, "wor')
    (tmp_path / "study.journal.lock").symlink_to("study.journal")
    log = []
    found = search(tmp_path, 5, log).trials
    assert [trial.number for trial in found] == list(range(5))
    assert log[0] == ("first", 2)


def test_failed_trials_stop_nothing(tmp_path):
    def judge(values):
        if values != FIRST and values["kind"] == "a":
            raise TrialFailure("ran off")
        return loss(values)

    found = search(tmp_path, 14, prepare=make([], judge)).trials
    failed = [trial for trial in found if trial.state == "failed"]
    assert len(found) == 14 and failed
    assert {(trial.reason, trial.values["kind"]) for trial in failed} == {("ran off", "a")}


def test_where_all_fail_the_search_ends_in_a_line_and_may_be_tried_again(tmp_path):
    def judge(values):
        raise TrialFailure("ran off")

    for trials in (5, 10):
        with pytest.raises(WoolError, match=r"^search.py: 5 trials have failed and none did not; the last: ran off$"):
            search(tmp_path, 20, prepare=make([], judge))
        assert len(SearchStudy(tmp_path / "study.journal", SPACE, FIRST, 0).trials) == trials


def test_trials_with_the_same_settings_are_one(tmp_path):
    log, space = [], {"kind": Choice(("a", "b"))}
    study = SearchStudy(tmp_path / "study.journal", space, {"kind": "a"}, 0)
    study.run(make(log, lambda values: 1.0 + (values["kind"] == "a")), left=always, ended=print, trials=8)
    assert sum(name == "tidy" for name, _ in log) == 2
    assert {(trial.values["kind"], trial.figures["log_loss"]) for trial in study.trials} == {("a", 2.0), ("b", 1.0)}


def test_a_damaged_journal_is_named(tmp_path):
    (tmp_path / "study.journal").write_text("rubbish\n{}\n")
    with pytest.raises(WoolError, match="study.journal: is damaged; restore it from a copy, or choose another folder"):
        search(tmp_path, 1)
