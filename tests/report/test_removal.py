"""The table of what pruning removed, against shares written down by hand."""

from wool_tf.report import removal

GONE = {"layer1": 0.1, "layer1.0.conv1": 0.1, "layer2": 0.36, "layer2.0.conv1": 0.2, "layer3": 0.36, "layer4": 0.512}


def stage(name, removed, before=None, accuracy=0.98):
    measured = {"mean": {"accuracy": accuracy}, "before_finetuning": before}
    return {"stage": name, "title": name, "removed": removed, **measured}


def test_shares_of_trunks_and_the_ends_of_the_others():
    whole = dict.fromkeys(GONE, 0.0)
    results = {"stages": [stage("baseline", whole), stage("hard1", GONE, 0.84), stage("hard1-int8", GONE)]}
    table = removal.of_run(results)
    assert table.rows == (("hard1", "–", "10.0", "36.0", "36.0", "51.2", "10.0–20.0", "84.0", "98.0"),)
    assert table.header[0] == "Stage" and len(table.header) == len(table.rows[0])


def test_a_bottleneck_network_has_a_stem_of_its_own_and_equal_shares_are_one_number():
    table = removal.of_run({"stages": [stage("asfp30", dict.fromkeys(["conv1", *GONE], 0.3))]})
    assert table.rows[0][1:7] == ("30.0", "30.0", "30.0", "30.0", "30.0", "30.0")


def test_without_pruning_there_is_no_table():
    assert removal.of_run({"stages": [stage("baseline", dict.fromkeys(GONE, 0.0)), stage("old", None)]}) is None


def test_records_give_shares_and_the_mean_over_folds():
    records = [{"removed": GONE, "before_finetuning": {"accuracy": share}} for share in (0.8, 0.9)]
    assert removal.described(records) == {"removed": GONE, "before_finetuning": (0.8 + 0.9) / 2}
    assert removal.described([{}, {}]) == {"removed": None, "before_finetuning": None}
