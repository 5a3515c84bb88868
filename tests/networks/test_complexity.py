"""Table III of the paper cell by cell, a count by hand, and the counts of Keras' own models."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_tf.networks import complexity, weights
from wool_tf.networks.spec import DEPTHS, ResNetSpec, groups
from wool_tf.pruning import plan

PAPER_CSV = Path(__file__).resolve().parents[2].parent / "shared" / "paper" / "table3.csv"
# As the paper prints it: parameters and "FLOPs" of the baseline and of three rounds.
TABLE_3 = {
    18: "1.2e7 1.8e9 4.8e6 1.0e9 2.0e6 6.3e8 9.0e5 4.1e8",
    34: "2.2e7 3.7e9 5.3e6 1.3e9 1.4e6 6.2e8 5.0e5 3.5e8",
    50: "2.6e7 4.1e9 1.8e7 3.1e9 1.4e7 2.4e9 1.1e7 2.0e9",
    101: "4.5e7 7.8e9 3.2e7 5.8e9 2.3e7 4.4e9 1.8e7 3.4e9",
    152: "6.0e7 1.2e10 4.3e7 8.5e9 3.2e7 6.3e9 2.4e7 4.9e9",
}


def as_the_paper_prints(count: int) -> str:
    """Two significant digits; the two counts below a million have tenths of a million."""
    if count < 1e6:
        return f"{round(count / 1e5)}.0e5"
    mantissa, exponent = f"{count:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def pruned_rounds(spec: ResNetSpec, recipe: str):
    """The specs before and after three rounds, by random norms."""
    yield spec
    for number in range(3):
        spec = a_round(spec, number, recipe).compact
        yield spec


def a_round(spec: ResNetSpec, seed: int, recipe: str = "paper-table3") -> plan.Plan:
    rng = np.random.default_rng(seed)
    norms = {conv.name: rng.random(spec.width(conv.writes)) for conv in spec.convolutions()}
    return plan.make(spec, norms, plan.named(recipe, spec.depth))


class TestTable3:
    @pytest.mark.parametrize("depth", DEPTHS)
    def test_every_cell(self, depth):
        spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
        cells = []
        for pruned in pruned_rounds(spec, "paper-table3"):
            counts = complexity.parameters(pruned), complexity.operations(pruned)
            print(depth, *counts)
            cells += map(as_the_paper_prints, counts)
        assert cells == TABLE_3[depth].split()

    @pytest.mark.skipif(not PAPER_CSV.exists(), reason="needs ../shared/paper/table3.csv")
    def test_typed_table_is_the_papers(self):
        with PAPER_CSV.open(newline="") as file:
            header, *lines = csv.reader(file)
        assert header[:3] == ["depth", "baseline_params", "baseline_flops"]
        assert {int(depth): list(map(float, cells)) for depth, *cells in lines} == {
            depth: list(map(float, cells.split())) for depth, cells in TABLE_3.items()
        }

    def test_30_percent_three_times_keeps_34_percent(self):
        # The recipe of the text: ⌊0.3·width⌋ goes in each round, in every group, trunks and stem too.
        for depth in DEPTHS:
            *_, last = pruned_rounds(ResNetSpec.full(depth, 2, (64, 64, 1)), "paper-text")
            left = {64: 23, 128: 45, 256: 89, 512: 177, 1024: 352, 2048: 703}
            for width, kept in left.items():
                by_hand = width
                for _ in range(3):
                    by_hand -= by_hand * 3 // 10
                assert by_hand == kept
                assert 0.343 * width <= kept < 0.343 * width + 3
            full = ResNetSpec.full(depth, 2, (64, 64, 1))
            assert last.by_group() == {group: left[width] for group, width in full.by_group().items()}


class TestByHand:
    """ResNet-18 with two channels in every group, 5 classes, one 32 × 32 image of one channel."""

    SPEC = ResNetSpec(18, (2,) * 12, classes=5, input_shape=(32, 32, 1))

    def test_parameters(self):
        # Stem 7·7·1·2; 16 convolutions 3·3·2·2; 3 projections 2·2; 20 batch norms of scale and shift; head.
        assert complexity.parameters(self.SPEC) == 98 + 16 * 36 + 3 * 4 + 20 * 4 + (2 * 5 + 5)

    # Sides: stem 16, stack 1 8 (after the pool), then 4, 2, 1.
    MACS = 16 * 16 * 98 + 4 * 8 * 8 * 36 + 4 * (16 + 4 + 1) * 36 + (16 + 4 + 1) * 4 + 2 * 5

    def test_macs(self):
        assert complexity.macs(self.SPEC) == self.MACS

    def test_operations(self):
        norms = 16 * 16 * 2 + 4 * 8 * 8 * 2 + (4 + 1) * (16 + 4 + 1) * 2
        relus = 16 * 16 * 2 + 4 * 8 * 8 * 2 + 4 * (16 + 4 + 1) * 2
        pools = 16 * 16 * 2 + 1 * 1 * 2
        assert complexity.operations(self.SPEC) == self.MACS + 2 * norms + relus + pools

    def test_layers(self):
        listed = list(complexity.layers(self.SPEC))
        assert [cost.name for cost in listed[:3]] == ["conv1", "maxpool", "layer1.0.conv1"]
        assert [cost.name for cost in listed[-2:]] == ["avgpool", "fc"]
        assert listed[0].output == (16, 16, 2)
        assert listed[1].output == (8, 8, 2)
        assert listed[-2].output == (1, 1, 2)
        assert listed[-1] == complexity.LayerCost("fc", (1, 1, 5), parameters=15, macs=10, operations=10)
        assert len(listed) == 20 + 2 + 1


def test_published_parameter_counts():
    # torchvision's documentation of its ResNets, "num_params".
    published = {18: 11689512, 34: 21797672, 50: 25557032, 101: 44549160, 152: 60192808}
    for depth, count in published.items():
        assert complexity.parameters(ResNetSpec.full(depth, 1000, (224, 224, 3))) == count


@given(st.data())
@settings(max_examples=40)
def test_parameters_are_the_sizes_of_the_trainable_arrays(data):
    depth = data.draw(st.sampled_from(DEPTHS))
    widths = data.draw(st.lists(st.integers(1, 64), min_size=len(groups(depth)), max_size=len(groups(depth))))
    spec = ResNetSpec(depth, tuple(widths), data.draw(st.integers(1, 50)), (33, 47, 3))
    sizes = {key: int(np.prod(shape)) for key, shape in weights.shapes(spec).items() if "running" not in key}
    assert complexity.parameters(spec) == sum(sizes.values())
    # Nothing but the number of elements depends on the size of the image.
    larger = ResNetSpec(depth, tuple(widths), spec.classes, (66, 94, 3))
    assert complexity.parameters(larger) == complexity.parameters(spec)
    assert complexity.macs(larger) > complexity.macs(spec)


def trainable_values(model) -> int:
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("depth", "rounds"),
    [
        *((depth, 3) for depth in (18, 50)),
        (34, 1),
        *(pytest.param(depth, 3, marks=pytest.mark.slow) for depth in (34, 101, 152)),
    ],
)
def test_keras_models_have_these_counts(depth, rounds):
    """Built, masked and compacted, with the recipe that gives Table III.

    Keras is asked for the shapes that its own layers compute, so the operations are checked as well.
    """
    from wool_tf.networks.resnet import ResNet
    from wool_tf.pruning.compaction import gather
    from wool_tf.pruning.layers import MaskedResNet

    spec = ResNetSpec.full(depth, classes=1000, input_shape=(224, 224, 3))
    for number in range(rounds + 1):
        model = ResNet(spec)
        counts = trainable_values(model), operations_of_keras(model)
        assert counts == (complexity.parameters(spec), complexity.operations(spec))
        assert [as_the_paper_prints(count) for count in counts] == TABLE_3[depth].split()[2 * number : 2 * number + 2]
        if number < rounds:
            # A mask removes nothing from the counts; it only shows what compaction will remove.
            masked, chosen = MaskedResNet(spec), a_round(spec, number)
            assert trainable_values(masked) == trainable_values(model)
            masked.apply(chosen)
            spec = chosen.compact
            assert parameters_left_by(masked) == complexity.parameters(spec)
            compact = gather({key: np.zeros(shape) for key, shape in weights.shapes(chosen.spec).items()}, chosen)
            left = sum(array.size for key, array in compact.items() if "running" not in key)
            assert left == complexity.parameters(spec)


def operations_of_keras(model) -> int:
    """The paper's counting rules applied to the layers of a Keras model, whatever network it is."""
    total = 0
    for layer in model.layers:
        kind, output = type(layer).__name__, getattr(layer, "output", None)
        elements = int(np.prod(output.shape[1:]))
        if kind == "Conv2D":
            total += int(np.prod(layer.kernel.shape[:3])) * elements
        elif kind == "BatchNormalization":
            total += 2 * elements
        elif kind == "ReLU":
            total += elements
        elif kind == "MaxPooling2D":
            # The zeros that it pads are no elements of its input: it reads the ReLU before the padding.
            total += int(np.prod(model.get_layer("bn1.relu").output.shape[1:]))
        elif kind == "GlobalAveragePooling2D":
            total += int(np.prod(layer.input.shape[1:]))
        elif kind == "Dense":
            total += int(np.prod(layer.kernel.shape))
    return total


def parameters_left_by(masked) -> int:
    """Trainable values of a masked network that neither belong to a masked channel nor read one.

    Found by walking the graph of the Keras model: every tensor carries the channels that are alive in it.
    """
    alive, total = {}, 0
    for layer in masked.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            alive[id(layer.output)] = np.ones(layer.output.shape[-1], bool)
            continue
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        entering = alive[id(inputs[0])]
        for other in inputs[1:]:
            # Whatever is added to a trunk must live and die with it.
            np.testing.assert_array_equal(alive[id(other)], entering)
        leaving = entering
        if kind == "ChannelMask":
            leaving = np.asarray(layer.mask) > 0
        elif kind == "Conv2D":
            # Which of its filters live, the mask behind its batch norm decides.
            norm = masked.get_layer(layer.name.replace("conv", "bn").replace("downsample.0", "downsample.1"))
            living = int(np.asarray(masked.get_layer(f"{norm.name}.mask").mask).sum())
            height, width = layer.kernel.shape[:2]
            total += height * width * int(entering.sum()) * living + 2 * living
            leaving = np.ones(layer.kernel.shape[-1], bool)
        elif kind == "Dense":
            total += (int(entering.sum()) + 1) * layer.kernel.shape[-1]
            leaving = np.ones(layer.kernel.shape[-1], bool)
        alive[id(layer.output)] = leaving
    return total
