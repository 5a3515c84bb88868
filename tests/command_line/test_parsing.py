"""What is wrong with a command line is one line of plain words, which names the flagfile that it stands in."""

import pytest
from absl import flags

from wool_tf.command_line import parsing
from wool_tf.errors import WoolError


@pytest.fixture(autouse=True)
def defined(monkeypatch):
    known = flags.FlagValues()
    flags.DEFINE_integer("count", 1, "", flag_values=known)
    flags.DEFINE_float("share", 1.0, "", flag_values=known)
    flags.DEFINE_bool("deep", False, "", flag_values=known)
    flags.DEFINE_string("name", None, "", flag_values=known, required=True)
    flags.DEFINE_list("flagfile", [], "", flag_values=known)
    monkeypatch.setattr(flags, "FLAGS", known)
    return known


def refused(*arguments):
    with pytest.raises(WoolError) as told:
        parsing.parse(["script.py", "--name=a", *arguments])
    return str(told.value)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--count=abc", "--count=abc: must be a whole number"),
        ("--count=1.5", "--count=1.5: must be a whole number"),
        ("--count=a: b", "--count=a: b: must be a whole number"),
        ("--share=x", "--share=x: must be a number"),
        ("--deep=maybe", "--deep=maybe: must be true or false"),
        ("--flagfile=", "--flagfile=: is empty; give a file, or leave it out"),
        ("--nope", "--nope: this script has no such flag; --help lists them"),
        ("more", "'more': this script takes flags only; --help lists them"),
    ],
)
def test_in_plain_words(argument, said):
    assert refused(argument) == said


def test_a_required_flag(defined):
    with pytest.raises(WoolError, match="^--name: is required; give a value$"):
        parsing.parse(["script.py"])


def test_a_flagfile_needs_an_equals_sign(tmp_path):
    file = tmp_path / "flags.cfg"
    for line, said in (
        ("--count 3", "--count 3: write --count=3 (in {})"),
        ("--nope 3", "--nope 3: this script has no such flag (in {}); --help lists them"),
    ):
        file.write_text(f"{line}\n")
        assert refused(f"--flagfile={file}") == said.format(file)


def test_the_flagfile_is_named(tmp_path):
    inner, outer = tmp_path / "inner.cfg", tmp_path / "outer.cfg"
    outer.write_text(f"# a comment\n--share=2\n--flagfile={inner}\n")
    inner.write_text("--nope=1\n")
    assert refused(f"--flagfile={outer}") == f"--nope: this script has no such flag (in {inner}); --help lists them"
    inner.write_text("--count=abc\n")
    assert refused("--flagfile", str(outer)) == f"--count=abc: must be a whole number (in {inner})"
    assert refused("--count=x", f"--flagfile={tmp_path / 'none.cfg'}").startswith("--flagfile: cannot be read")
    inner.write_text("--count=2\n")
    assert refused("--count=abc", f"--flagfile={outer}") == "--count=abc: must be a whole number"
