"""What a user says of the names in a folder: which label is which class, and where file names tell the sample."""

import dataclasses
import re
from pathlib import PurePosixPath

from wool_tf.data.spelling import cleaned
from wool_tf.errors import BadSetting
from wool_tf.settings import check, setting

_ROBOFLOW = re.compile(r"^(.+)_(png|jpe?g|tiff?|bmp)\.rf\.\w+\.\w+$", re.IGNORECASE)
"""What Roboflow calls its copy of an image: `x_png.rf.0123abcd.png`."""


def original(name: str) -> str:
    """The name of a file as it was before Roboflow copied it.

    >>> original("S1_0_png.rf.d41d8cd98f00b204.jpg"), original("S1_0.png")
    ('S1_0.png', 'S1_0.png')
    """
    return _ROBOFLOW.sub(r"\1.\2", name)


@dataclasses.dataclass(frozen=True)
class SampleNaming:
    """Where the physical sample stands in the name of a file.

    Raises:
        BadSetting: a value breaks its rule.
    """

    sample_from: str | None = setting(
        None,
        "Regular expression that finds the physical sample in the name of a file where nothing else names it: its "
        "group `sample`, or its first one; `^(S[0-9]+)_` finds S001 in S001_2.png.",
    )

    def __post_init__(self) -> None:
        check(self)
        if self.sample_from is None:
            return
        try:
            groups = re.compile(self.sample_from).groups
        except re.error as error:
            raise BadSetting("sample_from", self.sample_from, f"is no regular expression ({error})") from None
        if not groups:
            raise BadSetting("sample_from", self.sample_from, "must have a group, in brackets, that is the sample")

    def sample(self, path: str) -> str:
        """The sample in the name of a file, not yet `spelling.cleaned`; empty where none is found or looked for.

        Arguments:
            path: of the file; folders do not count.
        """
        if self.sample_from is None:
            return ""
        expression = re.compile(self.sample_from)
        found = expression.search(original(PurePosixPath(path).name))
        group = "sample" if "sample" in expression.groupindex else 1
        return (found[group] or "") if found else ""


@dataclasses.dataclass(frozen=True)
class CropNaming(SampleNaming):
    """How the crops of a folder are named.

    Raises:
        BadSetting: a value breaks its rule.
    """

    defective_label: tuple[str, ...] = setting(
        ("defective",),
        "What defective crops are called, as label in manifest.csv or as folder; several count alike.",
    )
    non_defective_label: tuple[str, ...] = setting(("non_defective",), "What non-defective crops are called, likewise.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, labels in zip(("non_defective_label", "defective_label"), self.labels, strict=True):
            if not all(labels) or not labels:
                raise BadSetting(field, getattr(self, field), "is empty; give a name")
        both = sorted(set(self.labels[0]) & set(self.labels[1]))
        if both:
            raise BadSetting("non_defective_label", both[0], "is one of `defective_label`, too; a label is one class")

    @property
    def labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The labels of each class in the order of `crop_entries.CLASSES`, cleaned."""
        sound, defective = (tuple(map(cleaned, each)) for each in (self.non_defective_label, self.defective_label))
        return sound, defective

    def label(self, written: str) -> int | None:
        """The class of a label as it was written, or None if it is that of neither."""
        name = cleaned(written)
        return next((number for number, labels in enumerate(self.labels) if name in labels), None)


AS_NAMED = CropNaming()
"""Class names as the documents have them, and no sample in the names of files."""
