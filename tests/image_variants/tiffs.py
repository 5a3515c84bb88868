"""TIFF in many variants: written by tifffile or by changing tags, and read by tifffile and imagecodecs."""

import io
import itertools
import struct
from collections.abc import Iterator

import numpy as np
import tifffile

from image_variants.cases import SHAPE, Case, grey, luma, picture, upright

PLAIN = {"metadata": None, "software": False}
ORDERS = {"le": "<", "be": ">"}
LAYOUTS = {"strip": {}, "strips": {"rowsperstrip": 8}, "tiles": {"tile": (16, 32)}, "tile": {"tile": (64, 64)}}
PREDICTABLE = ("lzw", "zlib", "deflate", "zstd", "lzma")
COMPRESSIONS = ("none", "packbits", *PREDICTABLE)
WHITE_IS_ZERO, RGB, PALETTE = 0, 2, 3


def written(samples: np.ndarray, order: str = "<", pages: int = 1, big: bool = False, **options) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream, byteorder=order, bigtiff=big) as file:
        for _ in range(pages):
            file.write(samples, **PLAIN | options)
    return stream.getvalue()


def shown(content: bytes) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What tifffile reads, as the grey that is shown and as counts; None where the samples have no such meaning."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages.first
        several = len(file.pages) > 1 or page.subifds or (page.subfiletype or 0) & 5 or len(file.series[0].pages) > 1
        if several or file.series[0].shape[:2] != page.shape[:2]:
            return None, None
        samples, tags = page.asarray(), page.tags
        kind, bits, extra = int(page.photometric), page.bitspersample, page.extrasamples
        if int(page.planarconfig or 1) == 2 and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
        orientation = tags[274].value if 274 in tags else 1
        if page.sampleformat != 1 or bits > 16 or 262 not in tags:
            return None, None
        if extra:
            alpha = samples[..., -1]
            if len(extra) > 1 or extra[0] not in (1, 2) or (alpha != 2**bits - 1).any():
                return None, None
            samples = samples[..., 0] if samples.shape[-1] == 2 else samples[..., :3]
        if kind == PALETTE:
            return upright(luma(np.moveaxis(page.colormap[:, samples] >> 8, 0, -1)), orientation), None
        if samples.ndim == 3:
            if kind not in (RGB, 6):
                return None, None
            colours = samples if bits == 8 else grey(samples, 2**bits - 1)
            return upright(luma(colours), orientation), None
        counts = samples if bits in (8, 16) and kind and not extra else None
        white = 2**bits - 1 - samples if kind == WHITE_IS_ZERO else samples
        turned = counts if counts is None else upright(counts, orientation)
        return upright(grey(white, 2**bits - 1), orientation), turned


def case(group: str, name: str, content: bytes, crop: bool = False, scan: bool = False) -> Case:
    return Case(f"TIFF, {group}", f"{name}.tif", content, *shown(content), crop=crop, scan=scan)


def cases() -> Iterator[Case]:
    for part in (_grey, _colour, _other_bits, _planes, _alpha, _turned, _rare_compressions, _several, _edited):
        yield from part()


def _grey() -> Iterator[Case]:
    for (order, mark), bits, packed, (layout, how) in itertools.product(
        ORDERS.items(), (8, 16), COMPRESSIONS, LAYOUTS.items()
    ):
        for predictor in (1, 2) if packed in PREDICTABLE else (1,):
            samples = picture(2**bits - 1).astype(f"u{bits // 8}")
            packing = {} if packed == "none" else {"compression": packed, "predictor": predictor}
            content = written(samples, mark, photometric="minisblack", **how, **packing)
            yield case("grey", f"grey-{order}-{bits}-{packed}-{predictor}-{layout}", content, True, True)
        if packed in ("none", "lzw"):
            content = written(samples, mark, photometric="miniswhite", **how, **packing)
            name = f"white-is-zero-{order}-{bits}-{packed}-{layout}"
            yield case("white is zero", name, content, crop=bits == 8)
    for bits in (8, 16):
        samples = picture(2**bits - 1).astype(f"u{bits // 8}")
        for order, mark in ORDERS.items():
            content = written(samples, mark, big=True, photometric="minisblack", rowsperstrip=8)
            yield case("grey", f"bigtiff-{order}-{bits}", content, order == "le", order == "le")
        content = written(samples, photometric="minisblack", metadata={})
        yield case("grey", f"described-{bits}", content, True, True)
    yield case("grey", "grey-jpeg", written(picture(255).astype("u1"), compression="jpeg", tile=(32, 32)), True, True)


def _colour() -> Iterator[Case]:
    for (order, mark), bits, packed, (layout, how) in itertools.product(
        ORDERS.items(), (8, 16), ("none", "packbits", "lzw", "zlib"), LAYOUTS.items()
    ):
        samples = picture(2**bits - 1, channels=3).astype(f"u{bits // 8}")
        packing = {} if packed == "none" else {"compression": packed}
        content = written(samples, mark, photometric="rgb", **how, **packing)
        yield case("colours", f"rgb-{order}-{bits}-{packed}-{layout}", content, crop=bits == 8)
    for (order, mark), bits, packed in itertools.product(ORDERS.items(), (8, 16), (None, "lzw")):
        samples = (picture(2**bits - 1) >> 8 * (bits == 16)).astype(f"u{bits // 8}")
        colours = np.random.default_rng(1).integers(0, 65536, (3, 2**bits)).astype("u2")
        content = written(samples, mark, photometric="palette", colormap=colours, compression=packed)
        yield case("palette", f"palette-{order}-{bits}-{packed}", content, crop=bits == 8)
    samples = picture(255, channels=3).astype("u1")
    yield case("colours", "rgb-predictor", written(samples, photometric="rgb", compression="lzw", predictor=2), True)
    for colour in ("rgb", "ycbcr"):
        content = written(samples, photometric=colour, compression="jpeg", rowsperstrip=16)
        yield case("colours", f"jpeg-{colour}", content, crop=True)
    yield case("colours", "ycbcr-uncompressed", written(samples, photometric="ycbcr"))
    yield case("colours", "lab", written(samples, photometric="cielab"))
    for bits in (8, 16):
        inks = picture(2**bits - 1, channels=4).astype(f"u{bits // 8}")
        yield case("colours", f"cmyk-{bits}", written(inks, photometric="separated"))


def _other_bits() -> Iterator[Case]:
    for (order, mark), bits, (layout, how) in itertools.product(
        ORDERS.items(), (1, 2, 4, 6, 10, 12, 14), {"strip": {}, "strips": {"rowsperstrip": 8}}.items()
    ):
        samples = picture(2**bits - 1).astype("u1" if bits <= 8 else "u2")
        for kind in ("minisblack", "miniswhite"):
            content = written(samples, mark, photometric=kind, bitspersample=bits, **how)
            yield case("packed bits", f"packed-{order}-{bits}-{kind}-{layout}", content)
    kinds = ("i1", "i2", "i4", "u4", "f2", "f4", "f8", "u8", "c8")
    for (order, mark), kind, packed in itertools.product(ORDERS.items(), kinds, ("none", "lzw", "predicted")):
        if packed == "predicted" and kind == "c8":
            continue
        samples = picture(255).astype(kind) - (100 if kind[0] == "i" else 0)
        predictor = 3 if kind[0] == "f" else 2
        packing = {"compression": "lzw", "predictor": predictor} if packed == "predicted" else {}
        packing = {"compression": "lzw"} if packed == "lzw" else packing
        content = written(samples, mark, photometric="minisblack", **packing)
        yield case("signed, 32 bits, float", f"{kind}-{order}-{packed}", content)


def _planes() -> Iterator[Case]:
    for (order, mark), bits, packed, (layout, how) in itertools.product(
        ORDERS.items(), (8, 16), (None, "lzw", "zlib"), LAYOUTS.items()
    ):
        samples = np.moveaxis(picture(2**bits - 1, channels=3), -1, 0).astype(f"u{bits // 8}")
        content = written(samples, mark, photometric="rgb", planarconfig="separate", compression=packed, **how)
        yield case("planes apart", f"planes-{order}-{bits}-{packed}-{layout}", content)


def _alpha() -> Iterator[Case]:
    for (order, mark), bits, channels, kind in itertools.product(
        ORDERS.items(), (8, 16), (1, 3), ("assocalpha", "unassalpha", "unspecified")
    ):
        for clear in (False, True):
            samples = picture(2**bits - 1, channels=channels + 1).astype(f"u{bits // 8}")
            samples[..., -1] = 2**bits - 1
            samples[10:20, 10:20, -1] //= 1 + clear
            photometric = "rgb" if channels == 3 else "minisblack"
            how = {"photometric": photometric, "planarconfig": "contig", "extrasamples": [kind]}
            good = bits == 8 and not clear and (kind == "unassalpha" or (kind, channels) == ("assocalpha", 3))
            name = f"alpha-{order}-{bits}-{channels}-{kind}-{'clear' if clear else 'opaque'}"
            yield case("alpha", name, written(samples, mark, **how), crop=good)
    samples = picture(255, channels=5).astype("u1")
    yield case("alpha", "five-channels", written(samples, photometric="rgb", planarconfig="contig"))


def _turned() -> Iterator[Case]:
    for (order, mark), bits, orientation, packed in itertools.product(
        ORDERS.items(), (8, 16), range(1, 9), (None, "lzw")
    ):
        samples = picture(2**bits - 1).astype(f"u{bits // 8}")
        tags = [(274, "H", 1, orientation, True)]
        content = written(samples, mark, photometric="minisblack", compression=packed, extratags=tags)
        good = orientation == 1
        yield case("orientation", f"turned-{order}-{bits}-{orientation}-{packed}", content, good, good)
    note = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    samples = picture(255).astype("u1")
    content = written(samples, photometric="minisblack", extratags=[(700, "B", len(note), note, True)])
    yield case("orientation", "turned-by-note", content)


def _rare_compressions() -> Iterator[Case]:
    for packed in ("jpeg2000", "webp", "lerc", "png", "jpegxl"):
        samples = picture(255, channels=3).astype("u1")
        try:
            content = written(samples, photometric="rgb", compression=packed, compressionargs=_lossless(packed))
        except (ValueError, ImportError, RuntimeError):
            continue
        yield case("rare compressions", f"packed-as-{packed}", content)
    for packed in ("jpeg2000", "lerc", "png"):
        content = written(picture(65535), photometric="minisblack", compression=packed)
        yield case("rare compressions", f"grey-packed-as-{packed}", content)
    bits = picture(1).astype("u1")
    for packed in ("ccittrle", "ccitt_t4", "ccitt_t6"):
        try:
            content = written(bits, photometric="minisblack", bitspersample=1, compression=packed, rowsperstrip=50)
        except (ValueError, ImportError, RuntimeError, TypeError):
            continue
        yield Case("TIFF, rare compressions", f"packed-as-{packed}.tif", content, None)


def _lossless(packed: str) -> dict:
    return {"lossless": True} if packed in ("webp", "jpegxl") else {}


def _several() -> Iterator[Case]:
    samples = picture(255).astype("u1")
    for order, mark in ORDERS.items():
        yield case("several images", f"pages-{order}", written(samples, mark, pages=3, photometric="minisblack"))
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream, byteorder=mark) as file:
            file.write(samples, photometric="minisblack", **PLAIN)
            file.write(samples[::2, ::2], photometric="minisblack", subfiletype=1, **PLAIN)
        yield case("several images", f"page-and-thumbnail-{order}", stream.getvalue())
        stream = io.BytesIO()
        with tifffile.TiffWriter(stream, byteorder=mark) as file:
            file.write(samples, photometric="minisblack", subifds=1, **PLAIN)
            file.write(samples[::2, ::2], photometric="minisblack", subfiletype=1, **PLAIN)
        yield case("several images", f"pyramid-{order}", stream.getvalue())
        content = written(samples, mark, photometric="minisblack", subfiletype=1)
        yield case("several images", f"thumbnail-alone-{order}", content)
    stack = np.stack([samples, samples[::-1]])
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, imagej=True)
    yield case("several images", "imagej-stack", stream.getvalue())
    stream = io.BytesIO()
    tifffile.imwrite(stream, stack, photometric="minisblack", metadata={"axes": "ZYX"}, truncate=True)
    yield case("several images", "truncated-stack", stream.getvalue())
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, imagej=True)
    yield case("grey", "imagej-one", stream.getvalue(), True, True)


def _edited() -> Iterator[Case]:
    """Tags that no writer at hand gives; what is right is None where the result is damaged or has two meanings."""
    good = Edited(16)
    yield Case("TIFF, odd tags", "by-hand.tif", good.content(), grey(good.samples, 65535), good.samples, True, True)
    for big, bits in itertools.product((False, True), (8, 16)):
        made = Edited(bits, ">" if big else "<")
        for name, change in EDITS.items():
            content = made.content(change)
            yield Case("TIFF, odd tags", f"{name}-{'be' if big else 'le'}-{bits}.tif", content, None)
        turned = made.content({274: (0,)})
        # What is not among 1 to 8 turns nothing.
        right = grey(made.samples, 2**bits - 1)
        yield Case("TIFF, odd tags", f"orientation-0-{'be' if big else 'le'}-{bits}.tif", turned, right, made.samples)
        apart = made.content({284: (2,)})
        yield Case("TIFF, odd tags", f"one-plane-{'be' if big else 'le'}-{bits}.tif", apart, right, made.samples)


EDITS: dict[str, dict[int, tuple[int, ...] | None]] = {
    "fill-order-2": {266: (2,)},
    "no-photometric": {262: None},
    "sparse": {273: (0,)},
    "empty-strip": {279: (0,)},
    "too-many-strips": {273: (8, 8)},
    "too-few-strips": {278: (10,)},
    "no-strips": {273: None},
    "predictor-2-uncompressed": {317: (2,)},
    "undefined-samples": {339: (4,)},
    "filter-array": {262: (32803,)},
    "float-said": {339: (3,)},
    "signed-said": {339: (2,)},
    "two-samples": {277: (2,)},
    "unknown-compression": {259: (60000,)},
    "old-jpeg": {259: (6,)},
    "no-width": {256: None},
    "rows-0": {278: (0,)},
    "mask": {254: (4,)},
    "thumbnail-of-old": {255: (2,)},
}


class Edited:
    """A TIFF of one uncompressed strip, whose tags can be changed or (None) left out."""

    def __init__(self, bits: int, order: str = "<"):
        self.order, self.samples = order, picture(2**bits - 1).astype(f"u{bits // 8}")
        height, width = SHAPE
        self.tags: dict[int, tuple[int, ...] | None] = {
            256: (width,), 257: (height,), 258: (bits,), 259: (1,), 262: (1,), 273: (8,), 277: (1,), 278: (height,),
            279: (self.samples.nbytes,),
        }  # fmt: skip

    def content(self, changes: dict[int, tuple[int, ...] | None] | None = None) -> bytes:
        pixels = self.samples.astype(self.samples.dtype.newbyteorder(self.order)).tobytes()
        tags = {tag: values for tag, values in sorted((self.tags | (changes or {})).items()) if values is not None}
        after = 8 + len(pixels) + len(pixels) % 2
        beyond = after + 2 + 12 * len(tags) + 4
        entries, extra = b"", b""
        for tag, values in tags.items():
            packed = struct.pack(f"{self.order}{len(values)}I", *values)
            if len(values) > 1:
                packed, extra = struct.pack(f"{self.order}I", beyond + len(extra)), extra + packed
            entries += struct.pack(f"{self.order}HHI", tag, 4, len(values)) + packed
        mark = {"<": b"II*\0", ">": b"MM\0*"}[self.order]
        head = mark + struct.pack(f"{self.order}I", after)
        pad = b"\0" * (len(pixels) % 2)
        end = struct.pack(f"{self.order}I", 0)
        return head + pixels + pad + struct.pack(f"{self.order}H", len(tags)) + entries + end + extra
