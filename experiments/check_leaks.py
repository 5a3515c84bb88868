"""Asks whether anything but the defects tells the class of the crops in a folder: brightness, noise, place, files.

    python experiments/check_leaks.py --data=crops

A network that is trained on such crops would learn that instead. For each feature the table has the area under the ROC
curve (AUC; 0.5 tells nothing) of a simple classifier on held-out crops, and how high chance gets. The last line is the
verdict. The exit status is 0 whatever it is: a person has to judge it.
"""

import sys
import tempfile
from pathlib import Path

from absl import flags

import console
import crop_flags

_CROPS = crop_flags.define(required=True)
_FOLDS = flags.DEFINE_integer("folds", 10, "Folds of the cross-validation.")
_SEED = flags.DEFINE_integer("seed", 0, "Base of every random number.", lower_bound=0)

IMAGE_SIZE = 224
"""Crops are looked at as a network of the usual size gets them."""


def main() -> None:
    folder, naming = _CROPS.folder, _CROPS.naming
    assert folder is not None, "the flag is required"
    console.use_threads(1)

    from wool_tf.audit import leaks, nuisance
    from wool_tf.data import folds, native

    with tempfile.TemporaryDirectory() as cache:
        crops = native.load(folder, Path(cache), on_bad_image=_CROPS.on_bad_image, naming=naming)
        data = crops.for_network(IMAGE_SIZE)
        chosen = nuisance.drawn(data.groups, _SEED.value)
        names, kinds, values = nuisance.features(data, chosen)
    for remark in (*data.remarks, *(f"skipped: {reason}" for reason in data.skipped)):
        print(remark, file=sys.stderr)
    labels, groups = data.labels[chosen], data.groups[chosen]
    parts = folds.split(labels, groups, _FOLDS.value, _SEED.value)
    rows = leaks.audit(names, kinds, values, labels, groups, parts, _SEED.value, _show)
    print(leaks.to_text(rows))
    alike = sorted(set(names) - {row.name for row in rows})
    print(f"\n{len(chosen)} of {len(data.labels)} crops, {100 * labels.mean():.1f} % of them defective")
    if alike:
        print(f"the same for all: {', '.join(alike)}")
    print(f"moved a little by a large defect, too: {', '.join(nuisance.MOVED)}")
    print(leaks.verdict(rows))


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        ending = "\n" if done == total else ""
        print(f"\rguessing with labels exchanged, {done} of {total}", end=ending, file=sys.stderr, flush=True)


if __name__ == "__main__":
    console.run(main)
