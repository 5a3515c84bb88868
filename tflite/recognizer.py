"""A board model: the card that its file carries, and what it says of a crop.

A board model is a TFLite file with a zip archive behind it (`unzip -p MODEL card.json` prints its one member), which
interpreters ignore. The card says what the file is, what it reads and from which score on a crop counts as defective.
"""

import contextlib
import hashlib
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

CARD, FORMAT = "card.json", 1
MAX_CARD_BYTES = 1 << 20
MADE = "take a whole copy of a file that convert.py made"


class UserError(Exception):
    """A mistake that the user can mend, in one line."""


class Result(NamedTuple):
    """What a model says of a crop.

    Attributes:
        score: probability that the crop is defective.
        defective: whether the score reaches the threshold.
        heatmap: (rows, columns) of float32, what each cell adds to the margin between both classes: above 0 it speaks
            for a defect. The score is the logistic function of the mean. None of a model without a heatmap.
    """

    score: float
    defective: bool
    heatmap: np.ndarray | None


def read_card(path: Path) -> dict:
    """The card of a board model, after a check that its network is the very one that the card was made for.

    Raises:
        UserError: the file cannot be read, has no card or one of another format, or was changed.
    """
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] != b"TFL3":
                raise UserError(f"{path}: not a TFLite file")
            card = _said(path, file)
            _check_bytes(path, file, card)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    return card


def _said(path: Path, file) -> dict:
    """The card as it stands in the file; whether the file is as long as it says."""
    try:
        with zipfile.ZipFile(file) as archive:
            entry = archive.getinfo(CARD)
            if entry.file_size > MAX_CARD_BYTES:
                raise ValueError(f"{entry.file_size} bytes")
            card = json.loads(archive.read(entry))
            before = min(member.header_offset for member in archive.infolist())
    # What zipfile raises on damaged archives: an encrypted or unknown kind of member is among it.
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        if _is_bare(file):
            raise UserError(f"{path}: has no card; {MADE}") from None
        raise UserError(f"{path}: its card is damaged ({error}); {MADE}") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else card
        raise UserError(f"{path}: its card must be of format {FORMAT}, got {str(found)[:40]!r}; update these programs")
    flaw = _flaw(card)
    if flaw or card["model"]["bytes"] != before:
        raise UserError(f"{path}: its card is damaged ({flaw or 'model.bytes'}); {MADE}")
    return card


def _is_bare(file) -> bool:
    """Whether there is no archive at the end of the file."""
    try:
        return not zipfile.is_zipfile(file)
    except OSError:
        return True


def _flaw(card: dict) -> str | None:
    """The first of the fields that the programs go by that is not as it must be."""
    fields = {
        "model.bytes": lambda: isinstance(card["model"]["bytes"], int),
        "model.sha256": lambda: isinstance(card["model"]["sha256"], str),
        "input.side": lambda: isinstance(card["input"]["side"], int),
        "input.margin": lambda: 0 <= card["input"]["margin"] < card["input"]["side"] / 2,
        # One above all scores may be a hair above 1.
        "decision.threshold": lambda: 0 <= card["decision"]["threshold"] < 2,
        "labels": lambda: list(map(type, card["labels"])) == [str, str],
    }
    for name, holds in fields.items():
        try:
            if not holds():
                return name
        except (KeyError, TypeError):
            return name
    return None


def _check_bytes(path: Path, file, card: dict) -> None:
    digest, left = hashlib.sha256(), card["model"]["bytes"]
    file.seek(0)
    while left > 0:
        piece = file.read(min(left, 1 << 20))
        if not piece:
            break
        digest.update(piece)
        left -= len(piece)
    if digest.hexdigest() != card["model"]["sha256"]:
        raise UserError(f"{path}: is not the model that its card describes (another sha256); {MADE}")


class Recognizer:
    """A board model, ready to look at crops.

    Arguments:
        path: of a TFLite file with a card.
        threads: CPU threads, at least 1.

    Attributes:
        card: what the file says of itself.
        side: height and width of a crop in pixels.
        margin: width of the border of a crop, in pixels, that the network does not see.
        threshold: score from which on a crop is defective.
        heatmap_shape: rows and columns of the heatmap, or None of a model without one.

    Raises:
        UserError: the file is no board model, is damaged, or does not run here.
    """

    def __init__(self, path: Path, threads: int = 1):
        self.card = read_card(path)
        self.side, self.margin = self.card["input"]["side"], float(self.card["input"]["margin"])
        self.threshold = float(self.card["decision"]["threshold"])
        self._interpreter = opened(path, threads)
        image, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        logits = [tensor for tensor in outputs if tuple(tensor["shape"]) == (1, 2)]
        heatmaps = [tensor for tensor in outputs if len(tensor["shape"]) == 4]
        if [tuple(tensor["shape"]) for tensor in image] != [(1, self.side, self.side, 1)] or len(logits) != 1:
            raise UserError(f"{path}: its network does not fit its card; {MADE}")
        self._image, self._dtype = image[0]["index"], image[0]["dtype"]
        self._logits, (self._scale, self._zero_point) = logits[0]["index"], logits[0]["quantization"]
        self._heatmap = heatmaps[0] if heatmaps else None
        self.heatmap_shape = tuple(map(int, heatmaps[0]["shape"][1:3])) if heatmaps else None

    def recognise(self, pixels: np.ndarray) -> Result:
        """Looks at a crop.

        Arguments:
            pixels: (side, side) of uint8, 255 where there is nothing but air.
        """
        if pixels.shape != (self.side, self.side) or pixels.dtype != np.uint8:
            expected = f"({self.side}, {self.side}) of uint8"
            raise ValueError(f"pixels: must be {expected}, got {pixels.shape} of {pixels.dtype}")
        self._interpreter.set_tensor(self._image, pixels[np.newaxis, :, :, np.newaxis].astype(self._dtype, copy=False))
        self._interpreter.invoke()
        non_defective, defective = self._interpreter.get_tensor(self._logits)[0].tolist()
        if self._scale:
            non_defective = (non_defective - self._zero_point) * self._scale
            defective = (defective - self._zero_point) * self._scale
        score = float(0.5 * (1 + np.tanh((defective - non_defective) / 2)))
        return Result(score, score >= self.threshold, self._cells())

    def _cells(self) -> np.ndarray | None:
        if self._heatmap is None:
            return None
        cells = self._interpreter.get_tensor(self._heatmap["index"])[0, :, :, 0]
        scale, zero_point = self._heatmap["quantization"]
        return (cells.astype(np.float32) - zero_point) * np.float32(scale) if scale else cells


def opened(path: Path, threads: int):
    """An interpreter of a TFLite file, ready to run.

    Arguments:
        path: of the file.
        threads: CPU threads, at least 1.

    Raises:
        UserError: it does not run here.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with _silence():
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be run ({' '.join(str(error).split())})") from None
    return interpreter


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps the interpreter's notes off the standard error, where each line is a complaint of a program."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
