"""torchvision's ResNets of any widths, and their weights as the arrays of `wool_tf.networks.weights`."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet

from wool_tf.data.batches import centre_crop
from wool_tf.data.pixels import normalise
from wool_tf.networks import weights as network_weights
from wool_tf.networks.spec import BLOCKS_PER_STACK, ResNetSpec, is_bottleneck
from wool_tf.networks.weights import Weights
from wool_tf.training import batch_norms
from wool_tf.training.batch_norms import Statistics

BATCH = 64
"""Images that are scored at a time."""


def module(spec: ResNetSpec, weights: Mapping[str, np.ndarray], dtype: torch.dtype = torch.float32) -> resnet.ResNet:
    """torchvision's network with the widths of a spec, and weights by its own names, channels last."""
    block = resnet.Bottleneck if is_bottleneck(spec.depth) else resnet.BasicBlock
    # Built without memory: layers of other widths take the places of torchvision's.
    with torch.device("meta"):
        network = resnet.ResNet(block, list(BLOCKS_PER_STACK[spec.depth]), num_classes=spec.classes)
    for conv in spec.convolutions():
        was = network.get_submodule(conv.name)
        now = nn.Conv2d(
            spec.width(conv.reads), spec.width(conv.writes), was.kernel_size, was.stride, was.padding, bias=False
        )
        network.set_submodule(conv.name, now)
        network.set_submodule(conv.norm, nn.BatchNorm2d(spec.width(conv.writes)))
    network.fc = nn.Linear(weights["fc.weight"].shape[1], spec.classes)
    # What is missing of the state counts batches, for averages that this protocol does not take.
    network.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in weights.items()}, strict=False)
    return network.to(dtype).to(memory_format=torch.channels_last)


def arrays(network: resnet.ResNet) -> Weights:
    """The weights of a network, float32 by torchvision's keys."""
    state = network.state_dict()
    return {
        key: value.detach().float().numpy(force=True).copy(order="C")
        for key, value in state.items()
        if not key.endswith("num_batches_tracked")
    }


def spec_of(network: resnet.ResNet, before: ResNetSpec) -> ResNetSpec:
    """The spec of a network that filters were removed from."""
    widths = {conv.writes: network.get_submodule(conv.name).out_channels for conv in before.convolutions()}
    found = before.resized(widths)
    assert network_weights.shapes(found) == {key: array.shape for key, array in arrays(network).items()}
    return found


def batch(images: np.ndarray, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Normalised images, (n, height, width, 1), as the network takes them."""
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).to(dtype)


@torch.inference_mode()
def logits(network: resnet.ResNet, images: np.ndarray, chosen: np.ndarray, side: int) -> np.ndarray:
    """Logits of the centre crops of images, (chosen, classes) of float32."""
    network.eval()
    parts = np.array_split(chosen, -(-len(chosen) // BATCH))
    return np.concatenate([network(batch(normalise(centre_crop(images[part], side)))).numpy() for part in parts])


@torch.no_grad()
def reestimate(network: resnet.ResNet, images: np.ndarray, chosen: np.ndarray, side: int, most: int, seed: int) -> None:
    """Replaces the statistics of batch norms by their averages over images, as `batch_norms.reestimated` has them.

    Arguments:
        network: in float32.
        images, chosen, most, seed: as for `batch_norms.reestimated`; `most` is at least 1.
        side: of the network's input.
    """
    norms = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    kept = {name: layer.momentum for name, layer in norms.items()}

    def statistics(part: np.ndarray) -> Statistics:
        network(batch(normalise(centre_crop(images[part], side))))
        return {name: (_float64(norm.running_mean), _float64(norm.running_var)) for name, norm in norms.items()}

    network.train()
    # With momentum 1 the running values are those of the last batch.
    for layer in norms.values():
        layer.momentum = 1.0
    found = batch_norms.averaged(chosen, most, seed, statistics)
    for name, layer in norms.items():
        layer.momentum = kept[name]
        layer.running_mean.copy_(torch.from_numpy(found[f"{name}.running_mean"]))
        layer.running_var.copy_(torch.from_numpy(found[f"{name}.running_var"]))


def _float64(values: torch.Tensor) -> np.ndarray:
    return values.double().numpy(force=True)
