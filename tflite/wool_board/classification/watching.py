"""Images that arrive in a folder are classified, each once."""

import os
from pathlib import Path

from wool_board.classification.classifier import Classifier
from wool_board.classification.output import Output, left_out, unreadable
from wool_board.command_line import one_line
from wool_board.errors import BadFile, MissingFile
from wool_board.image.folders import FolderWatch
from wool_board.machine.interruption import Interruption


def watch(classifier: Classifier, folder: Path, done: Path | None, interruption: Interruption) -> None:
    """Classifies what is in a folder and what arrives there, until it is interrupted.

    A file counts as dealt with when its record is printed; only then it is moved to `done`, if that is given. So a file
    is never lost, and after a crash at most one has a second record.
    """
    arrivals = FolderWatch(
        folder, unreadable(classifier.output), lambda paths: left_out(classifier.output, folder, paths)
    )
    while True:
        for path in arrivals.poll():
            interruption.check()
            try:
                found = classifier.classify(path)
            except MissingFile:
                continue
            except BadFile as bad:
                if arrivals.unchanged(path) and not arrivals.doubt(path):
                    arrivals.done(path)
                    classifier.output.complain(path, str(bad))
                continue
            if not arrivals.unchanged(path):
                continue  # It will be ready again.
            classifier.tell(found, path.relative_to(folder))
            arrivals.done(path)
            if done:
                move(path, done / path.relative_to(folder), classifier.output)
        interruption.sleep(arrivals.pause)


def move(path: Path, target: Path, output: Output) -> None:
    """Moves a file out of the way; one of the same name stays there, and the new one gets its time into its name."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target = target.with_name(f"{target.stem}-{path.stat().st_mtime_ns}{target.suffix}")
        os.rename(path, target)
    except OSError as error:
        output.complain(path, f"cannot be moved to {one_line(target)} ({error.strerror})")
