"""Crops of simulated wool, for users without crops of their own."""

import dataclasses
import os
from pathlib import Path

from wool_tf.data import crops
from wool_tf.data.crops import CropConfig
from wool_tf.progress import Count
from wool_tf.simulation.campaign import Campaign
from wool_tf.simulation.campaign import write as write_scans

PAPER_CROPS = CropConfig(defective=242, non_defective=236)


def write(
    folder: Path,
    samples: int,
    seed: int,
    contrast: float,
    progress: Count | None = None,
) -> Path:
    """Simulates scans and cuts crops from them, unless they are there already.

    Arguments:
        folder: of this one campaign; `scans/` and `crops/` are made in it.
        samples: int. Physical samples; as many as in the paper give the paper's number of crops, others all there are.
        seed: int.
        contrast: float. Scale of how visible defects are, see `campaign.Campaign`.
        progress: told how many scans are done, and of how many.

    Returns:
        The folder of the crops.

    Raises:
        WoolError: the folder holds something else, or cannot be written.
    """
    wanted = PAPER_CROPS if samples == Campaign.samples else CropConfig()
    jobs = len(os.sched_getaffinity(0))
    write_scans(folder / "scans", Campaign(samples, seed=seed, contrast=contrast), jobs, progress)
    crops.write(folder / "scans", folder / "crops", dataclasses.replace(wanted, seed=seed))
    return folder / "crops"
