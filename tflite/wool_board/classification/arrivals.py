"""Images that arrive in a folder are classified, each once."""

import os
from pathlib import Path

from wool_board.classification import file_moves
from wool_board.classification.classifier import Classifier
from wool_board.classification.output import left_out, unreadable
from wool_board.command_line import one_line
from wool_board.errors import BadFile, MissingFile
from wool_board.image.folders import FolderWatch
from wool_board.machine.interruption import Interruption


def watch(classifier: Classifier, folder: Path, done: Path | None, interruption: Interruption) -> None:
    """Classifies what is in a folder and what arrives there, until it is interrupted.

    A file counts as dealt with when its record is printed; only then it is moved to `done`, if that is given, and only
    if no other has taken its place meanwhile. So a file is never lost nor moved unjudged, and after a crash at most one
    has a second record.
    """
    # However the folder is spelt, its files have one name each.
    arrivals = FolderWatch(
        folder.absolute(), unreadable(classifier.output), lambda paths: left_out(classifier.output, folder, paths)
    )
    while True:
        for path in arrivals.poll():
            interruption.check()
            _deal_with(classifier, arrivals, path, folder, done)
        interruption.sleep(arrivals.pause)


def _deal_with(classifier: Classifier, arrivals: FolderWatch, path: Path, folder: Path, done: Path | None) -> None:
    """Classifies a file that is ready; tells of it under the name that it has in `folder`, as the user spells that."""
    name = path.relative_to(arrivals.folder)
    shown = folder / name
    try:
        before = os.stat(path)
        found = classifier.classify(shown)
    except (MissingFile, FileNotFoundError):
        return
    except BadFile as bad:
        if arrivals.unchanged(path) and not arrivals.doubt(path):
            arrivals.done(path)
            classifier.output.complain(shown, str(bad))
        return
    if not arrivals.unchanged(path):
        return  # It will be ready again.
    classifier.tell(found, name)
    arrivals.done(path)
    if done:
        try:
            file_moves.move(path, done / name, before)
        except OSError as error:
            classifier.output.complain(shown, f"cannot be moved to {one_line(done / name)} ({error.strerror})")
