"""Options of a program are what the fields of a dataclass declare."""

import dataclasses
from pathlib import Path

import pytest

from wool_board import command_line, options
from wool_board.errors import BadSetting, Unusable, UsageError, named
from wool_board.options import NEEDED, address, numbers, option
from wool_board.settings import check


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    file: Path = option(NEEDED, "File.", form="FILE", positional=True)
    more: tuple[str, ...] = option((), "More, 100 % of it.", form="MORE", positional=True, repeated=True)
    count: int = option(3, "How many.", at_least=1)
    share: float | None = option(None, "Share.", above=0, below=1)
    lanes: tuple[tuple[float, float], ...] = option(
        (), "Lanes.", form="FROM,TO", read=numbers("FROM,TO", float, 2), name="lane", repeated=True
    )
    kind: str = option("a", "Kind.", choices=("a", "b"))
    quiet: bool = option(False, "Say nothing.")
    where: tuple[str, int] | None = option(None, "Where.", form="HOST[:PORT]", read=address(502))

    def __post_init__(self) -> None:
        check(self)
        if self.quiet and self.kind == "b":
            raise BadSetting("quiet", None, "does not go with `kind`=b, `lanes` or `b`")


def parsed(*arguments: str) -> Sample:
    parser = command_line.Parser(prog="sample.py")
    parser.add_options(Sample)
    return parser.options(Sample, parser.parse_intermixed_args(arguments))


def test_what_is_not_given_has_the_default_of_its_field():
    assert parsed("x.png") == Sample(file=Path("x.png"))


def test_values_have_the_types_of_their_fields():
    found = parsed(
        "x.png", "--count=5", "y", "--share=0.5", "--lane=0,1", "--lane=2,3.5", "--quiet", "--where=[::1]:80"
    )
    assert found == Sample(
        file=Path("x.png"), more=("y",), count=5, share=0.5, lanes=((0, 1), (2, 3.5)), quiet=True, where=("::1", 80)
    )
    assert parsed("x.png", "--where=gate").where == ("gate", 502)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["x", "--count=0"], "sample.py: --count=0: must be at least 1"),
        (["x", "--share=1"], "sample.py: --share=1: must be above 0 and below 1"),
        (["x", "--kind=c"], "sample.py: --kind=c: must be one of a, b"),
        (["x", "--kind=b", "--quiet"], "sample.py: --quiet: does not go with --kind=b, --lane or `b`"),
        (["x", "--count=x"], "sample.py: argument --count: invalid int value: 'x'; --help tells more"),
        (["x", "--lane=1"], "sample.py: argument --lane: must be FROM,TO, got '1'; --help tells more"),
        (["x", "--where=:80"], "sample.py: argument --where: must be HOST or HOST:PORT, got ':80'; --help tells more"),
        (["--count=1"], "sample.py: the following arguments are required: FILE, MORE; --help tells more"),
        ([""], "sample.py: argument FILE: is empty; give a path; --help tells more"),
    ],
)
def test_a_wrong_value_is_one_line_and_status_64(arguments, line, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert (ended.value.code, capsys.readouterr().err) == (64, f"{line}\n")


def test_the_help_says_what_is_allowed_and_the_default(capsys):
    with pytest.raises(SystemExit):
        parsed("--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "How many. Allowed: at least 1. Default: 3." in said
    assert "--quiet Say nothing. --where HOST[:PORT] Where." in said and "More, 100 % of it." in said


def test_the_table_has_a_row_for_each_option():
    rows = options.to_markdown(Sample).splitlines()[2:]
    assert rows[0] == "| `FILE` | needed |  | File. |"
    assert rows[2] == "| `--count` | `3` | at least 1 | How many. |"
    assert rows[4] == "| `--lane=FROM,TO` |  |  | Lanes. |"
    assert rows[6] == "| `--quiet` |  |  | Say nothing. |" and len(rows) == 8


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadSetting("count", 3, "is too many"), 64, "--count=3: is too many"),
        (Unusable("lanes", None, "are gone; change `share`"), 1, "--lane: are gone; change --share"),
        (UsageError("x.png: needs `count`"), 64, "x.png: needs --count"),
        (Unusable("file", Path("x"), "is not there"), 1, "file=x: is not there"),
    ],
)
def test_what_a_program_says_of_a_mistake_names_its_flags(error, status, said, capsys):
    def work(_: Sample) -> int:
        raise error

    assert command_line.run("sample.py", work, Sample(file=Path("x"))) == status
    assert capsys.readouterr().err == f"sample.py: {said}\n"


def test_names_of_several_programs():
    @dataclasses.dataclass
    class Other:
        speed: float = option(1.0, "Speed.")

    assert named("`speed`, `count`, `file`", options.called(Sample, Other)) == "--speed, --count, `file`"
