"""The same networks trained in another framework, whose values stand beside ours."""

from wool_tf.report import naming
from wool_tf.study.results import Configuration, Study

OF_PYTORCH = "pytorch_kfold.py"


def framework(study: Study) -> str:
    """What the networks of a study were trained in."""
    return "PyTorch" if naming.script(study) == OF_PYTORCH else "Keras"


def of(study: Study, before: Study | None) -> Study | None:
    """The run that a study is compared with, if its networks were trained in another framework."""
    return before if before and framework(before) != framework(study) else None


def configuration(other: Study | None, one: Configuration) -> Configuration | None:
    """The network of the other framework that was trained as one of ours, or None."""
    return next((each for each in other.configurations if each.name == one.name), None) if other else None


def row(other: Study | None) -> str:
    """The name of its row below ours."""
    return f"– {framework(other)}" if other else ""


def note(other: Study | None) -> str:
    """Whose values stand in such a row, in a sentence; empty without them."""
    if other is None:
        return ""
    return (
        f"{framework(other)}: the networks of {other.out}; “What changed” above compares them with ours image by image."
    )
