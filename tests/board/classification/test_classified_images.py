"""Which images tflite/classify.py reads, and as which pixels: variants of formats, sizes, and ranges of 16 bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from board_crops import SIDE
from classify_runs import IMAGE_VARIANTS, SEEN, bad_files, expected, records, run, save
from PIL import Image

import card_sample
import image_formats
from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_board.model.recognizer import Recognizer


def variants(folder: Path) -> list[Path]:
    """A picture in many kinds of files, good and bad."""
    rng = np.random.default_rng(3)
    deep = rng.integers(0, 65536, (SIDE, SIDE)).astype(np.uint16)
    colour = rng.integers(0, 256, (130, 131, 3)).astype(np.uint8)
    folder.mkdir()
    grey, tinted = Image.fromarray(SEEN[0]), Image.fromarray(colour)
    saved = {
        "grey.png": (grey, {}),
        "deep.png": (Image.fromarray(deep), {}),
        "deep.tif": (Image.fromarray(deep), {}),
        "large16.tif": (Image.fromarray(np.kron(deep, np.ones((2, 2), np.uint16))), {}),
        "big-endian.tif": (Image.frombytes("I;16B", (SIDE, SIDE), deep.byteswap().tobytes()), {}),
        "colour.png": (tinted, {}),
        "colour.jpg": (tinted, {"quality": 60}),
        "palette.png": (tinted.quantize(16), {}),
        "alpha.png": (tinted.convert("RGBA"), {}),
        "grey-alpha.png": (grey.convert("LA"), {}),
        "bits.png": (grey.convert("1"), {}),
        "cmyk.tif": (tinted.convert("CMYK"), {}),
        "lzw.tif": (grey, {"compression": "tiff_lzw"}),
        "inverted.tif": (grey, {"tiffinfo": {262: 0}}),
        "inverted16.tif": (Image.fromarray(deep), {"tiffinfo": {262: 0}}),
        "oblong-but-square-enough.png": (tinted.resize((100, 98)), {}),
        "oblong.png": (tinted.resize((100, 97)), {}),
        "tiny.png": (grey.resize((1, 1)), {}),
    }
    for name, (image, options) in saved.items():
        image.save(folder / name, **options)
    bad_files(folder)
    return [path for path in sorted(folder.iterdir()) if path.exists() and not path.is_fifo()]


def by_hand(path: Path) -> np.ndarray:
    """The pixels of a file that can be used: grey of 8 bits, then resized."""
    with Image.open(path) as image:
        if image.mode.startswith("I;16"):
            image = Image.fromarray(np.rint(np.asarray(image).astype(float) / 257).astype(np.uint8))
        return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def test_every_kind_of_image_becomes_grey_or_is_refused_with_its_reason(tmp_path):
    reasons = bad_files(tmp_path / "bad") | {
        "inverted16.tif": "counts white as zero; save it with black as zero",
        "cmyk.tif": "has colours of type 5 (photometric interpretation); save it as grey",
    }
    usable = 0
    for path in variants(tmp_path / "in"):
        if path.name in reasons:
            with pytest.raises(BadFile) as refused:
                decoding.read(path, SIDE)
            assert str(refused.value).startswith(reasons[path.name])
        else:
            np.testing.assert_array_equal(decoding.read(path, SIDE).pixels, by_hand(path))
            usable += 1
    assert usable > 12


def test_variants_of_formats_are_read_or_refused_by_the_program(board_model, tmp_path):
    cases = {case.name: case for case in image_formats.matrix() if case.name in IMAGE_VARIANTS}
    assert len(cases) == len(IMAGE_VARIANTS)
    image_formats.write(cases.values(), tmp_path)
    finished = run(board_model, tmp_path, "--json")
    found = {Path(record["file"]).name: record["score"] for record in records(finished)}
    read = sorted(name for name, case in cases.items() if case.crop)
    assert sorted(found) == read and len(read) == 5
    size = SIDE, SIDE
    right = np.stack([Image.fromarray(cases[name].shown).resize(size, Image.Resampling.LANCZOS) for name in read])
    assert [found[name] for name in read] == expected(board_model, right)
    told = [line for line in finished.stderr.splitlines() if "the model's card does not say how many are used" in line]
    assert len(told) == 1, "of all images of 16 bits, the first one"
    others = (line for line in finished.stderr.splitlines() if line not in told)
    lines = dict(line.removeprefix(f"classify.py: {tmp_path}/").split(": ", 1) for line in others)
    assert set(lines) == set(cases) - set(read)
    for name, reason in lines.items():
        with pytest.raises(BadFile) as refused:
            decoding.read(tmp_path / name, SIDE)
        assert reason == str(refused.value)


def test_an_image_of_another_size_is_resized_and_marked(board_model, tmp_path):
    large = save(tmp_path / "large.png", np.kron(SEEN[1], np.ones((2, 2), np.uint8)))
    exact = save(tmp_path / "exact.png", SEEN[1])
    resized = np.asarray(Image.open(large).resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    finished = run(board_model, large, exact, "--json")
    assert [record["resized"] for record in records(finished)] == [True, False]
    assert [record["score"] for record in records(finished)] == expected(board_model, np.stack([resized, SEEN[1]]))
    assert [line.endswith("  resized") for line in run(board_model, large, exact).stdout.splitlines()] == [True, False]


def test_16_bit_crops_are_read_with_the_white_of_the_card(board_model, tmp_path):
    content = board_model.read_bytes()
    tflite = content[: Recognizer(board_model).card.model.bytes]
    folder = tmp_path / "crops"
    for number, pixels in enumerate(SEEN):
        # 4095 counts are 255 levels, so that each level is a count that becomes this level again.
        counts = np.rint(pixels * (4095 / 255)).astype(np.uint16)
        folder.mkdir(exist_ok=True)
        Image.fromarray(counts).save(folder / f"{number:02}.png")
    found: list[list[float]] = []
    # A card of before had bits, and one of before them means all 16.
    for said in ({"white": 4095}, {"bits": 12}, {"white": 65535}, {}):
        card = dataclasses.asdict(Recognizer(board_model).card)
        del card["input"]["white"]
        card["input"] |= said
        model = tmp_path / f"{len(found)}.tflite"
        model.write_bytes(card_sample.attached(tflite, **card))
        found.append([record["score"] for record in records(run(model, folder, "--json"))])
    assert found[0] == found[1] == expected(board_model)
    assert found[2] == found[3] != found[0]
    save(folder / "13.png", np.full((SIDE, SIDE), 4096, np.uint16))
    finished = run(tmp_path / "0.tflite", folder / "13.png")
    assert finished.returncode == 1 and "13.png: has values up to 4096, beyond 4095" in finished.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("bits", 7), ("bits", 12.0), ("bits", "12"), ("white", 254), ("white", 65536), ("white", 3900.0)],
)
def test_a_range_that_no_card_has_is_damage(board_model, tmp_path, name, value):
    card = dataclasses.asdict(Recognizer(board_model).card)
    tflite = board_model.read_bytes()[: card["model"]["bytes"]]
    card["input"][name] = value
    (tmp_path / "model.tflite").write_bytes(card_sample.attached(tflite, **card))
    finished = run(tmp_path / "model.tflite", tmp_path)
    assert finished.returncode == 1 and f"its card is damaged (input.{name})" in finished.stderr
