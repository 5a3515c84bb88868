"""PNG and JPEG in many variants: written by hand, imagecodecs or Pillow, and read by imagecodecs."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
from PIL import Image

from image_variants.cases import Case, grey, luma, picture, upright

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGB_ALPHA: (8, 16)}
PASSES = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))
"""Of Adam7: first row, step of rows, first column, step of columns."""
MAGIC = b"\x89PNG\r\n\x1a\n"


def cases() -> Iterator[Case]:
    for part in (_png_kinds, _png_clear, _png_turned, _png_odd, _jpeg_kinds, _jpeg_turned, _jpeg_rare):
        yield from part()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(samples: np.ndarray, bits: int) -> bytes:
    """Rows of (height, width, channels), each behind a filter type: none and "up" in turn."""
    lines, last = b"", None
    for number, row in enumerate(samples.reshape(len(samples), -1)):
        packed = row.astype(">u2").tobytes() if bits == 16 else row.astype("u1").tobytes()
        if bits < 8:
            low = ((row[:, None] >> np.arange(bits)[::-1]) & 1).astype("u1")
            packed = np.packbits(low.ravel()).tobytes()
        raw = np.frombuffer(packed, "u1")
        up = number % 2
        lines += bytes([2 * up]) + (raw - last if up else raw).tobytes()
        last = raw
    return lines


def png(samples: np.ndarray, colour: int, bits: int, laced: bool = False, before=b"", after=b"") -> bytes:
    height, width = samples.shape[:2]
    samples = samples.reshape(height, width, -1)
    if laced:
        parts = [samples[y::rows, x::columns] for y, rows, x, columns in PASSES]
        pixels = b"".join(_rows(part, bits) for part in parts if part.size)
    else:
        pixels = _rows(samples, bits)
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, bits, colour, 0, 0, laced))
    return MAGIC + head + before + chunk(b"IDAT", zlib.compress(pixels)) + after + chunk(b"IEND", b"")


def palette(bits: int) -> bytes:
    return chunk(b"PLTE", np.random.default_rng(2).integers(0, 256, 3 * 2**bits, np.uint8).tobytes())


def exif(orientation: int, order: str = ">") -> bytes:
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return mark + struct.pack(f"{order}IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def _shown_png(content: bytes, bits: int, orientation: int = 1) -> np.ndarray | None:
    """What imagecodecs (libpng) reads, as grey; None where it is not opaque."""
    samples, top = imagecodecs.png_decode(content), 65535 if bits == 16 else 255
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        if (samples[..., -1] != top).any():
            return None
        samples = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    pixels = grey(samples, top)
    return upright(luma(pixels) if pixels.ndim == 3 else pixels, orientation)


def _case(
    group: str,
    name: str,
    content: bytes,
    colour: int,
    bits: int,
    crop: bool = False,
    scan: bool = False,
    turned: int = 1,
    plain: bytes = b"",
) -> Case:
    """A file that shows the picture, and what imagecodecs reads of it, or of the same without interlacing."""
    right = _shown_png(plain or content, bits, turned)
    counts = picture(2**bits - 1).astype("u1" if bits <= 8 else "u2") if colour == GREY and bits >= 8 else None
    counts = None if counts is None or right is None else upright(counts, turned)
    return Case(f"PNG, {group}", f"{name}.png", content, right, counts, crop, scan)


def _samples(colour: int, bits: int) -> np.ndarray:
    samples = picture(2**bits - 1, channels=CHANNELS[colour] if CHANNELS[colour] > 1 else 0)
    if colour in (GREY_ALPHA, RGB_ALPHA):
        samples[..., -1] = 2**bits - 1
    return samples


def _png_kinds() -> Iterator[Case]:
    for colour, laced in itertools.product(DEPTHS, (False, True)):
        for bits in DEPTHS[colour]:
            before = palette(bits) if colour == PALETTE else b""
            content = png(_samples(colour, bits), colour, bits, laced, before)
            group = {GREY: "grey", RGB: "colours", PALETTE: "palette"}.get(colour, "alpha")
            name = f"kind-{colour}-{bits}-{'laced' if laced else 'plain'}"
            crop, scan = bits <= 8 or colour == GREY, colour == GREY and bits >= 8
            plain = png(_samples(colour, bits), colour, bits, before=before)
            yield _case(group, name, content, colour, bits, crop, scan, plain=plain)


def _png_clear() -> Iterator[Case]:
    for colour, bits in ((GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGB_ALPHA, 8), (RGB_ALPHA, 16)):
        samples = _samples(colour, bits)
        samples[10:20, 10:20, -1] //= 2
        yield _case("alpha", f"clear-{colour}-{bits}", png(samples, colour, bits), colour, bits)
    for colour, bits in ((GREY, 1), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16)):
        clear = chunk(b"tRNS", struct.pack(">H", 0) * CHANNELS[colour])
        content = png(_samples(colour, bits), colour, bits, before=clear)
        yield Case("PNG, alpha", f"clear-colour-{colour}-{bits}.png", content, None)
    for bits, level in itertools.product((1, 2, 4, 8), (0, 128, 255)):
        # Of the first colour, which is in the picture.
        content = png(_samples(PALETTE, bits), PALETTE, bits, before=palette(bits) + chunk(b"tRNS", bytes([level])))
        name = f"clear-palette-{bits}-{level}"
        yield _case("alpha", name, content, PALETTE, bits, crop=level == 255)


def _png_turned() -> Iterator[Case]:
    for bits, orientation, order, late in itertools.product((8, 16), range(1, 9), "<>", (False, True)):
        block = chunk(b"eXIf", exif(orientation, order))
        place = {"after" if late else "before": block}
        content = png(_samples(GREY, bits), GREY, bits, **place)
        name = f"turned-{bits}-{orientation}-{'le' if order == '<' else 'be'}-{'late' if late else 'early'}"
        good = orientation == 1
        yield _case("orientation", name, content, GREY, bits, good, good, turned=orientation)


def _png_odd() -> Iterator[Case]:
    samples = _samples(GREY, 8)
    for name, before in {
        "gamma": chunk(b"gAMA", struct.pack(">I", 45455)),
        "significant-bits": chunk(b"sBIT", b"\5"),
        "text": chunk(b"tEXt", b"Comment\0made by hand"),
        "density": chunk(b"pHYs", struct.pack(">2IB", 1000, 2000, 1)),
    }.items():
        yield _case("grey", f"with-{name}", png(samples, GREY, 8, before=before), GREY, 8, True, True)
    frames = imagecodecs.apng_encode(np.stack([samples, samples[::-1]]).astype("u1"))
    yield Case("PNG, several images", "animation.png", frames, None)
    whole = png(samples, GREY, 8)
    apple = whole[:8] + chunk(b"CgBI", b"\x50\0\x20\2") + whole[8:]
    yield Case("PNG, damaged", "apple.png", apple, None)
    for share in (0.1, 0.5, 0.9):
        yield Case("PNG, damaged", f"cut-{share}.png", whole[: int(share * len(whole))], None)


def _shown_jpeg(content: bytes, orientation: int = 1) -> np.ndarray:
    """What imagecodecs (libjpeg-turbo) reads, as grey."""
    samples = imagecodecs.jpeg8_decode(content)
    return upright(luma(samples) if samples.ndim == 3 else samples, orientation)


def pillow_jpeg(samples: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(samples.astype("u1")).save(stream, "JPEG", **options)
    return stream.getvalue()


def _jpeg_kinds() -> Iterator[Case]:
    plain, colours = picture(255), picture(255, channels=3)
    for quality, progressive, restart in itertools.product((30, 75, 95), (False, True), (0, 2)):
        options = {"quality": quality, "progressive": progressive, "restart_marker_blocks": restart}
        name = f"{quality}-{'progressive' if progressive else 'baseline'}-{restart}"
        content = pillow_jpeg(plain, **options)
        yield Case("JPEG, grey", f"grey-{name}.jpg", content, _shown_jpeg(content), crop=True)
        for sampling in ("4:4:4", "4:2:2", "4:2:0"):
            content = pillow_jpeg(colours, subsampling=sampling, **options)
            yield Case(
                "JPEG, colours", f"colours-{sampling[2::2]}-{name}.jpg", content, _shown_jpeg(content), crop=True
            )
    for colour in ("RGB", "YCBCR"):
        content = imagecodecs.jpeg8_encode(colours.astype("u1"), 90, colorspace="RGB", outcolorspace=colour)
        yield Case("JPEG, colours", f"stored-as-{colour}.jpg", content, _shown_jpeg(content), crop=True)


def _with_note(content: bytes, note: bytes) -> bytes:
    """A JPEG with a segment of application data behind its start."""
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note + content[2:]


def _jpeg_turned() -> Iterator[Case]:
    for channels, orientation, order in itertools.product((0, 3), range(1, 9), "<>"):
        plain = pillow_jpeg(picture(255, channels=channels), quality=90)
        content = _with_note(plain, b"Exif\0\0" + exif(orientation, order))
        name = f"turned-{channels}-{orientation}-{'le' if order == '<' else 'be'}.jpg"
        yield Case("JPEG, orientation", name, content, _shown_jpeg(plain, orientation), crop=orientation == 1)


def _jpeg_rare() -> Iterator[Case]:
    plain, colours = picture(255).astype("u1"), picture(255, channels=3).astype("u1")
    inks = picture(255, channels=4).astype("u1")
    yield Case("JPEG, rare kinds", "lossless.jpg", imagecodecs.ljpeg_encode(plain), None)
    yield Case("JPEG, rare kinds", "lossless-16.jpg", imagecodecs.ljpeg_encode(picture(65535), bitspersample=16), None)
    yield Case("JPEG, rare kinds", "lossless-turbo.jpg", imagecodecs.jpeg8_encode(colours, lossless=True), None)
    deep = imagecodecs.jpeg8_encode(picture(4095), 90, bitspersample=12)
    yield Case("JPEG, rare kinds", "12-bits.jpg", deep, None)
    yield Case("JPEG, rare kinds", "jpeg-ls.jpg", imagecodecs.jpegls_encode(plain), None)
    stream = io.BytesIO()
    Image.fromarray(inks, "CMYK").save(stream, "JPEG")
    yield Case("JPEG, rare kinds", "cmyk.jpg", stream.getvalue(), None)
    stream = io.BytesIO()
    Image.fromarray(colours).save(stream, "MPO", save_all=True, append_images=[Image.fromarray(colours[::-1])])
    yield Case("JPEG, several images", "pair.jpg", stream.getvalue(), None)
    whole = pillow_jpeg(plain, quality=90)
    for share in (0.1, 0.5, 0.9):
        yield Case("JPEG, damaged", f"cut-{share}.jpg", whole[: int(share * len(whole))], None)
