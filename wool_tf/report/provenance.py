"""Tables of what a study learned from and ran on.

Builders are as those of `quality`.
"""

import dataclasses

from wool_tf.cells import MISSING, decimals, duration, plain
from wool_tf.report import naming
from wool_tf.report.tables import Table, table
from wool_tf.study.results import OF_CONFIGURATION, Study

_KEPT = {"scan": "scan", "image": "file"}


def data(study: Study) -> Table | None:
    """What was learned from."""
    found = study.data
    rows = [
        ("Folder", found.folder),
        ("Images", str(found.images)),
        ("Defective", str(found.defective)),
        ("Non-defective", str(found.sound)),
        ("Groups", str(found.groups)),
        ("Folds never share a", found.group_by),
        ("Images beside the manifest, not used", str(found.unlisted)),
        ("Bad images left out", str(len(found.skipped))),
        *(("", reason) for reason in found.skipped),
        ("Side of an image (pixels)", str(found.side)),
        ("Fingerprint", found.fingerprint),
    ]
    text = (
        "A group holds the images that belong together, such as several scans of one specimen. The fingerprint is "
        "computed from the images and their labels: two runs with the same fingerprint used the same data."
    )
    return table("Data", text, ("Property", "Value"), rows, "ll")


def alike(study: Study) -> Table | None:
    """Images that folds may part although they show the same thing."""
    rows = [
        (one.first, one.second, decimals(one.likeness), "different" if one.contrary else "the same")
        for one in study.data.alike
    ]
    text = (
        f"Images of different {_KEPT.get(study.data.group_by, 'group')}s that are alike in their details, turned or "
        "mirrored perhaps; of each image the most alike one. Copies flatter the figures, for a network is tested on "
        "what it was trained on; give them one group. Objects that were placed alike can look like this, too."
    )
    return table("Images that are alike", text, ("Image", "Other image", "Likeness", "Labels"), rows, "llrl")


def suspects(study: Study) -> Table | None:
    """Images whose label is probably wrong."""
    rows = [
        (
            one.path,
            "defective" if one.label else "non-defective",
            naming.types(one.defects) or MISSING,
            decimals(one.score),
        )
        for one in study.suspects
    ]
    text = (
        "Images of which the unpruned networks, while they had held them out, were surer of the other class than they "
        "usually are of images labelled so (confident learning; Northcutt, Jiang and Chuang, 2021). The first are the "
        "surest. Look at them: a wrong label costs twice, in training and in the figures, and a right one is a kind of "
        "image of which the networks have seen too little."
    )
    return table("Every label to check", text, ("Image", "Label", "Defects", "Score"), rows, "lllr")


def folds(study: Study) -> Table | None:
    """The held-out part of each fold of the first repeat."""
    rows = [
        (str(number), *map(str, (one.images, one.defective, one.sound, one.groups)))
        for number, one in enumerate(study.folds[0], start=1)
    ]
    text = (
        "The images are divided into folds. Each fold is held out once: a network is trained on all other folds and "
        "then judges this one, so every image is judged by a network that has never seen it. Images of one "
        f"{_KEPT.get(study.data.group_by, 'group')} always stay in the same fold."
    )
    header = ("Held-out fold", "Images", "Defective", "Non-defective", "Groups")
    note = "Of the first repeat; each repeat divides the images anew." if len(study.folds) > 1 else ""
    return table("Folds", text, header, rows, "lrrrr", note)


def failures(study: Study) -> Table | None:
    """What did not work."""
    rows = [(one.unit, str(one.attempts), one.reason) for one in study.failures]
    text = "Trainings that failed, also when tried again. Repeats that need them are left out of every figure."
    return table("Failures", text, ("Training", "Attempts", "Reason of the last"), rows, "lrl")


def settings(study: Study) -> Table | None:
    """Every setting of the run."""
    values = dataclasses.asdict(study.settings)
    for name in OF_CONFIGURATION:
        values[name] = tuple(dict.fromkeys(getattr(one, name) for one in study.configurations))
    rows = [(name, plain(value)) for name, value in values.items()]
    return table("Settings", "Every setting that this run used.", ("Setting", "Value"), rows, "ll")


def environment(study: Study) -> Table | None:
    """Where the run took place, and how long it took."""
    rows = [(name, plain(value)) for name, value in study.environment.items()]
    rows.append(("computing time, all processes added up", duration(study.seconds)))
    return table("Environment", "Software and machine of this run.", ("Property", "Value"), rows, "ll")
