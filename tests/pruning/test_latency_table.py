"""Times between measured ones against the function that the table was made of, and every file that is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import latency_tables
from latency_tables import by_macs, in_steps
from wool_tf.errors import WoolError
from wool_tf.networks import complexity
from wool_tf.networks.spec import DEPTHS, ResNetSpec
from wool_tf.pruning import latency_table
from wool_tf.pruning.latency_table import Shape

FULL = ResNetSpec.full(18, 2, (64, 64, 1))
TABLE = latency_tables.table(FULL)


@given(st.lists(st.integers(1, 64), min_size=12, max_size=12))
@settings(max_examples=40)
def test_where_times_are_multiply_accumulates_so_is_the_prediction(widths):
    """Bilinear interpolation is exact of a product, so every width counts, measured or not."""
    spec = ResNetSpec(18, tuple(widths), 2, (64, 64, 1))
    convolved = complexity.macs(spec) - 2 * spec.width("layer4")
    assert latency_table.predicted(spec, TABLE) == pytest.approx(latency_tables.NS * convolved, rel=1e-9)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_table_holds_what_its_networks_need(depth):
    """All depths, an odd size of image, and one table for two depths."""
    spec = ResNetSpec.full(depth, 2, (75, 75, 1))
    both = latency_table.LatencyTable(latency_tables.document([FULL, spec]), "t.json")
    for one in (FULL, spec):
        convolved = complexity.macs(one) - 2 * one.width("layer4")
        assert latency_table.predicted(one, both) == pytest.approx(latency_tables.NS * convolved, rel=1e-9)


@pytest.mark.parametrize("step", latency_table.STEPS)
def test_steps_are_found_and_widths_within_one_cost_the_same(step):
    table = latency_tables.table(FULL, in_steps(step))
    assert table.steps == (step, step)
    shape, widths = Shape(3, 1, 16), np.arange(1, 65)
    expected = [in_steps(step)(shape, 40, width) for width in widths]
    assert table.ms(shape, 40, widths) == pytest.approx(expected, rel=1e-9)
    assert table.ms(shape, widths, 40) == pytest.approx([in_steps(step)(shape, width, 40) for width in widths])


def test_steps_of_reading_and_writing_are_found_apart_and_through_noise():
    rng = np.random.default_rng(0)

    def noisy(shape, reads, writes):
        # As of a processor that takes 4 channels in and gives 16, with a tenth of noise and a constant.
        return (1e-4 + by_macs(shape, -(-reads // 4) * 4, -(-writes // 16) * 16)) * rng.uniform(1, 1.1)

    assert latency_tables.table(FULL, noisy).steps == (4, 16)


def test_the_times_of_a_grid_are_the_measured_ones():
    rng = np.random.default_rng(1)
    found = latency_tables.table(FULL, lambda shape, reads, writes: rng.uniform(1, 2) * by_macs(shape, reads, writes))
    if found.steps == (1, 1):
        for grid in found.document.grids:
            reads, writes = np.meshgrid(grid.reads, grid.writes, indexing="ij")
            assert np.array_equal(found.ms(Shape.of(grid), reads, writes), grid.ms)
    assert found.machine == "a slide rule, LiteRT 0, 1 thread"


def test_what_a_table_does_not_hold_is_refused():
    with pytest.raises(WoolError, match=r"^t.json: has no convolutions 7×7, stride 2, output 112×112; measure a table"):
        latency_table.predicted(ResNetSpec.full(18, 2, (224, 224, 1)), TABLE)
    with pytest.raises(WoolError, match=r"^t.json: ends at 64 channels of 3×3, stride 1, output 16×16, asked for 65$"):
        TABLE.ms(Shape(3, 1, 16), 65, 1)
    with pytest.raises(WoolError, match=r"^input_shape: times are predicted for square images, got 64×96 pixels$"):
        latency_table.to_measure([ResNetSpec.full(18, 2, (64, 96, 1))])


def damaged(change) -> dict:
    """The document of a table with one flaw."""
    found = json.loads(json.dumps(latency_tables.records.plain(TABLE.document)))
    change(found)
    return found


def change_grid(**changes):
    return lambda found: found["grids"][1].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(version=2), "is of version 2, not 1; measure it anew"),
        (
            lambda found: found.pop("version"),
            "is no document of wool_tf, for it says no version (expected: 1)",
        ),
        (lambda found: found.pop("grids"), "missing required field `grids`"),
        (lambda found: found.update(threads="1"), "Expected `int`, got `str`"),
        (
            change_grid(reads=[]),
            "the convolutions 3×3, stride 1, output 16×16 have numbers of channels that do not asc",
        ),
        (change_grid(reads=[1, 8, 8, 24, 32, 48, 64]), "have numbers of channels that do not ascend"),
        (change_grid(writes=[0, 8, 16, 24, 32, 48, 64]), "have numbers of channels that do not ascend"),
        (change_grid(ms=[[1.0]]), "lack a time for some of their channels"),
        (lambda found: found["grids"][1]["ms"][0].__setitem__(0, 0.0), "have a time that is not above 0"),
        (lambda found: found["grids"][1]["ms"][0].__setitem__(0, "x"), "Expected `float`, got `str`"),
        (lambda found: found["sweeps"][0]["ms"][0].__setitem__(0, -1.0), "have a time that is not above 0"),
        (lambda found: found["grids"].append(found["grids"][0]), "has convolutions of one shape twice"),
    ],
)
def test_a_damaged_table_is_refused_by_name(change, message, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(damaged(change)))
    with pytest.raises(WoolError) as refused:
        latency_table.read(path)
    assert str(refused.value).startswith(f"{path}: ") and message in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no table of latency_table.py"),
        ("[" * 100_000, "is no table of latency_table.py"),
        ("[]", "is no document of wool_tf, for it says no version"),
    ],
    ids=["cut", "nested", "list"],
)
def test_what_is_no_table_is_refused(content, message, tmp_path):
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(WoolError, match=message):
        latency_table.read(path)
    with pytest.raises(WoolError, match=r"cannot be read \(No such file or directory\); give a table"):
        latency_table.read(tmp_path / "missing.json")


def test_a_table_comes_back_from_its_file(tmp_path):
    found = latency_table.read(latency_tables.write(tmp_path / "t.json", FULL))
    assert found.document == TABLE.document
