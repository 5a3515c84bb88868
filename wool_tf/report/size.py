"""Tables of how large and how fast networks are, and what pruning took away.

Builders are as those of `quality`.
"""

from collections.abc import Mapping

from wool_tf.cells import MISSING, count, percent, ratio, significant, tiny
from wool_tf.networks.spec import STEM, trunk
from wool_tf.pruning.latency import RECIPE
from wool_tf.report import naming
from wool_tf.report.tables import Table, table
from wool_tf.study.results import Stage, Study

TRUNKS = tuple(trunk(stage) for stage in range(1, 5))


def size(study: Study) -> Table | None:
    """Parameters and work of every stage."""
    predicted = any(stage.predicted_ms is not None for _, stage in naming.stages(study))
    rows = []
    for one, stage in naming.stages(study):
        whole = one.baseline
        row = [naming.full(study, one, stage)]
        for name in ("params", "macs"):
            row += [count(getattr(stage, name)), percent(stage.share_of(whole, name))]
        row.append(tiny(stage.mask_difference))
        if predicted:
            row.append(significant(stage.predicted_ms))
        rows.append(tuple(row))
    text = (
        "Parameters set the size of the model; multiply-accumulates (MACs) are the arithmetic that one image costs. "
        "Pruned filters are first switched off by a mask and then cut out. Both networks must give the same result: "
        "the mask difference is the largest difference between their outputs (logits) on the images that were "
        "compared, over all folds. Values near 1e-6 are rounding errors."
    )
    header: tuple[str, ...] = ("Network", "Parameters", "% of baseline", "MACs", "% of baseline", "Mask difference")
    note = ""
    if predicted:
        header += ("Predicted (ms)",)
        note = (
            "Predicted: what the convolutions of the network take for an image in int8, by the times of single "
            f"convolutions on {study.predicted_on}."
        )
    return table("Size and work", text, header, rows, "l" + "r" * (len(header) - 1), note)


def removal(study: Study) -> Table | None:
    """The share of every kind of channel group that is gone, and the accuracy before any fine-tuning."""
    rows = [
        (naming.full(study, one, stage), *_shares(stage.removed), *_accuracies(stage))
        for one, stage in naming.float_stages(study)
        if any(stage.removed.values())
    ]
    text = (
        "Share of the channels that are gone, of the unpruned width, in percent. A trunk is the residual stream of one "
        "of the four stacks of a ResNet; inner channels lie between the convolutions of a block, and of these the "
        "smallest and the largest share is given. In networks of basic blocks the stem belongs to the first trunk. "
        "Before fine-tuning: accuracy on the held-out images at the threshold 0.5 right after the filters went and "
        "batch norms were re-estimated, mean over folds."
    )
    header = ("Network", "Stem", "Trunk 1", "Trunk 2", "Trunk 3", "Trunk 4", "Inner", "Before fine-tuning (%)",
              "Accuracy (%)")  # fmt: skip
    return naming.marked(study, table("Channels removed", text, header, rows, "l" + "r" * (len(header) - 1)))


def _shares(removed: Mapping[str, float]) -> list[str]:
    inner = [share for group, share in removed.items() if group not in (STEM, *TRUNKS)]
    ends = dict.fromkeys((percent(min(inner)), percent(max(inner))))
    named = [percent(removed[group]) if group in removed else MISSING for group in (STEM, *TRUNKS)]
    return [*named, "–".join(ends)]


def _accuracies(stage: Stage) -> list[str]:
    return [percent(stage.before_finetuning), percent(stage.figures.mean("accuracy"))]


def widths(study: Study) -> Table | None:
    """The channels of every group after every round: of several configurations only by a recipe of their own rates."""
    by_latency = study.settings.recipe == RECIPE
    if not by_latency and len(study.configurations) > 1:
        return None
    names = [name for name in naming.pruned_names(study) if name.startswith("hard")]
    if not names:
        return None
    rows = []
    for one in naming.ordered(study):
        found = [stage.widths if (stage := one.stage(name)) else {} for name in names]
        for group, whole in one.baseline.widths.items():
            label = group if len(study.configurations) == 1 else f"{naming.label(study, one)}: {group}"
            rows.append((label, str(whole), *(_left(widths.get(group), whole) for widths in found)))
    text = "Channels of every channel group that are left, and in brackets the share that is gone in percent."
    if by_latency:
        text += (
            " The recipe takes filters where a millisecond costs the least of their importance, in the steps in which "
            "the processor computes."
        )
    header = ("Channel group", "Unpruned", *map(naming.short, names))
    return table("Channels left", text, header, rows, "l" + "r" * (len(header) - 1))


def _left(width: int | None, whole: int) -> str:
    return MISSING if width is None else f"{width} ({percent(1 - width / whole)})"


def latency(study: Study) -> Table | None:
    """Times per image, with size and speed against the unpruned network."""
    if study.delivery is None:
        return None
    found = study.delivery.latency
    rows = [
        (
            naming.timed(row),
            str(row.threads),
            count(row.bytes, "B"),
            ratio(found[0].bytes, row.bytes),
            *map(significant, (row.p50_ms, row.p90_ms, row.p99_ms, row.mean_ms, row.images_per_second)),
            ratio(found[0].p50_ms, row.p50_ms),
        )
        for row in found
    ]
    text = (
        "How long one image takes, in milliseconds, on the machine named below; another machine gives other times. "
        "Half of the images took at most the median, 90 and 99 of 100 at most the next two values. Smaller and faster "
        "say how many times smaller the file and shorter the median is than in the first row."
    )
    header = ("Model", "Threads", "File", "Smaller", "Median", "90 %", "99 %", "Mean", "Images/s", "Faster")
    note = f"Measured on {study.delivery.latency_machine}."
    if study.delivery.latency_warnings:
        note += f" What makes the times doubtful: {'; '.join(study.delivery.latency_warnings)}."
    return table("Speed (ms per image)", text, header, rows, "l" + "r" * 9, note)
