"""The tables of the report, made of a results document and rendered by both templates.

Every builder takes the results document and returns a `Table`, or None where the document has nothing to show. Cells
are finished text, not yet escaped.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from wool_tf.report import baselines, paper
from wool_tf.report.cells import MISSING, count, decimals, duration, known, percent, plain, ratio, significant, tiny

POOLED = "Of all held-out images together, at the threshold 0.5; over folds: the standard deviation over the folds."
_OVER_FOLDS = "Accuracy over folds (±)"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table and the words around it.

    Attributes:
        title: short caption.
        text: what the table says, in plain language; stands above it.
        header: names of the columns.
        rows: cells as text, as many per row as the header has.
        align: one letter per column, `l` or `r`.
        note: reservations; stands below the table, may be empty.
    """

    title: str
    text: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    note: str = ""


def measure(stage: Mapping, name: str) -> tuple[float | None, float | None]:
    """Mean and standard deviation over repeats of one metric of a stage."""
    return (stage.get("mean") or {}).get(name), (stage.get("std") or {}).get(name)


def over_folds(stage: Mapping, name: str) -> float | None:
    """Standard deviation of one metric of a stage over the folds."""
    return (stage.get("fold_std") or {}).get(name)


def as_decided(stage: Mapping) -> Mapping | None:
    """A stage as it is by the rule of the delivered model and not at the threshold 0.5."""
    decided = stage.get("decided")
    return decided and {"mean": decided, "repeats": [decided], "by_defect": decided.get("by_defect")}


def key_stages(results: Mapping) -> dict[str, Mapping]:
    """The stages that the report compares: those there are of `baseline`, `final` and `int8`, in this order."""
    by_name = {stage["stage"]: stage for stage in results.get("stages") or ()}
    pruned = [name for name in by_name if name != "baseline" and not name.endswith("-int8")]
    final = (results.get("final") or {}).get("stage") or (pruned[-1] if pruned else None)
    chosen = {"baseline": "baseline", "final": final, "int8": f"{final or 'baseline'}-int8"}
    if final == "baseline":
        del chosen["final"]
    return {role: by_name[name] for role, name in chosen.items() if name in by_name}


def summary(results: Mapping) -> Table | None:
    """Before pruning, after it, and in int8, in one look."""
    names = {"baseline": "before pruning", "final": "after pruning", "int8": "after pruning, in int8"}
    rows = [
        (
            f"{stage['title']} ({names[role]})" if role != "int8" else stage["title"],
            percent(*measure(stage, "accuracy")),
            percent(*measure(stage, "recall")),
            decimals(*measure(stage, "auc")),
            percent(over_folds(stage, "accuracy")),
            percent(stage.get("params_share")),
        )
        for role, stage in key_stages(results).items()
    ]
    rows = [*map(_baseline, baselines.of_run(results)), *rows]
    last = list(key_stages(results).values())[-1:]
    for stage in last if last and as_decided(last[0]) else ():
        figures = (percent(*measure(as_decided(stage), name)) for name in ("accuracy", "recall"))
        cells = decimals(*measure(stage, "auc")), MISSING, percent(stage.get("params_share"))
        rows.append((f"{stage['title']}, at a threshold by the delivered rule", *figures, *cells))
    text = (
        "Accuracy is the share of all images that are judged correctly; recall is the share of the defective images "
        "that are found. ROC AUC tells how well the scores separate the two classes: 1 is perfect, 0.5 is guessing. "
        "All are measured on images that the network was not trained on."
    )
    header = ("Network", "Accuracy (%)", "Recall (%)", "ROC AUC", _OVER_FOLDS, "Parameters (% of baseline)")
    return table("Key figures", text, header, rows, "lrrrrr", POOLED.replace("0.5;", "0.5 unless said otherwise;"))


def data(results: Mapping) -> Table | None:
    """What was learned from."""
    found = results.get("data")
    if not found:
        return None
    rows = [
        ("Folder", plain(found.get("folder"))),
        ("Images", plain(found.get("images"))),
        ("Defective", plain(found.get("defective"))),
        ("Non-defective", plain(found.get("non_defective"))),
        ("Groups", plain(found.get("groups"))),
        ("Images beside the manifest, not used", plain(found.get("unlisted"))),
        ("Bad images left out", plain(len(found.get("skipped") or ()))),
        *(("", reason) for reason in found.get("skipped") or ()),
        ("Side of an image (pixels)", plain(found.get("side"))),
        ("Fingerprint", plain(found.get("fingerprint"))),
    ]
    text = (
        "A group holds the images that belong together, such as several scans of one specimen. The fingerprint is "
        "computed from the images and their labels: two runs with the same fingerprint used the same data."
    )
    return table("Data", text, ("Property", "Value"), rows, "ll")


def folds(results: Mapping) -> Table | None:
    """The held-out part of each fold."""
    found = results.get("folds") or ()
    rows = []
    for number, fold in enumerate(found, start=1):
        rows.append((str(number), *(plain(value) for value in _fold_counts(fold))))
    kept = {"scan": "scan", "image": "file"}.get((results.get("data") or {}).get("group_by"), "group")
    text = (
        "The images are divided into parts, the folds. Each fold is held out once: a network is trained on all "
        "other folds and then judges this one, so every image is judged by a network that has never seen it. "
        f"Images of one {kept} always stay in the same fold."
    )
    header = ("Held-out fold", "Images", "Defective", "Non-defective", "Groups")
    return table("Folds", text, header, rows, "lrrrr")


def accuracy(results: Mapping) -> Table | None:
    """All metrics per stage, and the paper's accuracy where the settings are one of its recipes."""
    settings = results.get("settings") or {}
    recipe = paper.recipe(settings)
    stages = results.get("stages") or ()
    compared = baselines.of_run(results) if stages else []
    rows = [(*_metrics(each.title, each.figures), each.paper) for each in compared]
    for stage in stages:
        reported = paper.accuracy(settings, stage["stage"])
        rows.append((*_metrics(stage["title"], stage), MISSING if reported is None else f"{reported:.2f}"))
    rows = rows if recipe else [row[:-1] for row in rows]
    text = (
        "Recall: of 100 defective images, how many are found; the others would pass unseen. Precision: of 100 images "
        "that raise an alarm, how many are really defective; the others are false alarms. F1 combines the two into "
        "one number. Hard pruning removes the weakest filters for good and trains the rest further, round after "
        "round. ASFP (asymptotic soft filter pruning) silences a growing share of the filters during training and "
        "lets them recover until the end. The int8 row is the same network with its numbers stored as 8-bit "
        "integers, as it runs on a board."
    )
    text = " ".join([*baselines.explained(compared), text])
    header = ("Stage", "Accuracy (%)", "Recall (%)", "Precision (%)", "F1 (%)", "ROC AUC", _OVER_FOLDS)
    note = f"{POOLED} The delivered model decides at another one."
    if recipe:
        header += ("Paper’s accuracy (%)",)
        note += (
            f" The last column is from {paper.CITATION}, for the same depth and optimizer, likewise "
            f"{'pretrained' if recipe[2] else 'trained from scratch'}. "
            "It was measured on that factory’s own images, with another number of folds and repeats; it shows the "
            "order of magnitude and the trend, and cannot be compared one to one."
        )
    return table("Accuracy per stage, at the threshold 0.5", text, header, rows, "l" + "r" * (len(header) - 1), note)


def complexity(results: Mapping) -> Table | None:
    """Parameters and work per stage, and the paper's shares where it has that depth."""
    settings = results.get("settings") or {}
    depth = settings.get("depth")
    # The table holds for one recipe; another one removes another share.
    with_paper = settings.get("recipe") == "paper-table3" and paper.complexity(depth, 0) is not None
    rows = []
    for stage in results.get("stages") or ():
        row = [stage["title"], count(stage.get("params")), percent(stage.get("params_share"))]
        row += [count(stage.get("macs")), percent(stage.get("macs_share")), tiny(stage.get("mask_difference"))]
        if with_paper:
            row += [percent(stage.get("operations_share")), *_paper_shares(depth, stage["stage"])]
        rows.append(tuple(row))
    text = (
        "Parameters set the size of the model; multiply-accumulates (MACs) are the arithmetic that one image costs. "
        "Pruned filters are first switched off by a mask and then cut out. Both networks must give the same result: "
        "the mask difference is the largest difference between their outputs (logits) on the images that were "
        "compared, over all folds. Values near 1e-6 are rounding errors."
    )
    header = ("Stage", "Parameters", "% of baseline", "MACs", "% of baseline", "Mask difference")
    note = ""
    if with_paper:
        header += ("Operations (%)", "Paper: parameters (%)", "Paper: FLOPs (%)")
        note = (
            "The paper’s shares follow from its table III, whose figures are rounded to two digits. Its FLOPs are what "
            "the column before counts: multiply-accumulates, and the elements of batch norms, ReLUs and pools."
        )
    return table("Size and work per stage", text, header, rows, "l" + "r" * (len(header) - 1), note)


def by_defect(results: Mapping) -> Table | None:
    """Recall of each type of defect, with the baselines in the first rows."""
    compared = [(each.title, each.figures) for each in baselines.of_run(results)]
    named = {}
    for title, found in (*compared, *((stage["title"], stage) for stage in key_stages(results).values())):
        named[title] = found.get("by_defect")
        named[f"{title}, by the delivered rule"] = (as_decided(found) or {}).get("by_defect")
    named = {name: found for name, found in named.items() if found}
    images = {kind: one["images"] for found in named.values() for kind, one in found.items()}
    kinds = sorted(images)
    rows = [(name, *(percent(found.get(kind, {}).get("recall")) for kind in kinds)) for name, found in named.items()]
    text = (
        "Of 100 images with a type of defect, how many are found. In brackets the number of images; one with several "
        "types counts for each, and those of unknown type are left out. The threshold is 0.5 if nothing else is said."
    )
    header = ("Network", *(f"{kind} ({images[kind]})" for kind in kinds))
    note = "With few images of a type, one image more or less is several percent."
    return table("Recall by type of defect (%)", text, header, rows, "l" + "r" * len(kinds), note)


def latency(results: Mapping) -> Table | None:
    """Times per image, with size and speed against the first row."""
    found = results.get("latency") or ()
    rows = [
        (
            plain(row.get("model")),
            plain(row.get("threads")),
            count(row.get("bytes"), "B"),
            ratio(found[0].get("bytes"), row.get("bytes")),
            *(significant(row.get(name)) for name in ("p50_ms", "p90_ms", "p99_ms", "mean_ms", "images_per_second")),
            ratio(found[0].get("p50_ms"), row.get("p50_ms")),
        )
        for row in found
    ]
    text = (
        "How long one image takes, in milliseconds, on the machine named below; another machine gives other times. "
        "Half of the images took at most the median, 90 and 99 of 100 at most the next two values. Smaller and faster "
        "say how many times smaller the file and shorter the median is than in the first row."
    )
    header = ("Model", "Threads", "File", "Smaller", "Median", "90 %", "99 %", "Mean", "Images/s", "Faster")
    note = f"Measured on {results['latency_machine']}." if results.get("latency_machine") else ""
    return table("Speed (ms per image)", text, header, rows, "l" + "r" * 9, note)


def settings(results: Mapping) -> Table | None:
    """Every setting of the run."""
    rows = [(str(name), plain(value)) for name, value in (results.get("settings") or {}).items()]
    return table("Settings", "Every setting that this run used.", ("Setting", "Value"), rows, "ll")


def environment(results: Mapping) -> Table | None:
    """Where the run took place, and how long it took."""
    rows = [(str(name), plain(value)) for name, value in (results.get("environment") or {}).items()]
    if known(results.get("seconds")):
        rows.append(("computing time, all processes added up", duration(results["seconds"])))
    return table("Environment", "Software and machine of this run.", ("Property", "Value"), rows, "ll")


def table(title: str, text: str, header: Sequence[str], rows: Sequence, align: str, note: str = "") -> Table | None:
    """A table, or None without rows."""
    return Table(title, text, tuple(header), tuple(rows), align, note) if rows else None


def _baseline(each: baselines.Baseline) -> tuple[str, ...]:
    """A row of the key figures."""
    figures = (percent(*measure(each.figures, name)) for name in ("accuracy", "recall"))
    auc, spread = decimals(*measure(each.figures, "auc")), percent(over_folds(each.figures, "accuracy"))
    return each.title, *figures, auc, spread, MISSING


def _metrics(title: str, figures: Mapping) -> tuple[str, ...]:
    """A row of the accuracies."""
    shares = (percent(*measure(figures, name)) for name in ("accuracy", "recall", "precision", "f1"))
    return title, *shares, decimals(*measure(figures, "auc")), percent(over_folds(figures, "accuracy"))


def _fold_counts(fold: Mapping) -> tuple:
    images, defective = fold.get("images"), fold.get("defective")
    sound = images - defective if known(images) and known(defective) else None
    return images, defective, sound, fold.get("groups")


def _paper_shares(depth: int, stage: str) -> list[str]:
    rounds = {"baseline": 0, "hard1": 1, "hard2": 2, "hard3": 3}
    if stage not in rounds:
        return [MISSING, MISSING]
    whole, pruned = paper.complexity(depth, 0), paper.complexity(depth, rounds[stage])
    return [f"{100 * part / full:.0f}" for part, full in zip(pruned, whole, strict=True)]
