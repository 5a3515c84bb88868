import dataclasses
import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from board_crops import SIDE, crops
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import card_sample
from card_sample import with_input
from wool_board.errors import WoolError
from wool_board.model import card_file
from wool_board.model.card import typed
from wool_board.model.recognizer import Recognition, Recognizer

SEEN = crops(30, seed=7)
FIXTURES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def parts(path: Path) -> tuple[bytes, dict]:
    """A board model taken apart with nothing of the project: the TFLite file and its card."""
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        card = json.loads(archive.read("card.json"))
    return content[: card["model"]["bytes"]], card


def put_together(path: Path, tflite: bytes, said: str) -> Path:
    """A board model with any text for a card."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("card.json", said)
    path.write_bytes(tflite + file.getvalue())
    return path


@pytest.mark.parametrize("name", ["int8", "int8-heatmap", "fp32-heatmap"])
def test_scores_are_the_softmax_of_the_second_logit(name, board_models):
    from ai_edge_litert.interpreter import Interpreter

    recognizer, signature = Recognizer(board_models[name]), Interpreter(str(board_models[name])).get_signature_runner()
    (image,), logits = signature.get_input_details().values(), signature.get_output_details()["logits"]
    scale, zero_point = logits["quantization"]
    for crop in SEEN[:5]:
        given = crop.reshape(1, SIDE, SIDE, 1).astype(image["dtype"])
        values = (signature(image=given)["logits"][0].astype(float) - zero_point) * (scale or 1)
        exponentials = np.exp(values - values.max())
        score = recognizer.recognize(crop).score
        assert score == pytest.approx(exponentials[1] / exponentials.sum(), rel=1e-9)


@pytest.mark.parametrize("heatmap_first", [True, False])
def test_outputs_without_names_are_told_by_their_shapes(heatmap_first, board_model, tmp_path):
    import hashlib

    import tensorflow as tf

    from wool_tf.quiet import quiet

    def function(image):
        cells = tf.nn.avg_pool2d(image, SIDE // 2, SIDE // 2, "VALID") / 255.0
        logits = tf.stack([0.0 * cells[:, 0, 0, 0], cells[:, 0, 0, 0]], axis=1)
        return (cells, logits) if heatmap_first else (logits, cells)

    with quiet():
        traced = tf.function(function, [tf.TensorSpec((1, SIDE, SIDE, 1), tf.float32)]).get_concrete_function()
        tflite = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    _, card = parts(board_model)
    card["model"] = {"bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}
    recognizer = Recognizer(put_together(tmp_path / "a.tflite", tflite, json.dumps(card)))
    assert recognizer.heatmap_shape == (2, 2)
    found = recognizer.recognize(SEEN[0])
    half = SIDE // 2
    corner = SEEN[0][:half, :half].mean() / 255
    assert found.score == pytest.approx(1 / (1 + math.exp(-corner)), rel=1e-5)
    assert found.heatmap[0, 0] == pytest.approx(corner, rel=1e-5)


@pytest.mark.parametrize("name", ["int8", "int8-heatmap", "fp32-heatmap"])
def test_scores_are_those_of_the_library(name, board_models):
    from wool_tf.deploy import tflite_scores

    path = board_models[name]
    recognizer = Recognizer(path)
    results = [recognizer.recognize(crop) for crop in SEEN]
    np.testing.assert_array_equal([result.score for result in results], tflite_scores.predict(path.read_bytes(), SEEN))
    assert {result.defective for result in results} == {True, False}


def test_the_very_threshold_is_defective(board_model, tmp_path):
    tflite, card = parts(board_model)
    score = Recognizer(board_model).recognize(SEEN[0]).score
    for threshold, defective in ((score, True), (math.nextafter(score, 2), False)):
        card["decision"]["threshold"] = threshold
        changed = Recognizer(put_together(tmp_path / "a.tflite", tflite, json.dumps(card)))
        assert changed.threshold == threshold
        assert changed.recognize(SEEN[0]).defective is defective


def test_says_what_its_card_says(board_model, heatmap_model):
    recognizer = Recognizer(board_model)
    _, card = parts(board_model)
    assert recognizer.card == card_file.read(board_model) == typed(card)
    assert json.loads(json.dumps(dataclasses.asdict(recognizer.card))) == card
    # 96 pixels are cut out of 105, to which 110 are resized.
    assert (recognizer.side, recognizer.margin) == (SIDE, pytest.approx((110 - 110 * 96 / 105) / 2))
    assert recognizer.threshold == card["decision"]["threshold"]
    assert recognizer.heatmap_shape is None and Recognizer(heatmap_model).heatmap_shape == (3, 3)
    assert recognizer.recognize(SEEN[0]).heatmap is None


@pytest.mark.parametrize(("name", "tolerance"), [("fp32-heatmap", 1e-3), ("int8-heatmap", 0.6)])
def test_the_mean_of_the_heatmap_is_the_margin(name, tolerance, board_models):
    recognizer = Recognizer(board_models[name])
    for crop in SEEN[:10]:
        score, _, cells = recognizer.recognize(crop)
        assert (cells.shape, cells.dtype) == ((3, 3), np.float32)
        assert cells.mean() == pytest.approx(math.log(score / (1 - score)), abs=tolerance)


@pytest.mark.parametrize("name", ["fp32-heatmap", "int8-heatmap"])
def test_cells_are_those_of_the_second_output(name, board_models):
    from ai_edge_litert.interpreter import Interpreter

    opened = Interpreter(model_path=str(board_models[name]))
    opened.allocate_tensors()
    image, outputs = opened.get_input_details()[0], opened.get_output_details()
    opened.set_tensor(image["index"], SEEN[0].reshape(1, SIDE, SIDE, 1).astype(image["dtype"]))
    opened.invoke()
    (cells,) = (output for output in outputs if output["shape"].tolist() == [1, 3, 3, 1])
    scale, zero_point = cells["quantization"]
    expected = (opened.get_tensor(cells["index"]).astype(float) - zero_point) * (scale or 1)
    found = Recognizer(board_models[name]).recognize(SEEN[0]).heatmap
    np.testing.assert_allclose(found, expected.reshape(3, 3), rtol=1e-6)


def test_two_threads_say_the_same(board_model):
    one, two = Recognizer(board_model), Recognizer(board_model, threads=2)
    assert [one.recognize(crop) for crop in SEEN] == [two.recognize(crop) for crop in SEEN]


def test_reads_tiles_of_a_larger_picture(board_model):
    recognizer = Recognizer(board_model)
    strip = np.zeros((3 * SIDE, 2 * SIDE), np.uint8)
    strip[7 : 7 + SIDE, 5 : 5 + SIDE] = SEEN[3]
    assert recognizer.recognize(strip[7 : 7 + SIDE, 5 : 5 + SIDE]) == recognizer.recognize(SEEN[3])
    assert isinstance(recognizer.recognize(SEEN[3]), Recognition)


@pytest.mark.parametrize("pixels", [SEEN[0][:-1], SEEN[0][np.newaxis], SEEN[0].astype(np.float32), SEEN[0][:, :1]])
def test_other_pixels_are_a_mistake_of_the_caller(pixels, board_model):
    with pytest.raises(ValueError, match=r"pixels: must be \(110, 110\) of uint8, got"):
        Recognizer(board_model).recognize(pixels)


def test_says_nothing_when_it_loads(board_model, capfd):
    Recognizer(board_model).recognize(SEEN[0])
    assert capfd.readouterr() == ("", "")


def test_a_card_tells_of_any_changed_byte_of_the_model(board_model, tmp_path):
    content = board_model.read_bytes()
    size = parts(board_model)[1]["model"]["bytes"]

    @FIXTURES
    @given(st.integers(8, size - 1), st.integers(1, 255))
    def check(place, difference):
        changed = bytearray(content)
        changed[place] ^= difference
        (tmp_path / "a.tflite").write_bytes(changed)
        with pytest.raises(WoolError, match="is not the model that its card describes"):
            Recognizer(tmp_path / "a.tflite")

    check()


def damage(content: bytes, write) -> Path | None:
    """What is wrong with changed bytes, in a line, or None."""
    try:
        write(content)
    except WoolError as error:
        assert len(str(error).splitlines()) == 1
        return str(error)
    return None


def test_no_damage_of_the_card_is_more_than_a_line(board_model, tmp_path):
    content = board_model.read_bytes()
    size, card = parts(board_model)[1]["model"]["bytes"], card_file.read(board_model)
    path = tmp_path / "a.tflite"

    def reads_the_same(changed):
        path.write_bytes(changed)
        assert card_file.read(path) == card

    @FIXTURES
    @given(st.integers(size, len(content) - 1), st.integers(1, 255))
    def flipped(place, difference):
        changed = bytearray(content)
        changed[place] ^= difference
        damage(bytes(changed), reads_the_same)

    @FIXTURES
    @given(st.integers(0, len(content) - 1))
    @example(size)
    @example(len(content) - 1)
    def cut(length):
        assert damage(content[:length], reads_the_same)

    @FIXTURES
    @given(st.binary(min_size=1, max_size=40))
    def longer(rest):
        damage(content + rest, reads_the_same)

    @FIXTURES
    @given(st.binary(min_size=1, max_size=40))
    def moved(rest):
        assert damage(content[:size] + rest + content[size:], reads_the_same)

    for check in (flipped, cut, longer, moved):
        check()


BAD_SIDES = (0, -110, True, 110.0, 10**9, None, [110])
TOO_LARGE = 10**400
"""A whole number that no float holds."""

BAD_MARGINS = (TOO_LARGE, "2", True, -1, math.nan, math.inf, 54.5, None, [2])
BAD_WINDOWS = ([0, TOO_LARGE], [0, 0], [1, 0], [0, math.nan], [0, "1"], [0], [0, 1, 2], "01", 1, [True, 2], {"0": 1})
BAD_LENGTHS = (TOO_LARGE, 0, -0.8, math.nan, math.inf, "0.8", True, 1e9, 1e-4, [0.8])
BAD_THRESHOLDS = (TOO_LARGE, 1.5, True, "0.5", math.inf, 2, None, [0.5])


def with_threshold(threshold: object) -> dict:
    return {"decision": card_sample.DOCUMENT["decision"] | {"threshold": threshold}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "its card must be of format 1, got '2'; update these programs"),
        ({"format": None}, "its card must be of format 1, got 'None'"),
        (with_input(side=48), "its network does not fit its card"),
        (with_input(side="110"), r"its card is damaged \(input.side\)"),
        (with_input(side=110, margin=55), r"its card is damaged \(input.margin\)"),
        ({"input": {"side": 110}}, r"its card is damaged \(input.margin\)"),
        (with_threshold(-0.1), r"its card is damaged \(decision.threshold\)"),
        (with_threshold(math.nan), r"its card is damaged \(decision.threshold\)"),
        ({"decision": 0.5}, r"its card is damaged \(decision.threshold\)"),
        ({"labels": ["good", 1]}, r"its card is damaged \(labels\)"),
        ({"labels": ["a", "b", "c"]}, r"its card is damaged \(labels\)"),
        ({"model": {"bytes": 5, "sha256": "0" * 64}}, r"its card is damaged \(model.bytes\)"),
        ({"model": {}}, r"its card is damaged \(model.bytes\)"),
        ({"model": {"bytes": True, "sha256": "0" * 64}}, r"its card is damaged \(model.bytes\)"),
        ({"model": {"bytes": 5, "sha256": "0"}}, r"its card is damaged \(model.sha256\)"),
        ({"model": {"bytes": 5, "sha256": 0}}, r"its card is damaged \(model.sha256\)"),
        *((with_input(side=side), r"its card is damaged \(input.side\)") for side in BAD_SIDES),
        *((with_input(side=110, margin=one), r"its card is damaged \(input.margin\)") for one in BAD_MARGINS),
        *((with_input(window=one), r"its card is damaged \(input.window\)") for one in BAD_WINDOWS),
        *((with_input(pixel_mm=one), r"its card is damaged \(input.pixel_mm\)") for one in BAD_LENGTHS),
        *((with_threshold(one), r"its card is damaged \(decision.threshold\)") for one in BAD_THRESHOLDS),
        ({"precision": 8}, r"its card is damaged \(precision\)"),
        ({"metrics": [1]}, r"its card is damaged \(metrics\)"),
        ({"heatmap": [3]}, r"its card is damaged \(heatmap\)"),
        ({"network": {"params": 1}}, r"its card is damaged \(network.spec\)"),
        ({"training": {"fingerprint": "", "images": -1}}, r"its card is damaged \(training.images\)"),
        ({"colour": 1}, r"its card is damaged \('colour' is unknown: mistyped, or of newer programs\)"),
        (with_input(sides=110), r"its card is damaged \('input.sides' is unknown: mistyped"),
        ({"input": None}, r"its card is damaged \(input.side\)"),
    ],
)
def test_cards_that_do_not_fit(change, message, board_model, tmp_path):
    tflite, card = parts(board_model)
    path = put_together(tmp_path / "a.tflite", tflite, json.dumps(card | change))
    with pytest.raises(WoolError, match=message) as raised:
        Recognizer(path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("said", ["[]", "null", "{", "\xff", "[1" * 5000])
def test_cards_that_are_none(said, board_model, tmp_path):
    tflite, _ = parts(board_model)
    with pytest.raises(WoolError, match="its card"):
        card_file.read(put_together(tmp_path / "a.tflite", tflite, said))


def test_files_that_are_no_board_model(board_model, tmp_path):
    tflite, card = parts(board_model)
    bare, text, other = tmp_path / "bare.tflite", tmp_path / "text.tflite", tmp_path / "other.tflite"
    bare.write_bytes(tflite)
    text.write_text("a text that is no model\n")
    file = io.BytesIO(tflite)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.txt", "good\nbad\n")
    other.write_bytes(file.getvalue())
    for path, message in (
        (tmp_path / "missing.tflite", r"cannot be read \(No such file or directory\)"),
        (tmp_path, r"cannot be read \(Is a directory\)"),
        (text, "not a TFLite file"),
        (bare, "has no card; take a whole copy of a file that convert.py made"),
        (other, "its card is damaged"),
    ):
        with pytest.raises(WoolError, match=message):
            card_file.read(path)
    assert card["format"] == 1


def test_a_model_that_does_not_run(board_model, tmp_path):
    import hashlib

    _, card = parts(board_model)
    junk = b"\x1c\0\0\0TFL3" + bytes(100)
    card["model"] = {"bytes": len(junk), "sha256": hashlib.sha256(junk).hexdigest()}
    with pytest.raises(WoolError, match="cannot be run"):
        Recognizer(put_together(tmp_path / "a.tflite", junk, json.dumps(card)))
