"""DICOM and its form for the testing of materials, DICONDE: one grey image per file, decoded by pydicom.

pydicom is an extra: nothing else needs it, and it is imported when the first such file is read.
"""

from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from wool_board.errors import BadFile
from wool_board.image.variants import NEGATIVE, SIGNED, Variant, check_bits

PACKAGE = "pydicom"

_SYNTAXES = {
    "1.2.840.10008.1.2": "implicit little endian",
    "1.2.840.10008.1.2.1": "explicit little endian",
    "1.2.840.10008.1.2.1.99": "deflated little endian",
    "1.2.840.10008.1.2.2": "explicit big endian",
    "1.2.840.10008.1.2.5": "RLE lossless",
}
"""Transfer syntaxes that are read: uncompressed ones, and the one that pydicom decodes by itself."""

_INVERTED = {"MONOCHROME1": True, "MONOCHROME2": False}
_SHAPES = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}


def opened(file: BinaryIO) -> tuple[Image.Image, Variant]:
    """The samples of a file as they are stored, and what they are.

    Windows and other settings for display are not heeded; a rescale that changes values is refused, for then counts are
    no counts.

    Arguments:
        file: open for reading, at any place; is left at any other.

    Returns:
        An image of mode L or I;16, and its Variant.

    Raises:
        BadFile: pydicom is not installed, or the file is a variant that is not read.
        Exception: of any type, if it is damaged.
    """
    try:
        import pydicom
    except ImportError:
        raise BadFile(
            f"is DICOM, which needs {PACKAGE}: pip install {PACKAGE}, or this package's extra dicom"
        ) from None
    file.seek(0)
    data = pydicom.dcmread(file)
    variant = _variant(data)
    if data.Rows * data.Columns > (Image.MAX_IMAGE_PIXELS or 0):
        raise Image.DecompressionBombError
    # Bits above those stored, where old files have overlays, are left out, as the standard has it.
    samples = np.asarray(data.pixel_array) & variant.top
    return Image.fromarray(samples.astype(np.uint8 if data.BitsAllocated == 8 else np.uint16)), variant


def _variant(data: Any) -> Variant:
    syntax = data.file_meta.TransferSyntaxUID
    if syntax not in _SYNTAXES:
        raise BadFile(f"is compressed ({syntax.name}); save it uncompressed")
    if "PixelData" not in data:
        raise BadFile("holds no pixels; copy it again, or save it anew")
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise BadFile(f"holds {frames} images; give one per file")
    kind = data.get("PhotometricInterpretation", "")
    if kind not in _INVERTED or data.get("SamplesPerPixel", 1) != 1:
        raise BadFile(f"is of type {kind or 'unknown'}; save it as MONOCHROME2")
    check_bits(data.BitsAllocated)
    stored = data.BitsStored
    if not 8 <= stored <= data.BitsAllocated or data.HighBit != stored - 1:
        raise BadFile(f"stores {stored} bits up to bit {data.HighBit}; save it with 8 to 16 bits from bit 0 on")
    if data.PixelRepresentation != 0:
        raise BadFile(SIGNED)
    if data.get("ModalityLUTSequence") or (data.get("RescaleSlope", 1), data.get("RescaleIntercept", 0)) != (1, 0):
        raise BadFile("rescales its values (modality LUT); save those that are meant, with slope 1 and intercept 0")
    if data.get("PresentationLUTShape", _SHAPES[kind]) != _SHAPES[kind]:
        raise BadFile(f"is {kind}, but its presentation LUT shape is not {_SHAPES[kind]}; correct one of them")
    return Variant("DICOM", top=2**stored - 1, inverted=_INVERTED[kind], scan_flaw=_scan_flaw(data, _INVERTED[kind]))


def _scan_flaw(data: Any, inverted: bool) -> str:
    """Why samples are no counts of X-rays, or nothing; how they are shown matters only where nothing else tells."""
    sign, relation = data.get("PixelIntensityRelationshipSign"), data.get("PixelIntensityRelationship") or "LIN"
    if relation != "LIN":
        return f"has values that are not proportional to the X-ray intensity ({relation}); save the counts"
    return NEGATIVE if sign == -1 or (inverted and sign != 1) else ""
