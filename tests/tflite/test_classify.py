import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import classify
import folders
import heatmap
import images
from conftest import PROGRAMS, SIDE, crops
from recognizer import Recognizer

PROGRAM = PROGRAMS / "classify.py"
SEEN = crops(12, seed=9)


def run(*arguments, **more) -> subprocess.CompletedProcess:
    return subprocess.run(command(arguments), capture_output=True, text=True, env=clean(), check=False, **more)


def command(arguments) -> list[str]:
    return [sys.executable, str(PROGRAM), *map(str, arguments)]


def clean() -> dict:
    # As on a board: nothing of the repository can be imported by chance.
    return os.environ | {"PYTHONPATH": ""}


def records(finished: subprocess.CompletedProcess) -> list[dict]:
    return [json.loads(line) for line in finished.stdout.splitlines()]


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve crops in two subfolders, named in the order of `SEEN`."""
    made = tmp_path / "crops"
    for number, pixels in enumerate(SEEN):
        save(made / f"{number // 6}" / f"{number:02}.png", pixels)
    return made


def expected(model: Path, seen: np.ndarray = SEEN) -> list[float]:
    from wool_tf.deploy import verify

    return [round(float(score), 6) for score in verify.predict(model.read_bytes(), seen)]


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
        "empty.jpg": "is not a readable PNG, TIFF or JPEG image",
        "fifo.png": "is not a file",
        "float.tif": "has 32-bit pixels; save it with 8 or 16 bits",
        "nowhere.png": "cannot be read (No such file or directory)",
        "oblong.png": "is 97x100 pixels; images must be square to within 2%: crop it",
        "pages.tif": "holds 2 images; give one per file",
        "round.png": "cannot be read (Too many levels of symbolic links)",
        "text.png": "is not a readable PNG, TIFF or JPEG image",
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
    assert lines[0] == f"classify.py: {tmp_path}/bare: holds no PNG, TIFF or JPEG image"
    for line, (name, reason) in zip(lines[1:-2], reasons.items(), strict=True):
        assert line.startswith(f"classify.py: {tmp_path / 'in' / name}: {reason}")
    assert lines[-2] == f"classify.py: {tmp_path}/missing.png: cannot be read (No such file or directory)"
    assert lines[-1] == f"classify.py: {'n' * 300}: cannot be read (File name too long)"


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


def test_images_are_read_as_training_reads_them(tmp_path):
    from wool_tf.data import decoding

    usable = 0
    for path in variants(tmp_path / "in"):
        theirs = decoding._decode(path, SIDE)
        try:
            mine = images.read(path, SIDE).pixels
        except images.BadImage as bad:
            assert str(bad) == theirs
        else:
            np.testing.assert_array_equal(mine, theirs)
            usable += 1
    assert usable > 12


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
            subprocess.check_output(command([board_model, tmp_path / "in", form]), env=environment)
            for form in forms
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
        cells = recognizer.recognise(pixels).heatmap
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
        number = Path(record["file"]).relative_to(folder).with_suffix("")
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


def test_the_centre_of_a_heatmap():
    """244 pixels, 10 of them a margin on each side, in 7 cells of 32."""
    cells = np.full((7, 7), -3.0, np.float32)
    cells[2, 5] = 8.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5.5 * 32, 10 + 2.5 * 32)
    cells[2, 4] = 8.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, 10 + 2.5 * 32)
    cells[3, 4] = cells[3, 5] = 4.0
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, pytest.approx(10 + (2.5 + 1 / 3) * 32))
    cells[6, 0] = 7.0  # Another defect, far away.
    assert heatmap.centre(cells, 10, 244) == (10 + 5 * 32, pytest.approx(10 + (2.5 + 1 / 3) * 32))
    assert heatmap.centre(-1 - np.eye(7)[::-1] * cells, 10, 244)[0] < 244
    assert heatmap.centre(np.full((3, 2), -1.0), 0, 120) == (30, 20)
    assert heatmap.peak(cells, 10, 244, (488, 244)) == (2 * 154, 85, 2 * 186, 117, 8.0)


def test_a_picture_shows_tinted_cells_and_a_frame():
    cells = np.full((7, 7), -3, np.float32)
    cells[2, 5] = 8.0
    cells[2, 0] = 4.0
    grey = np.full((244, 244), 128, np.uint8)
    picture = np.asarray(heatmap.picture(grey, cells, 10.0)).astype(int)
    red = picture[..., 0] - picture[..., 2]
    strong, weak = red[3 * 90, 3 * 186], red[3 * 90, 3 * 26]
    assert strong > 80 and weak == pytest.approx(strong / 2, abs=2)
    framed = np.argwhere(red < -50)
    assert framed.min(axis=0).tolist() == [3 * (10 + 64), 3 * (10 + 5 * 32)]
    assert framed.max(axis=0).tolist() == [3 * (10 + 96) - 1, 3 * (10 + 6 * 32) - 1]
    tinted = np.argwhere(red > 5)
    assert tinted.min(axis=0).tolist() == [3 * (10 + 64), 3 * 10]
    pale = np.asarray(heatmap.picture(grey, np.minimum(cells, 0.5), 10.0)).astype(int)
    assert 0 < pale[3 * 90, 3 * 26, 0] - 128 < 20
    assert (np.asarray(heatmap.picture(grey, -abs(cells), 10.0)) == 128).all()


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
        (["MODEL"], 2, "give an IMAGE, a DIR or --watch=DIR"),
        ([], 2, "the following arguments are required: "),
        (["MODEL", "IN", "--csv", "--json"], 2, "not allowed with argument"),
        (["MODEL", "IN", "--jso"], 2, "unrecognized arguments: --jso"),
        (["MODEL", "IN", "--done=a"], 2, "--done goes with --watch"),
        (["MODEL", "IN", "--threads=0"], 1, "--threads=0: must be 1 to "),
        (["MODEL", "IN", "--threads=4096"], 1, "--threads=4096: must be 1 to "),
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
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(PROGRAMS)!r})\n"
        f"sys.argv = ['classify.py', {str(board_model)!r}, {str(folder)!r}]\n"
        "try:\n    runpy.run_path(sys.path[0] + '/classify.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "print(sorted({'wool_tf', 'tensorflow', 'keras', 'absl', 'scipy'} & set(sys.modules)))\n"
    )
    lines = subprocess.check_output([sys.executable, "-P", "-c", program], text=True, cwd="/").splitlines()
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


class Watching:
    """The program while it watches a folder."""

    def __init__(self, folder: Path, *arguments):
        folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            command([*arguments, f"--watch={folder}", "--json"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean(),
        )
        self.records, self.times, self.complaints = [], {}, []
        self._readers = [threading.Thread(target=read) for read in (self._read_records, self._read_complaints)]
        for reader in self._readers:
            reader.start()

    def _read_records(self):
        for line in self.process.stdout:
            record = json.loads(line)
            self.times[Path(record["file"]).name] = time.time()
            self.records.append(record)

    def _read_complaints(self):
        for line in self.process.stderr:
            self.complaints.append(line.rstrip("\n"))

    @property
    def names(self) -> list[str]:
        return [Path(record["file"]).name for record in self.records]

    def wait(self, count: int, seconds: float = 60) -> None:
        """Until there are so many records."""
        self.until(lambda: len(self.records) >= count, seconds)

    def until(self, holds, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, (self.names, self.complaints)
            assert self.process.poll() is None, self.complaints
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        assert self.process.wait(30) == 130
        self.close()

    def close(self) -> None:
        self.process.kill()
        for reader in self._readers:
            reader.join()
        self.process.communicate()


@pytest.fixture
def watching(tmp_path, board_model):
    """Starts watching `tmp_path/in`."""
    with contextlib.ExitStack() as stack:

        def start(*arguments) -> Watching:
            started = Watching(tmp_path / "in", board_model, *arguments)
            stack.callback(started.close)
            return started

        yield start


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_slowly(path: Path, content: bytes, pieces: int, pause: float) -> float:
    """Writes a file in pieces; returns when it was complete."""
    edges = [len(content) * number // pieces for number in range(pieces + 1)]
    with open(path, "wb", buffering=0) as file:
        for start, end in zip(edges, edges[1:], strict=False):
            file.write(content[start:end])
            time.sleep(pause)
    return time.time() - pause


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watches_until_it_is_ended(number, watching, tmp_path, board_model):
    save(tmp_path / "in" / "there.png", SEEN[0])
    program = watching()
    program.wait(1)
    save(tmp_path / "in" / "sub" / "folder" / "arrived.png", SEEN[1])
    program.wait(2)
    program.end(number)
    assert program.names == ["there.png", "arrived.png"]
    assert [record["score"] for record in program.records] == expected(board_model, SEEN[:2])
    assert program.complaints == []


def test_waits_for_files_that_are_partly_written(watching, tmp_path):
    program = watching()
    save(tmp_path / "in" / "first.png", SEEN[0])
    program.wait(1)
    complete = write_slowly(tmp_path / "in" / "slow.png", png(SEEN[1]), pieces=4, pause=0.5)
    program.wait(2)
    # A file of its full size from the start on, as some network shares make them, decodes too early.
    bare = io.BytesIO()
    Image.fromarray(SEEN[2]).save(bare, "TIFF")
    content = bare.getvalue()
    with open(tmp_path / "in" / "sized.tif", "wb", buffering=0) as file:
        file.write(content[:300])
        file.truncate(len(content))
        for start in range(300, len(content), 3000):
            time.sleep(0.4)
            os.pwrite(file.fileno(), content[start : start + 3000], start)
    sized = time.time()
    program.wait(3)
    program.end()
    assert program.names == ["first.png", "slow.png", "sized.tif"]
    assert program.times["slow.png"] > complete and program.times["sized.tif"] > sized
    assert program.complaints == []


def test_a_renamed_file_does_not_wait(tmp_path):
    watch = folders.Watch(tmp_path, lambda *_: None)
    (tmp_path / ".part").write_bytes(b"whole")
    assert watch.poll() == []
    time.sleep(0.05)  # A clock of file systems ticks every few milliseconds.
    os.rename(tmp_path / ".part", tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"perhaps more is to come")
    assert watch.poll() == [tmp_path / "a.png"]


@pytest.mark.slow
def test_a_damaged_file_is_told_of_once(watching, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.png").write_text("no image")
    save(tmp_path / "in" / "good.png", SEEN[0])
    program = watching()
    program.wait(1)
    assert program.complaints == []
    program.until(lambda: program.complaints)
    shutil.copy(tmp_path / "in" / "good.png", tmp_path / "in" / "bad.png")
    program.wait(2)
    program.end()
    reason = "is not a readable PNG, TIFF or JPEG image"
    assert program.complaints == [f"classify.py: {tmp_path}/in/bad.png: {reason}"]
    assert program.names == ["good.png", "bad.png"]


def test_every_file_once_with_its_own_score(watching, tmp_path, board_model):
    """Writers in a hurry and slow ones, into subfolders, by renaming, copying and overwriting what goes again."""
    seen = crops(60, seed=11)
    scores = dict(zip((f"{number:02}.png" for number in range(60)), expected(board_model, seen), strict=True))
    program = watching()
    target = tmp_path / "in"

    def write(numbers, seed):
        rng = random.Random(seed)
        for number in numbers:
            content, name = png(seen[number]), f"{number:02}.png"
            place = target / rng.choice(["", "a", "a/b"])
            place.mkdir(parents=True, exist_ok=True)
            way = rng.randrange(4)
            if way == 0:
                write_slowly(place / name, content, pieces=3, pause=rng.uniform(0, 0.3))
            elif way == 1:
                (place / f".{name}").write_bytes(content)
                os.rename(place / f".{name}", place / name)
            elif way == 2:
                (tmp_path / name).write_bytes(content)
                shutil.copy2(tmp_path / name, place / name)
            else:
                write_slowly(place / f"{name}.part", content, pieces=2, pause=0.05)
                os.rename(place / f"{name}.part", place / name)
                (place / f"gone-{name}").write_bytes(content)
                os.unlink(place / f"gone-{name}")

    writers = [threading.Thread(target=write, args=(range(start, 60, 3), start)) for start in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    program.wait(60)
    time.sleep(2)
    program.end()
    assert sorted(program.names) == sorted(scores)
    assert {Path(record["file"]).name: record["score"] for record in program.records} == scores
    assert program.complaints == []


def test_done_files_are_moved_and_left_out_by_a_restart(watching, tmp_path):
    for number in range(3):
        save(tmp_path / "in" / "sub" / f"{number}.png", SEEN[number])
    (tmp_path / "in" / "bad.png").write_text("no image")
    done = tmp_path / "done"
    first = watching(f"--done={done}")
    first.until(lambda: len(list(done.rglob("*.png"))) == 3)
    first.end()
    second = watching(f"--done={done}")
    save(tmp_path / "in" / "sub" / "0.png", SEEN[5])
    second.until(lambda: len(list(done.rglob("*.png"))) == 4)
    second.end()
    assert (sorted(first.names), second.names) == (["0.png", "1.png", "2.png"], ["0.png"])
    assert second.records[0]["score"] != first.records[first.names.index("0.png")]["score"]
    assert [path.name for path in (tmp_path / "in").rglob("*.png")] == ["bad.png"]
    # Neither of two files of the same name is lost.
    kept = sorted(np.asarray(Image.open(path)).tobytes() for path in (done / "sub").iterdir())
    assert kept == sorted(pixels.tobytes() for pixels in SEEN[[0, 1, 2, 5]])


def test_classifies_what_is_given_before_it_watches(watching, tmp_path):
    other = save(tmp_path / "other.png", SEEN[0])
    save(tmp_path / "in" / "a.png", SEEN[1])
    program = watching(other)
    program.wait(2)
    program.end()
    assert program.names == ["other.png", "a.png"]


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


@pytest.mark.slow
def test_an_idle_watch_leaves_the_cpu_alone(watching, tmp_path):
    (tmp_path / "in").mkdir()
    first = save(tmp_path / "first.png", SEEN[0])
    program = watching(first)
    program.wait(1)
    for number in range(3000):
        (tmp_path / "in" / f"{number}.png").touch()
    time.sleep(1)

    def used() -> float:
        fields = Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, started = used(), time.monotonic()
    time.sleep(4)
    assert used() - before < 0.3 * (time.monotonic() - started)
    program.end()


class Clock:
    """Stands in for `time` in `folders`."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(folders, "time", made)
    return made


def ready(watch: folders.Watch) -> list[str]:
    return [path.name for path in watch.poll()]


def test_a_file_is_ready_when_it_has_settled(clock, tmp_path):
    watch, file = folders.Watch(tmp_path, lambda *_: None), tmp_path / "a.PNG"
    for content in (b"a", b"ab", b"abc"):
        file.write_bytes(content)
        assert ready(watch) == []
        clock.now += folders.SETTLING - 0.01
    assert ready(watch) == []
    clock.now += 0.02
    assert ready(watch) == ready(watch) == ["a.PNG"]
    watch.done(file)
    clock.now += 1e6
    assert ready(watch) == []
    file.write_bytes(b"abcd")
    assert ready(watch) == []
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.PNG"]
    assert watch.unchanged(file)
    file.write_bytes(b"abcde")
    assert not watch.unchanged(file)


def test_a_doubtful_file_gets_a_second_chance(clock, tmp_path):
    watch, file = folders.Watch(tmp_path, lambda *_: None), tmp_path / "a.jpeg"
    file.write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.jpeg"]
    assert watch.doubt(file)
    clock.now += folders.PATIENCE - folders.SETTLING - 0.01
    assert ready(watch) == []
    clock.now += 0.02
    assert ready(watch) == ["a.jpeg"]
    assert not watch.doubt(file)


def test_files_that_are_gone_are_forgotten(clock, tmp_path):
    watch, file, away = folders.Watch(tmp_path, lambda *_: None), tmp_path / "a.tif", tmp_path / "elsewhere"
    file.write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    (path,) = watch.poll()
    watch.done(path)
    file.rename(away)
    assert ready(watch) == []
    assert not watch.unchanged(file)
    away.rename(file)
    clock.now += 1
    ready(watch)
    clock.now += folders.SETTLING
    assert ready(watch) == ["a.tif"]


def test_memory_stays_bounded(tmp_path):
    import tracemalloc

    watch, sizes = folders.Watch(tmp_path, lambda *_: None), []
    tracemalloc.start()
    for turn in range(20):
        for number in range(50):
            (tmp_path / f"{turn}-{number}.png").touch()
        watch.poll()
        for file in tmp_path.iterdir():
            file.unlink()
        watch.poll()
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes[10:]) < sizes[9] + 10_000


def test_a_folder_that_is_away_for_a_while_brings_no_file_twice(clock, tmp_path):
    told = []
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    watch = folders.Watch(folder, lambda path, error: told.append((path, error.strerror)))
    (folder / "a.png").write_bytes(b"a")
    ready(watch)
    clock.now += folders.SETTLING
    (path,) = watch.poll()
    watch.done(path)
    for _ in range(2):
        folder.rename(away)
        assert ready(watch) == ready(watch) == []
        away.rename(folder)
        clock.now += 100
        assert ready(watch) == []
    assert told == [(str(folder), "No such file or directory")] * 2


def test_the_oldest_file_comes_first(clock, tmp_path):
    watch = folders.Watch(tmp_path, lambda *_: None)
    for number, name in enumerate(("c.png", "a.png", "b.png")):
        (tmp_path / name).write_bytes(b"a")
        os.utime(tmp_path / name, (1e9 + number, 1e9 + number))
    assert ready(watch) == ["c.png", "a.png", "b.png"]
