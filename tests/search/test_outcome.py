"""What a search leaves behind."""

import math
from pathlib import Path

import pytest
from absl import flags

import training_flags
from wool_tf import records
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.search import outcome, trials
from wool_tf.search.optimisation import Trial
from wool_tf.study.crop_source import CropSource
from wool_tf.training.config import OF_COMPARISONS, TrainingConfig


def trial(number, loss, state="complete"):
    values = {"adam_learning_rate": 10.0**-number, "batch_size": 16}
    return Trial(number, values, state, {"log_loss": loss, "accuracy": 0.9, "auc": 0.95}, "")


_SETTINGS = training_flags.define(without=OF_COMPARISONS)


def parsed(text: str, folder: Path) -> tuple[TrainingConfig, flags.FlagValues]:
    """The settings that the flags of reproduce.py read from a file."""
    (folder / "best.cfg").write_text(text)
    flags.FLAGS(["program", f"--flagfile={folder / 'best.cfg'}"])
    return training_flags.settings(_SETTINGS), flags.FLAGS


@pytest.mark.parametrize("rates", [(), (0.1, 0.25)])
def test_the_flagfile_gives_the_settings_back(tmp_path, monkeypatch, rates):
    monkeypatch.chdir(tmp_path)
    Path("my crops/of May").mkdir(parents=True)
    settings = TrainingConfig(
        adam_learning_rate=0.0012345678901234567, batch_size=64, weight_decay=1e-3, asfp_rates=rates, final="hard2"
    )
    naming = CropNaming(r"^(S\d+)_", ("Riss", "Loch"), ("Gut",))
    source = CropSource(Path("my crops/of May"), 153, 1.5, CropReading("skip", naming, 4000))
    found, values = parsed(outcome.flagfile(settings, source, tmp_path / "best"), tmp_path)
    assert found == settings
    assert (values.data, values.contrast, values.on_bad_image) == ("my crops/of May", 1.5, "skip")
    assert training_flags.source().reading == source.reading
    assert values.out == str(tmp_path / "best")


def test_simulated_crops_need_no_folder():
    assert "--data" not in outcome.flagfile(TrainingConfig(), CropSource(None, 45), Path("best"))


def test_the_table_has_the_best_first_and_always_the_one_with_the_settings_given():
    ended = [trial(0, 0.9), *(trial(number, 0.8 - number / 100) for number in range(1, 13)), trial(13, 0.1, "stopped")]
    table = outcome.table(ended, "hard3", "folds 1 to 2 of 5")
    assert [row[0] for row in table.rows] == [*map(str, range(12, 2, -1)), "0 (as given)"]
    assert table.rows[-1][1:] == ("1.00", "16", "0.900", "90.0", "0.950")
    assert "14 trials: 13 complete, 1 stopped early, 0 failed" in table.text
    for text in (outcome.to_text(table), outcome.to_markdown(table)):
        assert "are optimistic" in text
    assert "| 0 (as given) | 1.00 | 16 | 0.900 | 90.0 | 0.950 |" in outcome.to_markdown(table)


def test_the_document_holds_what_was_found(tmp_path):
    facts = {"stage": "hard1", "first_folds": 2, "hours": 1.0, "folds": 5, "space": {}, "command": "search.py"}
    ended = (trial(0, 0.5), trial(1, 0.4, "stopped"))
    found = outcome.SearchOutcome(trials=ended, best=0, settings=TrainingConfig(final="hard1"), **facts)
    outcome.write(found, None, None, tmp_path)
    read = records.read_as(tmp_path / "search.json", outcome.SearchOutcome)
    assert read == found and (read.version, read.objective) == (1, "log_loss")


def test_log_loss_is_the_mean_of_the_negative_logarithms():
    import numpy as np

    found = trials.figures(np.array([1, 1, 0, 0]), np.array([0.5, 0.8, 0.4, 0.1]))
    assert found["log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.8) + math.log(0.6) + math.log(0.9)) / 4)
    assert found["accuracy"] == found["auc"] == 1.0
    sure = trials.figures(np.array([1, 0]), np.array([0.0, 1.0]))
    assert sure["log_loss"] == pytest.approx(7 * math.log(10))
