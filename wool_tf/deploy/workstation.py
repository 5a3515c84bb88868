"""A network in PyTorch and in ONNX Runtime, to be timed on a workstation as `tflite/benchmark.py` times TFLite files.

Both read one normalised image in float32 and run as they come: PyTorch eagerly, ONNX Runtime with the optimisations
that it makes by default. A TFLite file normalises the image, and resizes it if need be, itself.
"""

import importlib
import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wool_board.benchmark import timing
from wool_board.benchmark.document import ModelFacts
from wool_tf.data import pixels
from wool_tf.errors import WoolError, extra
from wool_tf.networks import complexity, weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights

PACKAGES = ("torch", "onnx", "onnxruntime")


class PyTorch:
    """A network in PyTorch, with an image to run on.

    Arguments:
        spec, arrays: of the network.
        threads: CPU threads, at least 1. PyTorch has one such number for the whole process: the last one set.

    Attributes:
        load_ms: time to build the network from its weights.
        first_ms: time of the first run.
    """

    def __init__(self, spec: ResNetSpec, arrays: Weights, threads: int):
        import torch

        from wool_tf.deploy import torch_resnet

        self._torch = torch
        torch.set_num_threads(threads)
        started = time.perf_counter()
        self._network = torch_resnet.restored(spec, arrays)
        self.load_ms = timing.milliseconds_since(started)
        self._image = torch.from_numpy(random_image(spec))
        self.first_ms = self.run()

    def run(self) -> float:
        """Computes and reads the result; returns the milliseconds."""
        started = time.perf_counter()
        with self._torch.inference_mode():
            self._network(self._image).numpy()
        return timing.milliseconds_since(started)


class OnnxRuntime:
    """A network in ONNX Runtime on the CPU, with an image to run on.

    Arguments:
        model: of an ONNX file.
        spec: of the network.
        threads: CPU threads, at least 1.

    Attributes:
        load_ms: time to read the file and to optimise it.
        first_ms: time of the first run.
    """

    def __init__(self, model: bytes, spec: ResNetSpec, threads: int):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        started = time.perf_counter()
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.load_ms = timing.milliseconds_since(started)
        self._inputs = {self._session.get_inputs()[0].name: random_image(spec)}
        self.first_ms = self.run()

    def run(self) -> float:
        """Computes and reads the result; returns the milliseconds."""
        started = time.perf_counter()
        self._session.run(None, self._inputs)
        return timing.milliseconds_since(started)


def candidates(checkpoint: Path) -> tuple[list[ModelFacts], Callable[[int], list]]:
    """A network in PyTorch and in ONNX Runtime, as the first arguments of `wool_board.benchmark.timing.document`.

    Raises:
        WoolError: a package is missing, or the checkpoint cannot be read.
    """
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError:
            raise WoolError(f"{package}: is not installed; {extra('torch,onnx')}") from None
    import onnxruntime
    import torch

    spec, arrays = weights.load(checkpoint)
    model = to_onnx(spec, arrays)
    network = f"ResNet-{spec.depth}, {complexity.parameters(spec) / 1e6:.2f} M parameters"
    facts = [
        ModelFacts(file=str(checkpoint), bytes=size, runtime=runtime, network=network, precision="fp32")
        for runtime, size in (
            (f"PyTorch {torch.__version__}", checkpoint.stat().st_size),
            (f"ONNX Runtime {onnxruntime.__version__}", len(model)),
        )
    ]
    return facts, lambda threads: [PyTorch(spec, arrays, threads), OnnxRuntime(model, spec, threads)]


def to_onnx(spec: ResNetSpec, arrays: Weights) -> bytes:
    """A network as an ONNX file that reads one normalised image (1, channels, height, width) and gives logits."""
    import torch

    from wool_tf.deploy import torch_resnet

    network, file = torch_resnet.restored(spec, arrays), io.BytesIO()
    with warnings.catch_warnings():
        # The newer exporter needs one more package; this one is said to go, in each of its functions.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(network, (torch.from_numpy(random_image(spec)),), file, dynamo=False)
    return file.getvalue()


def random_image(spec: ResNetSpec) -> np.ndarray:
    """A normalised image of random pixels as PyTorch reads it, (1, channels, height, width) of float32."""
    height, width, channels = spec.input_shape
    image = np.random.default_rng(0).integers(0, 256, (1, channels, height, width), np.uint8)
    return pixels.normalise(image)[..., 0]
