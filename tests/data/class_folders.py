"""Folders of crops by class, for the tests of what loads them."""

import io

import numpy as np
import pytest
from PIL import Image

from wool_tf.data import dataset
from wool_tf.data.crop_reading import CropReading
from wool_tf.errors import WoolError

SIDE = 20


def grey(value, side=SIDE):
    return Image.fromarray(np.full((side, side), value, np.uint8))


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def load(folder, side=SIDE):
    return dataset.load(folder, side, folder.parent / "cache")


def refusal(folder, side=SIDE):
    """The one line that a bad folder gets; nothing may be left in the cache."""
    with pytest.raises(WoolError) as caught:
        load(folder, side)
    line = str(caught.value)
    assert "\n" not in line and str(folder) in line
    assert not list((folder.parent / "cache").glob("*"))
    return line


def manifest(folder, text, **options):
    with open(folder / "manifest.csv", "w", newline="", **options) as file:
        file.write(text)


ROWS = "path,label,group\ndefective/0.png,defective,A\nnon_defective/0.png,non_defective,B\n"


def skipping(folder, side=SIDE):
    return dataset.load(folder, side, folder.parent / "cache", reading=CropReading("skip"))


def noise_image():
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE), np.uint8))


def sixteen_bit():
    return np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE) * 163


def with_file_size_limit(size, call):
    import resource
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
