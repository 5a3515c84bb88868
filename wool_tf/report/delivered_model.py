"""The delivered model: its files, how far int8 is from float, and which images it judges wrongly.

Builders are as those of `quality`.
"""

from wool_tf.cells import count, decimals, percent
from wool_tf.report import naming
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Study


def quantisation(study: Study) -> Table | None:
    """Float against int8 on the same images: over the held-out folds, and for the delivered model."""
    if study.delivery is None:
        return None
    measures = (
        ("Images compared", "images", str),
        ("Same judgement at the threshold 0.5 (%)", "agreement", percent),
        ("Mean difference of the scores", "mean_difference", decimals),
        ("Largest difference of the scores", "max_difference", decimals),
    )
    checks = study.delivery.held_out, study.delivery.delivered
    rows = [(name, *(cell(getattr(check, key)) for check in checks)) for name, key, cell in measures]
    text = (
        "The int8 model computes with 8-bit integers, which makes it small and fast and its scores slightly "
        "coarser. Here both versions of a network judge the same images. A score is the probability of “defective”, "
        "from 0 to 1. Under held-out folds, every image is judged by a network that was not trained on it."
    )
    note = (
        "The delivered model was trained on all images, these included; that it agrees with float is what counts "
        "here, and how well it does on new images is foretold by the held-out folds. Operators of the int8 model: "
        f"{', '.join(study.delivery.operators)}."
    )
    return table("Float against int8", text, ("Property", "Held-out folds", "Delivered model"), rows, "lrr", note)


def files(study: Study) -> Table | None:
    """The files of the delivered model."""
    if study.delivery is None:
        return None
    rows = [(one.name, one.precision, count(one.bytes, "B"), one.sha256) for one in study.delivery.files]
    spec = study.delivery.spec
    shape = " × ".join(map(str, spec["input_shape"]))
    trunk = ", ".join(str(spec["widths"][f"layer{stage}"]) for stage in range(1, 5))
    text = (
        "The delivered model was trained on all images. The checksum tells whether a copy of a file is intact. It is a "
        f"ResNet-{spec['depth']} for inputs of {shape}; its four stacks are {trunk} channels wide. Its threshold is "
        f"{decimals(study.delivery.threshold)}: {study.delivery.told}."
    )
    note = "The baseline is the unpruned network of one fold. It is here to compare size and speed, not for use."
    return table("Files", text, ("File", "Precision", "Size", "SHA-256"), rows, "llrl", note)


def mistakes(study: Study) -> Table | None:
    """Every image that the delivered rule judges wrongly, the surest mistakes first."""
    if study.delivered is None:
        return None
    stage = study.delivered.int8_stage.name
    found = [one for one in study.delivered.delivery.judged if one.wrong(stage)]
    found.sort(key=lambda one: -abs(one.scores[stage] - one.threshold))
    rows = [
        (
            one.path,
            "missed" if one.label else "false alarm",
            naming.types(one.defects) or "–",
            str(one.fold + 1),
            decimals(one.scores[stage]),
            decimals(one.threshold),
        )
        for one in found
    ]
    text = (
        "Every image that the int8 file of its fold judged wrongly while the image was held out, at the threshold that "
        "the delivered rule gave on the other folds; the surest mistakes stand first."
    )
    header = ("Image", "Judged", "Defects", "Fold", "Score", "Threshold")
    return table("Every image judged wrongly", text, header, rows, "lllrrr")
