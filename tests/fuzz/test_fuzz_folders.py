"""Folders that anybody filled give the same images to training and board, or one line each that says what is wrong."""

import contextlib
import itertools
import os
import random
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mutations
from wool_board.image import decoding, folders
from wool_tf.data import dataset
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.naming import CropNaming
from wool_tf.errors import WoolError

pytestmark = pytest.mark.slow
SIDE = 20
STEMS = (
    "a", "A", "a ", " a", "0", "007", "7", "é", "e\u0301", "S1_0", "s1_0", "S1\u200b_0", "x.y", "-v", "--help", "*",
    "a\nb", "a\x1b[2J", "\udcff", "💡", "con", "x" * 200, "a (conflicted copy 2024-05-01)", ".hidden", "._a", "a:b",
    "%s", "a\\b", "'",
)  # fmt: skip
ENDINGS = (
    ".png",
    ".PNG",
    ".png.png",
    ".jpg",
    ".tif",
    ".txt",
    ".bmp",
    "",
    ".png:Zone.Identifier",
    ".sync-conflict-20240501-101530-ABCDEF1.png",
)
LITTER = ("Thumbs.db", "desktop.ini", ".DS_Store", "@eaDir", "#recycle", "$RECYCLE.BIN", ".Trash-1000", "lost+found")
PLACES = ("defective", "non_defective", "defective/inner", "Defective", "defective/@eaDir", ".", "other")
PIXELS = [np.full((SIDE, SIDE), 10 * number, np.uint8) for number in range(25)]


def name(rng: random.Random) -> str:
    return rng.choice(LITTER) if rng.random() < 0.15 else rng.choice(STEMS) + rng.choice(ENDINGS)


def put(path: Path, rng: random.Random, others: list[Path]) -> None:
    """Something under a name: mostly an image, else a link, a folder, a pipe, or what cannot be opened."""
    how = rng.choice(("image",) * 12 + ("empty", "text", "link", "round", "gone", "folder", "pipe", "locked", "hard"))
    if how == "image":
        Image.fromarray(rng.choice(PIXELS)).save(path, "PNG")
    elif how in ("empty", "text", "locked"):
        path.write_bytes(b"" if how == "empty" else b"no image")
        path.chmod(0 if how == "locked" else 0o644)
    elif how == "folder":
        path.mkdir(rng.choice((0, 0o444, 0o755)))
    elif how == "pipe":
        os.mkfifo(path)
    elif how == "hard" and others:
        target = rng.choice(others)
        if target.is_file() and not target.is_symlink():
            os.link(target, path)
    else:
        goals = {
            "round": path,
            "gone": "nowhere",
            "link": rng.choice(others) if others else "..",
            "hard": "/etc/hostname",
        }
        path.symlink_to(goals[how])


def fill(folder: Path, rng: random.Random) -> None:
    made: list[Path] = []
    for place in rng.sample(PLACES, rng.randrange(1, len(PLACES))) + ["defective", "non_defective"]:
        try:
            (folder / place).mkdir(parents=True, exist_ok=True)
        except OSError:  # A file of that name.
            continue
        for _ in range(rng.randrange(5)):
            path = folder / place / name(rng)
            if os.path.lexists(path):  # To write into a pipe would wait for its reader.
                continue
            try:
                put(path, rng, made)
                made.append(path)
            except OSError:  # No file may be called so.
                continue
    for label, place in enumerate(("non_defective", "defective")):
        if (folder / place).is_dir() and rng.random() < 0.8:
            Image.fromarray(PIXELS[label] + 3).save(folder / place / "sure.png")


def check_line(line: str) -> None:
    """Neither line breaks nor what moves a terminal's cursor, and nothing that no output can encode."""
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line), repr(line)
    assert len(line) < 4_000


def of_training(folder: Path, cache: Path, rng: random.Random) -> str:
    naming = rng.choice((CropNaming(), CropNaming(), CropNaming(sample_from="^(.)")))
    try:
        found = dataset.load(folder, SIDE, cache, reading=CropReading(rng.choice(("fail", "skip")), naming))
    except WoolError as error:
        check_line(str(error))
        return "refused"
    for number, path in enumerate(found.paths):
        assert (decoding.read(folder / path, SIDE).pixels == found.images[number]).all()
        assert not any(part.lower() in map(str.lower, LITTER) or part.startswith(".") for part in Path(path).parts)
        assert found.labels[number] == (Path(path).parts[0] == "defective")
    assert len(set(found.paths)) == len(found.paths)
    # Names that are one to the eye are one sample.
    groups = {
        (unicodedata.normalize("NFC", path), group) for path, group in zip(found.paths, found.groups, strict=True)
    }
    assert len(groups) == len({shown for shown, _ in groups})
    for line in (*found.remarks, *found.skipped):
        check_line(line)
    return "read"


def of_the_board(folder: Path) -> None:
    """The board lists what training may list, however deep it lies, and never waits for a pipe."""
    troubles: list[str] = []
    listed = [
        entry.path for entry in folders.images(str(folder), lambda path, _: troubles.append(path), lambda _: None)
    ]
    assert len(set(listed)) == len(listed) and not any("@eaDir" in path or "#recycle" in path for path in listed)
    for path in listed:
        try:
            decoding.read(Path(path), SIDE)
        except decoding.BadFile as flaw:
            assert "\n" not in str(flaw)


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """As a user for whom permissions count; root may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that anybody may write into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_folders_of_crops(place):
    def attempt(rng: random.Random, user=nobody) -> str:
        folder, cache = place / "crops", place / "cache"
        folder.mkdir()
        fill(folder, rng)
        inner = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
        if rng.random() < 0.1:
            rng.choice(inner).chmod(rng.choice((0, 0o111, 0o444)))
        try:
            with user():
                of_the_board(folder)
                return of_training(folder, cache, rng)
        finally:
            for path in inner:
                path.chmod(0o755)
            shutil.rmtree(folder)
            shutil.rmtree(cache, ignore_errors=True)

    # What is imported late may be root's alone.
    next(seed for seed in itertools.count() if attempt(random.Random(seed), contextlib.nullcontext) == "read")
    mutations.fuzz("folders of crops", attempt)
