"""What a report says of the images and of how they were parted."""

from collections.abc import Mapping

from wool_tf.data.dataset import Dataset


def describe(images: Dataset, group_by: str) -> dict:
    """The part of a results document that is about the images."""
    defective = int(images.labels.sum())
    return {
        "folder": images.folder,
        "images": len(images.labels),
        "defective": defective,
        "non_defective": len(images.labels) - defective,
        "groups": len(set(images.groups)),
        "grouped": images.grouped,
        "group_by": group_by,
        "unlisted": images.unlisted,
        "skipped": list(images.skipped),
        "side": images.images.shape[1],
        "fingerprint": images.fingerprint,
    }


def leak(data: Mapping) -> str | None:
    """What is wrong with how the folds are made, or None."""
    what = data.get("group_by")
    if what in (None, "sample"):
        return None
    return (
        f"The folds keep only each {what} together (--group_by={what}), so networks were tested on products that they "
        "had seen in training. The figures are too good on purpose, to show how much this leak flatters; they are no "
        "estimate for new products."
    )


def commits(records: Mapping[str, Mapping]) -> list[str]:
    """The commits of the code that records were made with; empty where it ran from no checkout."""
    return sorted({commit for one in records.values() if (commit := (one.get("environment") or {}).get("commit"))})


def mixture(results: Mapping) -> str | None:
    """What is wrong with where the records come from, or None."""
    found = results.get("commits") or ()
    if len(found) < 2:
        return None
    return f"The records were made with {len(found)} versions of the code ({', '.join(found)}), which may differ."
