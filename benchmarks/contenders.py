"""What the benchmarks time: a network before and after pruning, in the runtimes that a user may pick.

Weights are random: how long a network takes does not depend on them. Networks of all runtimes read one image; TFLite
files crop and normalise it, the others get it cropped and normalised.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

import exports
from wool_board.benchmark.candidates import TimedModel
from wool_tf import WoolError
from wool_tf.deploy import workstation
from wool_tf.networks import weights
from wool_tf.networks.spec import ResNetSpec
from wool_tf.pruning import plan

RECIPE, PRUNINGS = "paper-table3", 3
PRECISIONS = ("fp32", "fp16", "dynamic", "int8")
CALIBRATION_IMAGES = 4


@dataclasses.dataclass(frozen=True)
class Case:
    """Networks to be compared.

    Attributes:
        full: the unpruned network.
        threads: that networks use.
        folder: of TFLite files; those that are there are used again.
    """

    full: ResNetSpec
    threads: int
    folder: Path

    @property
    def networks(self) -> dict[str, ResNetSpec]:
        return {"unpruned": self.full, "compact": compact_plan(self.full).compact}


@dataclasses.dataclass(frozen=True)
class Contender:
    """A network in a runtime.

    Attributes:
        network: "unpruned" or "compact".
        runtime: with its way to run, as a reader knows it.
        precision: of its numbers.
        spec: of the network.
        run: computes it once.
    """

    network: str
    runtime: str
    precision: str
    spec: ResNetSpec
    run: Callable[[], object]

    @property
    def name(self) -> str:
        return f"{self.network}, {self.runtime} {self.precision}"


def compact_plan(full: ResNetSpec) -> plan.Plan:
    """What is left of a network after all rounds of pruning; which filters does not matter for speed."""
    left = plan.Plan.whole(full)
    for _ in range(PRUNINGS):
        spec = left.compact
        equal = {conv.name: np.zeros(spec.width(conv.writes)) for conv in spec.convolutions()}
        left = left.then(plan.make(spec, equal, plan.named(RECIPE, spec.depth)))
    return left


def random_weights(spec: ResNetSpec) -> weights.Weights:
    """Weights with shifts of batch norms that differ, as after a training.

    Where they are all 0, the exporter to ONNX shares one array between convolutions, and ONNX Runtime computes those of
    8-bit files in float32.
    """
    rng = np.random.default_rng(0)
    shifts = {conv.norm: rng.normal(0, 0.1, spec.width(conv.writes)) for conv in spec.convolutions()}
    return weights.initial(spec, 0) | {f"{norm}.bias": shift.astype(np.float32) for norm, shift in shifts.items()}


def board_model(case: Case, network: str, precision: str) -> Path:
    """The TFLite file of a network, converted unless it is there."""
    spec = case.networks[network]
    widths = "-".join(map(str, (spec.depth, spec.input_shape[0], sum(spec.widths))))
    path = case.folder / f"resnet{widths}-{precision}.tflite"
    if not path.exists():
        path.write_bytes(converted(spec, precision))
    return path


def converted(spec: ResNetSpec, precision: str) -> bytes:
    """A network with random weights as a TFLite file."""
    from wool_tf.data import pixels
    from wool_tf.deploy import tflite_file
    from wool_tf.networks import resnet

    side = pixels.load_size(spec.input_shape[0])
    images = np.random.default_rng(0).integers(0, 256, (CALIBRATION_IMAGES, side, side), np.uint8)
    return tflite_file.convert(resnet.restored(spec, random_weights(spec)), precision, images)


def tflite(case: Case) -> list[Contender]:
    """TFLite files of all precisions in LiteRT, as a board runs them."""
    found = []
    for network, spec in case.networks.items():
        for precision in PRECISIONS:
            model = TimedModel(board_model(case, network, precision), case.threads)
            found.append(Contender(network, "TFLite", precision, spec, model.run))
    return found


def pytorch(case: Case) -> list[Contender]:
    """PyTorch, eagerly."""
    from wool_tf.deploy import torch_resnet

    return [
        Contender(name, "PyTorch", "fp32", spec, _torch_run(torch_resnet.restored(spec, random_weights(spec)), case))
        for name, spec in case.networks.items()
    ]


def compiled(case: Case) -> list[Contender]:
    """PyTorch's compiler, with weights that are constants to it.

    Raises:
        WoolError: it fails.
    """
    import torch
    from torch._inductor import config

    from wool_tf.deploy import torch_resnet

    # Then it folds batch norms into convolutions and lays weights out for the processor.
    config.freezing = True
    # Otherwise networks of another size are compiled for images of any size: slower, and PyTorch 2.13 fails at it.
    torch._dynamo.reset()
    found = []
    for name, spec in case.networks.items():
        network = torch_resnet.restored(spec, random_weights(spec))
        run = _torch_run(torch.compile(network.to(memory_format=torch.channels_last), dynamic=False), case)
        try:
            run()
        except (torch._dynamo.exc.BackendCompilerFailed, AssertionError) as error:
            raise WoolError(f"PyTorch's compiler: {str(error).splitlines()[0]}") from None
        found.append(Contender(name, "PyTorch compiled", "fp32", spec, run))
    return found


def torch_pruning(case: Case) -> list[Contender]:
    """The network that Torch-Pruning makes when the filters of our plan are taken out, in PyTorch."""
    import torch
    import torch_pruning as pruning

    from wool_tf.deploy import torch_resnet

    left = compact_plan(case.full)
    network = torch_resnet.restored(case.full, random_weights(case.full))
    image = torch.from_numpy(workstation.random_image(case.full))
    graph = pruning.DependencyGraph().build_dependency(network, example_inputs=image)
    # The first convolution that writes to a channel group; the others follow from it.
    writers = {conv.writes: conv.name for conv in reversed(list(case.full.convolutions()))}
    for group, kept in left.kept.items():
        removed = np.setdiff1d(np.arange(case.full.width(group)), kept).tolist()
        if removed:
            writer = network.get_submodule(writers[group])
            graph.get_pruning_group(writer, pruning.prune_conv_out_channels, idxs=removed).prune()
    _check_widths(network, left.compact)
    return [Contender("compact", "Torch-Pruning", "fp32", left.compact, _torch_run(network, case))]


def onnx_runtime(case: Case) -> list[Contender]:
    """ONNX Runtime in float32, and statically quantised with a scale for each channel."""
    found = []
    for name, spec in case.networks.items():
        model = workstation.to_onnx(spec, random_weights(spec))
        for precision, content in (
            ("fp32", model),
            ("int8", exports.quantised(model, iter([workstation.random_image(spec)]))),
        ):
            session = workstation.OnnxRuntime(content, spec, case.threads)
            found.append(Contender(name, "ONNX Runtime", precision, spec, session.run))
    return found


RUNTIMES = {
    "tflite": (tflite, ()),
    "torch": (pytorch, ("torch",)),
    "compiled": (compiled, ("torch",)),
    "torch-pruning": (torch_pruning, ("torch", "torch_pruning")),
    "onnx": (onnx_runtime, ("torch", "onnx", "onnxruntime")),
}
"""Of each runtime what gives its contenders, and the packages that it needs besides the project's own."""


def _torch_run(network, case: Case) -> Callable[[], object]:
    import torch

    # Channels last is PyTorch's fastest way on a CPU.
    image = torch.from_numpy(workstation.random_image(case.full)).to(memory_format=torch.channels_last)
    network = network.eval().to(memory_format=torch.channels_last)

    def run() -> object:
        with torch.inference_mode():
            return network(image).numpy()

    torch.set_num_threads(case.threads)
    return run


def _check_widths(network, spec: ResNetSpec) -> None:
    expected = {key: shape for key, shape in weights.shapes(spec).items()}
    found = {key: tuple(array.shape) for key, array in network.state_dict().items() if key in expected}
    assert found == expected, "Torch-Pruning has made another network than the plan says"
