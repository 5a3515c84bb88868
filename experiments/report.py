"""Makes the reports of runs again from their documents, and compares a run with another.

    python experiments/report.py RUN... [--baseline=RUN]

Nothing is trained, and no image is read. A RUN is its folder, or one of the documents in it (report.json,
prune_kfold.json, train_kfold.json, pytorch_kfold.json). With --baseline the page begins its tables with what changed,
image by image.
"""

import startup  # noqa: F401

from pathlib import Path

from absl import flags

from wool_tf.command_line import console, flag_values

_BASELINE = flags.DEFINE_string("baseline", None, "Folder or document of the run that they are compared with.")


def main(*words: str) -> None:
    runs = [Path(word) for word in words]
    other = None if _BASELINE.value is None else flag_values.existing("baseline", _BASELINE.value)

    from wool_tf.report import publication

    for path in publication.again(runs, other):
        print(path)


if __name__ == "__main__":
    console.run(main, words="RUN")
