"""TFLite files of a trained network, for a board: one of each precision, with its card inside and beside it.

    python experiments/convert.py --network=hard3.safetensors --data=crops --out=board --folds=run/folds.json --fold=0
    python experiments/convert.py --network=run/model/compact.keras --data=crops --out=board --precisions=int8 --heatmap

With --folds and --fold the images that the network held out are kept out of calibration, threshold and fine-tuning, and
the card says what the file achieves on them. Without, all images count as training images, and it does not.

A file decides at a threshold that is chosen on the training images, by that file's own scores: where a miss costs as
much as --cost_ratio false alarms, or where --required_recall of the defective ones are found. A network remembers its
training images, so it scores them better than any others, and such a threshold is optimistic: of new images, expect
fewer to be found than were required. One that was found on out-of-fold scores, as in the report of prune_kfold.py, is
not, and can be given as --threshold.
"""

import startup  # noqa: F401

from absl import flags

import console
import network_flags
import setting_flags
import threshold_flags
from wool_tf.deploy import calibration_set
from wool_tf.deploy.qat.launch import QatConfig

_OUT = flags.DEFINE_string("out", None, "Folder for the files.", required=True)
_PRECISIONS = flags.DEFINE_list(
    "precisions", ["fp32", "fp16", "dynamic", "int8", "int8-float-io"], "Which files, of these and qat."
)
_CALIBRATION = flags.DEFINE_integer(
    "calibration_images",
    calibration_set.IMAGES,
    "Training images that the ranges of 8-bit files are taken from.",
    lower_bound=2,
)
_SIDE = flags.DEFINE_integer(
    "side", None, "Side of a crop in pixels; default: as imaging.json says, or the commonest.", lower_bound=1
)
_HEATMAP = flags.DEFINE_bool("heatmap", False, "Files say where the defect is, too.")
_C_ARRAY = flags.DEFINE_bool("c_array", False, "Write int8 and qat files as C source as well, for microcontrollers.")
_THRESHOLD = threshold_flags.define()
_QAT = setting_flags.define(
    QatConfig, names={name: f"qat_{name}" for name in ("epochs", "batch_size", "learning_rate")}
)

flags.adopt_module_key_flags(network_flags)


def main() -> None:
    threshold_rule = threshold_flags.rule(_THRESHOLD)
    qat = setting_flags.build(QatConfig, _QAT)
    source, threads = network_flags.source(), network_flags.threads()
    out = console.output("out", _OUT.value, data=source.data)
    console.set_computing_environment(threads)

    from wool_tf.deploy import conversion

    request = conversion.ConversionRequest(
        out=out,
        precisions=tuple(_PRECISIONS.value),
        threshold_rule=threshold_rule,
        side=_SIDE.value,
        calibration_images=_CALIBRATION.value,
        heatmap=_HEATMAP.value,
        c_array=_C_ARRAY.value,
        seed=qat.seed,
        threads=threads,
        qat=qat,
    )
    console.Display()
    conversion.run(source, request)


if __name__ == "__main__":
    console.run(main)
