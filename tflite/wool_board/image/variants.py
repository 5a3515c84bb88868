"""What the head of an image file says of its pixels, and the rules that all formats share.

A file is read where every decoder gives the same pixels, and refused where they differ or where a decoder would change
values silently. The rules are kept by the head, before anything is decoded.
"""

import re
from typing import NamedTuple

from wool_board.errors import BadFile

FULL = 65535
"""The highest value of 16 bits."""

BITS, WHITE = range(8, 17), range(255, FULL + 1)
"""How many bits a detector may use of 16, and the highest values that it may have."""

UPRIGHT = 1
"""The orientation, as TIFF and Exif count them, of pixels that are shown as they are stored."""

MAX_PIXELS = 50_000_000
"""A larger image is refused before it is decoded; 7000 × 7000 pixels are far beyond any crop."""

COLOURS = "has colours or alpha of 16 bits, of which decoders drop the lower half; save it as grey, or with 8 bits"
NEGATIVE = "is a negative (white is zero); save it so that more X-ray is a higher value"
NO_COUNTS = "has colours or alpha; save it as grey with 8 or 16 bits"
SIGNED = "has signed samples; save them unsigned, from 0 to 255 or 65535"

_TURNED = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([0-9])""")


class Variant(NamedTuple):
    """What a file holds.

    Attributes:
        format: PNG, TIFF, JPEG or DICOM.
        grey: whether it has no colours, not even in a palette.
        top: the highest value that a sample can have as it is decoded: 255, 65535, or 2^n - 1 of n bits in DICOM.
        alpha: whether it has an alpha channel, or a palette with alpha.
        inverted: whether its lowest value is white once it is decoded.
        scan_flaw: why it cannot be a scan of counts, as the rest of a sentence; empty where it can.
    """

    format: str
    grey: bool = True
    top: int = 255
    alpha: bool = False
    inverted: bool = False
    scan_flaw: str = ""

    def top_with(self, white: int | None) -> int:
        """The highest value, where it is known how much of its samples' range the detector uses.

        Arguments:
            white: the highest value that the detector gives in 16-bit files. DICOM of fewer bits says its own. None:
                `FULL`.
        """
        return white if white and self.top == FULL else self.top


def check_bits(bits: int) -> None:
    """Raises BadFile unless samples have 8 or 16 bits."""
    if bits not in (8, 16):
        raise BadFile(f"has {bits}-bit pixels; save it with 8 or 16 bits")


def check_upright(orientation: int) -> None:
    """Raises BadFile if an orientation, as TIFF and Exif count them, is not that of the pixels as they are stored.

    Turning would change along which axis the detector's elements lie, and where boxes are; viewers and decoders differ
    in whether they turn. So nothing is turned, in no format.
    """
    if orientation != UPRIGHT:
        rule = f"is to be turned or mirrored when it is shown (orientation {orientation})"
        raise BadFile(f"{rule}; save it upright, without that tag")


def noted_orientation(xmp: bytes) -> int:
    """The orientation that notes in XMP name, `UPRIGHT` where they name none."""
    found = _TURNED.search(xmp)
    return int(found[1]) if found else UPRIGHT
