"""The network of a `ResNetSpec` in PyTorch, whole or pruned, with torchvision's names. Importing this needs torch."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from wool_tf.networks import weights
from wool_tf.networks.spec import Block, Convolution, ResNetSpec
from wool_tf.networks.weights import Weights


class TorchResNet(nn.Module):
    """Logits (n, classes) of normalised images (n, channels, height, width), as `wool_tf.networks.resnet.ResNet`."""

    def __init__(self, spec: ResNetSpec):
        super().__init__()
        self.conv1, self.bn1 = _unit(spec.stem, spec)
        for number, blocks in enumerate(spec.stacks, start=1):
            self.add_module(f"layer{number}", nn.Sequential(*(_Block(block, spec) for block in blocks)))
        self.fc = nn.Linear(spec.width("layer4"), spec.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = functional.relu(self.bn1(self.conv1(images)), inplace=True)
        features = functional.max_pool2d(features, kernel_size=3, stride=2, padding=1)
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        return self.fc(features.mean(dim=(2, 3)))


class _Block(nn.Module):
    def __init__(self, block: Block, spec: ResNetSpec):
        super().__init__()
        self.units = []
        for number, conv in enumerate(block.convolutions, start=1):
            convolution, norm = _unit(conv, spec)
            self.add_module(f"conv{number}", convolution)
            self.add_module(f"bn{number}", norm)
            self.units.append((convolution, norm, conv.relu))
        self.downsample = nn.Sequential(*_unit(block.projection, spec)) if block.projection else nn.Identity()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        shortcut = self.downsample(features)
        for convolution, norm, relu in self.units:
            features = norm(convolution(features))
            if relu:
                features = functional.relu(features, inplace=True)
        return functional.relu(features + shortcut, inplace=True)


def restored(spec: ResNetSpec, arrays: Weights) -> TorchResNet:
    """The network of a spec with these weights, ready to be used, not to be trained.

    Raises:
        WoolError: a key is missing or too many, or a shape differs.
    """
    weights.check(arrays, spec, "weights")
    network = TorchResNet(spec)
    state = {key: torch.from_numpy(np.array(array, np.float32)) for key, array in arrays.items()}
    # PyTorch's batch norms also count batches, which only training reads.
    counters = {key: value for key, value in network.state_dict().items() if key.endswith(".num_batches_tracked")}
    network.load_state_dict(state | counters)
    return network.eval()


def _unit(conv: Convolution, spec: ResNetSpec) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    reads, writes = spec.width(conv.reads), spec.width(conv.writes)
    convolution = nn.Conv2d(reads, writes, conv.kernel, conv.stride, padding=conv.kernel // 2, bias=False)
    # Its own epsilon, 1e-5, is that of our networks.
    return convolution, nn.BatchNorm2d(writes)
