"""experiments/verify.py as a user runs it, and the job behind it."""

import dataclasses
import json
import shutil

import msgspec
import numpy as np
import pytest
import trained_networks
from PIL import Image
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from trained_networks import HELD_OUT

import scripts
from wool_tf.data.crop_reading import CropReading
from wool_tf.deploy import conversion, verification
from wool_tf.deploy.conversion import ConversionRequest
from wool_tf.deploy.trained_network import Held, NetworkSource
from wool_tf.deploy.verification import (
    Bounds,
    MetricsAt,
    Verification,
    VerifiedFile,
    VerifiedImages,
    VerifiedNetwork,
)
from wool_tf.errors import BadSetting, WoolError
from wool_tf.evaluation.thresholds import ThresholdRule


@pytest.fixture(scope="module")
def source(tmp_path_factory, trained, crops):
    folder = tmp_path_factory.mktemp("network")
    shutil.copy(trained, folder)
    trained_networks.write_folds(folder / "folds.json")
    return NetworkSource(folder / "net.safetensors", crops, held=Held(folder / "folds.json", 0, 0))


@pytest.fixture(scope="module")
def models(source, tmp_path_factory):
    """An fp32 file and an int8 file that decide at a threshold of their own."""
    order = ConversionRequest(tmp_path_factory.mktemp("board"), ("fp32", "int8"), ThresholdRule(threshold=0.4))
    return conversion.run(source, order)


def flags(source, models, *others):
    paths = f"--models={','.join(map(str, models))}"
    held = (f"--folds_file={source.held.folds_file}", f"--fold={source.held.fold}")
    return f"--network={source.network}", f"--data={source.data}", paths, *held, *others


@pytest.fixture(scope="module")
def ran(source, models, tmp_path_factory):
    out = tmp_path_factory.mktemp("said") / "found.json"
    finished = scripts.run(
        "verify.py",
        *flags(source, models, "--max_accuracy_drop=100", "--max_auc_drop=1", "--min_agreement=0", f"--json={out}"),
    )
    return finished, out


@pytest.fixture(scope="module")
def document(ran):
    finished, out = ran
    assert (finished.returncode, finished.stderr) == (0, "")
    return json.loads(out.read_text())


def test_the_figures_are_those_of_the_scores(document, source, models):
    from wool_tf.deploy import tflite_scores
    from wool_tf.deploy.trained_network import opened

    labels = trained_networks.labelled(source.data)[1][HELD_OUT]
    by_float = opened(source, source.network.parent / "cache").scores(np.array(HELD_OUT))
    assert document["data"] == {"folder": str(source.data), "images": 8, "defective": 4, "held_out": True}
    assert document["float"]["threshold"] == 0.5
    assert document["float"]["accuracy"] == pytest.approx(accuracy_score(labels, by_float >= 0.5))
    for path, row in zip(models, document["models"], strict=True):
        scores, called, _ = trained_networks.seen(path, source.data)
        scores, called = scores[HELD_OUT], called[HELD_OUT]
        assert (row["file"], row["bytes"]) == (str(path), path.stat().st_size)
        assert (row["threshold"], row["rule"]) == (0.4, "given")
        assert row["accuracy"] == pytest.approx(accuracy_score(labels, called))
        assert row["recall"] == pytest.approx(recall_score(labels, called))
        assert row["auc"] == pytest.approx(roc_auc_score(labels, scores.round(6)))
        assert row["agreement"] == pytest.approx((called == (by_float >= 0.4)).mean())
        assert row["mean_difference"] == pytest.approx(np.abs(scores - by_float).mean(), rel=1e-5, abs=1e-6)
        assert row["max_difference"] == pytest.approx(np.abs(scores - by_float).max(), rel=1e-5, abs=1e-6)
        assert row["float_by_rule"]["threshold"] == 0.4
        assert row["float_by_rule"]["recall"] == pytest.approx(recall_score(labels, by_float >= 0.4))
        assert row["accuracy_drop"] == pytest.approx(accuracy_score(labels, by_float >= 0.4) - row["accuracy"])
        images, _ = trained_networks.labelled(source.data)
        np.testing.assert_allclose(scores, tflite_scores.predict(path.read_bytes(), images, chosen=np.array(HELD_OUT)))


def test_the_table_has_both_thresholds(ran, document):
    lines = ran[0].stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("8 held-out images of "))
    assert lines[start].endswith(", 4 of them defective")
    header, by_float, *rows, _, first, second = lines[start + 2 :]
    assert (first, second) == ("threshold of net-fp32.tflite: given", "threshold of net-int8.tflite: given")
    assert header.split("  ")[0] == "file"
    assert by_float.startswith("net.safetensors, float in Keras") and " 0.5000 " in by_float
    assert [row.split()[0] for row in rows] == ["net-fp32.tflite", "float,", "net-int8.tflite", "float,"]
    assert all(" 0.4000 " in row for row in rows)
    for row, found in zip(rows[::2], document["models"], strict=True):
        assert f"{found['bytes']:,}" in row and f"{100 * found['accuracy']:.2f}" in row


def test_a_threshold_of_a_whole_run_is_said_to_be_chosen_on_these_images_too(document):
    read = msgspec.convert(document, Verification)
    assert "chosen on these images" not in verification.to_text(read)
    rule = "a miss costs as much as 1 false alarm, on 16 held-out images of all folds"
    of_run = dataclasses.replace(read, models=(dataclasses.replace(read.models[0], rule=rule), read.models[1]))
    assert verification.to_text(of_run).endswith(
        "\nnet-fp32.tflite: its threshold was chosen on these images, too, and both its lines are a little too good"
    )


def test_too_large_a_drop_is_one_line_and_status_1(source, models):
    finished = scripts.run("verify.py", *flags(source, models[1:], "--max_accuracy_drop=-101"))
    assert finished.returncode == 1
    assert "net-int8.tflite" in finished.stdout
    (line,) = finished.stderr.splitlines()
    assert line.startswith("error: --max_accuracy_drop")
    assert ": net-int8.tflite has an accuracy of " in line
    assert " points below the network's " in line
    assert line.endswith("one image of 8 is 12.50 points")


OTHERS = {"recall": 0.9, "precision": 0.9, "f1": 0.9, "average_precision": 0.9, "confusion": ((90, 10), (10, 90))}


def judged(name, accuracy=0.96, drop=0.0, auc=0.97, agreement=0.98):
    by_rule = MetricsAt(accuracy=accuracy + drop, threshold=0.5, auc=0.98, **OTHERS)
    return VerifiedFile(
        file=f"board/{name}.tflite", bytes=9, rule="given", threshold=0.25, accuracy=accuracy,
        auc=auc, agreement=agreement, mean_difference=0.1, max_difference=0.2, accuracy_drop=drop,
        float_by_rule=by_rule, **OTHERS,
    )  # fmt: skip


def verified(*rows):
    images = VerifiedImages("crops", 200, 100, True)
    network = VerifiedNetwork("net.safetensors", "ab" * 32)
    return Verification(network=network, data=images, float=rows[0].float_by_rule, models=rows, environment={})


def refusal(rows, bounds):
    with pytest.raises(BadSetting) as refused:
        verification.check(verified(*rows), bounds)
    return str(refused.value)


def test_what_leaves_the_bounds():
    rows = [judged("a", 0.955, 0.005), judged("b", 0.95, 0.01), judged("c", 0.97, -0.01)]
    verification.check(verified(*rows), Bounds(max_accuracy_drop=1.0))
    assert refusal(rows, Bounds(max_accuracy_drop=0.5)) == (
        "max_accuracy_drop: b.tflite has an accuracy of 95.00 % at 0.2500, 1.00 points below the network's 96.00 % at "
        "0.5000 (allowed: 0.5); one image of 200 is 0.50 points"
    )


def test_a_file_as_accurate_as_the_network_that_calls_other_images_defective_fails():
    assert refusal([judged("a", agreement=0.3)], Bounds()) == (
        "min_agreement: a.tflite calls 30.00 % of the images what the network calls them (at least: 95); "
        "one image of 200 is 0.50 points"
    )


def test_a_file_that_lost_the_order_of_the_images_fails():
    assert refusal([judged("a", auc=0.9), judged("b", auc=0.96)], Bounds()) == (
        "max_auc_drop: a.tflite has an AUC of 0.900, and the network 0.980 (allowed: 0.02 less); "
        "one image of 200 is 0.50 points"
    )


@pytest.mark.parametrize(("name", "missing"), [("defective", "non_defective"), ("non_defective", "defective")])
def test_images_of_one_class_are_one_line(name, missing, source, models, tmp_path):
    """Without both classes there is no area under the curve."""
    shutil.copytree(source.data / name, tmp_path / "crops" / name)
    (tmp_path / "crops" / missing).mkdir()
    rule = f"{tmp_path}/crops: no {missing} images; both classes are needed"
    with pytest.raises(WoolError) as refused:
        verification.run(dataclasses.replace(source, data=tmp_path / "crops", held=None), models[:1], 1)
    assert str(refused.value) == rule


def test_without_folds_all_images_are_judged_and_it_says_so(source, models):
    document = verification.run(dataclasses.replace(source, held=None), models[:1], 1)
    assert document.data == VerifiedImages(str(source.data), 16, 8, False)
    text = verification.to_text(document)
    assert text.startswith("16 images, which may have trained the network and its threshold, of ")
    advice = "give `folds_file` and `fold` of the run that trained it"
    assert text.splitlines()[-1].endswith(f"so all figures may be better than on new images: {advice}")


def test_a_file_whose_threshold_may_come_from_the_held_out_images_is_refused(source, tmp_path):
    order = ConversionRequest(tmp_path / "board", ("fp32",), ThresholdRule(cost_ratio=1.0))
    models = conversion.run(dataclasses.replace(source, held=None), order)
    message = r"^models=.*net-fp32.tflite: was made with 16 training images, as its card says, and fold 0 leaves 8"
    with pytest.raises(WoolError, match=message):
        verification.run(source, models, 1)
    assert verification.run(dataclasses.replace(source, held=None), models, 1)


def test_a_file_of_another_network_is_refused(source, models, crops, tmp_path):
    other = trained_networks.write_network(tmp_path / "other.safetensors", crops, seed=1)
    message = r"^models=.*net-fp32.tflite: was made of another network than .*other.safetensors, as its card says"
    with pytest.raises(WoolError, match=message):
        verification.run(dataclasses.replace(source, network=other), models[:1], 1)


def test_images_that_a_board_would_read_in_another_range_are_refused(source, tmp_path):
    for path in sorted(source.data.glob("*/*.png")):
        copy = tmp_path / "crops" / path.relative_to(source.data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 10).save(copy)
    own = dataclasses.replace(source, data=tmp_path / "crops", held=None, reading=CropReading(white=2000))
    model, *_ = conversion.run(own, ConversionRequest(tmp_path / "board", ("fp32",), ThresholdRule(threshold=0.4)))
    assert verification.run(own, [model], 1).models[0].agreement == 1
    for white, read in ((None, 4095), (2001, 2001)):
        with pytest.raises(BadSetting) as refused:
            verification.run(dataclasses.replace(own, reading=CropReading(white=white)), [model], 1)
        taken = f"{own.data} is read with {read} as its highest value, and a board with {model} takes 2000"
        assert str(refused.value) == f"white: {taken}; give `white`=2000, or convert the network with {read}"


def test_files_without_a_card_or_changed_ones_are_refused(source, models, tmp_path):
    content = models[0].read_bytes()
    size = json.loads(models[0].with_suffix(".json").read_text())["model"]["bytes"]
    for name, damaged in (("bare", content[:size]), ("changed", b"\1" + content[1:]), ("none", None)):
        if damaged is not None:
            (tmp_path / name).write_bytes(damaged)
        with pytest.raises(WoolError, match=rf"^(models=)?{tmp_path / name}: [^\n]+$"):
            verification.run(source, [tmp_path / name], 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--data=b", "--models=c"), "--network: is required"),
        (("--network=a", "--data=b"), "--models: is required"),
        (("--network=a", "--data=b", "--models="), "--models=: is empty; give one or more files"),
        (("--network=a", "--data=b", "--models=c", "--fold=1"), "--folds_file and --fold go together"),
        ((f"--network={__file__}", "--data=.", "--models=no.tflite"), "--models=no.tflite: no such file"),
        (("--network=no", "--data=.", "--models=c"), "--network=no: no such file; give a file"),
        (("--network=a", "--data=b", "--models=c", "--max_accuracy_drop=x"), "--max_accuracy_drop=x"),
    ],
)
def test_wrong_flags_get_one_line(given, said, tmp_path):
    assert said in scripts.refusal("verify.py", *given, cwd=tmp_path)
