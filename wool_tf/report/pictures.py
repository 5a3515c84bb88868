"""The images of a report, and what the page needs to move the threshold over the held-out scores."""

import dataclasses
import shlex

import numpy as np

from wool_tf.cells import decimals, percent
from wool_tf.evaluation import calibration
from wool_tf.report import advice, naming
from wool_tf.study.board_results import ImageVerdict, Picture
from wool_tf.study.image_results import Sheet
from wool_tf.study.results import Study

MISSED, ALARM, RIGHT = "missed", "false alarm", "correct"


FAINTEST = 0.15
"""Share of the highest cell of a heatmap below which a cell is not drawn."""
STRONGEST = 0.55
"""Opacity of the highest cell."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a heatmap as it is drawn: place and size as shares of the side of the image, and opacity."""

    x: float
    y: float
    width: float
    height: float
    opacity: float


@dataclasses.dataclass(frozen=True)
class CaptionedImage:
    """An image with its caption.

    Attributes:
        kind: `MISSED`, `ALARM` or `RIGHT`, at the delivered rule; of a suspect its label.
        caption: file, defects, score and threshold.
        picture: Picture.
    """

    kind: str
    caption: str
    picture: Picture

    @property
    def cells(self) -> list[Cell]:
        """The cells of the heatmap that speak for a defect; none where no cell does."""
        return cells(self.picture)


def pictures(study: Study) -> list[CaptionedImage]:
    """The images of a delivery, those judged wrongly first."""
    if study.delivered is None:
        return []
    delivery, stage = study.delivered.delivery, study.delivered.int8_stage.name
    return [_shown(picture, delivery.judged[picture.image], stage) for picture in delivery.pictures]


def cells(picture: Picture) -> list[Cell]:
    """The cells of a heatmap that speak most for a defect, the highest being the most opaque."""
    heatmap, (first, last) = picture.heatmap, picture.seen
    most = max((max(row) for row in heatmap), default=0.0)
    if most <= 0:
        return []
    width, height = (last - first) / len(heatmap[0]), (last - first) / len(heatmap)
    return [
        Cell(round(first + column * width, 4), round(first + row * height, 4), round(width, 4), round(height, 4),
             round(STRONGEST * value / most, 3))
        for row, values in enumerate(heatmap)
        for column, value in enumerate(values)
        if value >= FAINTEST * most
    ]  # fmt: skip


def heatmaps(study: Study) -> str:
    """What the colours of the pictures say and cannot say; empty where there are no pictures."""
    if study.delivered is None:
        return ""
    text = (
        "Yellow: the parts of the image that speak most for a defect to the network, be it ever so little, the highest "
        "cell of each image being the most opaque; on sound images that were passed nothing is drawn. It shows what "
        "the network went by, roughly, and neither the outline of a defect nor whether there is one. Where yellow is "
        "scattered, the network went by no single place."
    )
    found = study.delivered.delivery.pointing
    if found is None:
        return (
            f"{text} No defects are marked in these images, so it is not known how often yellow lies on them: see for "
            "yourself in these pictures, or mark defects (column boxes of manifest.csv), and the next report counts it."
        )
    return (
        f"{text} Pink: where a defect is marked. Over all {found.images} defective images whose defects are marked, "
        f"the heatmap is highest inside a mark in {percent(found.inside / found.images)} % (by chance "
        f"{percent(found.by_chance / found.images)} %)."
    )


def cut(study: Study) -> str:
    """That not all wrong judgements have a picture, in a sentence; empty where they have."""
    if study.delivered is None:
        return ""
    stage, delivery = study.delivered.int8_stage.name, study.delivered.delivery
    wrong = sum(one.wrong(stage) for one in delivery.judged)
    shown = sum(delivery.judged[picture.image].wrong(stage) for picture in delivery.pictures)
    if shown == wrong:
        return ""
    return f"Of {wrong} images judged wrongly {shown} are shown; the table “Every image judged wrongly” has them all."


def _shown(picture: Picture, one: ImageVerdict, stage: str) -> CaptionedImage:
    kind = RIGHT if not one.wrong(stage) else ALARM if one.called(stage) else MISSED
    what = naming.types(one.defects) or ("defective" if one.label == 1 else "non-defective")
    at = f"score {decimals(one.scores[stage])}, threshold {decimals(one.threshold)}"
    if kind == RIGHT and one.label == 0:
        # By its own highest cell a map without anything in it would be drawn as strongly as any other.
        picture = dataclasses.replace(picture, heatmap=())
    return CaptionedImage(kind, f"{one.path}: {what}, {at}", picture)


def suspects(study: Study) -> list[CaptionedImage]:
    """The images whose label is probably wrong, as far as they are shown."""
    return [
        CaptionedImage(
            f"labelled {'defective' if one.label else 'non-defective'}",
            f"{one.path}: {naming.types(one.defects) + ', ' if one.defects else ''}score {decimals(one.score)}",
            Picture(number, one.png),
        )
        for number, one in enumerate(study.suspects)
        if one.png
    ]


def sheets(study: Study) -> list[Sheet]:
    """The sheets of images of each kind, types of defects in words."""
    return [
        dataclasses.replace(sheet, kind=", ".join(map(naming.types, sheet.kind.split(", ")))) for sheet in study.sheets
    ]


def scores(study: Study) -> dict | None:
    """Of every image the int8 score while it was held out, its class and defects: what the slider counts over.

    Returns:
        `threshold`, that of the delivered file; `calibration` of the scores, by which a threshold and what a miss costs
        belong together;
        `command`, which delivers another one, with `THRESHOLD` in its place; `tiles` per square metre of belt, or None;
        `types` of defects in words; `images`, each a list of score, label, defects, path and number; and `thumbnails`
        by that number.
    """
    if study.delivered is None:
        return None
    delivery, stage = study.delivered.delivery, study.delivered.int8_stage.name
    rows = [[one.scores[stage], one.label, one.defects, one.path, number] for number, one in enumerate(delivery.judged)]
    command = shlex.join([*advice.converting(study), "--precisions=int8", "--threshold=THRESHOLD", "--out=OUT"])
    labels, held_out = (np.array([row[place] for row in rows]) for place in (1, 0))
    return {
        "threshold": delivery.threshold,
        "calibration": dataclasses.asdict(calibration.fit(labels, held_out)),
        "command": command,
        "tiles": delivery.tiles_per_square_metre,
        "types": naming.TYPES,
        "images": rows,
        "thumbnails": {one.image: one.jpeg for one in delivery.thumbnails},
    }
