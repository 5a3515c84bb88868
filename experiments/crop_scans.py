"""From line scans with marked defects to crops of two classes, as the networks are trained on.

    python experiments/crop_scans.py --scans=scans --out=crops --defective=242 --non_defective=236
    python experiments/crop_scans.py --scans=raw_lines --out=crops --raw_width=640 --raw_type=uint16le

The folder of scans holds annotations.json (COCO) or annotations.csv (scan,sample,x,y,width,height,defect). Scans
without dark and bright references count as corrected already: the open beam is the top of the sample type, or
--open_beam.
"""

import collections

from absl import flags

import console
from wool_board.image.scan_files import TYPES, LineFormat
from wool_tf import WoolError
from wool_tf.data import crops
from wool_tf.data.listing import CLASSES

_SCANS = flags.DEFINE_string("scans", None, "Folder of the scans and their annotations.", required=True)
_OUT = flags.DEFINE_string("out", None, "New folder for the crops.", required=True)
_DEFECTIVE = flags.DEFINE_integer("defective", None, "Defective crops; default: all.", lower_bound=1)
_NON_DEFECTIVE = flags.DEFINE_integer(
    "non_defective", None, "Non-defective crops; default: as many, of half of the frames at most.", lower_bound=1
)
_SIDE = flags.DEFINE_integer("side", 244, "Side of a crop in pixels.", lower_bound=32)
_FRAME = flags.DEFINE_integer("frame_lines", 320, "Lines of a frame, of which one crop is cut.", lower_bound=32)
_DEFECTS = flags.DEFINE_list("defects", ["D1", "D2", "D3", "D6"], "Types that make a crop defective.")
_INVISIBLE = flags.DEFINE_list("invisible", ["D4", "D5"], "Types that are marked, but make no difference.")
_SEED = flags.DEFINE_integer("seed", 0, "Base of every random number.", lower_bound=0)
_WINDOW = flags.DEFINE_list("window", None, "LOW,HIGH: attenuation shown white and black; default: from all scans.")
_DARK = flags.DEFINE_string("dark", None, "Scan without beam, for all scans; default: as the annotations name it.")
_BRIGHT = flags.DEFINE_string("bright", None, "Scan of the empty belt, for all scans.")
_OPEN_BEAM = flags.DEFINE_float("open_beam", None, "Counts of the open beam, where there are no references.")
_PIXEL = flags.DEFINE_float("pixel_mm", 0.8, "Distance of pixels in mm, written into imaging.json.")
_RAW_WIDTH = flags.DEFINE_integer("raw_width", None, "Elements in a line of raw files (.raw, .bin).", lower_bound=1)
_RAW_TYPE = flags.DEFINE_enum("raw_type", None, list(TYPES), "Type of a sample in raw files.")


def main() -> None:
    display = console.Display()
    folder, out = console.path("scans", _SCANS.value), console.path("out", _OUT.value)
    settings = crops.CropConfig(
        side=_SIDE.value,
        frame_lines=_FRAME.value,
        defects=tuple(_DEFECTS.value),
        invisible=tuple(_INVISIBLE.value),
        defective=_DEFECTIVE.value,
        non_defective=_NON_DEFECTIVE.value,
        seed=_SEED.value,
        window=_window(),
        dark=_DARK.value if _DARK.value is None else console.path("dark", _DARK.value),
        bright=_BRIGHT.value if _BRIGHT.value is None else console.path("bright", _BRIGHT.value),
        open_beam=_OPEN_BEAM.value,
        raw=_raw(),
        pixel_mm=_PIXEL.value,
    )
    result = crops.write(folder, out, settings, display.say)
    if result is None:
        display.say(f"{out}: holds these crops already")
        return
    for reference, elements in result.repaired.items():
        display.say(f"{reference}: {len(elements)} elements repaired: {', '.join(map(str, elements)) or 'none'}")
    for reason, number in result.choice.without.items():
        display.say(f"{number} frames without a crop: {reason}")
    if result.lost_boxes:
        display.say(f"{result.lost_boxes} boxes lie in last lines of scans, too few for a frame")
    for label, name in enumerate(CLASSES):
        kinds = collections.Counter(crop.defect for crop in result.choice.crops if crop.label == label)
        listed = ", ".join(f"{number} {kind or 'without a box'}" for kind, number in sorted(kinds.items()))
        display.say(f"{kinds.total()} {name} crops: {listed}")
    display.say(f"crops: {out}")


def _window() -> tuple[float, float] | None:
    if _WINDOW.value is None:
        return None
    try:
        low, high = map(float, _WINDOW.value)
    except ValueError:
        raise WoolError(f"--window={','.join(_WINDOW.value)}: must be LOW,HIGH, for example 0,1.5") from None
    return low, high


def _raw() -> LineFormat | None:
    if (_RAW_WIDTH.value is None) != (_RAW_TYPE.value is None):
        raise WoolError("--raw_width and --raw_type go together; give both")
    return _RAW_WIDTH.value and LineFormat(_RAW_WIDTH.value, _RAW_TYPE.value)


if __name__ == "__main__":
    console.run(main)
