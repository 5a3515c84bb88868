"""The images of a report, and what the page needs to move the threshold over the held-out scores."""

import dataclasses

from wool_tf.cells import decimals
from wool_tf.study.results import Judged, Picture, Study

MISSED, ALARM, RIGHT = "missed", "false alarm", "correct"


@dataclasses.dataclass(frozen=True)
class Shown:
    """An image with its caption.

    Attributes:
        kind: `MISSED`, `ALARM` or `RIGHT`, at the delivered rule.
        caption: file, defects, score and threshold.
        picture: Picture.
    """

    kind: str
    caption: str
    picture: Picture


def pictures(study: Study) -> list[Shown]:
    """The images of a delivery, those judged wrongly first."""
    if study.delivered is None:
        return []
    delivery, stage = study.delivered.delivery, study.delivered.int8_stage.name
    return [_shown(picture, delivery.judged[picture.image], stage) for picture in delivery.pictures]


def _shown(picture: Picture, one: Judged, stage: str) -> Shown:
    called, defective = one.scores[stage] >= one.threshold, one.label == 1
    kind = RIGHT if called == defective else ALARM if called else MISSED
    what = one.defects or ("defective" if defective else "non-defective")
    at = f"score {decimals(one.scores[stage])}, threshold {decimals(one.threshold)}"
    return Shown(kind, f"{one.path}: {what}, {at}", picture)


def scores(study: Study) -> dict | None:
    """Of every image the int8 score while it was held out, its class and defects: what the slider counts over.

    Returns:
        `threshold`, that of the delivered file; `command`, which delivers another one, with `THRESHOLD` in its place;
        and `images`, each a list of score, label, defects and path.
    """
    if study.delivered is None:
        return None
    delivery, stage = study.delivered.delivery, study.delivered.int8_stage.name
    rows = [[round(one.scores[stage], 6), one.label, one.defects, one.path] for one in delivery.judged]
    command = (
        f"python experiments/convert.py --network={study.out}/model/compact.safetensors --data={study.data.folder} "
        "--precisions=int8 --threshold=THRESHOLD --out=OUT"
    )
    return {"threshold": delivery.threshold, "command": command, "images": rows}
