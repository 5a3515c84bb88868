"""How long the networks of the delivered chain take on this machine, by the board's own benchmark program."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from wool_board.benchmark.document import BenchmarkDocument
from wool_tf import files, records
from wool_tf.study.board_results import Latency
from wool_tf.study.results import BASELINE, INT8, PRUNED
from wool_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class ChainModel:
    """A model of the chain, to be timed.

    Attributes:
        stage: whose accuracy belongs to it.
        path: TFLite file, or checkpoint, which is timed in float32.
    """

    stage: str
    path: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedFiles(BenchmarkDocument):
    """`latency.json`: what the board's benchmark program measured, and of which files.

    Attributes:
        files: SHA-256 of the files that were timed, or of the networks that they were converted from, in hex, by name,
            in the order of the models.
    """

    files: dict[str, str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.models) != len(self.files):
            raise ValueError("models must be one for each of files")

    def latencies(self, timed: Mapping[str, ChainModel]) -> tuple[Latency, ...]:
        """Of every file."""
        found = []
        for name, one in zip(self.files, self.models, strict=True):
            figures = one.p50_ms, one.p90_ms, one.p99_ms, one.mean_ms, one.images_per_second
            found.append(Latency(name.replace("-", " "), one.bytes, one.threads, *figures, timed[name].stage))
        return tuple(found)


def of_chain(
    config: TrainingConfig, stages: Sequence[str], tflite: Mapping[str, Path], first: Path
) -> dict[str, ChainModel]:
    """The delivered files, and between them every other pruned network.

    Arguments:
        config: TrainingConfig.
        stages: that are complete, and whose networks are there.
        tflite: files of the unpruned network, the delivered one, and that in int8, by name.
        first: folder of the first fold, whose networks are kept.
    """
    named = zip(tflite.items(), (BASELINE, config.final, f"{config.final}{INT8}"), strict=True)
    unpruned, *delivered = ((name, ChainModel(stage, path)) for (name, path), stage in named)
    others = (stage for stage in stages if stage.startswith(PRUNED) and stage != config.final)
    between = [(f"{stage}-float32", ChainModel(stage, first / f"{stage}.safetensors")) for stage in others]
    return dict([unpruned, *between, *delivered])


def measure(program: Path, models: Mapping[str, ChainModel], side: int, path: Path) -> TimedFiles:
    """The latencies, measured once for the same models.

    Arguments:
        program: the board's benchmark program.
        models: by name.
        side: pixels of the images that they read.
        path: of the document that holds what was measured.

    Raises:
        WoolError: a network cannot be read, the document cannot be written, or the program fails.
    """
    digests = {name: files.sha256(one.path) for name, one in models.items()}
    found = records.read_as(path, TimedFiles)
    if found is None or found.files != digests:
        # It imports TensorFlow.
        from wool_tf.deploy import model_folder

        paths = {name: one.path for name, one in models.items()}
        found = TimedFiles(files=digests, **vars(model_folder.latency(program, paths, side)))
        records.write(path, found)
    return found
