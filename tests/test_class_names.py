"""A class has its name to itself, so that a reader who searches for it finds one thing."""

import ast
import collections

from checkout import ROOT

FOLDERS = ("wool_tf", "tflite", "experiments", "benchmarks")


def test_no_two_classes_have_one_name():
    found = collections.defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(str(path.relative_to(ROOT)))
    twins = {name: paths for name, paths in found.items() if len(paths) > 1}
    assert found and not twins, f"give each a name of what it is: {twins}"
