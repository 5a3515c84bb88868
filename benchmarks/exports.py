"""One trained network as a file of several runtimes, all of which judge the same pixels."""

import contextlib
import dataclasses
import importlib.util
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from wool_board.model.network import probability
from wool_tf import quiet
from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.deploy import workstation
from wool_tf.networks.spec import ResNetSpec
from wool_tf.networks.weights import Weights

PRECISIONS = ("fp32", "fp16", "dynamic", "int8")


@dataclasses.dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        spec, arrays: of the network.
        calibration: (n, side, side) of uint8, in the size that training loads; ranges of 8-bit files are of them.
    """

    spec: ResNetSpec
    arrays: Weights
    calibration: np.ndarray

    def read(self, image: np.ndarray) -> np.ndarray:
        """The middle of an image as PyTorch reads it, (1, 1, height, width) of float32."""
        middle = centre_crop(image, self.spec.input_shape[0])
        return normalise(middle).reshape(1, 1, *middle.shape)


@dataclasses.dataclass(frozen=True)
class Export:
    """A network in a runtime.

    Attributes:
        runtime: as a reader knows it.
        precision: of its numbers.
        size: of the file in bytes.
        score: probability of "defective" of an image (side, side) of uint8, in the size that training loads.
    """

    runtime: str
    precision: str
    size: int
    score: Callable[[np.ndarray], float]

    @property
    def name(self) -> str:
        return f"{self.runtime} {self.precision}"


def tflite(source: Source) -> Iterator[Export]:
    """As a board runs it; these files take the middle of an image and normalise it themselves."""
    from wool_board.model.network import TfliteNetwork
    from wool_tf.deploy import tflite_file
    from wool_tf.networks import resnet

    model = resnet.restored(source.spec, source.arrays)
    for precision in PRECISIONS:
        content = tflite_file.convert(model, precision, source.calibration)
        yield Export("TFLite", precision, len(content), TfliteNetwork(content, threads=1).run)


def pytorch(source: Source) -> Iterator[Export]:
    """Eagerly; its size is that of the weights alone."""
    import torch

    from wool_tf.deploy import torch_resnet

    network = torch_resnet.restored(source.spec, source.arrays).to(memory_format=torch.channels_last)

    def score(image: np.ndarray) -> float:
        with torch.inference_mode():
            return _probability(network(torch.from_numpy(source.read(image))).numpy())

    torch.set_num_threads(1)
    yield Export("PyTorch", "fp32", sum(array.nbytes for array in source.arrays.values()), score)


def onnx_runtime(source: Source) -> Iterator[Export]:
    """In float32, and statically quantised with a scale for each channel, with weights of 8 and of 7 bits.

    Processors with AVX2 and without VNNI add products of 8 bits in 16, which is too few; ONNX Runtime's documentation
    advises 7 bits there.
    """
    import onnxruntime

    model = workstation.to_onnx(source.spec, source.arrays)
    contents = {"fp32": model}
    for bits in (8, 7):
        contents[f"int{bits}"] = quantised(model, map(source.read, source.calibration), seven_bits=bits == 7)
    for precision, content in contents.items():
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = 1, 1
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (read,) = session.get_inputs()

        def score(image: np.ndarray, session=session, name=read.name) -> float:
            return _probability(session.run(None, {name: source.read(image)})[0])

        yield Export("ONNX Runtime", precision, len(content), score)


def executorch(source: Source) -> Iterator[Export]:
    """With XNNPACK, in float32 and statically quantised with a scale for each channel."""
    import torch

    # Its exporter warns of what it calls itself, and torchao of kernels for GPUs.
    with quiet.quiet():
        loaded = _executorch_methods(_executorch_files(source))
    for precision, (content, program, method) in loaded.items():
        # A method works on the bytes of its file, and does not keep them alive.
        def score(image: np.ndarray, method=method, alive=(program, content)) -> float:
            return _probability(method.execute([torch.from_numpy(source.read(image))])[0].numpy())

        yield Export("ExecuTorch", precision, len(content), score)


def _executorch_methods(files: Mapping[str, bytes]) -> dict[str, tuple]:
    """By precision the content of a file, its program and its method, which runs with one thread."""
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    # Otherwise it has a thread for each core; methods that were loaded before keep theirs.
    portable_lib._unsafe_reset_threadpool(1)
    programs = {precision: Runtime.get().load_program(content) for precision, content in files.items()}
    return {name: (files[name], program, program.load_method("forward")) for name, program in programs.items()}


def _executorch_files(source: Source) -> dict[str, bytes]:
    """The files of both precisions."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    from wool_tf.deploy import torch_resnet

    network = torch_resnet.restored(source.spec, source.arrays)
    example = (torch.from_numpy(source.read(source.calibration[0])),)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    observed = prepare_pt2e(torch.export.export(network, example).module(), quantizer)
    for image in source.calibration:
        observed(torch.from_numpy(source.read(image)))
    files = {}
    for precision, module in (("fp32", network), ("int8", convert_pt2e(observed))):
        lowered = to_edge_transform_and_lower(torch.export.export(module, example), partitioner=[XnnpackPartitioner()])
        files[precision] = lowered.to_executorch().buffer
    return files


RUNTIMES = {
    "tflite": (tflite, ()),
    "torch": (pytorch, ("torch",)),
    "onnx": (onnx_runtime, ("torch", "onnx", "onnxruntime")),
    "executorch": (executorch, ("torch", "executorch", "torchao")),
}
"""Of each runtime what gives its exports, and the packages that it needs besides the project's own."""


def absent(packages: Sequence[str]) -> list[str]:
    """Those of some packages that are not here."""
    return [package for package in packages if importlib.util.find_spec(package) is None]


def quantised(model: bytes, images: Iterator[np.ndarray], seven_bits: bool = False) -> bytes:
    """An ONNX file in 8-bit integers: unsigned activations and signed weights, for which x86 has an instruction.

    Arguments:
        model: of an ONNX file with one input.
        images: what it reads, from which ranges are taken.
        seven_bits: whether weights have 7 bits.
    """
    import onnx
    import onnxruntime.quantization as quantisation

    (read,) = onnx.load_model_from_string(model).graph.input

    class Images(quantisation.CalibrationDataReader):
        def get_next(self):
            image = next(images, None)
            return None if image is None else {read.name: image}

    with tempfile.TemporaryDirectory() as made, _without_advice():
        source, target = Path(made, "float.onnx"), Path(made, "int8.onnx")
        source.write_bytes(model)
        types = {"activation_type": quantisation.QuantType.QUInt8, "weight_type": quantisation.QuantType.QInt8}
        quantisation.quantize_static(source, target, Images(), per_channel=True, reduce_range=seven_bits, **types)
        return target.read_bytes()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """ONNX Runtime advises a step that the exporter has taken: batch norms are in the convolutions already."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def _probability(logits: np.ndarray) -> float:
    return float(probability(np.float64(logits[0, 1]) - np.float64(logits[0, 0])))
