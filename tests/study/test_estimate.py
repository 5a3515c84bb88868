"""Estimates on a machine whose clock is arithmetic."""

import dataclasses

import pytest

from wool_tf.study import estimate
from wool_tf.study.estimate import Speed, Work

SPEED = Speed(setup=10.0, unit=2.0, mac=0.5)


class Machine:
    """A training takes `unit` seconds and `step` for each step; the first one `setup` more, and some are disturbed."""

    def __init__(self, setup: float, unit: float, step: float, disturbed: dict[int, float] | None = None):
        self.setup, self.unit, self.step, self.now, self.steps = setup, unit, step, 100.0, []
        self.disturbed = disturbed or {}

    def train(self, steps: int) -> None:
        self.now += self.unit + steps * self.step + (0 if self.steps else self.setup)
        self.now += self.disturbed.get(len(self.steps), 0.0)
        self.steps.append(steps)

    def measured(self, macs: float) -> Speed:
        return estimate.measure(self.train, macs, lambda: self.now)


@pytest.mark.parametrize(("setup", "unit", "step"), [(8, 0.5, 0.01), (60, 1, 11), (0, 0, 0.3), (3, 0.2, 0.001)])
def test_what_a_training_takes_beside_its_steps_is_told_from_them(setup, unit, step):
    machine = Machine(setup, unit, step)
    found = machine.measured(macs=200)
    assert dataclasses.astuple(found) == pytest.approx((setup, unit, step / 200))
    longest = estimate.TIMES * estimate.MEASURED_SECONDS
    assert machine.now - 100 < setup + 8 * (unit + step) + max(2 * longest, 4 * step)


def test_the_rate_of_a_tiny_network_is_not_that_of_its_overhead():
    """Half a second beside steps of a hundredth: five steps and their overhead would make it eleven times too slow."""
    found = Machine(setup=8, unit=0.5, step=0.01).measured(macs=1)
    training = Work("a", 1000, found)
    assert training.seconds == pytest.approx(10.5)


def test_what_else_the_machine_does_is_left_out():
    """The first of the short trainings and two of the three long ones."""
    found = Machine(8, 0.5, 0.1, {1: 2.0, 5: 7.0, 6: 4.0}).measured(macs=1)
    assert dataclasses.astuple(found) == pytest.approx((8, 0.5, 0.1))


def test_a_measurement_that_was_disturbed_throughout_is_not_negative():
    """Steps of a thousandth, and half a minute more for every training of a single one."""
    found = Machine(8, 0.5, 0.001, dict.fromkeys(range(1, 2), 30.0)).measured(macs=1)
    assert found.setup >= 0 and found.unit >= 0 and 0.001 <= found.mac < 1


def work(architecture: str, macs: float, **changes) -> Work:
    return Work(architecture, macs, dataclasses.replace(SPEED, **changes))


def test_one_process_sets_every_architecture_up_once():
    chains = [[work("full", 4), work("half", 2)], [work("full", 4), work("half", 2)]]
    # Four trainings of 2 s beside their steps, 12 multiply-accumulates of half a second, two architectures.
    assert estimate.makespan(chains, 1) == 4 * 2 + 12 * 0.5 + 2 * 10


def test_every_process_sets_up_what_it_meets():
    chains = [[work("full", 4), work("half", 2)]] * 2
    assert estimate.makespan(chains, 2) == 2 * 2 + 6 * 0.5 + 2 * 10
    # More processes than chains are of no use.
    assert estimate.makespan(chains, 50) == estimate.makespan(chains, 2)


def test_the_longest_chain_goes_first():
    chains = [[work("a", macs, setup=0, unit=0)] for macs in (2, 2, 2, 6)]
    assert estimate.makespan(chains, 2) == 3


def test_depths_have_speeds_of_their_own():
    slow = work("152", 4, mac=5.0, setup=30.0)
    assert estimate.makespan([[work("18", 4)], [slow]], 1) == (10 + 2 + 2) + (30 + 2 + 20)


def test_nothing_to_do_takes_no_time():
    assert estimate.makespan([], 3) == estimate.makespan([[], []], 3) == 0
