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


def processors(records: Mapping[str, Mapping]) -> list[str]:
    """What records were computed on, as `environment.processor` names it; empty where that is not known."""
    return sorted({name for one in records.values() if (name := (one.get("environment") or {}).get("processor"))})


def mixture(results: Mapping) -> list[str]:
    """What is wrong with where the records come from, a sentence each."""
    found, told = results.get("commits") or (), []
    if len(found) > 1:
        many = f"{len(found)} versions of the code ({', '.join(found)})"
        told.append(f"The records were made with {many}, which may differ.")
    machines = results.get("processors") or ()
    if len(machines) > 1:
        told.append(
            f"The records were computed on {len(machines)} kinds of processors ({'; '.join(machines)}), which round in "
            "other ways: no one of them gives these very figures."
        )
    return told
