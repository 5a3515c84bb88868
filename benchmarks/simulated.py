"""Simulated crops, for benchmarks that are given none."""

from pathlib import Path


def crops(folder: Path, samples: int) -> Path:
    """Makes the crops of so many samples, and gives their folder."""
    from wool_tf.simulation import simulated_crops

    return simulated_crops.write(folder, samples, seed=1, contrast=1.5)
