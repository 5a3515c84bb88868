"""The spec: its channel groups against He et al. 2016, its round trips, and its refusals."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wool_tf.errors import WoolError
from wool_tf.networks.spec import DEPTHS, ResNetSpec, check_depth, groups

# He et al. 2016, table 1: blocks per stack.
BLOCKS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3]}
BASIC = (18, 34)
SHAPE = (32, 32, 1)


@st.composite
def specs(draw) -> ResNetSpec:
    depth = draw(st.sampled_from(DEPTHS))
    widths = draw(st.lists(st.integers(1, 2048), min_size=len(groups(depth)), max_size=len(groups(depth))))
    sides = st.integers(32, 500)
    shape = (draw(sides), draw(sides), draw(st.sampled_from([1, 3])))
    return ResNetSpec(depth, tuple(widths), draw(st.integers(1, 1000)), shape)


def refusal(call, *arguments, **named) -> str:
    with pytest.raises(WoolError) as caught:
        call(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("depth", DEPTHS)
class TestAgainstThePaper:
    def test_weighted_layers_make_up_the_depth(self, depth):
        # A ResNet is named after its layers with weights: projections do not count, the head does.
        spec = ResNetSpec.full(depth, 1000, (224, 224, 3))
        convolutions = [conv.name for conv in spec.convolutions()]
        assert len([name for name in convolutions if "downsample" not in name]) + 1 == depth
        # Projections stand where the width or the resolution changes; in bottlenecks that includes stack 1.
        assert len([name for name in convolutions if "downsample" in name]) == (3 if depth in BASIC else 4)
        assert len(set(convolutions)) == len(convolutions)
        assert [len(stack) for stack in spec.stacks] == BLOCKS[depth]

    def test_groups(self, depth):
        # A trunk per stack, the inner outputs of every block, and in bottlenecks the stem.
        inner = 1 if depth in BASIC else 2
        assert len(groups(depth)) == 4 + inner * sum(BLOCKS[depth]) + (depth not in BASIC)
        spec = ResNetSpec.full(depth, 10, SHAPE)
        assert {conv.writes for conv in spec.convolutions()} == set(groups(depth))
        assert {conv.reads for conv in spec.convolutions()} == {"input", *groups(depth)}
        assert ("conv1" in groups(depth)) == (depth not in BASIC)

    def test_widths(self, depth):
        spec = ResNetSpec.full(depth, 10, SHAPE)
        for stack, width in enumerate([64, 128, 256, 512], start=1):
            assert spec.width(f"layer{stack}") == width * (1 if depth in BASIC else 4)
            inner = [spec.width(group) for group in groups(depth) if group.startswith(f"layer{stack}.")]
            assert set(inner) == {width}
        assert spec.width(spec.stem.writes) == 64
        assert spec.width("input") == 1

    def test_convolutions(self, depth):
        spec = ResNetSpec.full(depth, 10, SHAPE)
        assert (spec.stem.kernel, spec.stem.stride, spec.stem.relu) == (7, 2, True)
        for number, stack in enumerate(spec.stacks, start=1):
            for index, block in enumerate(stack):
                assert [conv.kernel for conv in block.convolutions] == ([3, 3] if depth in BASIC else [1, 3, 1])
                halves = index == 0 and number > 1
                strided = [conv.stride == 2 for conv in block.convolutions]
                # The first 3×3 halves the resolution, in bottlenecks too (torchvision's v1.5).
                assert strided == [halves, False] if depth in BASIC else [False, halves, False]
                assert [conv.relu for conv in block.convolutions] == [True] * (len(strided) - 1) + [False]
                if block.projection:
                    assert (block.projection.kernel, block.projection.stride) == (1, 2 if halves else 1)
                    assert not block.projection.relu

    def test_channels_flow(self, depth):
        # Each convolution reads what the one before it in its block wrote; every block ends on its trunk.
        spec = ResNetSpec.full(depth, 10, SHAPE)
        entering = spec.stem.writes
        for number, stack in enumerate(spec.stacks, start=1):
            for block in stack:
                source = entering
                for conv in block.convolutions:
                    assert conv.reads == source
                    source = conv.writes
                assert source == f"layer{number}"
                if block.projection:
                    assert (block.projection.reads, block.projection.writes) == (entering, source)
                else:
                    assert entering == source
                entering = source


@given(specs())
@settings(max_examples=50)
def test_round_trips(spec):
    again = ResNetSpec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)
    assert ResNetSpec.from_config(spec.get_config()) == spec
    assert json.loads(spec.to_json()) == spec.get_config()
    assert spec.resized(spec.by_group()) == spec
    assert tuple(spec.by_group()) == groups(spec.depth)


@given(specs(), st.data())
@settings(max_examples=50)
def test_resized_changes_the_named_groups_alone(spec, data):
    named = data.draw(st.dictionaries(st.sampled_from(groups(spec.depth)), st.integers(1, 99)))
    assert spec.resized(named).by_group() == spec.by_group() | named
    assert spec.resized(named).depth == spec.depth


@given(specs(), st.randoms())
@settings(max_examples=20)
def test_order_of_groups_in_a_config_does_not_matter(spec, random):
    config = spec.get_config()
    shuffled = list(config["widths"].items())
    random.shuffle(shuffled)
    assert ResNetSpec.from_config(config | {"widths": dict(shuffled)}) == spec


def test_frozen_and_hashable():
    spec = ResNetSpec.full(18, 2, SHAPE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.classes = 3
    assert len({spec, ResNetSpec.full(18, 2, SHAPE), ResNetSpec.full(18, 3, SHAPE)}) == 2
    # Lists and NumPy's numbers become plain tuples, or neither hashing nor JSON would work.
    import numpy as np

    listed = ResNetSpec(18, np.array(spec.widths), 2, list(SHAPE))
    assert listed == spec and hash(listed) == hash(spec)
    assert listed.to_json() == spec.to_json()
    listed.by_group()["layer1"] = 1
    assert listed.width("layer1") == 64


class TestRefusals:
    @pytest.mark.parametrize("depth", [0, 19, "18", 18.0, True, None, [18]])
    def test_depth(self, depth):
        expected = f"depth: must be one of 18, 34, 50, 101, 152, got {depth!r}"
        assert refusal(check_depth, depth) == expected
        assert refusal(ResNetSpec, depth, (1,) * 12, 2, SHAPE) == expected
        assert refusal(ResNetSpec.full, depth, 2, SHAPE) == expected

    def test_widths(self):
        assert "ResNet-18 has 12 channel groups, but 3 widths" in refusal(ResNetSpec, 18, (1, 2, 3), 2, SHAPE)
        full = ResNetSpec.full(18, 2, SHAPE)
        assert "layer2.1.conv1 must keep at least 1 channel, got 0" in refusal(full.resized, {"layer2.1.conv1": 0})
        assert "layer3 must keep at least 1 channel, got -4" in refusal(full.resized, {"layer3": -4})
        assert "ResNet-18 has no channel group 'conv1'" in refusal(full.resized, {"conv1": 3})

    @pytest.mark.parametrize("classes", [0, -1])
    def test_classes(self, classes):
        assert refusal(ResNetSpec.full, 18, classes, SHAPE) == f"classes: must be at least 1, got {classes}"

    @pytest.mark.parametrize(
        "shape", [(32, 32), (32, 32, 2), (32, 32, 1, 1), (), (31, 32, 1), (32, 0, 3), (-40, 40, 1)]
    )
    def test_input_shape(self, shape):
        message = refusal(ResNetSpec.full, 18, 2, shape)
        assert message.startswith("input_shape: ") and str(shape) in message

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("{", "spec: not JSON ("),
            ("[]", "spec: needs exactly the keys ['classes', 'depth', 'input_shape', 'widths'], got []"),
            ("5", "spec: needs exactly the keys"),
            ('{"depth": 18}', "spec: needs exactly the keys"),
        ],
    )
    def test_json(self, text, expected):
        assert expected in refusal(ResNetSpec.from_json, text)

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"colour": 1}, "needs exactly the keys"),
            ({"depth": 20}, "depth: must be one of 18, 34, 50, 101, 152, got 20"),
            ({"depth": 34}, "widths of ResNet-34 must name the groups layer1, layer1.0.conv1,"),
            ({"widths": [64] * 12}, "widths of ResNet-18 must name the groups"),
            ({"widths": {"layer1": 3}}, "widths of ResNet-18 must name the groups"),
            ({"classes": 2.0}, "must be whole numbers"),
            ({"classes": None}, "must be whole numbers"),
            ({"input_shape": "abc"}, "must be whole numbers"),
            ({"input_shape": [32.5, 32, 1]}, "must be whole numbers"),
            ({"input_shape": 32}, "input_shape: must be (height, width, 1 or 3), got (32,)"),
            ({"input_shape": [32, 32, 4]}, "input_shape: must be (height, width, 1 or 3), got (32, 32, 4)"),
        ],
    )
    def test_config(self, change, expected):
        config = ResNetSpec.full(18, 2, SHAPE).get_config()
        assert expected in refusal(ResNetSpec.from_config, config | change)
