"""Whether TFLite files judge images as the network does that they were made of.

    python experiments/verify.py --network=hard3.safetensors --models=board/hard3-int8.tflite --data=crops \\
        --folds=run/folds.json --fold=0

The images are those of the fold that the network held out; without --folds all, which flatters both. The network in
Keras decides at its own threshold of 0.5, a file at the one of its card: a loss of accuracy may come from the precision
or from the threshold. The line below each file is the network at the file's threshold, so what differs between these
two lines is the precision alone; agreement, too, is that of their decisions. Differences are those of the scores.

The exit status is 1 if the accuracy of a file is more than --max_accuracy_drop percentage points below the network's.
"""

import console
import trained_flags
from absl import flags

from wool_tf import WoolError

_MODELS = flags.DEFINE_list("models", None, "The TFLite files, with a card each.", required=True)
_DROP = flags.DEFINE_float("max_accuracy_drop", 0.5, "Percentage points of accuracy that a file may lose.")
_JSON = flags.DEFINE_string("json", None, "File that all figures are written to.")

flags.adopt_module_key_flags(trained_flags)


def main() -> None:
    if not _MODELS.value:
        raise WoolError("--models=: is empty; give one or more files with commas between them")
    models = [console.path("models", value) for value in _MODELS.value]
    out = None if _JSON.value is None else console.path("json", _JSON.value)
    source, threads = trained_flags.source(), trained_flags.THREADS.value
    console.use_threads(threads)

    from wool_tf import verification
    from wool_tf.training import records

    display = console.Display()
    document = verification.run(source, models, threads, display.say)
    print(verification.to_text(document))
    if out is not None:
        records.write(out, document)
    told = verification.past(document, _DROP.value)
    if told:
        raise WoolError(f"--max_accuracy_drop={_DROP.value:g}: {told}")


if __name__ == "__main__":
    console.run(main)
