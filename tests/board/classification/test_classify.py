"""tflite/classify.py on files and folders that are given to it."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from board_crops import SIDE
from classifying import IMAGE_VARIANTS, SEEN, clean, command, expected, records, run, save
from PIL import Image

import classify
import image_formats
from checkout import PROGRAMS
from wool_board.errors import BadFile
from wool_board.image import decoding
from wool_board.model.recognizer import Recognizer
from wool_tf.deploy import card as wool_tf_card


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve crops in two subfolders, named in the order of `SEEN`."""
    made = tmp_path / "crops"
    for number, pixels in enumerate(SEEN):
        save(made / f"{number // 6}" / f"{number:02}.png", pixels)
    return made


def test_json_has_the_scores_of_the_library(board_model, folder):
    finished = run(board_model, folder, "--json")
    assert (finished.returncode, finished.stderr) == (0, "")
    scores, threshold = expected(board_model), Recognizer(board_model).threshold
    files = [str(folder / f"{number // 6}" / f"{number:02}.png") for number in range(12)]
    assert records(finished) == [
        {
            "file": file,
            "score": score,
            "defective": score >= threshold,
            "label": "defective" if score >= threshold else "non_defective",
            "resized": False,
        }
        for file, score in zip(files, scores, strict=True)
    ]
    assert len({record["defective"] for record in records(finished)}) == 2


def test_csv_and_text_say_the_same(board_model, folder):
    known = records(run(board_model, folder, "--json"))
    rows = list(csv.DictReader(io.StringIO(run(board_model, folder, "--csv").stdout)))
    assert [(row["file"], float(row["score"]), row["defective"] == "1", row["label"]) for row in rows] == [
        (record["file"], record["score"], record["defective"], record["label"]) for record in known
    ]
    assert {row["resized"] for row in rows} == {"0"}
    lines = run(board_model, folder).stdout.splitlines()
    assert [line.split() for line in lines] == [
        [record["label"], f"{record['score']:.4f}", record["file"]] for record in known
    ]


def test_files_are_taken_in_the_order_given(board_model, folder):
    given = [folder / "1" / "07.png", folder / "0", folder / "1" / "06.png"]
    found = [Path(record["file"]).stem for record in records(run(board_model, *given, "--json"))]
    assert found == ["07", "00", "01", "02", "03", "04", "05", "06"]


def test_images_of_formats_that_are_not_read_are_told(board_model, folder):
    for name in ("a.bmp", "0/b.webp"):
        Image.fromarray(SEEN[0]).save(folder / name)
    finished = run(board_model, folder, "--json")
    assert len(records(finished)) == 12 and finished.returncode == 1
    told = "2 images of formats that are not read (.bmp, .webp), 0/b.webp first; save them as PNG"
    assert finished.stderr == f"classify.py: {folder}: {told}\n"


def bad_files(folder: Path) -> dict[str, str]:
    """Files that cannot be used, and why."""
    good = save(folder / "good.png", SEEN[0]).read_bytes()
    (folder / "cut.png").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("no image\n")
    (folder / "empty.jpg").write_bytes(b"")
    save(folder / "oblong.png", np.zeros((100, 97), np.uint8))
    Image.fromarray(np.zeros((SIDE, SIDE), np.float32)).save(folder / "float.tif")
    pages = [Image.fromarray(pixels) for pixels in SEEN[:2]]
    pages[0].save(folder / "pages.tif", save_all=True, append_images=pages[1:])
    os.mkfifo(folder / "fifo.png")
    (folder / "nowhere.png").symlink_to(folder / "gone")
    (folder / "round.png").symlink_to(folder / "round.png")
    return {
        "cut.png": "cannot be decoded (",
        "empty.jpg": "is not a readable PNG, TIFF, JPEG or DICOM image",
        "fifo.png": "is not a file",
        "float.tif": "has 32-bit pixels; save it with 8 or 16 bits",
        "nowhere.png": "cannot be read (No such file or directory)",
        "oblong.png": "is 97x100 pixels; images must be square to within 2%: crop it",
        "pages.tif": "holds 2 images; give one per file",
        "round.png": "cannot be read (Too many levels of symbolic links)",
        "text.png": "is not a readable PNG, TIFF, JPEG or DICOM image",
    }


def test_a_bad_file_is_a_line_and_the_others_go_on(board_model, tmp_path):
    reasons = bad_files(tmp_path / "in")
    (tmp_path / "in" / "notes.txt").write_text("left out of a folder")
    save(tmp_path / "in" / ".hidden.png", SEEN[0])
    (tmp_path / "bare").mkdir()
    finished = run(board_model, tmp_path / "in", tmp_path / "missing.png", tmp_path / "bare", "n" * 300, "--json")
    assert finished.returncode == 1
    assert [Path(record["file"]).name for record in records(finished)] == ["good.png"]
    lines = finished.stderr.splitlines()
    assert lines[0].startswith(f"classify.py: {tmp_path}/in: 1 left out as hidden") and lines[0].endswith(
        ": .hidden.png"
    )
    assert lines[1] == f"classify.py: {tmp_path}/bare: holds no PNG, TIFF, JPEG or DICOM image"
    for line, (name, reason) in zip(lines[2:-2], reasons.items(), strict=True):
        assert line.startswith(f"classify.py: {tmp_path / 'in' / name}: {reason}")
    assert lines[-2] == f"classify.py: {tmp_path}/missing.png: cannot be read (No such file or directory)"
    assert lines[-1] == f"classify.py: {'n' * 300}: cannot be read (File name too long)"


def test_what_network_storage_keeps_beside_images_is_no_image(board_model, tmp_path):
    for name in (
        "a.png",
        "@eaDir/a.png/SYNOPHOTO_THUMB_XL.png",
        "#recycle/b.png",
        "a (conflicted copy 2024-05-01).png",
    ):
        save(tmp_path / "in" / name, SEEN[0])
    finished = run(board_model, tmp_path / "in", "--json")
    assert finished.returncode == 0
    assert [record["file"] for record in records(finished)] == [f"{tmp_path}/in/a.png"]
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"classify.py: {tmp_path}/in: 3 left out as hidden, of the system")
    assert line.endswith(": #recycle, @eaDir, a (conflicted copy 2024-05-01).png")


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


def test_names_that_are_no_text(board_model, tmp_path):
    names = [b"line\nfeed.png", b"return\r.png", "umlaut-ä.png".encode(), b"latin-\xe4.png", b"esc-\x1b[31m.png"]
    names.append(b'quote",.png')
    folder = os.fsencode(tmp_path)
    image = save(tmp_path / "in" / "a.png", SEEN[0])
    for name in names:
        shutil.copy(image, os.path.join(folder, b"in", name))
    for locale in ("C", "C.UTF-8"):
        environment = clean() | {"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
        if locale != "C":
            environment.pop("PYTHONUTF8")
        forms = ("--json", "--csv", "--threads=1")
        outputs = [
            subprocess.check_output(command([board_model, tmp_path / "in", form]), env=environment) for form in forms
        ]
        found = [os.fsencode(json.loads(line)["file"]) for line in outputs[0].splitlines()]
        assert {os.path.basename(file) for file in found} == {b"a.png", *names}
        assert all(os.path.exists(file) for file in found)
        text = outputs[1].decode("utf-8", "surrogateescape")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert {os.fsencode(Path(row["file"]).name) for row in rows} == {b"a.png", *names}
        assert len(outputs[2].splitlines()) == len(names) + 1
        assert b"\x1b" not in outputs[2] and b"line\\x0afeed.png" in outputs[2]


def test_folders_that_link_to_each_other(board_model, folder, tmp_path):
    (folder / "0" / "up").symlink_to(folder)
    (folder / "round").symlink_to(folder / "round")
    other = save(tmp_path / "elsewhere" / "x.png", SEEN[0]).parent
    (folder / "linked").symlink_to(other)
    found = [record["file"] for record in records(run(board_model, folder, "--json"))]
    assert len(found) == len(set(found)) == 13
    assert found[-1] == str(folder / "linked" / "x.png")


def test_heatmap_tells_where(heatmap_model, folder, tmp_path):
    save(folder / "large.png", np.kron(SEEN[1], np.ones((2, 2), np.uint8)))
    finished = run(heatmap_model, folder, "--json", f"--heatmap={tmp_path / 'maps'}")
    assert (finished.returncode, finished.stderr) == (0, "")
    recognizer = Recognizer(heatmap_model)
    # The network sees 96 of the 105 pixels to which 110 are resized, in 3 by 3 cells.
    seen = 110 * 96 / 105
    edges = [(110 - seen) / 2 + seen * number / 3 for number in range(4)]
    found = records(finished)
    for record, pixels in zip(found, SEEN, strict=False):
        cells = recognizer.recognize(pixels).heatmap
        np.testing.assert_allclose(record["cells"], cells, atol=1e-4)
        peak = record["peak"]
        assert peak["margin"] == pytest.approx(cells.max(), abs=1e-4)
        # A box of a cell's size around the centre of mass of the strongest cell and its neighbours.
        row, column = np.argwhere(cells == cells.max())[0]
        mass = [
            (max(cells[y, x], 0), (edges[x] + edges[x + 1]) / 2, (edges[y] + edges[y + 1]) / 2)
            for y in range(3)
            for x in range(3)
            if max(abs(y - row), abs(x - column)) <= 1
        ]
        total = sum(weight for weight, _, _ in mass)
        if total > 0:
            x, y = (sum(weight * at[axis] for weight, *at in mass) / total for axis in (0, 1))
            box = (x - seen / 6, y - seen / 6, x + seen / 6, y + seen / 6)
            assert [peak[edge] for edge in ("left", "top", "right", "bottom")] == [round(edge) for edge in box]
        number = Path(record["file"]).relative_to(folder)
        picture = np.asarray(Image.open(tmp_path / "maps" / f"{number}-heatmap.png").convert("RGB")).astype(int)
        assert picture.shape == (3 * SIDE, 3 * SIDE, 3)
        middles = [round(3 * (edges[index] + edges[index + 1]) / 2) for index in range(3)]
        reddish = np.array([[picture[y, x, 0] - picture[y, x, 2] for x in middles] for y in middles])
        assert (reddish[cells < 0] <= 0).all() and reddish[cells > 0.5 * cells.max()].max(initial=1) > 0
    large = next(record for record in found if record["resized"])
    peak = records(run(heatmap_model, folder / "0" / "01.png", "--heatmap", "--json"))[0]["peak"]
    for edge in ("left", "top", "right", "bottom"):
        assert large["peak"][edge] == pytest.approx(2 * peak[edge], abs=8)
    assert len(list((tmp_path / "maps").rglob("*"))) == 13 + 2


def test_heatmap_in_the_other_forms(heatmap_model, folder, tmp_path):
    image = folder / "0" / "00.png"
    peak = records(run(heatmap_model, image, "--heatmap", "--json"))[0]["peak"]
    row = next(csv.DictReader(io.StringIO(run(heatmap_model, image, "--heatmap", "--csv").stdout)))
    assert {name: float(row[f"peak_{name}"]) for name in peak} == peak
    text = run(heatmap_model, "--heatmap", image).stdout
    assert text.endswith("  most at x {left}-{right}, y {top}-{bottom}\n".format(**peak))
    # Without the flag, a model with a heatmap is like any other.
    assert set(records(run(heatmap_model, image, "--json"))[0]) == {"file", "score", "defective", "label", "resized"}


@pytest.fixture
def handlers():
    """Restores those of signals."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["MODEL"], 64, "give an IMAGE, a DIR or --watch=DIR"),
        ([], 64, "the following arguments are required: "),
        (["MODEL", "IN", "--csv", "--json"], 64, "--csv and --json: give one of them"),
        (["MODEL", "IN", "--jso"], 64, "unrecognized arguments: --jso"),
        (["MODEL", "IN", "--done=a"], 64, "--done=a: goes with --watch"),
        (["MODEL", "IN", "--threads=0"], 64, "--threads=0: must be 1 to "),
        (["MODEL", "IN", "--threads=4096"], 64, "--threads=4096: must be 1 to "),
        (["MODEL", "--watch=IN/none"], 1, "/none: must be a folder that exists"),
        (["MODEL", "--watch=IN/0/00.png"], 1, "00.png: must be a folder that exists"),
        (["MODEL", "--watch=IN", "--done=IN/done"], 1, "/done: must not lie in "),
        (["MODEL", "--watch=IN", "--done=IN"], 1, ": must not lie in "),
        (["MODEL", "--watch=IN", "--done=/proc/nowhere"], 1, "--done=/proc/nowhere: cannot be made ("),
        (["MODEL", "IN", "--heatmap=IN/maps"], 1, "--heatmap=IN/maps: must not lie in IN"),
        (["MODEL", "IN", "--heatmap"], 1, "--heatmap: MODEL has none; convert it with --heatmap"),
        (["HEATMAP", "IN", "--heatmap=IN/0/00.png/maps"], 1, "must not lie in "),
        (["HEATMAP", "IN/0/00.png", "--heatmap=IN/0/00.png"], 1, "00.png: cannot be made ("),
        (["HEATMAP", "IN/0/00.png", "IN/same/00.png", "--heatmap=OUT"], 1, "would have the same picture"),
        (["IN/0/00.png", "IN"], 1, "00.png: not a TFLite file"),
        (["nothing.tflite", "IN"], 1, "nothing.tflite: cannot be read (No such file or directory)"),
    ],
)
def test_wrong_use_gets_one_line(
    arguments, status, message, board_model, heatmap_model, folder, tmp_path, capsys, handlers
):
    save(folder / "same" / "00.png", SEEN[0])
    names = {"MODEL": board_model, "HEATMAP": heatmap_model, "IN": folder, "OUT": tmp_path / "out"}

    def put(text):
        for name, path in names.items():
            text = text.replace(name, str(path))
        return text

    try:
        found = classify.main([*map(put, arguments)])
    except SystemExit as end:
        found = end.code
    printed = capsys.readouterr()
    assert (found, printed.out) == (status, "")
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("classify.py: ") and put(message) in printed.err


def test_a_tampered_model_is_refused(board_model, folder, tmp_path):
    changed = bytearray(board_model.read_bytes())
    changed[100_000] ^= 1
    (tmp_path / "a.tflite").write_bytes(changed)
    finished = run(tmp_path / "a.tflite", folder)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "is not the model that its card describes" in finished.stderr


def test_imports_nothing_of_the_library(board_model, folder):
    program = (
        "import classify, sys\n"
        f"assert classify.main([{str(board_model)!r}, {str(folder)!r}]) == 0\n"
        "print(sorted({'wool_tf', 'tensorflow', 'keras', 'absl', 'scipy'} & set(sys.modules)))\n"
    )
    alone = os.environ | {"PYTHONPATH": str(PROGRAMS)}
    lines = subprocess.check_output([sys.executable, "-P", "-c", program], text=True, cwd="/", env=alone).splitlines()
    assert (lines[-1], len(lines)) == ("[]", 13)


def test_runs_from_a_copy_of_its_folder(board_model, folder, tmp_path):
    shutil.copytree(PROGRAMS, tmp_path / "copied", ignore=shutil.ignore_patterns("__pycache__"))
    settings = [sys.executable, str(tmp_path / "copied" / "classify.py"), str(board_model), str(folder), "--json"]
    finished = subprocess.run(settings, capture_output=True, text=True, env=clean(), cwd="/", check=True)
    assert [record["score"] for record in records(finished)] == expected(board_model)


def test_output_that_nobody_takes(board_model, folder):
    reading, writing = os.pipe()
    os.close(reading)
    with open("/dev/full", "w") as full, open(writing, "w") as pipe:
        for output, reason in ((full, "No space left on device"), (pipe, "Broken pipe")):
            pipes = {"stdout": output, "stderr": subprocess.PIPE}
            finished = subprocess.run(command([board_model, folder]), **pipes, text=True, env=clean(), check=False)
            assert finished.returncode == 1
            assert finished.stderr == f"classify.py: standard output: cannot be written ({reason})\n"


def test_is_ended_between_two_images_of_a_list(board_model, tmp_path):
    image = save(tmp_path / "a.png", SEEN[0])
    arguments = command([board_model, *[image] * 20_000, "--json"])
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=clean()) as process:
        lines = [process.stdout.readline()]
        process.send_signal(signal.SIGTERM)
        lines += process.stdout.read().splitlines()
    assert process.returncode == 130
    assert len(lines) < 20_000
    assert {json.loads(line)["file"] for line in lines} == {str(image)}


def test_16_bit_crops_are_read_with_the_white_of_the_card(board_model, tmp_path):
    content = board_model.read_bytes()
    tflite = content[: Recognizer(board_model).card["model"]["bytes"]]
    folder = tmp_path / "crops"
    for number, pixels in enumerate(SEEN):
        # 4095 counts are 255 levels, so that each level is a count that becomes this level again.
        counts = np.rint(pixels * (4095 / 255)).astype(np.uint16)
        folder.mkdir(exist_ok=True)
        Image.fromarray(counts).save(folder / f"{number:02}.png")
    found: list[list[float]] = []
    # A card of before had bits, and one of before them means all 16.
    for said in ({"white": 4095}, {"bits": 12}, {"white": 65535}, {}):
        card = json.loads(json.dumps(Recognizer(board_model).card))
        del card["input"]["white"]
        card["input"] |= said
        model = tmp_path / f"{len(found)}.tflite"
        model.write_bytes(wool_tf_card.attach(tflite, card))
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
    card = json.loads(json.dumps(Recognizer(board_model).card))
    tflite = board_model.read_bytes()[: card["model"]["bytes"]]
    card["input"][name] = value
    (tmp_path / "model.tflite").write_bytes(wool_tf_card.attach(tflite, card))
    finished = run(tmp_path / "model.tflite", tmp_path)
    assert finished.returncode == 1 and f"its card is damaged (input.{name})" in finished.stderr


@pytest.mark.parametrize("arguments", [("",), (".", "--heatmap="), ("--watch=",)])
def test_an_empty_path_is_not_the_current_folder(arguments, board_model, tmp_path):
    finished = run(board_model, *arguments, cwd=tmp_path)
    (line,) = finished.stderr.splitlines()
    assert (finished.returncode, finished.stdout) == (64, "") and "is empty; give a path" in line
