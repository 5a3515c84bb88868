"""From the units of a study to the model that goes to a board, and what its report says of it."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wool_board.belt.tiles import OVERLAP
from wool_tf import files, records
from wool_tf.data.imaging import Imaging
from wool_tf.data.native_crops import Crops
from wool_tf.errors import WoolError
from wool_tf.evaluation import agreement, bootstrap, operating_points
from wool_tf.evaluation.agreement import ScoreDifference
from wool_tf.evaluation.thresholds import COST_RATIO, of_folds
from wool_tf.networks.unit_records import Int8File
from wool_tf.study import baselines, board_results, contact_sheets, localisation, timed_models
from wool_tf.study.baselines import Name, Repeats
from wool_tf.study.delivery_units import final_name
from wool_tf.study.evidence import Evidence, Pool
from wool_tf.study.grid import fold_name
from wool_tf.study.results import BASELINE, INT8
from wool_tf.training.config import TrainingConfig

if TYPE_CHECKING:
    from wool_tf.deploy.model_folder import DeliveryMetrics

SHOWN_RIGHT = 4
"""Images of each class that were judged rightly and are shown all the same."""
SHOWN_WRONG = 60
"""Images that were judged wrongly and are shown, at most."""
THUMBNAILS = 1000
"""At most: more would make a page of several megabytes."""


def deliver(
    config: TrainingConfig,
    evidence: Evidence,
    compared: Mapping[Name, Repeats],
    crops: Crops,
    units: Path,
    folder: Path,
    benchmark: Path,
) -> board_results.Delivery:
    """Writes the model into a folder, times it, and says what is known of it.

    The threshold that goes with the model comes from the scores of the folds' int8 networks, each on the images that it
    had not seen; what the card and the report state of it comes from thresholds that were chosen in the same way on the
    other folds.

    Arguments:
        config: TrainingConfig.
        evidence: Evidence; the rule for the threshold is its first.
        compared: what `baselines.judged` gives.
        crops: Crops of the folder.
        units: folder of the records and networks; what `delivery_units.check` asks for is there.
        folder: of the model.
        benchmark: the board's benchmark program.

    Raises:
        WoolError: a network cannot be read, a file cannot be written, or the program fails.
    """
    # It imports TensorFlow.
    from wool_tf.deploy import model_folder as board

    rule, int8 = evidence.rules[0], f"{config.final}{INT8}"
    pools = _pools(evidence, config)
    final = units / final_name(config) / f"{config.final}.safetensors"
    # What is timed beside the delivered network is of the first fold, whose networks are kept.
    first = units / fold_name(config.configuration, 0, 0)
    unpruned = first / f"{BASELINE}.safetensors"
    held_out = _on_board(config.final, len(evidence.folds[0][0]))
    judged = [_about(evidence, config, pools, stage, number) for stage, number in held_out]
    spec, about, check = _of_all_images(config, evidence)
    side = crops.imaging.side
    converted = final.with_name(f"{int8}.tflite")
    tflite = board.write(folder, unpruned, final, converted, judged, crops.imaging, crops.native)
    between = [stage for stage in pools if (first / f"{stage}.safetensors").exists()]
    models = timed_models.of_chain(config, between, tflite, first)
    timed = timed_models.measure(benchmark, models, side, folder / "latency.json")
    images = _judged(evidence, pools, int8)
    maps, covered = localisation.heatmaps(config, evidence.folds[0], evidence.records), localisation.seen(config)
    return board_results.Delivery(
        configuration=config.configuration,
        stage=config.final,
        spec=spec,
        rule=rule,
        told=judged[-1].rule,
        threshold=judged[-1].threshold,
        files=tuple(_file(path) for path in tflite.values()),
        held_out=agreement.compare(pools[config.final][0], pools[int8][0]),
        delivered=check,
        operators=about.operators,
        latency=timed.latencies(models),
        latency_machine=timed.machine.cpu or platform.machine(),
        latency_warnings=timed.warnings,
        advantages=_advantages(evidence, compared, np.array([one.called(int8) for one in images])),
        judged=images,
        pictures=_pictures(evidence, images, int8, maps, covered),
        thumbnails=_thumbnails(evidence, images, int8),
        pointing=localisation.pointing(evidence.images, maps, covered),
        tiles_per_square_metre=_tiles(crops.imaging, covered),
    )


def _on_board(final: str, held_out: int) -> tuple[tuple[str, int], ...]:
    """The stages of the files, and how many images each one's network was not trained on.

    >>> _on_board("baseline", 48)
    (('baseline', 48), ('baseline', 0), ('baseline-int8', 0))
    """
    return (BASELINE, held_out), (final, 0), (f"{final}{INT8}", 0)


def _of_all_images(config: TrainingConfig, evidence: Evidence) -> tuple[dict, Int8File, ScoreDifference]:
    """Of the network of all images the config of its spec, its int8 file, and how far that is from it.

    Raises:
        WoolError: a record lacks one of these.
    """
    name = final_name(config)
    whole, converted = (evidence.records[f"{name}/{stage}"] for stage in (config.final, f"{config.final}{INT8}"))
    if whole.spec is None or converted.file is None or converted.check is None:
        raise WoolError(f"{name}: its records lack the network, its int8 file or how far that is from it; remove them")
    return whole.spec, converted.file, converted.check


def _advantages(
    evidence: Evidence, compared: Mapping[Name, Repeats], called: np.ndarray
) -> tuple[board_results.Advantage, ...]:
    """What the model, which calls these images defective, spares against each baseline, image by image."""
    rule, labels = evidence.rules[0], evidence.labels
    ratio = rule.cost_ratio or COST_RATIO
    model = _costs(labels, called, ratio)
    found = []
    for (kind, name), repeats in compared.items():
        theirs = baselines.called_by(kind, evidence, repeats, rule)
        spared = 1000 * (_costs(labels, theirs, ratio) - model)
        ends = bootstrap.interval(spared, evidence.draws)
        found.append(board_results.Advantage(kind, name, float(spared.mean()), ends))
    return tuple(found)


def _tiles(imaging: Imaging, covered: tuple[float, float]) -> float | None:
    """Tiles on a square metre of belt, where what the network sees of each overlaps the next by `OVERLAP` both ways."""
    if imaging.pixel_mm is None:
        return None
    seen = imaging.side * (covered[1] - covered[0])
    return 1 / (seen * imaging.pixel_mm / 1000 * (1 - OVERLAP)) ** 2


def _costs(labels: np.ndarray, called: np.ndarray, ratio: float) -> np.ndarray:
    """(n,) what the judgement of each image costs, in false alarms."""
    return np.where(labels == 1, ratio * ~called, called)


def _pools(evidence: Evidence, config: TrainingConfig) -> dict[str, Pool]:
    """Of the first repeat, by stage; what the model does not need may lack a fold, and is left out."""
    stages = (*config.stages, f"{config.final}{INT8}")
    found = {stage: evidence.pools(evidence.found(config, stage))[0] for stage in stages}
    return {stage: pool for stage, pool in found.items() if pool is not None}


def _about(
    evidence: Evidence, config: TrainingConfig, pools: Mapping[str, Pool], stage: str, held_out: int
) -> "DeliveryMetrics":
    """What goes onto the card of a network of a stage that held out so many of the images."""
    from wool_tf.deploy import card
    from wool_tf.deploy.model_folder import DeliveryMetrics

    rule, labels, folds = evidence.rules[0], evidence.labels, len(evidence.folds[0])
    scores, fold_of = pools[stage]
    threshold, told = rule.made(labels, lambda: scores, of_folds(folds, config.folds))
    float_threshold, _ = rule.made(labels, lambda: pools[stage.removesuffix(INT8)][0])
    _, achieved = rule.out_of_fold(labels, scores, fold_of)
    these = f"{folds} files, this one among them" if held_out else f"{folds} other files"
    at = "a threshold that was given" if rule.threshold is not None else "a threshold chosen on the other folds"
    of = f"{these}, one of each fold, on the images that it held out, at {at}"
    about = {"of": of, "images": len(labels), **records.plain(achieved)}
    about["score_quantiles"] = card.score_quantiles(labels, scores)
    return DeliveryMetrics(threshold, told, float_threshold, about, len(evidence.images.labels) - held_out)


def _file(path: Path) -> board_results.File:
    name = f"{path.parent.name}/{path.name}"
    return board_results.File(name, path.stem.split("-")[-1], path.stat().st_size, files.sha256(path))


def _judged(evidence: Evidence, pools: Mapping[str, Pool], int8: str) -> tuple[board_results.ImageVerdict, ...]:
    """Every image that was held out, as it was judged then."""
    images, (scores, fold_of) = evidence.images, pools[int8]
    limits, _ = operating_points.cross_fitted(evidence.labels, scores, fold_of, evidence.rules[0].chosen)
    return tuple(
        board_results.ImageVerdict(
            path=images.paths[index],
            label=int(images.labels[index]),
            group=str(images.groups[index]),
            defects=str(images.defects[index]),
            fold=int(fold_of[place]),
            scores={stage: float(found[place]) for stage, (found, _) in pools.items()},
            threshold=float(limits[fold_of[place]]),
        )
        for place, index in enumerate(evidence.judged)
    )


def _pictures(
    evidence: Evidence,
    judged: Sequence[board_results.ImageVerdict],
    int8: str,
    maps: Mapping[int, np.ndarray],
    covered: tuple[float, float],
) -> tuple[board_results.Picture, ...]:
    """Of the images judged wrongly by the rule, the worst first, and of some of each class judged rightly."""
    margins = np.array([one.scores[int8] - one.threshold for one in judged])
    truth = np.array([one.label == 1 for one in judged])
    mistaken = np.array([one.wrong(int8) for one in judged])
    wrong = np.flatnonzero(mistaken)
    wrong = wrong[np.argsort(-np.abs(margins[wrong]), kind="stable")][:SHOWN_WRONG]
    right = [np.flatnonzero(~mistaken & (truth == kind))[:SHOWN_RIGHT] for kind in (True, False)]
    images = evidence.images
    return tuple(
        board_results.Picture(
            image=place,
            png=contact_sheets.png(images.images[index]),
            heatmap=tuple(map(tuple, maps[index].tolist())),
            seen=covered,
            boxes=images.boxes[index] if images.boxes else (),
        )
        for place in np.concatenate([wrong, *right]).tolist()
        for index in [int(evidence.judged[place])]
    )


def _thumbnails(
    evidence: Evidence, judged: Sequence[board_results.ImageVerdict], int8: str
) -> tuple[board_results.Thumbnail, ...]:
    """Of the images whose scores are nearest to their thresholds."""
    margins = np.abs([one.scores[int8] - one.threshold for one in judged])
    nearest = np.sort(np.argsort(margins, kind="stable")[:THUMBNAILS])
    return tuple(
        board_results.Thumbnail(place, contact_sheets.thumbnail(evidence.images.images[evidence.judged[place]]))
        for place in nearest.tolist()
    )
