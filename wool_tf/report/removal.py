"""What pruning took away: the share of every kind of channel group, and the accuracy before any fine-tuning.

Builders are as those of `tables`.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from wool_tf.networks.spec import STEM, trunk
from wool_tf.report.cells import MISSING, percent
from wool_tf.report.protocol_views import every_stage, label, marked
from wool_tf.report.tables import Table, measure, table

TRUNKS = tuple(trunk(stage) for stage in range(1, 5))
STATED = "Channels removed"
TEXT = (
    "Share of the channels that are gone, of the unpruned width, in percent. A trunk is the residual stream of one of "
    "the four stages of a ResNet; inner channels lie between the convolutions of a block, and of these the smallest "
    "and the largest share is given. In networks of basic blocks the stem belongs to the first trunk. Before "
    "fine-tuning: accuracy on the held-out images at the threshold 0.5 right after the filters went and batch norms "
    "were re-estimated, mean over folds."
)
HEADER = ("Stem", "Trunk 1", "Trunk 2", "Trunk 3", "Trunk 4", "Inner", "Before fine-tuning (%)", "Accuracy (%)")


def described(records: Sequence[Mapping]) -> dict:
    """What the documents keep of the records of a stage: `removed` by channel group, and `before_finetuning`.

    Arguments:
        records: of a stage, one of each fold; all networks have the same widths. May lack both keys.
    """
    before = [one["before_finetuning"]["accuracy"] for one in records if one.get("before_finetuning")]
    return {
        "removed": next((one["removed"] for one in records if one.get("removed")), None),
        "before_finetuning": float(np.mean(before)) if before else None,
    }


def of_run(results: Mapping) -> Table | None:
    """The table of the main job."""
    # int8 files have the widths of the network that they were made of.
    floats = (stage for stage in results.get("stages") or () if not stage["stage"].endswith("-int8"))
    return _table(((stage["title"],), stage) for stage in floats)


def of_protocol(document: Mapping) -> Table | None:
    """The table of a protocol; every configuration of a depth loses the same shares."""
    named = (((label(configuration), stage["title"]), stage) for configuration, stage in every_stage(document))
    return marked(document, _table(named))


def _table(named: Iterator[tuple[Sequence[str], Mapping]]) -> Table | None:
    pruned = [(names, stage) for names, stage in named if any((stage.get("removed") or {}).values())]
    rows = [(*names, *_shares(stage["removed"]), *_accuracies(stage)) for names, stage in pruned]
    names = len(rows[0]) - len(HEADER) if rows else 0
    header = (*("Network", "Stage")[-names:], *HEADER)
    return table(STATED, TEXT, header, rows, "l" * names + "r" * len(HEADER))


def _shares(removed: Mapping[str, float]) -> list[str]:
    inner = [share for group, share in removed.items() if group not in (STEM, *TRUNKS)]
    ends = dict.fromkeys((percent(min(inner)), percent(max(inner))))
    named = [percent(removed[group]) if group in removed else MISSING for group in (STEM, *TRUNKS)]
    return [*named, "–".join(ends)]


def _accuracies(stage: Mapping) -> list[str]:
    return [percent(stage.get("before_finetuning")), percent(measure(stage, "accuracy")[0])]
