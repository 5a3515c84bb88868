"""What train_kfold.py and prune_kfold.py share: the grid, the plan, the end."""

from typing import TYPE_CHECKING

from absl import flags

import threshold_flags
import training_flags
from wool_tf.cells import duration
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.evaluation.thresholds import COST_RATIO, RECALL
from wool_tf.study.workers import Workers
from wool_tf.training import config

if TYPE_CHECKING:
    from wool_tf.study.grid import Protocol

_AXES = {"depth": "depths", "optimizer": "optimizers", "weights": "weights"}
_GRID = setting_flags.define(
    config.TrainingConfig, only=_AXES, names=_AXES, defaults={"optimizer": config.OPTIMIZERS}, several=True
)
_WORKERS = setting_flags.define(Workers)
# The report has figures at a threshold of either kind, so that both have a default.
_THRESHOLDS = threshold_flags.define(without=("threshold",), defaults={"recall": RECALL, "cost_ratio": COST_RATIO})
_PLAN = flags.DEFINE_bool("plan", False, "Say what would run and about how long it takes, and run nothing.")


def study(base: config.TrainingConfig, name: str, protocol: "Protocol | None" = None) -> int:
    """Runs the grid, or tells its plan; the exit status.

    Arguments:
        base: what all configurations have in common.
        name: of the script, and of the files of its report.
        protocol: gives the stages; None: ours.
    """
    rules = tuple(threshold_flags.rule({field: _THRESHOLDS[field]}) for field in ("recall", "cost_ratio"))
    out, source = training_flags.out(), training_flags.source()
    axes = setting_flags.values(config.TrainingConfig, _GRID)
    weights = [flag_values.weights("weights", value) for value in axes["weights"]]
    console.set_computing_environment(base.threads)
    workers, display = training_flags.workers(_WORKERS, base.threads), run_display.Display()

    from wool_tf.report import export, publication
    from wool_tf.study import grid, run
    from wool_tf.study.request import Request

    configs = grid.grid(base, axes["depth"], axes["optimizer"], weights)
    request = Request(configs, rules, console.command(), name, protocol=protocol)
    given = (request, source, out, workers)
    if _PLAN.value:
        _tell(run.plan(*given), workers.scheduler, display)
        return 0
    try:
        found = publication.publish(*given, display.show)
    finally:
        display.close()
    print(export.to_text(found))
    display.say(f"report: {out / f'{name}.html'}")
    return display.ended(found)


def _tell(plan, scheduler: str | None, display: run_display.Display) -> None:
    for name, left in plan.left.items():
        display.say(f"{name}: {left:,} networks to train")
    where = f"--jobs={plan.workers}"
    if scheduler is not None:
        where = f"the {plan.workers} workers of the cluster, if each is as fast as this machine"
    display.say(f"{plan.units:,} networks, {plan.done:,} of them done; about {duration(plan.seconds)} with {where}")
