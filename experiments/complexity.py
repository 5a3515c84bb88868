"""Prints Table III of the paper: parameters and operations before pruning and after each of three rounds.

    python experiments/complexity.py --recipe=paper-table3
    python experiments/complexity.py --recipe=paper-table3 --depth=18 --layers --format=json

The paper's values stand beside ours where they apply: recipe paper-table3, 1000 classes, inputs of 224 × 224 × 3.
"""

import startup  # noqa: F401

from absl import flags

from wool_tf.command_line import console, setting_flags
from wool_tf.networks.spec import DEPTHS
from wool_tf.pruning.plan import RECIPES
from wool_tf.report import complexity, paper
from wool_tf.training.config import TrainingConfig

_RECIPE = flags.DEFINE_enum("recipe", paper.COMPLEXITY_RECIPE, RECIPES, "What a round of pruning removes.")
_FORMAT = flags.DEFINE_enum("format", "table", ("table", "json"), "How to print it.")
_LAYERS = flags.DEFINE_bool("layers", False, "List the cost of every layer, too.")
_DEPTH = {"depth": flags.DEFINE_multi_integer("depth", DEPTHS, "Depth of the ResNet; without it, all five.")}
_CLASSES = flags.DEFINE_integer("classes", paper.COMPLEXITY_CLASSES, "Outputs of the network.", lower_bound=1)
_SIDE = setting_flags.define(TrainingConfig, only=("image_size",), defaults={"image_size": paper.COMPLEXITY_INPUT[0]})
_CHANNELS = flags.DEFINE_enum("channels", str(paper.COMPLEXITY_INPUT[2]), ("1", "3"), "Channels of the input.")


def main() -> None:
    side = setting_flags.build(TrainingConfig, _SIDE).image_size
    depths = setting_flags.values(TrainingConfig, _DEPTH)["depth"]
    rows = complexity.rows(_RECIPE.value, depths, _CLASSES.value, (side, side, int(_CHANNELS.value)))
    printed = complexity.to_json if _FORMAT.value == "json" else complexity.to_text
    print(printed(rows, _LAYERS.value))


if __name__ == "__main__":
    console.run(main)
