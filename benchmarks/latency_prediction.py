"""How far predicted times are from measured ones: int8 networks in turns in one process, beside their predictions.

python benchmarks/latency_prediction.py --table=table.json --image_size=64 --runs=200

The networks are those after each round of `paper-table3`, whole and with widths rounded up to eights, and of the recipe
`latency` for several targets. Their weights are random: times do not depend on them.
"""

import tempfile
from pathlib import Path

import numpy as np
from absl import flags

import documents
from wool_board.benchmark.program import BenchmarkOptions
from wool_tf import quiet
from wool_tf.command_line import console, flag_values, setting_flags
from wool_tf.errors import WoolError
from wool_tf.training.config import TrainingConfig

_TABLE = flags.DEFINE_string("table", None, "Table of latency_table.py.", required=True)
_SETTINGS = setting_flags.define(TrainingConfig, only=("depth", "image_size", "threads"), defaults={"image_size": 64})
_RATIOS = flags.DEFINE_list("ratios", ["0.3", "0.2", "0.15", "0.1"], "Targets of the recipe latency.")
_RUNS = setting_flags.define(BenchmarkOptions, only=("runs",))
_JSON, _QUICK = documents.define("A few runs")


def main() -> None:
    given, timed_runs = setting_flags.build(TrainingConfig, _SETTINGS), setting_flags.values(BenchmarkOptions, _RUNS)
    console.set_computing_environment(given.threads)
    from wool_board.benchmark import timing
    from wool_board.benchmark.candidates import TimedModel
    from wool_tf.pruning import latency_table

    table = latency_table.read(flag_values.file("table", _TABLE.value))
    networks = _networks(table, given)
    quiet.import_keras()
    with tempfile.TemporaryDirectory() as folder:
        timed = [TimedModel(_converted(spec, Path(folder)), given.threads) for spec in networks.values()]
        times = timing.measure(timed, 3 if _QUICK.value else timed_runs["runs"])
    rows = [
        {
            "network": name,
            "widths": spec.by_group(),
            "predicted_ms": latency_table.predicted(spec, table),
            "p10_ms": float(np.percentile(column, 10)),
            "p50_ms": float(np.percentile(column, 50)),
        }
        for (name, spec), column in zip(networks.items(), times.T, strict=True)
    ]
    print(f"table: {table.machine}; steps of {table.steps[0]} channels read and {table.steps[1]} written")
    for row in rows:
        share = row["predicted_ms"] / row["p10_ms"]
        figures = f"{row['predicted_ms']:8.3f} {row['p10_ms']:8.3f} {row['p50_ms']:8.3f} ms  {share:5.2f}"
        print(f"{row['network']:28} predicted, p10, p50, predicted / p10: {figures}")
    logs = [np.log([row[name] for row in rows]) for name in ("predicted_ms", "p10_ms")]
    print(f"correlation of the logarithms {np.corrcoef(*logs)[0, 1]:.4f}")
    documents.write(_JSON.value, table=table.machine, networks=rows)


def _networks(table, given: TrainingConfig) -> dict:
    from wool_tf.networks.spec import ResNetSpec
    from wool_tf.pruning import latency, latency_table, plan

    whole = spec = ResNetSpec.full(given.depth, 2, (given.image_size, given.image_size, 1))
    found = {"unpruned": whole}
    for number in (1, 2, 3):
        spec = plan.pruned(spec, plan.named("paper-table3", whole.depth))
        found[f"paper-table3, round {number}"] = spec
    eights = {group: min(-(-width // 8) * 8, whole.width(group)) for group, width in spec.by_group().items()}
    found["paper-table3, 3, eights"] = spec.resized(eights)
    for ratio in flag_values.numbers("ratios", _RATIOS.value, float):
        target = ratio * latency_table.predicted(whole, table)
        name = f"latency, {ratio:g} of unpruned"
        try:
            found[name] = latency.rounds(whole, latency.uniform(whole), table, target, 3)[-1]
        except WoolError as error:
            # What a network must keep takes a larger share of the time of a fast processor.
            print(f"{name}: left out; {error}")
    return found


def _converted(spec, folder: Path) -> Path:
    from wool_tf.data import pixels
    from wool_tf.deploy import tflite_file
    from wool_tf.networks import resnet, weights

    side = pixels.load_size(spec.input_shape[0])
    crops = np.random.default_rng(0).integers(0, 256, (4, side, side), np.uint8)
    path = folder / f"{len(list(folder.iterdir()))}.tflite"
    path.write_bytes(tflite_file.convert(resnet.restored(spec, weights.initial(spec, 0)), "int8", crops))
    return str(path)


if __name__ == "__main__":
    console.run(main)
