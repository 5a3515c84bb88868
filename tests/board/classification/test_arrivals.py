"""tflite/classify.py while it watches a folder."""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from board_crops import crops
from classify_runs import IMAGE_VARIANTS, SEEN, clean, command, expected, run, save
from PIL import Image

import image_formats
from wool_board.classification import arrivals as watching_module
from wool_board.classification import file_moves
from wool_board.classification.classifier import picture_name


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


def test_variants_of_formats_are_refused_as_anywhere(watching, tmp_path, board_model):
    cases = [case for case in image_formats.matrix() if case.name in IMAGE_VARIANTS]
    image_formats.write(cases, tmp_path / "in")
    program, read = watching(), {case.name for case in cases if case.crop}

    def refused(lines):
        # Which of the images of 16 bits comes first, and is told of, is chance.
        return sorted(line for line in lines if "(told once)" not in line)

    program.until(lambda: len(refused(program.complaints)) == len(cases) - len(read))
    program.end()
    assert set(program.names) == read
    whole = run(board_model, tmp_path / "in")
    assert refused(program.complaints) == refused(whole.stderr.splitlines())


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
    reason = "is not a readable PNG, TIFF, JPEG or DICOM image"
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


def test_a_folder_may_be_spelt_in_any_way(tmp_path, board_model):
    for spelling, shown in (
        (".", ""),
        ("../in", "../in/"),
        ("./sub/..", "sub/../"),
        ("sub/../../in/", "sub/../../in/"),
    ):
        save(tmp_path / "in" / "sub" / "a.png", SEEN[0])
        process = subprocess.Popen(
            command([board_model, f"--watch={spelling}", f"--done={tmp_path / 'done'}", "--json"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean(),
            cwd=tmp_path / "in",
        )
        record = json.loads(process.stdout.readline())
        deadline = time.monotonic() + 30
        while (tmp_path / "in" / "sub" / "a.png").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=30) == ("", "") and process.returncode == 130
        assert record["file"] == f"{shown}sub/a.png"


class Replacing:
    """A classifier under whose hands images are replaced."""

    def __init__(self, replace):
        self.output, self.told, self._replace = self, [], replace
        self.complaints = []

    def classify(self, path):
        pixels = np.asarray(Image.open(path))
        self._replace("classified", path)
        return pixels

    def tell(self, found, name):
        self.told.append(found.tobytes())
        self._replace("told", name)

    def complain(self, path, reason):
        self.complaints.append((path, reason))


@pytest.mark.parametrize("moment", ["classified", "told"])
def test_an_image_that_is_replaced_meanwhile_is_judged_again_and_not_moved_before(tmp_path, moment):
    folder, done, passes = tmp_path / "in", tmp_path / "done", []
    path = save(folder / "a.png", SEEN[0])

    def replace(now, _name):
        if now == moment and moment not in passes:
            save(tmp_path / "other.png", SEEN[1])
            os.replace(tmp_path / "other.png", path)
        passes.append(now)

    class Interruption:
        def check(self):
            pass

        def sleep(self, _seconds):
            time.sleep(0.3)
            if not path.exists() or len(passes) > 9:
                raise KeyboardInterrupt

    classifier = Replacing(replace)
    with pytest.raises(KeyboardInterrupt):
        watching_module.watch(classifier, folder, done, Interruption())
    (kept,) = done.glob("*.png")
    assert np.asarray(Image.open(kept)).tobytes() == SEEN[1].tobytes() == classifier.told[-1]
    assert classifier.complaints == []


def test_nothing_that_is_moved_overwrites_anything(tmp_path):
    for number in range(4):
        path = save(tmp_path / "in" / "a.png", SEEN[number])
        os.utime(path, ns=(10**18, 10**18))
        assert file_moves.move(path, tmp_path / "done" / "a.png", path.stat())
    kept = {np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "done").iterdir()}
    assert kept == {pixels.tobytes() for pixels in SEEN[:4]}
    assert list((tmp_path / "in").iterdir()) == []
    with pytest.raises(FileNotFoundError):
        file_moves.move(tmp_path / "in" / "gone.png", tmp_path / "done" / "gone.png", path.parent.stat())
    assert len(list((tmp_path / "done").iterdir())) == 4


def test_a_link_that_would_lead_nowhere_stays_where_it_is(tmp_path):
    image, link, done = tmp_path / "real" / "a.png", tmp_path / "in" / "a.png", tmp_path / "other" / "done" / "a.png"
    for path in (image, link):
        path.parent.mkdir()
    image.write_bytes(b"image")
    link.symlink_to(Path("..", "real", "a.png"))
    with pytest.raises(OSError):
        file_moves.move(link, done, link.stat())
    assert link.is_symlink() and link.read_bytes() == b"image" and not list(done.parent.iterdir())


def test_a_folder_that_is_gone_while_the_program_stands_in_it_is_one_line(tmp_path, board_model):
    program = command([board_model, "--watch=."])
    (tmp_path / "gone").mkdir()
    script = 'cd "$1" && shift && rmdir ../gone && exec "$@"'
    shell = ["sh", "-c", script, "sh", tmp_path / "gone", *program]
    ended = subprocess.run(shell, capture_output=True, text=True, env=clean(), timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "classify.py: --watch=.: must be a folder that exists\n"


def test_images_of_one_name_have_pictures_of_their_own():
    names = ["a.png", "a.jpg", "a.jpeg", "b/a.png"]
    assert len({picture_name(Path(name)) for name in names}) == len(names)
