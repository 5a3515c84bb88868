"""X-ray scans of mineral wool with marked defects, simulated: a stand-in where there are no real ones.

    python experiments/simulate_scans.py --out=scans
    python experiments/simulate_scans.py --out=few --samples=6 --contrast=2

The defaults are the campaign of Rafiei et al., section III. The folder gets 16-bit PNGs, dark.png, bright.png and
annotations.json; `crop_scans.py` cuts crops from it. It needs the extra `simulate` (BUILD.md).
"""

import startup  # noqa: F401

import logging
import os

from absl import flags

from wool_tf import logs
from wool_tf.command_line import console, flag_values, run_display, setting_flags
from wool_tf.simulation import campaign
from wool_tf.simulation.campaign import Campaign
from wool_tf.study.workers import Workers

_OUT = flags.DEFINE_string("out", None, "New folder for the scans.", required=True)
_CAMPAIGN = setting_flags.define(Campaign)
_WORKERS = setting_flags.define(Workers, only=("jobs",))


def main() -> None:
    planned, jobs = setting_flags.build(Campaign, _CAMPAIGN), setting_flags.build(Workers, _WORKERS).jobs
    out, display = flag_values.path("out", _OUT.value), run_display.Display()
    # Many small transforms: processes pay, threads within them do not.
    console.set_computing_environment(1)
    progress = logs.ProgressLog(logging.getLogger(campaign.__name__), "simulating scan")
    campaign.write(out, planned, jobs or len(os.sched_getaffinity(0)), progress)
    display.say(f"{planned.scans} scans: {out}")


if __name__ == "__main__":
    console.run(main)
