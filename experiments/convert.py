"""TFLite files of a trained network, for a board: one of each precision, with its card inside and beside it.

    python experiments/convert.py --network=hard3.safetensors --data=crops --out=board \\
        --folds_file=run/folds.json --fold=0
    python experiments/convert.py --network=run/model/compact.keras --data=crops --out=board --precisions=int8 --heatmap

With --folds_file and --fold the images that the network held out are kept out of calibration, threshold and
fine-tuning, and the card says what the file achieves on them. Without, all images count as training images, and it does
not.

A file decides at a threshold that is chosen on the training images, by that file's own scores: where a miss costs as
much as --cost_ratio false alarms, or where --required_recall of the defective ones are found. A network remembers its
training images, so it scores them better than any others, and such a threshold is optimistic: of new images, expect
fewer to be found than were required. One that was found on out-of-fold scores, as in the report of prune_kfold.py, is
not, and can be given as --threshold.
"""

import startup  # noqa: F401

import dataclasses

from absl import flags

import network_flags
import threshold_flags
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.deploy import conversion
from wool_tf.deploy.conversion import ConversionRequest
from wool_tf.deploy.qat.launch import QatConfig

_OUT = flags.DEFINE_string("out", None, "Folder for the files.", required=True)
_THRESHOLD = threshold_flags.define()
_REQUEST = setting_flags.define(ConversionRequest)
_QAT = setting_flags.define(
    QatConfig, names={name: f"qat_{name}" for name in ("epochs", "batch_size", "learning_rate")}, without=("seed",)
)

flags.adopt_module_key_flags(network_flags)


def main() -> None:
    rule, threads = threshold_flags.rule(_THRESHOLD), network_flags.threads()
    given = {"out": flag_values.path("out", _OUT.value), "threshold_rule": rule, "threads": threads}
    request = setting_flags.build(ConversionRequest, _REQUEST, **given)
    request = dataclasses.replace(request, qat=setting_flags.build(QatConfig, _QAT, seed=request.seed))
    source = network_flags.source()
    flag_values.output("out", _OUT.value, data=source.data)
    console.set_computing_environment(threads)
    run_display.Display()
    conversion.run(source, request)


if __name__ == "__main__":
    console.run(main)
