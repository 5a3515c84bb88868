"""Whether TFLite files judge images as the network does that they were made of.

    python experiments/verify.py --network=hard3.safetensors --models=board/hard3-int8.tflite --data=crops \\
        --folds_file=run/folds.json --fold=0

The images are those of the fold that the network held out; without --folds_file all, which flatters both unless they
are others than it was trained on. A file decides at the threshold of its card. The line below each file is the network
in Keras with the threshold that the same rule gave for its own scores, so what differs between these two lines is the
precision alone. Agreement is that of their decisions at the file's threshold; differences are those of the scores.

The exit status is 1 if a file leaves one of the bounds: its accuracy or AUC is too far below the network's, or it calls
too many images something else.
"""

import startup  # noqa: F401

from absl import flags

import network_flags
from wool_tf import WoolError
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.deploy import verification

_MODELS = flags.DEFINE_list("models", None, "The TFLite files, with a card each.", required=True)
_BOUNDS = setting_flags.define(verification.Bounds)
_JSON = flags.DEFINE_string("json", None, "File that all figures are written to.")

flags.adopt_module_key_flags(network_flags)


def main() -> None:
    if not _MODELS.value:
        raise WoolError("--models=: is empty; give one or more files with commas between them")
    source, threads = network_flags.source(), network_flags.threads()
    models = [flag_values.file("models", value) for value in _MODELS.value]
    out = None if _JSON.value is None else flag_values.output("json", _JSON.value, data=source.data)
    console.set_computing_environment(threads)

    from wool_tf import records

    run_display.Display()
    found = verification.run(source, models, threads)
    print(console.told(verification.to_text(found)))
    if out is not None:
        records.write(out, found)
    verification.check(found, setting_flags.build(verification.Bounds, _BOUNDS))


if __name__ == "__main__":
    console.run(main)
