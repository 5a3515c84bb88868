"""A whole search with the real driver, whose units only write scores."""

import dataclasses
import functools
import logging

import pytest

pytest.importorskip("optuna", reason="needs the extra search")

import scored_units

import scripts
from wool_tf import environment, records
from wool_tf.errors import WoolError
from wool_tf.search import outcome
from wool_tf.search import run as searching
from wool_tf.search.config import Search
from wool_tf.study import grid
from wool_tf.study.crop_source import CropSource
from wool_tf.training import trainer
from wool_tf.training.config import TrainingConfig

BASE = TrainingConfig(image_size=32, folds=4, rounds=1, batch_size=16, final="hard1")
SEARCH = Search("hard1", 2, 1.0, 2)


@pytest.fixture
def go(tmp_path, monkeypatch, caplog):
    """Searches in one folder; the lines it logs are in `go.said()`."""
    caplog.set_level(logging.INFO, "wool_tf")
    crops, log = scripts.write_crops(tmp_path / "crops"), tmp_path / "log"
    monkeypatch.setattr(grid, "chains", functools.partial(scored_units.chains, log))

    def run(base=BASE, search=SEARCH, **others):
        source = CropSource(crops, 8)
        return searching.run(base, search, source, tmp_path / "out", 2, "search", print, **others)

    run.said, run.log, run.out = lambda: caplog.messages, log, tmp_path / "out"
    return run


def test_no_unit_is_done_twice_whenever_time_is_over(go):
    # The first call ends between the unpruned network and its pruning.
    clock = iter([0.0, 1.0, 2.0, 4000.0])
    with pytest.raises(WoolError, match=r"^hours=1: no trial is complete yet; the same command goes on"):
        go(clock=lambda: next(clock))
    assert len(go.log.read_text().splitlines()) == 2
    table = go()
    done = [line for line in go.log.read_text().splitlines() if not line.startswith("32 ")]
    assert table.rows[0][0] == "0 (as given)"
    # Batches of 16 and 64, other settings apart, each with two folds of two stages.
    found = records.read_as(go.out / "search.json", outcome.SearchOutcome)
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert len(found.trials) == 2 and found.best == 0
    assert len(done) == 4 * len(complete)
    assert complete[0].figures["log_loss"] == pytest.approx(0.10536, abs=1e-5)
    assert not list(go.out.rglob("*.safetensors"))
    assert found.settings.final == "hard1" and found.settings.asfp_rates == BASE.asfp_rates
    assert "--final=hard1" in (go.out / "best.cfg").read_text().splitlines()
    with pytest.raises(WoolError, match="holds a run with other stage, first_folds, network or search space"):
        go(search=dataclasses.replace(SEARCH, first_folds=3))


def test_a_training_that_runs_off_is_a_failed_trial(go):
    with pytest.raises(WoolError, match=r"^trials=1: none is complete; allow more; the last failed: resnet18.*"):
        go(base=dataclasses.replace(BASE, batch_size=32), search=dataclasses.replace(SEARCH, trials=1))
    (trial,) = records.read_as(go.out / "search.json", outcome.SearchOutcome).trials
    assert trial.state == "failed" and "ran off (2 attempts)" in trial.reason
    assert "failed: resnet18-adam-none/repeat0/fold" in go.said()[-1]


def test_a_network_that_is_too_narrow_is_a_failed_trial_before_anything_is_trained(go, monkeypatch):
    monkeypatch.setattr(environment, "onednn", lambda: True)
    monkeypatch.setattr(trainer, "LEAST_STEM", 64)
    with pytest.raises(WoolError, match=r"the last failed: rounds=1: hard1 cannot be trained"):
        go(search=dataclasses.replace(SEARCH, trials=1))
    assert not go.log.exists()


def test_mistakes_are_told_in_a_line(go):
    with pytest.raises(WoolError, match=r"^first_folds=5: must be from 1 to the 4 folds$"):
        go(search=dataclasses.replace(SEARCH, first_folds=5))
    with pytest.raises(WoolError, match=r"^hours=0: must be above 0$"):
        Search("hard3", 2, 0.0)
    with pytest.raises(WoolError, match=r"^trials=0: must be at least 1$"):
        Search("hard3", 2, 1.0, 0)


def test_optuna_is_asked_for_before_anything_is_read(go, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WoolError, match=r"^search.py: needs Optuna; .*pip install .*'\.\[search\]'$"):
        go()
    assert go.said() == []
