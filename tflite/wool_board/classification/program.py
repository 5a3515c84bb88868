"""The work of `classify.py`."""

import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from wool_board.classification.arrivals import watch
from wool_board.classification.classifier import Classifier, picture_name
from wool_board.classification.output import COLUMNS, RecordWriter, csv_line, csv_row, left_out, text_line, unreadable
from wool_board.command_line import one_line
from wool_board.errors import BadFile, WoolError
from wool_board.exit_status import MISTAKE
from wool_board.image import folders
from wool_board.machine import cores
from wool_board.machine.interruption import Interruption
from wool_board.model import heatmap
from wool_board.model.recognizer import Recognizer


@dataclasses.dataclass(frozen=True)
class ClassificationOptions:
    """What is to be classified, and how that is told.

    Attributes:
        model: TFLite file with its card.
        given: images, and folders of them.
        watch: folder whose images are classified as they arrive, or None.
        done: where watched images are moved to once they are classified, or None.
        form: of the output: "text", "csv" or "json".
        heatmap: whether records tell where a defect is.
        pictures: folder for pictures of that, or None.
        threads: CPU threads.
    """

    model: Path
    given: tuple[Path, ...]
    watch: Path | None
    done: Path | None
    form: str
    heatmap: bool
    pictures: Path | None
    threads: int


def run(options: ClassificationOptions) -> int:
    """Classifies images; returns the exit status.

    Raises:
        WoolError: an option or the model is wrong, or nobody takes the output.
        KeyboardInterrupt: the end was asked for; each image was told or not begun.
    """
    interruption = Interruption()
    _check(options)
    recognizer = Recognizer(options.model, options.threads)
    if options.heatmap and not recognizer.heatmap_shape:
        raise WoolError(f"--heatmap: {options.model} has none; convert it with --heatmap")
    interruption.work()
    output = _output(options, interruption)
    classifier = Classifier(recognizer, output, options.heatmap, options.pictures)
    jobs = list(_listed(options.given, output))
    if options.pictures:
        _check_pictures(jobs)
    _classify_all(classifier, jobs, interruption)
    if options.watch:
        watch(classifier, options.watch, options.done, interruption)
    return MISTAKE if output.complaints else 0


def _check(options: ClassificationOptions) -> None:
    cores.check_threads(options.threads)
    if options.watch and not _is_folder(options.watch):
        raise WoolError(f"--watch={one_line(options.watch)}: must be a folder that exists")
    read = [path for path in (*options.given, options.watch) if path and os.path.isdir(path)]
    for flag, folder in (("heatmap", options.pictures), ("done", options.done)):
        if not folder:
            continue
        inside = [path for path in read if folder.resolve().is_relative_to(path.resolve())]
        if inside:
            # Its files would be taken for images to classify.
            raise WoolError(f"--{flag}={one_line(folder)}: must not lie in {one_line(inside[0])}, which is read")
        _make_folder(f"--{flag}", folder)
    if options.done and options.watch and options.done.stat().st_dev != options.watch.stat().st_dev:
        raise WoolError(f"--done={one_line(options.done)}: must be on the same file system as --watch")


def _is_folder(path: Path) -> bool:
    """Whether a folder has a path; the one that a program was started in may be gone."""
    try:
        return os.path.isdir(path.absolute())
    except FileNotFoundError:
        return False


def _make_folder(flag: str, folder: Path) -> None:
    """Makes a folder; raises WoolError if files cannot be written there, which is better known before the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WoolError(f"{flag}={one_line(folder)}: cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WoolError(f"{flag}={one_line(folder)}: must be a folder that can be written")


def _output(options: ClassificationOptions, interruption: Interruption) -> RecordWriter:
    """Where records go, in the form that is asked for."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be text, and a service's locale need not know their letters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    forms: dict[str, Callable[[dict], str]] = {"json": json.dumps, "csv": csv_line, "text": text_line}
    header = None
    if options.form == "csv":
        peak = [f"peak_{name}" for name in heatmap.Peak._fields] if options.heatmap else []
        header = csv_row([*COLUMNS, *peak])
    return RecordWriter(forms[options.form], header, lambda: interruption.asked)


def _listed(given: tuple[Path, ...], output: RecordWriter) -> Iterator[tuple[Path, Path]]:
    """The images that are asked for, and their names in the folder of pictures; complains of folders without any."""
    for path in given:
        if not os.path.isdir(path):
            yield path, Path(path.name)
            continue
        complaints = output.complaints
        litter: list[str] = []
        entries = folders.images(os.fspath(path), unreadable(output), litter.append)
        found = sorted(Path(entry.path) for entry in entries)
        left_out(output, path, litter)
        if not found and output.complaints == complaints:
            output.complain(path, "holds no PNG, TIFF, JPEG or DICOM image")
        for image in found:
            yield image, image.relative_to(path)


def _check_pictures(jobs: list[tuple[Path, Path]]) -> None:
    """Raises WoolError if two images would have the same picture."""
    owners: dict[Path, Path] = {}
    for path, name in jobs:
        other = owners.setdefault(picture_name(name), path)
        if other != path:
            both = f"{one_line(other)} and {one_line(path)}"
            raise WoolError(f"--heatmap: {both} would have the same picture; classify them into two folders")


def _classify_all(classifier: Classifier, jobs: list[tuple[Path, Path]], interruption: Interruption) -> None:
    """Classifies images, each with its name in the folder of pictures."""
    for path, name in jobs:
        interruption.check()
        try:
            classifier.tell(classifier.classify(path), name)
        except BadFile as bad:
            classifier.output.complain(path, str(bad))
