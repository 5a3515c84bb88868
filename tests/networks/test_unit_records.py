"""Records of units: what comes back, also of the first ones, and what is refused."""

import dataclasses
import json

import pytest

from wool_tf.data.imaging import Imaging
from wool_tf.errors import WoolError
from wool_tf.evaluation.agreement import ScoreDifference
from wool_tf.evaluation.metrics import Metrics
from wool_tf.networks import unit_records
from wool_tf.networks.unit_records import Attempt, History, Int8File, UnitRecord

METRICS = {"accuracy": 0.5, "recall": 1.0, "precision": 0.5, "f1": 0.667, "auc": 0.75, "average_precision": 0.8,
           "confusion": [[0, 1], [0, 1]]}  # fmt: skip
MADE = {"seed": 3, "images": "8c5b", "environment": {"commit": "2488ede", "onednn": True, "XLA flags": ""},
        "started": 1795725545.6, "seconds": 0.9, "kept": True}  # fmt: skip
NETWORK = {
    "stage": "hard1", "spec": {"depth": 18, "classes": 2}, "params": 287692, "macs": 1421042,
    "removed": {"layer1": 0.125}, "history": {"loss": [0.6], "accuracy": [1], "learning_rate": [0.001]},
    "bn_images": 8, "mask_difference": 1.7e-6, "before_finetuning": METRICS, "held_out": [2, 3], "scores": [0.9, 0.4],
    "metrics": METRICS, "attempts": [{"kind": "diverged", "reason": "the loss became nan"}], **MADE,
}  # fmt: skip
INT8 = {
    "stage": "hard1-int8", "file": {"operators": ["ADD", "MEAN"], "xnnpack": True, "input": {"dtype": "uint8"},
                                    "bytes": 333312, "sha256": "554b"},
    "check": {"images": 16, "agreement": 0.875, "mean_difference": 0.03, "max_difference": 0.07, "recall_int8": None},
    "attempts": [], **MADE,
}  # fmt: skip
"""As they were before records said their version."""


def read(path, document) -> UnitRecord | None:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return unit_records.read(path)


def test_records_of_before_there_was_a_version_are_read(tmp_path):
    network, int8 = (read(tmp_path / "r.json", document) for document in (NETWORK, INT8))
    metrics = Metrics(0.5, 1.0, 0.5, 0.667, 0.75, 0.8, ((0, 1), (0, 1)))
    assert (network.stage, network.params, network.held_out, network.scores) == ("hard1", 287692, (2, 3), (0.9, 0.4))
    assert network.metrics == network.before_finetuning == metrics
    assert network.history == History((0.6,), (1.0,), (0.001,), ())
    assert network.attempts == (Attempt("diverged", "the loss became nan"),)
    assert (network.file, network.check, network.heatmaps, network.version) == (None, None, (), 1)
    assert int8.file == Int8File(("ADD", "MEAN"), 333312, "554b")
    assert int8.check == ScoreDifference(16, 0.875, 0.03, 0.07)
    bound = {"native crops": "ab", "imaging": {"side": 48, "window": [0.0, 1.5], "pixel_mm": None}}
    delivered = read(tmp_path / "r.json", NETWORK | bound)
    assert (delivered.native_crops, delivered.imaging) == ("ab", Imaging(48, (0.0, 1.5)))
    assert (int8.held_out, int8.metrics, int8.spec, int8.removed) == ((), None, None, {})


@pytest.mark.parametrize("document", [NETWORK, INT8])
def test_a_record_comes_back_as_it_was_and_says_its_version(document, tmp_path):
    path = tmp_path / "r.json"
    record = dataclasses.replace(read(path, document), heatmaps=(((0.5, -1.0), (0.0, 2.0)),))
    unit_records.write(path, record)
    assert unit_records.read(path) == record
    assert json.loads(path.read_text())["version"] == unit_records.VERSION


@pytest.mark.parametrize("key", ["stage", "seed", "images", "environment", "started", "seconds", "attempts", "kept"])
def test_a_record_that_lacks_what_each_says_is_damaged(key, tmp_path):
    assert read(tmp_path / "r.json", {name: value for name, value in NETWORK.items() if name != key}) is None


@pytest.mark.parametrize("content", ["", '{"stage": ', "[]", "null", json.dumps(NETWORK).replace("0.9", "NaN")])
def test_what_is_no_record_is_damaged(content, tmp_path):
    assert read(tmp_path / "r.json", content) is None
    assert unit_records.read(tmp_path / "missing.json") is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "r.json: is of version 2, not 1; go on with the wool_tf that wrote it, or remove it$"),
        ({"version": "a\nb" * 999}, r"r.json: is of version 'a\\nba.* … .*', not 1;"),
        ({"metrics": 3}, r"r.json: Expected .* at `\$.metrics`; it is damaged, or of another version"),
        ({"seconds": "1"}, r"r.json: Expected `float`, got `str` - at `\$.seconds`; it is damaged"),
        ({"attempts": [{"kind": "lost", "reason": ""}]}, r"r.json: Invalid .*attempts.*; it is damaged"),
    ],
)
def test_a_foreign_record_is_one_line(changes, message, tmp_path):
    with pytest.raises(WoolError, match=message) as raised:
        read(tmp_path / "r.json", NETWORK | changes)
    assert "\n" not in str(raised.value)
    # Of another version, whatever else a record has.
    with pytest.raises(WoolError, match="is of version 2"):
        read(tmp_path / "r.json", {"version": 2, "stage": "hard1", "images": "8c5b"})


@pytest.mark.parametrize("version", ["2.3", 2, unit_records.VERSION, None])
@pytest.mark.parametrize("others", [{}, {"notes": "of my own script"}, {"stage": "hard1"}, {"images": 12, "seed": 3}])
def test_what_others_wrote_beside_a_network_is_no_record(version, others, tmp_path):
    assert read(tmp_path / "r.json", {"version": version} | others) is None
