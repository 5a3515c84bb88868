"""From line scans with marked defects to crops of two classes, as the networks are trained on.

    python experiments/crop_scans.py --scans=scans --out=crops --defective=242 --non_defective=236
    python experiments/crop_scans.py --scans=raw_lines --out=crops --raw_width=640 --raw_type=uint16le

The folder of scans holds annotations.json (COCO), annotations.csv (scan,sample,x,y,width,height,defect), or what a
labelling tool exported; where that does not name samples, --sample_from finds them in the names of the files. Scans
without dark and bright references count as corrected already: the open beam is the highest count that a
sample can have (--bits, --white), or --open_beam.
"""

import startup  # noqa: F401

import collections

from absl import flags

import scan_flags
from wool_tf.command_line import console, flag_values, run_display
from wool_tf.data import crops
from wool_tf.data.listing import CLASSES

_OUT = flags.DEFINE_string("out", None, "New folder for the crops.", required=True)
_SCANS = scan_flags.define(crops.CropConfig)


def main() -> None:
    display = run_display.Display()
    scans = _SCANS.folder
    out = flag_values.output("out", _OUT.value, scans=scans)
    result = crops.write(scans, out, _SCANS.config)
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


if __name__ == "__main__":
    console.run(main)
