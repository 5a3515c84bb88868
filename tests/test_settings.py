"""Settings are what their declarations say, and so are the documents and flagfiles that speak of them."""

import ast
import dataclasses
import math
import pickle
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings_page
from wool_tf import settings
from wool_tf.errors import BadSetting, as_text
from wool_tf.settings import setting
from wool_tf.study import run_binding
from wool_tf.study.crop_source import CropSource
from wool_tf.training.config import TrainingConfig

ROOT = Path(__file__).resolve().parents[1]
FLAGFILES = sorted((ROOT / "experiments" / "flagfiles").glob("*.cfg"))
ELSEWHERE = {"out", "data"}
"""Flags of flagfiles that say with what a script works, and are no settings."""
SINGLE = {"depths": "depth", "optimizers": "optimizer"}


@dataclasses.dataclass(frozen=True)
class Sample:
    count: int = setting(1, "How many.", at_least=1)
    share: float = setting(0.5, "Share.", above=0, at_most=1)
    ratio: float | None = setting(None, "Ratio.", above=0, below=math.inf, binds="hard")
    kind: str = setting("a", "Kind.", choices=("a", "b"))
    rates: tuple[float, ...] = setting((0.1, 0.2), "Rates.", at_least=0, below=1, binds="choice")
    free: str = "undeclared"

    def __post_init__(self):
        settings.check(self)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 1),
        ("share", 1.0),
        ("share", 1e-300),
        ("ratio", 1e300),
        ("kind", "b"),
        ("rates", ()),
        ("rates", (0.0,)),
    ],
)
def test_values_on_the_allowed_side_of_a_bound(name, value):
    assert getattr(Sample(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count=0: must be at least 1"),
        ({"share": 0.0}, "share=0: must be above 0 and at most 1"),
        ({"share": 1.001}, "share=1.001: must be above 0 and at most 1"),
        ({"share": math.nan}, "share=nan: must be above 0 and at most 1"),
        ({"ratio": math.inf}, "ratio=inf: must be above 0 and finite"),
        ({"kind": "c"}, "kind=c: must be one of a, b"),
        ({"rates": (0.5, 1.0)}, "rates=0.5,1: each must be at least 0 and below 1"),
    ],
)
def test_a_refusal_names_field_value_and_rule(given, message):
    with pytest.raises(BadSetting) as refused:
        Sample(**given)
    assert str(refused.value) == message
    # Worker processes hand their exceptions over.
    assert str(pickle.loads(pickle.dumps(refused.value))) == message


def test_a_declaration_can_be_that_of_another_dataclass():
    @dataclasses.dataclass(frozen=True)
    class Other:
        count: int = settings.same(Sample, "count", at_least=8)
        share: float = settings.same(Sample, "share")

        def __post_init__(self):
            settings.check(self)

    assert Other(8) == Other(8, Sample.share)
    assert settings.declared(Other)["share"] == settings.declared(Sample)["share"]
    with pytest.raises(BadSetting, match="^count=7: must be at least 8$"):
        Other(7)


def test_a_mistake_is_told_by_the_names_that_the_user_knows():
    error = BadSetting(("recall", "cost_ratio"), None, "give one").renamed({"recall": "required_recall"})
    assert error.told(lambda name: f"--{name}") == "--required_recall and --cost_ratio: give one"
    assert BadSetting("epochs", 0, "no").renamed({"epochs": "qat_epochs"}).told(str.upper) == "QAT_EPOCHS=0: no"


def test_the_table_has_a_row_for_each_declaration():
    rows = settings.to_markdown(Sample, {"count": "number"}).splitlines()
    assert rows[2] == "| `--number` | `1` | at least 1 | How many. | every result |"
    assert rows[4] == "| `--ratio` |  | above 0 and finite | Ratio. | hard pruning |"
    assert len(rows) == 2 + 5


def test_every_setting_of_a_training_is_declared_and_its_default_allowed():
    fields = {field.name for field in dataclasses.fields(TrainingConfig)}
    assert set(settings.declared(TrainingConfig)) == fields
    TrainingConfig()


def _nodes(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """What the modules of folders consist of, with their names."""
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        yield from ((path.name, node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


MADE = {
    node.target.id
    for _, node in _nodes("wool_tf", "experiments")
    if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)
    if isinstance(node.value.func, ast.Name) and node.value.func.id in ("setting", "same")
}
"""Settings that are declared at their fields."""

OTHER = {
    ("complexity.py", "recipe"): "without `latency`",
    ("complexity.py", "depth"): "may be given several times",
    ("scan_flags.py", "scans"): "a folder",
    ("board_options.py", "threads"): "of the section that compares one thread with several",
    **{(f"{name}.py", "rounds"): "turns of what is timed" for name in ("agreement", "board_options", "finetune",
                                                                       "inference", "inspection", "training")},
}  # fmt: skip
"""Flags that mean something else than the setting of their name."""


def test_no_script_defines_a_flag_anew_for_a_setting():
    by_hand = {
        (name, node.args[0].value)
        for name, node in _nodes("experiments", "benchmarks")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("DEFINE_")
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(MADE) > 70 and len(by_hand) > 40
    found = {(name, flag) for name, flag in by_hand if flag in MADE}
    assert found == set(OTHER), "make the flag with setting_flags.define, or say here what else it means"


def test_what_a_folder_is_bound_to():
    """What the code that trains reads decides: the plain epochs after ASFP have the rate of fine-tuning."""
    base = dict(controls=(), final="baseline")
    bound = {
        (rounds, rates): set(run_binding._binding(TrainingConfig(rounds=rounds, asfp_rates=rates, **base)))
        for rounds in (0, 2)
        for rates in ((), (0.3,))
    }
    hard = {"finetune_epochs", "finetune", "distillation", "recipe", "importance", "latency_table", "target_ms"}
    hard |= {"target_ratio"}
    asfp = {"asfp_epochs", "asfp_finetune_epochs"}
    both = {"finetune_factor", "align"}
    assert bound[2, ()] - bound[0, ()] == hard | both
    assert bound[0, (0.3,)] - bound[0, ()] == asfp | both
    assert bound[2, (0.3,)] - bound[0, ()] == hard | asfp | both
    assert not bound[2, (0.3,)] & {
        "depth",
        "optimizer",
        "weights",
        "repeats",
        "rounds",
        "asfp_rates",
        "controls",
        "final",
    }
    assert {"epochs", "seed", "batch_size", "threads", "select"} <= bound[0, ()]


@pytest.mark.parametrize("path", settings_page.PAGES, ids=lambda path: path.name)
def test_the_pages_of_settings_are_those_of_the_declarations(path):
    assert path.read_text() == settings_page.PAGES[path](), "run: python tests/settings_page.py"


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.stem)
def test_flagfiles_give_values_that_are_allowed(path):
    given = re.findall(r"^--(\w+)=(.*)$", path.read_text(), re.MULTILINE)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(given) == len(lines)
    kinds = typing.get_type_hints(CropSource) | typing.get_type_hints(TrainingConfig)
    declared = settings.declared(CropSource) | settings.declared(TrainingConfig)
    for name, text in given:
        if name in ELSEWHERE:
            continue
        name, kind = SINGLE.get(name, name), kinds[SINGLE.get(name, name)]
        items = text.split(",") if text else []
        if kind not in (int, float, str):
            declared[name].check(name, tuple(map(typing.get_args(kind)[0], items)))
            continue
        for item in items:
            declared[name].check(name, kind(item))


# What documents call a default: (document, how it says so, the setting).
STATED = [
    (
        "docs/guide.md",
        r"`--adam_learning_rate=(\S+)`, `--sgd_learning_rate=\S+`: the largest rate",
        "adam_learning_rate",
    ),
    (
        "docs/guide.md",
        r"`--adam_learning_rate=\S+`, `--sgd_learning_rate=(\S+)`: the largest rate",
        "sgd_learning_rate",
    ),
    ("docs/guide.md", r"\(`--final`, by default the (third) round\)", "final"),
    ("docs/results.md", r"\| learning rate \| reducing \| (half a cosine), after a short rise", "schedule"),
    ("docs/results.md", r"\| its size \| – \| (\S+) for Adam at every stage", "adam_learning_rate"),
    ("docs/results.md", r"30 % of the four stacks \(`--recipe=(\S+)`\)", "recipe"),
    ("docs/results.md", r"\| images a step \| – \| (\S+) \|", "batch_size"),
]
WORDS = {"third": "hard3", "half a cosine": "cosine"}


@pytest.mark.parametrize(("document", "pattern", "name"), STATED)
def test_a_default_that_a_document_states(document, pattern, name):
    (stated,) = re.findall(pattern, (ROOT / document).read_text())
    default = getattr(TrainingConfig, name)
    assert type(default)(WORDS.get(stated, stated)) == default, as_text(default)


def test_the_default_of_the_threshold_that_the_guide_states():
    from wool_tf.evaluation.thresholds import ThresholdRule

    (stated,) = re.findall(
        r"how many false alarms a miss costs; (\S+) by default", (ROOT / "docs/guide.md").read_text()
    )
    assert float(stated) == ThresholdRule().cost_ratio


BOARD_DOCUMENTS = ("board.md", "gate.md", "station.md")


def test_the_defaults_of_a_board_that_documents_state():
    """What stands in parentheses behind an option, and begins with a digit, is its default."""
    defaults = {}
    for config in settings_page.PROGRAMS.values():
        fields = {field.name: field for field in dataclasses.fields(config)}
        for name, each in settings.declared(config).items():
            defaults.setdefault(each.name or name, set()).add(as_text(fields[name].default))
    text = "".join((ROOT / "docs" / name).read_text() for name in BOARD_DOCUMENTS)
    stated = re.findall(r"`--(\w+)(?:=[^`]*)?`[^`()|]{0,60}\((\d[\d:,.]*)\)", text)
    assert len(stated) >= 8
    assert not [(name, value) for name, value in stated if value not in defaults[name]]
