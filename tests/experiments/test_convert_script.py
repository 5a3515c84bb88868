"""experiments/convert.py as a user runs it, and the job behind it."""

import dataclasses
import hashlib
import io
import json
import logging
import re
import shutil
import zipfile

import numpy as np
import pytest
import trained_networks
from PIL import Image
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from trained_networks import HELD_OUT, IMAGE_SIZE, OTHERS, SIDE

import scripts
from wool_tf.deploy.conversion import ConversionRequest, run
from wool_tf.deploy.trained_network import Held, NetworkSource
from wool_tf.errors import WoolError
from wool_tf.evaluation import calibration
from wool_tf.evaluation.thresholds import ThresholdRule


@pytest.fixture(scope="module")
def place(tmp_path_factory, trained):
    folder = tmp_path_factory.mktemp("network")
    shutil.copy(trained, folder)
    trained_networks.write_folds(folder / "folds.json")
    return folder


@pytest.fixture(scope="module")
def source(place, crops):
    return NetworkSource(place / "net.safetensors", crops, held=Held(place / "folds.json", 0, 0))


@pytest.fixture(scope="module")
def ran(place, crops):
    flags = ("--precisions=fp32,int8", "--heatmap", "--calibration_images=6", "--c_array")
    where = (f"--network={place / 'net.safetensors'}", f"--data={crops}", f"--out={place / 'board'}")
    return scripts.run("convert.py", *where, *flags, f"--folds_file={place / 'folds.json'}", "--fold=0")


def request(out, *precisions, **others) -> ConversionRequest:
    return ConversionRequest(out, precisions, **{"threshold_rule": ThresholdRule(cost_ratio=1.0)} | others)


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__()
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


def made(source, *given, **others) -> tuple[list[dict], list[str]]:
    """Cards of the files, and what was logged."""
    logger, lines = logging.getLogger("wool_tf"), Lines()
    logger.setLevel(logging.INFO)
    logger.addHandler(lines)
    try:
        paths = run(source, request(*given, **others))
    finally:
        logger.removeHandler(lines)
    return [json.loads(path.with_suffix(".json").read_text()) for path in paths], lines.said


def test_files_are_written_and_told_of(ran, place):
    assert (ran.returncode, ran.stderr) == (0, "")
    board = place / "board"
    names = ["net-fp32.json", "net-fp32.tflite", "net-int8.cc", "net-int8.h", "net-int8.json", "net-int8.tflite"]
    assert sorted(path.name for path in board.iterdir()) == names
    said = [line.split("] ", 1)[1] for line in ran.stdout.splitlines()]
    assert said[0] == f"8 training images, 8 held out, crops of {SIDE} pixels"
    for precision in ("fp32", "int8"):
        path = board / f"net-{precision}.tflite"
        (line,) = [line for line in said if line.startswith(f"{path}: ")]
        assert f" {path.stat().st_size:,} bytes, threshold 0." in line
        assert "operators, all run by XNNPACK; held-out images: accuracy " in line


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_card_is_in_the_file_and_beside_it_and_true(precision, ran, place, crops):
    path = place / "board" / f"net-{precision}.tflite"
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        card = json.loads(archive.read("card.json"))
    assert card == json.loads(path.with_suffix(".json").read_text())
    assert card["model"]["sha256"] == hashlib.sha256(content[: card["model"]["bytes"]]).hexdigest()
    assert (card["precision"], card["input"]["side"], card["heatmap"]) == (precision, SIDE, [1, 1])
    assert card["network"]["spec"]["input_shape"] == [IMAGE_SIZE, IMAGE_SIZE, 1]
    assert card["decision"]["rule"] == "a miss costs as much as 1 false alarm, on 8 training images"
    scores, called, labels = trained_networks.seen(path, crops)
    found, truth = called[HELD_OUT], labels[HELD_OUT]
    metrics = card["metrics"]
    assert metrics["images"] == card["training"]["images"] == 8
    assert metrics["of"] == "this file, on images held out from its training and from the choice of its threshold"
    assert metrics["accuracy"] == pytest.approx(accuracy_score(truth, found))
    assert metrics["recall"] == pytest.approx(recall_score(truth, found))
    assert metrics["auc"] == pytest.approx(roc_auc_score(truth, scores[HELD_OUT].round(6)))
    expected = calibration.fit(labels[OTHERS], scores[OTHERS]).threshold(1.0)
    assert card["decision"]["threshold"] == pytest.approx(expected, abs=1e-4)


def test_the_network_in_float_is_close(ran, place):
    for precision, close in (("fp32", 0.02), ("int8", 0.1)):
        metrics = json.loads((place / "board" / f"net-{precision}.json").read_text())["metrics"]
        assert 0 < metrics["mean_difference"] < close
        assert metrics["float"]["threshold"] == 0.5


def test_held_out_images_change_neither_file_nor_threshold(ran, place, source, crops, tmp_path):
    others = tmp_path / "crops"
    shutil.copytree(crops, others)
    for number in range(4):
        for grey, name in enumerate(("defective", "non_defective")):
            pixels = np.full((SIDE, SIDE), 200 - 2 * number - grey, np.uint8)
            Image.fromarray(pixels).save(others / name / f"{number}.png")
    given = {"heatmap": True, "calibration_images": 6}
    (card,), _ = made(dataclasses.replace(source, data=others), tmp_path / "board", "int8", **given)
    before = json.loads((place / "board" / "net-int8.json").read_text())
    assert card["training"]["fingerprint"] != before["training"]["fingerprint"]
    assert card["metrics"] != before["metrics"]
    # So the same request gives the same bytes, too.
    assert card["model"] == before["model"]
    # Floats may round in another way where they lie elsewhere in memory.
    assert card["decision"].pop("float_threshold") == pytest.approx(before["decision"].pop("float_threshold"), rel=1e-5)
    assert card["decision"] == before["decision"]


def test_without_folds_all_images_train_and_there_are_no_metrics(source, crops, tmp_path):
    imaged = tmp_path / "crops"
    shutil.copytree(crops, imaged)
    (imaged / "imaging.json").write_text(json.dumps({"crop": IMAGE_SIZE, "window": [0, 1.5], "pixel_mm": 0.4}))
    given = NetworkSource(source.network, imaged)
    (card,), said = made(given, tmp_path / "out", "fp32", threshold_rule=ThresholdRule(recall=1.0))
    assert said[0] == f"16 training images, 0 held out, crops of {IMAGE_SIZE} pixels"
    assert "held-out" not in said[-1]
    assert card["metrics"] is None
    assert card["decision"]["rule"] == "finds at least 100 % of the defective, on 16 training images"
    # Crops of the very size that the network reads are resized like all others, here to 35 of which it sees 32.
    assert (card["input"]["side"], card["input"]["margin"]) == (IMAGE_SIZE, pytest.approx(32 * 1.5 / 35))
    assert (card["input"]["window"], card["input"]["pixel_mm"]) == ([0.0, 1.5], 0.4)


@pytest.mark.slow
def test_quantisation_aware_training(source, crops, tmp_path):
    from wool_tf.deploy.qat.launch import QatConfig

    (card,), said = made(source, tmp_path, "qat", qat=QatConfig(epochs=1))
    assert any(line.startswith("qat: 100%, epoch 1/1") for line in said)
    assert (card["precision"], card["metrics"]["images"]) == ("qat", 8)
    _, called, labels = trained_networks.seen(tmp_path / "net-qat.tflite", crops)
    assert card["metrics"]["accuracy"] == pytest.approx((called == labels)[HELD_OUT].mean())


@pytest.mark.parametrize(
    ("precisions", "others", "message"),
    [
        (("fp32", "int4"), {}, "^precisions=fp32,int4: must be of fp32, fp16, dynamic, int8, int8-float-io, qat$"),
        ((), {}, "^precisions=: must be of"),
        (("int8", "int8"), {}, "^precisions=int8,int8: name each once$"),
        (("fp32",), {"c_array": True}, "^c_array: is for int8 and qat; add one of them to the precisions fp32$"),
    ],
)
def test_orders_that_cannot_be_met_are_refused(precisions, others, message, source, tmp_path):
    with pytest.raises(WoolError, match=message):
        made(source, tmp_path, *precisions, **others)


def test_the_folder_of_the_network_is_refused(source):
    with pytest.raises(WoolError, match="^out=.*: is the network's folder, .*; give another$"):
        made(source, source.network.parent / ".", "fp32")


def test_defaults_are_those_of_the_library():
    from wool_tf.deploy import calibration_set
    from wool_tf.deploy.qat.launch import QatConfig
    from wool_tf.evaluation.thresholds import COST_RATIO

    told = " ".join(scripts.check("convert.py", "--help").stdout.split())
    course = {f"qat_{name}": getattr(QatConfig(), name) for name in ("epochs", "batch_size", "learning_rate")}
    for name, default in (course | {"calibration_images": calibration_set.IMAGES}).items():
        assert re.search(rf"--{name}: (?:(?!--).)*\(default: '{default}'\)", told)
    for script in ("convert.py", "reproduce.py"):
        assert f"a miss costs; default: {COST_RATIO:g}." in " ".join(scripts.check(script, "--help").stdout.split())
    told = " ".join(scripts.check("prune_kfold.py", "--help").stdout.split())
    assert re.search(rf"--cost_ratio: (?:(?!--).)*\(default: '{COST_RATIO}'\)", told)


NEEDED = ("--network=a.safetensors", "--data=b", "--out=c")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (NEEDED[:2], "--out: is required"),
        ((*NEEDED, "--fold=0"), "--folds_file and --fold go together; give both"),
        ((*NEEDED, "--folds_file=f.json"), "--folds_file and --fold go together; give both"),
        ((*NEEDED, "--cost_ratio=2", "--threshold=0.5"), "--threshold and --cost_ratio: both choose the threshold"),
        ((*NEEDED, "--cost_ratio=0"), "--cost_ratio=0: must be above 0 and finite"),
        ((*NEEDED, "--required_recall=2"), "--required_recall=2: must be above 0 and at most 1"),
        ((*NEEDED, "--calibration_images=1"), "--calibration_images=1"),
        ((*NEEDED, "--qat_epochs=-1"), "--qat_epochs=-1"),
        (NEEDED, "--network=a.safetensors: no such file; give a file"),
        ((f"--network={__file__}", "--data=.", "--out=c"), "--out=c: must not lie in --data=., which is read"),
        ((*NEEDED, "d"), "'d': this script takes flags only"),
    ],
)
def test_wrong_flags_get_one_line(flags, said, tmp_path):
    assert said in scripts.refusal("convert.py", *flags, cwd=tmp_path)
    assert not list(tmp_path.iterdir())
