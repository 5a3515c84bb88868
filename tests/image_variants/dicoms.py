"""DICOM and DICONDE in many variants: written by pydicom, from samples that are known."""

import io
import itertools
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from image_variants.cases import SHAPE, Case, grey, picture
from image_variants.pngs_and_jpegs import pillow_jpeg

PLAIN = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
    "rle": RLELossless,
}
MONOCHROMES = ("MONOCHROME1", "MONOCHROME2")


def dicom(samples: np.ndarray, syntax: str = ExplicitVRLittleEndian, stored: int = 0, **tags: object) -> bytes:
    """A file of (height, width) samples of 8 or 16 bits, or of more axes where the tags say so."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DigitalXRayImageStorageForProcessing, generate_uid()
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    bits = 8 * samples.dtype.itemsize
    data.Rows, data.Columns = SHAPE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, stored or bits, (stored or bits) - 1
    data.PixelRepresentation = int(samples.dtype.kind == "i")
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    big = syntax == ExplicitVRBigEndian
    data.PixelData = samples.astype(samples.dtype.newbyteorder(">" if big else "<")).tobytes()
    data["PixelData"].VR = "OW" if bits > 8 or big else "OB"
    if big and bits == 8:
        padded = np.frombuffer(data.PixelData, "u1")
        data.PixelData = padded.tobytes() + b"\0" * (len(padded) % 2)
        data["PixelData"].VR = "OB"
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    return _saved(data)


def _saved(data: Dataset) -> bytes:
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, data, enforce_file_format=True)
    return stream.getvalue()


def _case(group: str, name: str, content: bytes, stored: int = 0, inverted: bool = False, **right) -> Case:
    """A file whose samples are `picture(2**stored - 1)`; without `stored`, of none that has a meaning here."""
    counts = picture(2**stored - 1).astype("u1" if stored == 8 else "u2") if stored else None
    shown = None if counts is None else grey(2**stored - 1 - counts if inverted else counts, 2**stored - 1)
    suffix = ".dcn" if "explicit" in name else ".dcm"
    return Case(f"DICOM, {group}", name + suffix, content, shown, counts, **right)


def cases() -> Iterator[Case]:
    for part in (_good, _intensities, _refused, _compressed):
        yield from part()


def _good() -> Iterator[Case]:
    for (name, syntax), bits, kind in itertools.product(PLAIN.items(), (8, 10, 12, 14, 16), MONOCHROMES):
        samples = picture(2**bits - 1).astype("u1" if bits == 8 else "u2")
        content = dicom(samples, syntax, bits, PhotometricInterpretation=kind)
        inverted = kind == "MONOCHROME1"
        yield _case("grey", f"{kind}-{bits}-{name}", content, bits, inverted, crop=True, scan=not inverted)
    samples = picture(4095)
    for name, tags in {
        "window": {"WindowCenter": 500, "WindowWidth": 10},
        "identity": {"RescaleSlope": 1, "RescaleIntercept": 0, "PresentationLUTShape": "IDENTITY"},
        "one-frame": {"NumberOfFrames": 1},
    }.items():
        yield _case("grey", f"with-{name}", dicom(samples, stored=12, **tags), 12, crop=True, scan=True)
    for name in ("implicit", "big", "rle"):
        content = dicom(samples | 0x8000, PLAIN[name], 12)
        yield _case("grey", f"with-overlay-{name}", content, 12, crop=True, scan=True)


def _intensities() -> Iterator[Case]:
    samples = picture(4095)
    for kind, relation, sign in itertools.product(MONOCHROMES, ("LIN", "LOG"), (1, -1)):
        tags = {"PixelIntensityRelationship": relation, "PixelIntensityRelationshipSign": sign}
        content = dicom(samples, stored=12, PhotometricInterpretation=kind, **tags)
        right = {"crop": True, "scan": (relation, sign) == ("LIN", 1)}
        yield _case("intensity told", f"{kind}-{relation}-{sign}", content, 12, kind == "MONOCHROME1", **right)


def _refused() -> Iterator[Case]:
    twelve, tall = picture(4095), np.concatenate([picture(4095), picture(4095, seed=1)])
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 16], bytes(8)
    for name, content in {
        "slope": dicom(twelve, stored=12, RescaleSlope=2, RescaleIntercept=0),
        "intercept": dicom(twelve, stored=12, RescaleSlope=1, RescaleIntercept=-1024),
        "lookup": dicom(twelve, stored=12, ModalityLUTSequence=[table]),
        "signed-16": dicom(twelve.astype("i2") - 100),
        "signed-12": dicom(twelve.astype("i2") // 2 - 1000, stored=12),
        "signed-8": dicom(picture(255).astype("i1")),
        "frames": dicom(tall, stored=12, NumberOfFrames=2),
        "high-bit": dicom(twelve << 4, stored=12, HighBit=15),
        "32-bits": dicom(twelve.astype("u4"), stored=32),
        "one-bit-stored": dicom(picture(1), stored=1),
        "shape": dicom(twelve, stored=12, PresentationLUTShape="INVERSE"),
        "no-photometric": dicom(twelve, stored=12, PhotometricInterpretation=None),
        "colours": dicom(picture(255, channels=3).astype("u1"), SamplesPerPixel=3, PhotometricInterpretation="RGB",
                         PlanarConfiguration=0),
        "palette": dicom(picture(255).astype("u1"), PhotometricInterpretation="PALETTE COLOR"),
        "cut": dicom(twelve, stored=12)[:-1000],
        "no-pixels": dicom(twelve, stored=12, Rows=SHAPE[0] + 20),
    }.items():  # fmt: skip
        yield _case("not read", name, content)


def _compressed() -> Iterator[Case]:
    eight = picture(255).astype("u1")
    for name, syntax, code in (
        ("baseline", JPEGBaseline8Bit, pillow_jpeg(eight)),
        ("jpeg-2000", JPEG2000Lossless, imagecodecs.jpeg2k_encode(eight, reversible=True, codecformat="J2K")),
        ("jpeg-ls", JPEGLSLossless, imagecodecs.jpegls_encode(eight)),
    ):
        data = pydicom.dcmread(io.BytesIO(dicom(eight)))
        data.PixelData = encapsulate([code])
        data["PixelData"].VR, data.file_meta.TransferSyntaxUID = "OB", syntax
        data["PixelData"].is_undefined_length = True
        yield _case("compressed", name, _saved(data))
