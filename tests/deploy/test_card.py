import dataclasses
import hashlib
import io
import json
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
from deploy_networks import network, scenes

from wool_board.model.card import Card
from wool_tf.data.imaging import Imaging
from wool_tf.deploy import card, runtime
from wool_tf.deploy.tflite_file import convert
from wool_tf.errors import WoolError
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec

SIDE = 48
FACTS = {
    "threshold": 0.25,
    "rule": "a miss costs as much as 3 false alarms, on 430 training images",
    "float_threshold": 0.375,
}
TRAINING = {"fingerprint": "ab" * 32, "images": 430}
NONE = "not a TFLite file"


@pytest.fixture(scope="module")
def model():
    spec = ResNetSpec.full(18, 2, (32, 32, 1))
    return network(spec.resized({group: 3 for group in spec.by_group()}))


@pytest.fixture(scope="module")
def tflite(model) -> bytes:
    return convert(model, "int8", scenes(4, SIDE, seed=0), SIDE, heatmap=True)


@pytest.fixture(scope="module")
def made(model, tflite) -> Card:
    imaging = Imaging(SIDE, (0.0, 1.071), 0.8, white=3900)
    arrays, metrics = weights.read(model), {"images": 48, "accuracy": 0.875, "recall": None}
    return card.make(tflite, "int8", model.spec, arrays, imaging=imaging, metrics=metrics, **FACTS, **TRAINING)


@pytest.fixture
def file(tflite, made) -> bytes:
    return card.attach(tflite, made)


def logits(opened) -> np.ndarray:
    image = opened.get_input_details()[0]
    opened.set_tensor(image["index"], scenes(1, SIDE, seed=5)[..., np.newaxis])
    opened.invoke()
    return opened.get_tensor(runtime.outputs(opened)[0]["index"])


def test_says_what_the_file_is(model, made):
    assert made.labels == ("non_defective", "defective")
    assert dataclasses.asdict(made.decision) == FACTS
    # 32 pixels are the middle of 35, and these stand for all 48.
    expected = {"side": 48, "margin": pytest.approx(48 * 3 / 35 / 2), "pixels": "grey, 255 is air"}
    assert dataclasses.asdict(made.input) == expected | {"window": (0.0, 1.071), "pixel_mm": 0.8, "white": 3900}
    assert made.heatmap == (1, 1)
    assert ResNetSpec.from_config(made.network.spec) == model.spec
    trainable = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert made.network.params == trainable
    assert dataclasses.asdict(made.training) == TRAINING
    assert made.metrics == {"images": 48, "accuracy": 0.875, "recall": None}
    assert {"wool_tf", "python", "tensorflow", "keras"} <= set(made.environment)


def test_says_null_of_what_is_not_known(model):
    tflite = convert(model, "fp32")
    arrays = weights.read(model)
    made = card.make(tflite, "fp32", model.spec, arrays, imaging=Imaging(35), **FACTS, **TRAINING)
    unknown = {"window": None, "pixel_mm": None, "white": None}
    expected = {"side": 35, "margin": 1.5, "pixels": "grey, 255 is air"} | unknown
    assert dataclasses.asdict(made.input) == expected
    assert made.heatmap is None and made.metrics is None


def test_the_digest_of_the_weights_is_of_their_values(model):
    arrays = weights.read(model)
    digest = card.weights_sha256(model.spec, arrays)
    assert len(digest) == 64
    assert card.weights_sha256(model.spec, dict(reversed(arrays.items()))) == digest
    arrays["fc.bias"] = np.nextafter(arrays["fc.bias"], np.float32(9))
    assert card.weights_sha256(model.spec, arrays) != digest


def test_comes_back_with_the_digest_of_the_model(file, made, tflite):
    assert (made.model.bytes, made.model.sha256) == (len(tflite), hashlib.sha256(tflite).hexdigest())
    assert card.read(file) == made
    assert file[: len(tflite)] == tflite


def test_quantiles_of_scores_are_scores_that_were_given():
    labels = np.array([0] * 1001 + [1] * 3)
    scores = np.concatenate([np.arange(1001) / 1000, [0.9, 0.7, 0.8000004]]).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(labels))
    found = card.score_quantiles(labels[order], scores[order])
    # Of 1001 scores 0 to 1, the one that k % are not above.
    assert found["non_defective"] == pytest.approx(
        [max(0, np.ceil(10.01 * k) - 1) / 1000 for k in range(101)], abs=1e-6
    )
    assert (found["defective"][0], found["defective"][50], found["defective"][100]) == (0.7, 0.8, 0.9)
    assert set(found["defective"]) == {0.7, 0.8, 0.9}
    assert card.score_quantiles(labels[:5], scores[:5])["defective"] is None


def test_the_board_reads_what_is_said_of_held_out_images(model, tflite):
    labels, scores = np.array([0, 0, 0, 1, 1]), np.array([0.1, 0.2, 0.7, 0.4, 0.9])
    metrics = {"confusion": ((2, 1), (1, 1)), "score_quantiles": card.score_quantiles(labels, scores)}
    imaging, arrays = Imaging(SIDE, (0.0, 1.071), 0.8), weights.read(model)
    about = card.make(tflite, "int8", model.spec, arrays, imaging=imaging, metrics=metrics, **FACTS, **TRAINING)
    found = card.read(card.attach(tflite, about)).held_out
    assert found["confusion"] == [[2, 1], [1, 1]]
    assert len(found["score_quantiles"]) == 101 and set(found["score_quantiles"]) == {0.1, 0.2, 0.7}


def test_any_zip_reader_finds_it(file, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(file)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["card.json"]
        assert archive.testzip() is None
        found = json.loads(archive.read("card.json"))
    assert found == json.loads(card.text(card.read(file)))
    if shutil.which("unzip"):
        finished = subprocess.run(["unzip", "-p", path, "card.json"], capture_output=True, check=True)
        assert json.loads(finished.stdout) == found
        assert finished.stderr == b""


def test_the_same_card_gives_the_same_bytes(tflite, made, file):
    assert card.attach(tflite, card.read(file)) == file


def test_interpreters_do_not_see_it(file, tflite, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "model.tflite"
    path.write_bytes(file)
    expected = logits(runtime.interpreter(tflite))
    for opened in (Interpreter(model_path=str(path)), Interpreter(model_content=file), runtime.interpreter(file)):
        opened.allocate_tensors()
        np.testing.assert_array_equal(logits(opened), expected)


def test_an_edited_threshold_is_read(file, tflite):
    """As `zip model.tflite card.json` leaves it: the user's decision, not damage."""
    edited = dataclasses.asdict(card.read(file))
    edited["decision"]["threshold"] = 0.125
    stream = io.BytesIO(tflite)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", json.dumps(edited))
    assert card.read(stream.getvalue()).decision.threshold == 0.125


def test_refuses_a_model_without_a_card(tflite):
    for bare, said in ((tflite, "has no card; take a whole copy of"), (b"", NONE), (b"no model", NONE)):
        with pytest.raises(WoolError, match=f"^it.tflite: {said}"):
            card.read(bare, "it.tflite")


@pytest.mark.parametrize("lost", [1, 30, 500])
def test_refuses_a_truncated_file(file, lost):
    with pytest.raises(WoolError, match=r"^model: (has no card|its card is damaged \([^\n]+\)); [^\n]+$"):
        card.read(file[:-lost])


@pytest.mark.parametrize("place", [100, 5000, -2000])
def test_refuses_another_model_than_the_card_is_of(file, tflite, place):
    changed = bytearray(tflite)
    changed[place] ^= 1
    with pytest.raises(WoolError, match=r"^model: is not the model that its card describes \([^\n]+\); [^\n]+$"):
        card.read(bytes(changed) + file[len(tflite) :])
    with pytest.raises(WoolError, match=f"^model: {NONE}$"):
        card.read(file[7:])
    with pytest.raises(WoolError, match="^model: (is not the model that its card describes|its card is damaged)"):
        card.read(file[:8] + file[15:])


def test_refuses_a_changed_card(file):
    with pytest.raises(WoolError, match=r"^model: its card is damaged \(Bad CRC-32 [^\n]+\); [^\n]+$"):
        card.read(file.replace(b'"threshold": 0.25', b'"threshold": 0.95'))


@pytest.mark.parametrize(
    ("content", "found"),
    [({"format": 2}, "'2'"), ({}, "'None'"), (["format"], "\"\\['format'\\]\""), ("card", "'card'")],
)
def test_refuses_another_format(tflite, content, found):
    stream = io.BytesIO(tflite)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("card.json", json.dumps(content))
    with pytest.raises(WoolError, match=f"^model: its card must be of format 1, got {found}; [^\n]+$"):
        card.read(stream.getvalue())


def test_refuses_archives_with_something_else(tflite):
    for names in (["other.json"], ["card.json", "other.json"]):
        stream = io.BytesIO(tflite)
        stream.seek(0, io.SEEK_END)
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(name, "{}")
        with pytest.raises(
            WoolError, match=r"^model: its card is damaged \(card.json must be the only [^\n]+\); [^\n]+$"
        ):
            card.read(stream.getvalue())


def test_the_card_is_strict_json(tflite, made):
    with pytest.raises(ValueError):
        card.attach(tflite, dataclasses.replace(made, metrics={"auc": float("nan")}))
