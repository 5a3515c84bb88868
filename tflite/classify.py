"""Whether crops are of defective mineral wool, as a board model sees them.

    python classify.py MODEL IMAGE|DIR... [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]
    python classify.py MODEL --watch=DIR [--done=FOLDER] [--csv|--json] [--heatmap[=FOLDER]] [--threads=1]

Prints a line for each image as soon as it is known. A file that cannot be used is a line on the standard error; the
others go on, and the status at the end is 1. Needs ai-edge-litert, numpy and Pillow.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

import folders
import heatmap
import images
from interruption import Interruption
from recognizer import Recognizer, UserError
from records import COLUMNS, Output, csv_line, csv_row, one_line, text_line

PICTURE = "-heatmap.png"


class Seen(NamedTuple):
    """An image and what was seen in it.

    Attributes:
        record: for the output.
        pixels: of the crop, (side, side) of uint8.
        cells: of its heatmap, or None.
    """

    record: dict
    pixels: np.ndarray
    cells: np.ndarray | None


class Classifier:
    """Looks at image files and tells what it sees.

    Arguments:
        recognizer: the model.
        output: where records go.
        maps: whether they tell where a defect is.
        pictures: folder of pictures of that, or None.
    """

    def __init__(self, recognizer: Recognizer, output: Output, maps: bool, pictures: Path | None):
        self._recognizer, self.output = recognizer, output
        self._maps, self._pictures = maps, pictures

    def look(self, path: Path) -> Seen:
        """Looks at the image of a file.

        Raises:
            BadImage, FileNotFoundError: as `images.read`.
        """
        model = self._recognizer
        crop = images.read(path, model.side)
        score, defective, cells = model.recognise(crop.pixels)
        record = {
            "file": os.fspath(path),
            "score": round(score, 6),
            "defective": defective,
            "label": model.card["labels"][defective],
            "resized": crop.resized,
        }
        if self._maps:
            peak = heatmap.peak(cells, model.margin, model.side, crop.size)
            record["peak"] = peak._replace(margin=round(peak.margin, 4))._asdict()
            record["cells"] = [[round(value, 4) for value in row] for row in cells.tolist()]
        return Seen(record, crop.pixels, cells)

    def tell(self, seen: Seen, name: Path) -> None:
        """Prints the record of an image; draws its picture first, if that is wanted.

        Arguments:
            seen: from `look`.
            name: of the image, from which that of the picture is made.
        """
        if self._pictures:
            path = self._pictures / picture_name(name)
            try:
                heatmap.save(heatmap.picture(seen.pixels, seen.cells, self._recognizer.margin), path)
            except OSError as error:
                self.output.complain(path, f"cannot be written ({error.strerror or error})")
        self.output.record(seen.record)


def picture_name(image: Path) -> Path:
    """What the picture of an image is called."""
    return image.with_name(f"{image.stem}{PICTURE}")


def listed(given: list[Path], output: Output) -> Iterator[tuple[Path, Path]]:
    """The images that are asked for, and their names in the folder of pictures; complains of folders without any."""
    for path in given:
        if not os.path.isdir(path):
            yield path, Path(path.name)
            continue
        complaints = output.complaints
        found = sorted(Path(entry.path) for entry in folders.images(os.fspath(path), unreadable(output)))
        if not found and output.complaints == complaints:
            output.complain(path, "holds no PNG, TIFF or JPEG image")
        for image in found:
            yield image, image.relative_to(path)


def check_pictures(jobs: list[tuple[Path, Path]]) -> None:
    """Raises UserError if two images would have the same picture."""
    owners = {}
    for path, name in jobs:
        other = owners.setdefault(picture_name(name), path)
        if other != path:
            both = f"{one_line(other)} and {one_line(path)}"
            raise UserError(f"--heatmap: {both} would have the same picture; classify them into two folders")


def unreadable(output: Output) -> folders.Unreadable:
    """Complains of folders that cannot be read."""
    return lambda folder, error: output.complain(folder, f"cannot be read ({error.strerror})")


def classify_all(classifier: Classifier, jobs: list[tuple[Path, Path]], interruption: Interruption) -> None:
    """Classifies images, each with its name in the folder of pictures."""
    for path, name in jobs:
        interruption.check()
        try:
            classifier.tell(classifier.look(path), name)
        except images.BadImage as bad:
            classifier.output.complain(path, str(bad))
        except FileNotFoundError as error:
            classifier.output.complain(path, f"cannot be read ({error.strerror})")


def watch(classifier: Classifier, folder: Path, done: Path | None, interruption: Interruption) -> None:
    """Classifies what is in a folder and what arrives there, until it is interrupted.

    A file counts as dealt with when its record is printed; only then it is moved to `done`, if that is given. So a file
    is never lost, and after a crash at most one has a second record.
    """
    arrivals = folders.Watch(folder, unreadable(classifier.output))
    while True:
        for path in arrivals.poll():
            interruption.check()
            try:
                seen = classifier.look(path)
            except FileNotFoundError:
                continue
            except images.BadImage as bad:
                if arrivals.unchanged(path) and not arrivals.doubt(path):
                    arrivals.done(path)
                    classifier.output.complain(path, str(bad))
                continue
            if not arrivals.unchanged(path):
                continue  # It will be ready again.
            classifier.tell(seen, path.relative_to(folder))
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


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; --help tells more\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; leaves with status 2 if it is wrong."""
    parser = _Parser(prog="classify.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("model", metavar="MODEL", type=Path, help="TFLite file with a card, as convert.py makes it")
    text = "PNG, TIFF or JPEG, or a folder of them"
    parser.add_argument("given", metavar="IMAGE|DIR", nargs="*", type=Path, help=text)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="print comma-separated values, the first line their names")
    form.add_argument("--json", action="store_true", help="print a JSON object a line")
    text = "tell where a defect is; --heatmap=FOLDER also draws it, into NAME-heatmap.png"
    parser.add_argument("--heatmap", metavar="FOLDER", help=text)
    text = "classify the images of this folder, and those that arrive there, until Ctrl-C"
    parser.add_argument("--watch", metavar="DIR", type=Path, help=text)
    text = "move watched images here once they are classified, so that a restart leaves them out"
    parser.add_argument("--done", metavar="FOLDER", type=Path, help=text)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, at most the cores (1)")
    # An optional value would take the argument that follows for the folder.
    arguments = ["--heatmap=-" if argument == "--heatmap" else argument for argument in arguments]
    options = parser.parse_intermixed_args(arguments)
    if not options.given and not options.watch:
        parser.error("give an IMAGE, a DIR or --watch=DIR")
    if options.done and not options.watch:
        parser.error("--done goes with --watch")
    options.pictures = None if options.heatmap in (None, "-") else Path(options.heatmap)
    return options


def check(options: argparse.Namespace) -> None:
    """Raises UserError for settings that cannot work."""
    cores = len(os.sched_getaffinity(0))
    if not 1 <= options.threads <= cores:
        raise UserError(f"--threads={options.threads}: must be 1 to {cores}, the cores that there are")
    if options.watch and not os.path.isdir(options.watch):
        raise UserError(f"--watch={one_line(options.watch)}: must be a folder that exists")
    read = [path for path in (*options.given, options.watch) if path and os.path.isdir(path)]
    for flag, folder in (("heatmap", options.pictures), ("done", options.done)):
        if not folder:
            continue
        inside = [path for path in read if folder.resolve().is_relative_to(path.resolve())]
        if inside:
            # Its files would be taken for images to classify.
            raise UserError(f"--{flag}={one_line(folder)}: must not lie in {one_line(inside[0])}, which is read")
        make_folder(f"--{flag}", folder)
    if options.done and options.done.stat().st_dev != options.watch.stat().st_dev:
        raise UserError(f"--done={one_line(options.done)}: must be on the same file system as --watch")


def make_folder(flag: str, folder: Path) -> None:
    """Makes a folder; raises UserError if files cannot be written there, which is better known before the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{flag}={one_line(folder)}: cannot be made ({error.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"{flag}={one_line(folder)}: must be a folder that can be written")


def open_output(options: argparse.Namespace) -> Output:
    """Where records go, in the form that is asked for."""
    for stream in (sys.stdout, sys.stderr):
        # File names need not be text, and a service's locale need not know their letters.
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    if options.json:
        return Output(json.dumps, None)
    if options.csv:
        peak = [f"peak_{name}" for name in heatmap.Peak._fields] if options.heatmap else []
        return Output(csv_line, csv_row([*COLUMNS, *peak]))
    return Output(text_line, None)


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    interruption = Interruption()
    options = parse(arguments)
    try:
        check(options)
        recognizer = Recognizer(options.model, options.threads)
        if options.heatmap and not recognizer.heatmap_shape:
            raise UserError(f"--heatmap: {options.model} has none; convert it with --heatmap")
        interruption.work()
        output = open_output(options)
        classifier = Classifier(recognizer, output, bool(options.heatmap), options.pictures)
        jobs = list(listed(options.given, output))
        if options.pictures:
            check_pictures(jobs)
        classify_all(classifier, jobs, interruption)
        if options.watch:
            watch(classifier, options.watch, options.done, interruption)
    except UserError as error:
        print(f"classify.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if output.complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
