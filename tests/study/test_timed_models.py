"""Which models of a delivered chain are timed, in which order, and that they are timed once."""

from pathlib import Path

from wool_board.benchmark.document import BenchmarkDocument, ModelTimes
from wool_board.machine.board import MachineFacts
from wool_tf.deploy import model_folder
from wool_tf.study import timed_models
from wool_tf.training.config import TrainingConfig

TFLITE = {name: Path(f"{name}.tflite") for name in ("baseline-float32", "compact-float32", "compact-int8")}


def test_every_pruned_network_is_timed_between_the_unpruned_and_the_delivered_one():
    config = TrainingConfig(rounds=3, asfp_rates=(0.3,), controls=("random", "scratch"), final="hard3")
    found = timed_models.of_chain(config, config.stages, TFLITE, Path("fold0"))
    assert [(name, one.stage) for name, one in found.items()] == [
        ("baseline-float32", "baseline"),
        ("hard1-float32", "hard1"),
        ("hard2-float32", "hard2"),
        ("asfp30-float32", "asfp30"),
        ("compact-float32", "hard3"),
        ("compact-int8", "hard3-int8"),
    ]
    assert found["hard2-float32"].path == Path("fold0/hard2.safetensors")
    assert found["compact-int8"].path == TFLITE["compact-int8"]


def test_the_same_models_are_timed_once(tmp_path, monkeypatch):
    calls = []

    def latency(program: Path, models: dict[str, Path], side: int) -> BenchmarkDocument:
        calls.append(list(models))
        times = dict.fromkeys(("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "images_per_second"), 2.0)
        rows = [
            ModelTimes(file=name, bytes=9, runtime="x", runs=3, threads=1, load_ms=1.0, first_ms=1.0, **times)
            for name in models
        ]
        return BenchmarkDocument(machine=MachineFacts(), warnings=(), warm_up_runs=1, models=tuple(rows))

    monkeypatch.setattr(model_folder, "latency", latency)
    models = {}
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        models[name] = timed_models.ChainModel(f"stage of {name}", tmp_path / name)
    document = tmp_path / "latency.json"
    first = timed_models.measure(Path("benchmark.py"), models, 64, document)
    assert [(row.model, row.stage) for row in first.latencies(models)] == [("a", "stage of a"), ("b", "stage of b")]
    assert timed_models.measure(Path("benchmark.py"), models, 64, document) == first
    assert calls == [["a", "b"]]
    (tmp_path / "b").write_bytes(b"another")
    timed_models.measure(Path("benchmark.py"), models, 64, document)
    assert len(calls) == 2
