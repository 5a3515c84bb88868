"""Asks whether anything but the defects tells the class of the crops in a folder: brightness, noise, place, files.

    python experiments/check_leaks.py --data=crops

It also looks for images of different samples that show the same thing: copies that were saved anew, turned or moved.

A network that is trained on such crops would learn that instead. For each feature the table has the area under the ROC
curve (AUC; 0.5 tells nothing) of a simple classifier on held-out crops, and how high chance gets. The verdicts stand
below it. The exit status is 0 whatever it is: a person has to judge it.
"""

import startup  # noqa: F401

import logging
import sys
import tempfile

import crop_flags
from wool_tf.command_line import console, run_display, setting_flags
from wool_tf.training.config import TrainingConfig

_CROPS = crop_flags.define(required=True)
_SETTINGS = setting_flags.define(TrainingConfig, only=("folds", "seed"))


def main() -> None:
    # Crops are looked at as a network of the usual size gets them.
    settings = setting_flags.build(TrainingConfig, _SETTINGS)
    console.set_computing_environment(1)

    from wool_tf import logs
    from wool_tf.audit import leaks, near_duplicates, nuisance
    from wool_tf.data import folds

    run_display.Display(aside=True)
    with tempfile.TemporaryDirectory() as cache:
        data = _CROPS.load(cache).for_network(settings.image_size)
        chosen = folds.whole_groups(data.groups, nuisance.MOST, settings.seed)
        names, kinds, values = nuisance.features(data, chosen)
        alike = near_duplicates.find(data.images, data.groups, settings.seed)
    for remark in (*data.remarks, *(f"skipped: {reason}" for reason in data.skipped)):
        print(console.told(remark), file=sys.stderr)
    labels, groups = data.labels[chosen], data.groups[chosen]
    parts = folds.split(labels, groups, settings.folds, settings.seed)
    progress = logs.ProgressLog(logging.getLogger(leaks.__name__), "guessing with labels exchanged,")
    rows = leaks.audit(names, kinds, values, labels, groups, parts, settings.seed, progress)
    print(leaks.to_text(rows))
    same = sorted(set(names) - {row.name for row in rows})
    print(f"\n{len(chosen)} of {len(data.labels)} crops, {100 * labels.mean():.1f} % of them defective")
    if same:
        print(f"the same for all: {', '.join(same)}")
    print(f"moved a little by a large defect, too: {', '.join(nuisance.MOVED)}")
    print(leaks.verdict(rows))
    print(near_duplicates.to_text(alike, data.paths, data.labels))


if __name__ == "__main__":
    console.run(main)
