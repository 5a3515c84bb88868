"""belt/day/account.py: how long a process said that the belt stands."""

import pytest

from wool_tf.belt.day import account

BEGIN, END = (
    {"event": "alarm", "alarm": "belt_stopped", "on": True},
    {"event": "alarm", "alarm": "belt_stopped", "on": False},
)
OTHER = {"event": "alarm", "alarm": "no_air", "on": True, "line": 5}

SUMMARY = {"event": "summary", "along_mm": 9000.0}


def seen(metres: float) -> dict:
    return {"event": "air", "along_mm": [0.0, 1000 * metres]}


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([OTHER, seen(1)], 0),
        ([BEGIN | {"line": 100}, OTHER, END | {"line": 350}, seen(1)], 250),
        ([BEGIN | {"line": 100}, END | {"line": 350}, BEGIN | {"line": 400}, END | {"line": 500}], 350),
        # Killed while the belt stands: 2 m of half a millimetre are 4,000 lines.
        ([BEGIN | {"line": 100}, seen(1), seen(2), SUMMARY], 3900),
        ([BEGIN | {"line": 100}], 0),
    ],
)
def test_lines_for_which_the_belt_was_said_to_stand(events, lines):
    assert account._stood(events, 0.5) == lines
