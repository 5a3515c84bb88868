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


@pytest.fixture(scope="session")
def narrow(tmp_path_factory) -> str:
    """The flag that names a narrow network to begin with: its steps and files take a fraction of the time."""
    from wool_tf.networks import weights
    from wool_tf.networks.spec import ResNetSpec

    full = ResNetSpec.full(18, 2, (32, 32, 1))
    spec = full.resized({group: width // 4 for group, width in full.by_group().items()})
    path = tmp_path_factory.mktemp("initial") / "narrow.safetensors"
    weights.save(path, spec, weights.initial(spec, 0))
    return f"--weights={path}"
