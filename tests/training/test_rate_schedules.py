"""Learning-rate schedules against closed forms, and against PyTorch where it is installed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wool_tf.training import schedules


def test_a_cosine_begins_at_its_top_and_ends_near_zero():
    assert schedules.cosine(0, 100, warm_up=0) == 1
    assert schedules.cosine(50, 100, warm_up=0) == pytest.approx(0.5)
    assert schedules.cosine(99, 100, warm_up=0) == pytest.approx(math.sin(math.pi / 200) ** 2)


def test_the_rise_is_linear_and_reaches_the_top():
    assert [schedules.cosine(step, 100, warm_up=0.04) for step in range(5)] == [0.25, 0.5, 0.75, 1, 1]


@given(st.integers(1, 500), st.data())
def test_factors_stay_between_zero_and_one(steps, data):
    step = data.draw(st.integers(0, steps - 1))
    for schedule in (schedules.cosine, schedules.one_cycle):
        assert 0 < schedule(step, steps) <= 1


@pytest.mark.parametrize("steps", [10, 40, 1000])
def test_one_cycle_is_pytorchs(steps):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        assert schedules.one_cycle(step, steps) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        theirs.step()


def test_one_cycle_in_numbers():
    """Of 40 steps the 12th is the top; half-way up, (1/25 + 1) / 2; half-way down, (1 + 1/250000) / 2."""
    found = [schedules.one_cycle(step, 40) for step in range(40)]
    assert found[0] == pytest.approx(1 / 25)
    assert found[11] == max(found) == 1
    assert found[25] == pytest.approx((1 + 4e-6) / 2)
    assert found[39] == pytest.approx(4e-6)


def test_a_plateau_needs_a_minimum_below_the_old_one_by_a_share():
    """The rate falls after three epochs that are not 10 % below the minimum."""
    losses = (1.0, 0.95, 0.92, 0.89, 0.85, 0.82, 0.81, 0.7, 0.7, 0.7, 0.7)
    rates = [schedules.plateau(losses[:epoch], 3, 0.5, 0.1) for epoch in range(1, len(losses) + 1)]
    assert rates == [1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
