"""Crops, and a network, that the tests of the scripts share."""

from pathlib import Path

import pytest
import trained_networks

import scripts
import shared


@pytest.fixture(scope="session")
def crops(tmp_path_factory) -> Path:
    """Sixteen crops in class folders; tests only read them."""
    return scripts.write_crops(tmp_path_factory.mktemp("crops"))


@pytest.fixture(scope="session")
def trained(crops, tmp_path_factory) -> Path:
    """The file of `trained_networks.write_network`; tests use copies."""

    def write(folder: Path) -> None:
        trained_networks.write_network(folder / "net.safetensors", crops)

    return shared.folder(tmp_path_factory, "trained", write) / "net.safetensors"
