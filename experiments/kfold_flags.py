"""What train_kfold.py and prune_kfold.py share: the grid, the plan, the end."""

import shlex
import sys
from typing import TYPE_CHECKING

from absl import flags

import console
import threshold_flags
import training_flags
from wool_tf.cells import duration
from wool_tf.evaluation.thresholds import COST_RATIO
from wool_tf.study.results import Study
from wool_tf.training import config

if TYPE_CHECKING:
    from wool_tf.study.grid import Protocol

REQUIRED_RECALL = 0.99
FAILED = 2
"""Exit status of a run that has come to its end without some of its networks."""

_DEPTHS = flags.DEFINE_list("depths", ["18"], "Depths of the ResNets: of 18, 34, 50, 101 and 152.")
_OPTIMIZERS = flags.DEFINE_list("optimizers", list(config.OPTIMIZERS), "Optimizers.")
_WEIGHTS = flags.DEFINE_list("weights", ["none"], "Initial weights: none, imagenet, simulated, simulated64, or files.")
_SCHEDULER = flags.DEFINE_string("scheduler", None, "Address of a Dask cluster that does the work.")
_KEEP = flags.DEFINE_bool("keep_checkpoints", False, "Keep every network, not only its record.")
_TENSORBOARD = flags.DEFINE_bool("tensorboard", False, "Write training curves for TensorBoard.")
_THRESHOLDS = threshold_flags.define(without=("threshold",))
_PLAN = flags.DEFINE_bool("plan", False, "Say what would run and about how long it takes, and run nothing.")

# The report has figures at a threshold of either kind, so that both have a default.
flags.set_default(_THRESHOLDS["recall"], REQUIRED_RECALL)
flags.set_default(_THRESHOLDS["cost_ratio"], COST_RATIO)


def study(base: config.TrainingConfig, name: str, protocol: "Protocol | None" = None) -> int:
    """Runs the grid, or tells its plan; the exit status.

    Arguments:
        base: what all configurations have in common.
        name: of the script, and of the files of its report.
        protocol: gives the stages; None: ours.
    """
    rules = tuple(threshold_flags.rule({field: _THRESHOLDS[field]}) for field in ("recall", "cost_ratio"))
    out, source = training_flags.out(), training_flags.source()
    depths = console.numbers("depths", _DEPTHS.value, int)
    weights = [console.weights("weights", value) for value in _WEIGHTS.value]
    console.set_computing_environment(base.threads)
    workers = training_flags.workers(
        base.threads, scheduler=_SCHEDULER.value, keep_checkpoints=_KEEP.value, tensorboard=_TENSORBOARD.value
    )
    display = console.Display()

    from wool_tf.report import export, publication
    from wool_tf.study import grid, run

    configs = grid.grid(base, depths, _OPTIMIZERS.value, weights)
    request = run.Request(configs, rules, shlex.join(["python", *sys.argv]), name, protocol=protocol)
    given = (request, source, out, workers)
    if _PLAN.value:
        _tell(run.plan(*given), display)
        return 0
    try:
        found = publication.publish(*given, display.show)
    finally:
        display.close()
    print(export.to_text(found))
    display.say(f"report: {out / f'{name}.html'}")
    return _failed(found, display)


def _tell(plan, display: console.Display) -> None:
    for name, left in plan.left.items():
        display.say(f"{name}: {left:,} networks to train")
    where = f"--jobs={plan.workers}"
    if _SCHEDULER.value is not None:
        where = f"the {plan.workers} workers of the cluster, if each is as fast as this machine"
    display.say(f"{plan.units:,} networks, {plan.done:,} of them done; about {duration(plan.seconds)} with {where}")


def _failed(found: Study, display: console.Display) -> int:
    for failure in found.failures:
        display.say(f"failed: {failure.unit}: {failure.reason}")
    return FAILED if found.failures else 0
