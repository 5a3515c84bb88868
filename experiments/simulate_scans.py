"""X-ray scans of mineral wool with marked defects, simulated: a stand-in where there are no real ones.

    python experiments/simulate_scans.py --out=scans
    python experiments/simulate_scans.py --out=few --samples=6 --contrast=2

The defaults are the campaign of Rafiei et al., section III. The folder gets 16-bit PNGs, dark.png, bright.png and
annotations.json; `crop_scans.py` cuts crops from it. It needs `pip install wool_tf[simulate]`.
"""

import startup  # noqa: F401

import dataclasses
import os
import time

from absl import flags

import console

_OUT = flags.DEFINE_string("out", None, "New folder for the scans.", required=True)
_SAMPLES = flags.DEFINE_integer("samples", 153, "Physical samples.", lower_bound=2)
_CLEAN = flags.DEFINE_integer("clean", None, "Samples without a visible defect; default: the paper's share.")
_SCANS = flags.DEFINE_integer("scans", None, "Scans of all samples, 1 to 3 of each; default: the paper's share.")
_SEED = flags.DEFINE_integer("seed", 0, "Base of every random number.", lower_bound=0)
_CONTRAST = flags.DEFINE_float("contrast", 1.0, "Scale of how visible defects are, 0.5 to 4.")
_JOBS = flags.DEFINE_integer("jobs", None, "Processes at work; default: all cores.", lower_bound=1)


def main() -> None:
    out, display, last = console.path("out", _OUT.value), console.Display(), time.monotonic()
    # Many small transforms: processes pay, threads within them do not.
    console.set_computing_environment(1)

    from wool_tf.simulation import campaign, simulated_crops

    def progress(done: int, scans: int) -> None:
        nonlocal last
        if done == scans or time.monotonic() - last > console.LINE_SECONDS:
            last = time.monotonic()
            display.say(f"{done} of {scans} scans")

    planned = simulated_crops.scaled_campaign(_SAMPLES.value, _SEED.value, _CONTRAST.value)
    given = {"clean": _CLEAN.value, "scans": _SCANS.value}
    planned = dataclasses.replace(planned, **{name: value for name, value in given.items() if value is not None})
    campaign.write(out, planned, _JOBS.value or len(os.sched_getaffinity(0)), progress)
    display.say(f"scans: {out}")


if __name__ == "__main__":
    console.run(main)
