"""What the pages of settings hold. `python tests/settings_page.py` writes them anew after a declaration has changed."""

from pathlib import Path

import script_flags
import station
from wool_board import options
from wool_board.belt.program import InspectionOptions
from wool_board.benchmark.program import BenchmarkOptions
from wool_board.classification.program import ClassificationOptions
from wool_board.latency.program import LatencyOptions
from wool_station.gate.program import GateOptions
from wool_station.mqtt.program import MqttOptions
from wool_tf import settings
from wool_tf.data.annotations.scans import ScanConfig
from wool_tf.data.crop_reading import CropReading
from wool_tf.data.crops import CropConfig
from wool_tf.data.naming import CropNaming
from wool_tf.data.sample_bits import SampleBits
from wool_tf.deploy.conversion import ConversionRequest
from wool_tf.deploy.qat.launch import QatConfig
from wool_tf.evaluation.thresholds import ThresholdRule
from wool_tf.search.config import Search
from wool_tf.simulation.campaign import Campaign
from wool_tf.study.workers import Workers
from wool_tf.training.config import TrainingConfig

DOCS = Path(__file__).resolve().parents[1] / "docs"
TABLES: dict[str, tuple[type, dict[str, str]]] = {
    "training": (TrainingConfig, {}),
    "simulation": (Campaign, {}),
    "search": (Search, {}),
    "workers": (Workers, {}),
    "threshold": (ThresholdRule, {"recall": "required_recall"}),
    "naming": (CropNaming, {}),
    "reading": (CropReading, {}),
    "samples": (SampleBits, {}),
    "crops": (CropConfig, {}),
    "conversion": (ConversionRequest, {}),
    "qat": (QatConfig, {name: f"qat_{name}" for name in ("epochs", "batch_size", "learning_rate")}),
}
"""Tables of declared settings, each with the flags whose names differ from those of their fields."""
TRAINING = """\
# Settings

Every setting is declared once, at its field of a dataclass: default, allowed values, meaning, and which results in the
folder of a run depend on it. Checks, flags and `--help` come from these declarations, and so does this page;
`python tests/settings_page.py` writes it. The [last table](#what-else-scripts-have) has the files and folders that
scripts work with, and what a single script has. Lists are given with commas between the items, and the range is that of
each item.

## Training

`TrainingConfig` in `wool_tf/training/config.py`, for `reproduce.py`, `train_kfold.py`, `prune_kfold.py` and
`search.py`. The k-fold scripts take lists of `--depths`, `--optimizers` and `--weights` instead of one of each. The
last column says which results depend on a setting: a folder with such results refuses another value, and needs another
`--out`.

{training}
## Simulated scans

`Campaign` in `wool_tf/simulation/campaign.py`, for `simulate_scans.py`. The scripts that train have `--samples`
and its `--contrast`, for crops where there is no `--data`; their `--seed` is that of the scans, too.

{simulation}
## Search

`Search` in `wool_tf/search/config.py`, for `search.py`.

{search}
## Processes

`Workers` in `wool_tf/study/workers.py`, for the k-fold scripts; `reproduce.py` has no `--scheduler` and no
`--tensorboard`, `search.py` and `simulate_scans.py` have `--jobs` alone.

{workers}
## Threshold

`ThresholdRule` in `wool_tf/evaluation/thresholds.py`, for `reproduce.py` and `convert.py`: give one of the three. The
report of the k-fold scripts has figures for a required recall and for a cost ratio.

{threshold}
## Names of crops

`CropNaming` in `wool_tf/data/naming.py`, for every script that takes `--data`. A run's folder is bound to the classes
and samples that come of it, as to the images.

{naming}
## Images that cannot be used

`CropReading` in `wool_tf/data/crop_reading.py`, for every script that takes `--data`.

{reading}
## Files of 16 bits

`SampleBits` in `wool_tf/data/sample_bits.py`, for all scripts that read crops with `--data`; `crop_scans.py` has it for
scans. A network's board model reads its images with the range that its crops were read with.

{samples}
## Crops

`CropConfig` in `wool_tf/data/crops.py`, for `crop_scans.py`; {shared} are settings of `stream_scans.py`, too.

{crops}
## Conversion

`ConversionRequest` in `wool_tf/deploy/conversion.py`, for `convert.py`.

{conversion}
## Quantisation-aware fine-tuning

`QatConfig` in `wool_tf/deploy/qat/launch.py`, for `convert.py --precisions=qat`.

{qat}
## What else scripts have

Flags that are in no table above, or have another default in these scripts. Those of the benchmarks are in their
`--help`.

{others}"""


BOARD = """\
# Options of a board's programs

Every option is declared once, at its field of a dataclass: default, allowed values and meaning. Checks and `--help`
come from these declarations, and so does this page; `python tests/settings_page.py` writes it. What is `needed` has no
default; words in capitals stand for values. [board.md](board.md), [station.md](station.md) and [gate.md](gate.md) say
when to use them.

{programs}"""
PROGRAMS = {
    "inspect_line.py": InspectionOptions,
    "gate.py": GateOptions,
    "mqtt.py": MqttOptions,
    "classify.py": ClassificationOptions,
    "benchmark.py": BenchmarkOptions,
    "latency_table.py": LatencyOptions,
} | {f"station.py {name}": command.options for name, command in station.COMMANDS.items()}


def _others() -> str:
    """The table of what scripts have besides, or with other defaults than, the settings of the other tables."""
    shown = {
        (names.get(field, field), script_flags.told(getattr(config, field)), declared.help)
        for config, names in TABLES.values()
        for field, declared in settings.declared(config).items()
    }
    scripts: dict[script_flags.ScriptFlag, list[str]] = {}
    for script, found in script_flags.by_script().items():
        for flag in found:
            if (flag.name, flag.default, flag.meaning) not in shown:
                scripts.setdefault(flag, []).append(f"`{script}`")
    rows = [["setting", "scripts", "default", "allowed", "meaning"], ["---"] * 5]
    for flag in sorted(scripts, key=lambda flag: (flag.name, scripts[flag])):
        default = "needed" if flag.needed else flag.default and f"`{flag.default}`"
        rows.append([f"`--{flag.name}`", ", ".join(scripts[flag]), default, flag.allowed, flag.meaning])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def settings_page() -> str:
    """What docs/settings.md holds."""
    return TRAINING.format(
        **{title: settings.to_markdown(config, names) for title, (config, names) in TABLES.items()},
        shared=", ".join(f"`--{name}`" for name in settings.declared(ScanConfig)),
        others=_others(),
    )


def board_page() -> str:
    """What docs/board_settings.md holds."""
    programs = "\n".join(f"## {name}\n\n{options.to_markdown(config)}" for name, config in PROGRAMS.items())
    return BOARD.format(programs=programs)


PAGES = {DOCS / "settings.md": settings_page, DOCS / "board_settings.md": board_page}
"""The documents by their files."""

if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page())
