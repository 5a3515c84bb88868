"""The delivered model: what it decides, beside the baselines and at 0.5; how far int8 is from float; its files.

Builders are as those of `tables`.
"""

from collections.abc import Iterator, Mapping

from wool_tf.report import baselines
from wool_tf.report.baselines import Baseline
from wool_tf.report.cells import count, decimals, known, percent, plain
from wool_tf.report.protocol_views import false_alarm_rate
from wool_tf.report.tables import Table, as_decided, key_stages, measure, table

BY_RULE = "by the rule"
WORTH = ("accuracy", "recall")


def verdict(results: Mapping) -> list[str]:
    """Which baselines do as well as the delivered network, if any: by accuracy, or by the cost asked for."""
    stage, found = delivered(results), baselines.of_run(results)
    return [sentence for each in found if stage is not None for sentence in _beats(each, stage, results)]


def _beats(each: Baseline, stage: Mapping, results: Mapping) -> list[str]:
    asked = ((results.get("final") or {}).get("decision") or {}).get("asked") or {}
    ratio, figures = asked.get("cost_ratio"), _best_known(each)
    if not known(measure(figures, "accuracy")[0]):
        return []
    as_accurate = measure(figures, "accuracy")[0] >= measure(stage, "accuracy")[0]
    as_cheap = known(ratio) and _cost(figures, ratio) <= _cost(stage, ratio)
    if not as_accurate and not as_cheap:
        return []
    by = "judges as many images correctly" if as_accurate else f"costs as little, a miss being {ratio:g} false alarms,"
    return [
        f"{each.title}, {by} as the delivered network, or does better: by that, the network is not worth its training. "
        f"Without it: {_told(figures)}. The network: {_told(stage)}."
    ]


def _best_known(each: Baseline) -> Mapping:
    """The figures of a baseline by the rule of the delivered model, where it has scores that the rule can part."""
    return as_decided(each.figures) or each.figures


def outcome(results: Mapping) -> list[str]:
    """How the delivered model does as it decides on a board, beside the baselines."""
    stage = delivered(results)
    if stage is None:
        return []
    beside = "".join(f"; {each.inline}: {_told(_best_known(each))}" for each in baselines.of_run(results))
    return [f"At thresholds by the rule of the delivered model ({_rule(results)}), in int8: {_told(stage)}{beside}."]


def delivered(results: Mapping) -> Mapping | None:
    """The int8 stage as it decides on a board."""
    stage = key_stages(results).get("int8")
    return as_decided(stage) if stage else None


def _told(stage: Mapping) -> str:
    accuracy, recall = (percent(measure(stage, name)[0]) for name in WORTH)
    alarms = percent(false_alarm_rate(stage))
    return (
        f"{accuracy}\u00a0% of the held-out images judged correctly, {recall}\u00a0% of the defective ones found, "
        f"{alarms}\u00a0% of the sound ones called defective"
    )


def _cost(stage: Mapping, ratio: float) -> float:
    """Of all images, in false alarms."""
    ((_, alarms), (missed, _)) = stage["repeats"][0]["confusion"]
    return alarms + ratio * missed


def _rule(results: Mapping) -> str:
    return plain(((results.get("final") or {}).get("decision") or {}).get("rule"))


def decisions(results: Mapping) -> Table | None:
    """What the key stages decide at 0.5 and by the delivered model’s rule, with the baselines in the first rows."""
    if not (results.get("final") or {}).get("decision") or not any(map(as_decided, key_stages(results).values())):
        return None
    rows = [
        (
            title,
            at,
            percent(measure(stage, "recall")[0]),
            percent(false_alarm_rate(stage)),
            *(percent(measure(stage, name)[0]) for name in ("precision", "accuracy")),
        )
        for title, at, stage in _views(results)
    ]
    text = (
        "The threshold on the score decides how many defective images are missed for how many false alarms. The paper "
        f"does not name one, and 0.5 is usual. The delivered model has another one, by this rule: {_rule(results)}."
    )
    header = ("Network", "Threshold", "Recall (%)", "False alarms (%)", "Precision (%)", "Accuracy (%)")
    note = f"False alarms: share of the sound images that are called defective. {_whose(results)}"
    return table("What the delivered model decides", text, header, rows, "llrrrr", note)


def _whose(results: Mapping) -> str:
    decision = (results.get("final") or {}).get("decision") or {}
    at = f" ({decimals(decision.get('threshold'))} on the card of the int8 file)" if decision else ""
    return (
        f"By the rule{at}: on each fold the networks that had not seen it decide, at a threshold that the rule gave on "
        "the other folds. So these are figures of the files of the folds; the delivered one was trained on all images "
        "and has none of its own. What was required is met only roughly."
    )


def _views(results: Mapping) -> Iterator[tuple[str, str, Mapping]]:
    """Name, threshold and figures of the baselines and each key stage, and both by the rule too where they have one."""
    found = [(each.title, each.at, each.figures) for each in baselines.of_run(results)]
    found += [(stage["title"], "0.5", stage) for stage in key_stages(results).values()]
    for title, at, figures in found:
        yield title, at, figures
        if decided := as_decided(figures):
            yield title, BY_RULE, decided


def confusion(results: Mapping) -> Table | None:
    """Right and wrong judgements of the baselines and the key stages."""
    rows = []
    for title, at, stage in _views(results):
        matrices = [repeat["confusion"] for repeat in stage.get("repeats") or () if repeat.get("confusion")]
        for (passed, alarms), (missed, found) in matrices:
            rows.append((title, at, *map(str, (found, missed, passed, alarms))))
    text = (
        "How many held-out images were judged rightly and wrongly. A missed image is a defective "
        "product that would be delivered; a false alarm is a sound product that would be rejected."
    )
    header = ("Network", "Threshold", "Defective: found", "Defective: missed", "Non-defective: passed")
    header += ("Non-defective: false alarm",)
    return table("Confusion matrices", text, header, rows, "llrrrr", _whose(results))


def quantisation(results: Mapping) -> Table | None:
    """Float against int8 on the same images: over the held-out folds, and for the delivered model."""
    final = results.get("final") or {}
    columns = {"Held-out folds": final.get("check"), "Delivered model": final.get("delivered")}
    columns = {name: check for name, check in columns.items() if check}
    if not columns:
        return None
    measures = (
        ("Images compared", "images", plain),
        ("Same judgement at the threshold 0.5 (%)", "agreement", percent),
        ("Mean difference of the scores", "mean_difference", decimals),
        ("Largest difference of the scores", "max_difference", decimals),
    )
    rows = [(name, *(cell(check.get(key)) for check in columns.values())) for name, key, cell in measures]
    text = (
        "The int8 model computes with 8-bit integers, which makes it small and fast and its scores slightly "
        "coarser. Here both versions of a network judge the same images. A score is the probability of “defective”, "
        "from 0 to 1. Under held-out folds, every image is judged by a network that was not trained on it."
    )
    notes = []
    if "Delivered model" in columns:
        notes.append(
            "The delivered model was trained on all images, these included; that it agrees with float is what counts "
            "here, and how well it does on new images is foretold by the held-out folds."
        )
    operators = (final.get("check") or {}).get("operators")
    if operators:
        notes.append(f"Operators of the int8 model: {plain(operators)}.")
    header = ("Property", *columns)
    return table("Float against int8", text, header, rows, "l" + "r" * len(columns), " ".join(notes))


def files(results: Mapping) -> Table | None:
    """The files of the delivered model."""
    final = results.get("final") or {}
    found = final.get("files") or ()
    rows = []
    for file in found:
        name, precision, digest = (plain(file.get(key)) for key in ("name", "precision", "sha256"))
        rows.append((name, precision, count(file.get("bytes"), "B"), digest))
    text = "The delivered model was trained on all images. The checksum tells whether a copy of a file is intact."
    spec = final.get("spec")
    if spec:
        shape = " × ".join(map(str, spec["input_shape"]))
        trunk = ", ".join(str(spec["widths"][f"layer{stage}"]) for stage in range(1, 5))
        text += f" It is a ResNet-{spec['depth']} for inputs of {shape}; its four stages are {trunk} channels wide."
    note = ""
    if any("baseline" in str(file.get("name")) for file in found):
        note = "The baseline is the unpruned network of one fold. It is here to compare size and speed, not for use."
    return table("Files", text, ("File", "Precision", "Size", "SHA-256"), rows, "llrl", note)
