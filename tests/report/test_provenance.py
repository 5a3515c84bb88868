"""What is said of the images, the folds and the code that records are of."""

import numpy as np
import pytest
from protocol_sample import sample as protocol_sample
from report_sample import sample

from wool_tf.data.dataset import Dataset
from wool_tf.report import findings, protocol_findings, provenance


def test_images_are_described_as_they_are():
    names = np.array(["a", "b", "c"])
    images = Dataset(np.zeros((3, 9, 9), np.uint8), np.array([1, 0, 0]), np.array(["S", "S", "T"]), names, names,
                     tuple(names), "crops", "f" * 64, True, ("d is empty",), 4)  # fmt: skip
    assert provenance.describe(images, "scan") == {
        "folder": "crops", "images": 3, "defective": 1, "non_defective": 2, "groups": 2, "grouped": True,
        "group_by": "scan", "unlisted": 4, "skipped": ["d is empty"], "side": 9, "fingerprint": "f" * 64,
    }  # fmt: skip


@pytest.mark.parametrize(("document", "warnings"), [(sample(), findings.warnings),
                                                    (protocol_sample(), protocol_findings.warnings)])  # fmt: skip
def test_leaky_folds_and_mixed_code_are_warned_of(document, warnings):
    before = warnings(document)
    document["data"]["group_by"] = "image"
    document["commits"] = ["abc", "def"]
    document["processors"] = ["slow one (avx2)", "slow one (avx2), a GPU"]
    more = [line for line in warnings(document) if line not in before]
    assert len(more) == 3
    assert "--group_by=image" in more[0] and "too good on purpose" in more[0]
    assert "2 versions of the code (abc, def)" in more[1]
    assert "on 2 kinds of processors (slow one (avx2); slow one (avx2), a GPU)" in more[2]


def test_commits_of_records():
    records = {"a": {"environment": {"commit": "1"}}, "b": {"environment": {"commit": None}}, "c": {}}
    assert provenance.commits(records) == ["1"]
    assert provenance.commits(records | {"d": {"environment": {"commit": "0"}}}) == ["0", "1"]


def test_processors_of_records():
    records = {"a": {"environment": {"processor": "slow"}}, "b": {"environment": {}}, "c": {}}
    assert provenance.processors(records) == ["slow"]
    assert provenance.processors(records | {"d": {"environment": {"processor": "fast"}}}) == ["fast", "slow"]
