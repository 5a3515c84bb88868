"""From line scans with marked defects to crops of two classes, as the networks are trained on.

    python experiments/crop_scans.py --scans=scans --out=crops --defective=242 --non_defective=236
    python experiments/crop_scans.py --scans=raw_lines --out=crops --raw_width=640 --raw_type=uint16le

The folder of scans holds annotations.json (COCO) or annotations.csv (scan,sample,x,y,width,height,defect). Scans
without dark and bright references count as corrected already: the open beam is the highest count that the sample's bits
hold (--bits), or --open_beam.
"""

import collections

from absl import flags

import console
import setting_flags
from wool_board.image.scan_files import TYPES, LineFormat
from wool_tf import WoolError
from wool_tf.data import crops
from wool_tf.data.listing import CLASSES

_SCANS = flags.DEFINE_string("scans", None, "Folder of the scans and their annotations.", required=True)
_OUT = flags.DEFINE_string("out", None, "New folder for the crops.", required=True)
_SETTINGS = setting_flags.define(crops.CropConfig)
_RAW_WIDTH = flags.DEFINE_integer("raw_width", None, "Elements in a line of raw files (.raw, .bin).", lower_bound=1)
_RAW_TYPE = flags.DEFINE_enum("raw_type", None, list(TYPES), "Type of a sample in raw files.")


def main() -> None:
    display = console.Display()
    folder, out = console.path("scans", _SCANS.value), console.path("out", _OUT.value)
    settings = setting_flags.build(crops.CropConfig, _SETTINGS, raw=_raw())
    result = crops.write(folder, out, settings)
    if result is None:
        display.say(f"{out}: holds these crops already")
        return
    for reference, elements in result.repaired.items():
        display.say(f"{reference}: {len(elements)} elements repaired: {', '.join(map(str, elements)) or 'none'}")
    for remark in result.remarks:
        display.say(remark)
    for reason, number in result.choice.without.items():
        display.say(f"{number} frames without a crop: {reason}")
    if result.lost_boxes:
        display.say(f"{result.lost_boxes} boxes lie in last lines of scans, too few for a frame")
    for label, name in enumerate(CLASSES):
        kinds = collections.Counter(crop.defect for crop in result.choice.crops if crop.label == label)
        listed = ", ".join(f"{number} {kind or 'without a box'}" for kind, number in sorted(kinds.items()))
        display.say(f"{kinds.total()} {name} crops: {listed}")
    display.say(f"crops: {out}")


def _raw() -> LineFormat | None:
    if (_RAW_WIDTH.value is None) != (_RAW_TYPE.value is None):
        raise WoolError("--raw_width and --raw_type go together; give both")
    return _RAW_WIDTH.value and LineFormat(_RAW_WIDTH.value, _RAW_TYPE.value)


if __name__ == "__main__":
    console.run(main)
