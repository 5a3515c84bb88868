"""The flags of the scripts, asked of the scripts themselves."""

import dataclasses
import multiprocessing
import re
import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from absl import flags

import forked_scripts
from checkout import ROOT
from wool_tf.errors import as_text
from wool_tf.settings import Setting

SCRIPTS = sorted(
    path for path in (ROOT / "experiments").glob("*.py") if 'if __name__ == "__main__"' in path.read_text("utf-8")
)
_NAME = "asked"
"""What a script is called while its flags are asked for, so that it does not run."""
_WITHOUT = re.compile(r"^<[^>]*>: |;\s+repeat this option .*$")
"""What absl adds to the help of a choice, and of a flag that may be given several times."""


@dataclasses.dataclass(frozen=True)
class ScriptFlag:
    """A flag as a script defines it.

    Attributes:
        name: without its dashes.
        default: as `told` has it.
        needed: whether it has to be given.
        allowed: the allowed values in words; empty where all are.
        meaning: in sentences.
    """

    name: str
    default: str
    needed: bool
    allowed: str
    meaning: str


def _allowed(flag: flags.Flag) -> str:
    """What absl checks, in the words of declarations."""
    rules = {name: getattr(flag.parser, name, None) for name in ("enum_values", "lower_bound", "upper_bound")}
    bounds = Setting("", rules["lower_bound"], at_most=rules["upper_bound"], choices=tuple(rules["enum_values"] or ()))
    return bounds.allowed


def told(default: object) -> str:
    """A default as text: of a flag it is that it is not given."""
    if default is None or default is False:
        return ""
    return as_text(tuple(default) if isinstance(default, list) else default)


def _asked(path: Path) -> list[ScriptFlag]:
    """The flags of a script, in a process of its own."""
    # As Python does when it is given a script; this one is not run, and pytest need not be at work.
    sys.argv, sys.path[:0] = [str(path)], [str(path.parent)]
    runpy.run_path(str(path), run_name=_NAME)
    found = []
    for flag in flags.FLAGS.get_key_flags_for_module(_NAME):
        # Flags made of declarations have the allowed values in their help.
        meaning, _, allowed = _WITHOUT.sub("", flag.help).partition(" Allowed: ")
        needed = any("other than None" in rule.message for rule in flag.validators)
        allowed = allowed.removesuffix(".") or _allowed(flag)
        found.append(ScriptFlag(flag.name, told(flag.default), needed, allowed, meaning))
    return found


def by_script() -> dict[str, list[ScriptFlag]]:
    """The flags of each script, by its file's name."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(forked_scripts.SHARED))
    with ProcessPoolExecutor(2, mp_context=context, max_tasks_per_child=1) as pool:
        return dict(zip([path.name for path in SCRIPTS], pool.map(_asked, SCRIPTS), strict=True))
