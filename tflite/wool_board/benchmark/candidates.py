"""What `benchmark.py` times: TFLite files, and the way from a detector's counts to the pixels that they read."""

import time
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np

from wool_board.benchmark import timing
from wool_board.benchmark.document import ModelFacts
from wool_board.errors import BadFile, WoolError
from wool_board.image.flat_field import FlatField, grey
from wool_board.model import card_file
from wool_board.model.network import invoke, opened


class TimedModel:
    """A TFLite file, loaded, with an image to run on.

    Arguments:
        path: of the file.
        threads: CPU threads, at least 1.

    Attributes:
        side: height and width of the image, None of a model that reads something else.
        load_ms: time to open the file and prepare it.
        first_ms: time of the first run.

    Raises:
        WoolError: it does not run here.
    """

    def __init__(self, path: Path, threads: int):
        # To load the library is no part of opening a file.
        import ai_edge_litert.interpreter  # noqa: F401

        self._path, started = path, time.perf_counter()
        try:
            self._interpreter = opened(path, threads)
        except BadFile as bad:
            raise WoolError(f"{path}: {bad}") from None
        self.load_ms = timing.milliseconds_since(started)
        inputs = self._interpreter.get_input_details()
        self.side = _side([tuple(map(int, tensor["shape"])) for tensor in inputs])
        self._inputs = [(tensor["index"], random_pixels(tensor["shape"], tensor["dtype"])) for tensor in inputs]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]
        self.first_ms = self.run()

    def run(self) -> float:
        """Hands over the image, computes and reads the result; returns the milliseconds."""
        started = time.perf_counter()
        for index, pixels in self._inputs:
            self._interpreter.set_tensor(index, pixels)
        try:
            invoke(self._interpreter)
        except WoolError as error:
            raise WoolError(f"{self._path}: {error}; only models of images can be timed") from None
        for index in self._outputs:
            self._interpreter.get_tensor(index)
        return timing.milliseconds_since(started)


class TimedTile:
    """The counts of a tile, to be made pixels: flat field, one bad element repaired, logarithm and window.

    Attributes:
        side: lines, and elements of each.
    """

    def __init__(self, side: int):
        rng, self.side = np.random.default_rng(0), side
        dark, gain = (rng.normal(mean, 20, side).astype(np.float32) for mean in (400, 40_000))
        self._correction = FlatField(dark=dark, gain=gain, spread=gain / 100, bad=(side // 2,), floor=1e-3, lines=256)
        self._counts = rng.integers(16_000, 40_000, (side, side), np.uint16)

    def run(self) -> float:
        """Makes the pixels; returns the milliseconds."""
        started = time.perf_counter()
        grey(self._correction.attenuation(self._counts), (0.0, 1.0))
        return timing.milliseconds_since(started)


def describe(path: Path) -> ModelFacts:
    """What is known of a TFLite file without running it.

    Raises:
        WoolError: the file cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
        size, has_card = path.stat().st_size, zipfile.is_zipfile(path)
    except OSError as error:
        raise WoolError(f"{path}: cannot be read ({error.strerror})") from None
    if head[4:] != b"TFL3":
        raise WoolError(f"{path}: not a TFLite file")
    network = precision = card = None
    if has_card:
        try:
            found = card_file.read(path)
            about = found.network
            network = f"ResNet-{about.spec['depth']}, {about.params / 1e6:.2f} M parameters"
            precision, card = found.precision, "right"
        except WoolError as error:
            card = f"wrong: {str(error).removeprefix(f'{path}: ')}"
    return ModelFacts(file=str(path), bytes=size, runtime=runtime(), network=network, precision=precision, card=card)


def random_pixels(shape: np.ndarray, dtype: type) -> np.ndarray:
    """Pixels from 0 to 255, the same each time; from -128 to 127 where the model reads int8."""
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    return (pixels - 128 if dtype == np.int8 else pixels).astype(dtype)


def _side(shapes: list[tuple[int, ...]]) -> int | None:
    if len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0] == (1, shapes[0][1], shapes[0][1], 1):
        return shapes[0][1]
    return None


def runtime() -> str:
    """Name and version of what runs TFLite files here."""
    try:
        return f"LiteRT {metadata.version('ai-edge-litert')}"
    except metadata.PackageNotFoundError:
        return "LiteRT"
