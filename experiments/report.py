"""Makes the reports of runs again from their documents, and compares a run with another.

    python experiments/report.py --runs=runs/crops,runs/tables
    python experiments/report.py --runs=runs/new --baseline=runs/old

Nothing is trained, and no image is read. A run is its folder, or one of the documents in it (report.json,
prune_kfold.json, train_kfold.json, pytorch_kfold.json). With --baseline the page begins its tables with what changed,
image by image.
"""

import startup  # noqa: F401

from absl import flags

from wool_tf import WoolError
from wool_tf.command_line import console, flag_values

_RUNS = flags.DEFINE_list("runs", None, "Folders or documents of the runs, with commas between them.", required=True)
_BASELINE = flags.DEFINE_string("baseline", None, "Folder or document of the run that they are compared with.")


def main() -> None:
    if not _RUNS.value:
        raise WoolError("--runs=: is empty; give one or more folders with commas between them")
    runs = [flag_values.existing("runs", value) for value in _RUNS.value]
    other = None if _BASELINE.value is None else flag_values.existing("baseline", _BASELINE.value)

    from wool_tf.report import publication

    for path in publication.again(runs, other):
        print(path)


if __name__ == "__main__":
    console.run(main)
