"""Networks and their TFLite files, which are made once for all tests of this folder."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deploy_networks import NATIVE, SIDE, Case, framed, network, pictures, scenes, spread, write_files

import shared
from wool_tf.networks.spec import ResNetSpec

SHARED = Path(__file__).parents[3] / "shared"
ODD = {"layer1": 37, "layer1.0.conv1": 13, "layer2": 61, "layer2.0.conv1": 1, "layer3.1.conv1": 3, "layer4": 101}


@pytest.fixture(scope="session")
def case(tmp_path_factory) -> Callable[..., Case]:
    """Function of a name, a network, images and calibration images: the `Case`, its files from any process."""
    from wool_tf.data import pixels

    def made(name: str, model, images: np.ndarray, calibration: np.ndarray) -> Case:
        write = functools.partial(
            write_files, model=model, calibration=framed(calibration), precisions=("fp32", "int8")
        )
        files = shared.folder(tmp_path_factory, f"{name}-files", write)
        fp32, int8 = ((files / precision).read_bytes() for precision in ("fp32", "int8"))
        return Case(model, fp32, int8, framed(images), np.asarray(model(pixels.normalise(images), training=False)))

    return made


@pytest.fixture(scope="session")
def odd(case) -> Case:
    spec = ResNetSpec.full(18, 2, (SIDE, SIDE, 1))
    small = {group: max(1, width // 4) for group, width in spec.by_group().items()}
    return case("odd", spread(network(spec.resized(small | ODD))), pictures(40, seed=2), pictures(20, seed=3))


@pytest.fixture(scope="session")
def bottlenecks(case) -> Case:
    spec = ResNetSpec.full(50, 2, (SIDE, SIDE, 1))
    small = {group: max(1, width // 16) for group, width in spec.by_group().items()}
    return case("bottlenecks", spread(network(spec.resized(small))), pictures(40, seed=2), pictures(20, seed=3))


@pytest.fixture(scope="session")
def real(case) -> Case:
    """ImageNet's weights on radiographs, telling two of ImageNet's classes apart."""
    stored, radiographs = SHARED / "weights" / "resnet18.safetensors", SHARED / "data" / "gdxray_castings"
    if not stored.exists() or not radiographs.exists():
        pytest.skip("needs ../shared/weights and ../shared/data")
    from PIL import Image
    from safetensors.numpy import load_file

    arrays = {key: array for key, array in load_file(stored).items() if not key.endswith("num_batches_tracked")}
    arrays["conv1.weight"] = arrays["conv1.weight"].sum(axis=1, keepdims=True)
    # A soap dispenser and a window screen: on these images the margins lie on both sides of zero.
    arrays |= {key: arrays[key][[804, 904]] for key in ("fc.weight", "fc.bias")}
    files = sorted(radiographs.rglob("*.png"))[::5]
    crops = np.stack([np.asarray(Image.open(file).convert("L").resize((SIDE, SIDE))) for file in files])
    model = network(ResNetSpec.full(18, 2, (SIDE, SIDE, 1)), arrays)
    return case("real", model, crops[::2], crops[1::2])


@pytest.fixture(scope="session")
def native():
    """A network for native crops that Pillow would resize, its last stack wide enough to be stored as integers."""
    spec = ResNetSpec.full(18, 2, (SIDE, SIDE, 1))
    widths = {group: max(2, width // 16) for group, width in spec.by_group().items()} | {"layer4": 512}
    return spread(network(spec.resized(widths)))


@pytest.fixture(scope="session")
def native_files(native, tmp_path_factory) -> dict[str, bytes]:
    """Its files with a heatmap, by precision."""
    from wool_tf.deploy.tflite_file import PRECISIONS

    options = {"calibration": scenes(12, NATIVE, seed=4), "side": NATIVE, "heatmap": True}
    write = functools.partial(write_files, model=native, precisions=PRECISIONS, **options)
    files = shared.folder(tmp_path_factory, "native-files", write)
    return {precision: (files / precision).read_bytes() for precision in PRECISIONS}
