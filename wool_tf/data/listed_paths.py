"""Paths that a manifest or an annotation names: whether they may be read."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath


def flaw(path: str, file: str, roots: Sequence[str]) -> str | None:
    """Why a path that a file names cannot be used, to be put behind its name; None if it can.

    Arguments:
        path: as it is named.
        file: where it leads to, without links (`os.path.realpath`), for a link may lead out of a folder as well.
        roots: folders, one of which it must lie in, without links.
    """
    if not path.isprintable():
        return "has a name that is not text; rename it"
    inside = any(Path(file).is_relative_to(root) for root in roots)
    if os.path.isabs(path) or ".." in PurePosixPath(path).parts or not inside:
        return "leads out of the folder; give a path inside it"
    if not os.path.exists(file):
        return "does not exist"
    if not os.path.isfile(file):
        return "is not a file"
    if os.path.getsize(file) == 0:
        return "is empty (0 bytes)"
    return None
