"""Files and documents changed at random, for as long as wanted, and what came of it.

`WOOL_FUZZ_SECONDS` says how long each test goes on (10 by default): ten minutes are

    WOOL_FUZZ_SECONDS=600 python -m pytest -m slow tests/fuzz -s
"""

import collections
import copy
import json
import os
import random
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

SECONDS = float(os.environ.get("WOOL_FUZZ_SECONDS", "10"))
SLOWEST = 20.0
"""Seconds that one input may take."""

ODD_BYTES = (b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80", b"\r\n", b'"', b";")
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, -(2**63), 10**30, 0.5, -0.0, 1e308, float("inf"), float("nan"), "", " ", "0",
    "1e999", "nan", "\0", "\ud800", "a\nb", "../x", "/", ".", "é", "x" * 5000, [], {}, [[]], [1, 2], [None], {"a": 1},
)  # fmt: skip


def changed(content: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """A file with a few random changes: bytes flipped, cut, repeated, or taken from another file."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        place = rng.randrange(len(found) + 1)
        # Heads decide most, and are short.
        place = rng.randrange(min(len(found), 200) + 1) if rng.random() < 0.5 else place
        how = rng.randrange(7)
        if how == 0 and place < len(found):
            found[place] ^= 1 << rng.randrange(8)
        elif how == 1 and place < len(found):
            found[place] = rng.randrange(256)
        elif how == 2:
            odd = rng.choice(ODD_BYTES)
            found[place : place + len(odd)] = odd
        elif how == 3:
            del found[place : place + rng.choice((1, 4, 100, 10**9))]
        elif how == 4:
            found[place:place] = found[place : place + rng.randrange(1, 60)]
        elif how == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            found[place : place + 40] = other[start : start + 40]
        else:
            found[place:place] = rng.randbytes(rng.randrange(1, 20))
    return bytes(found)


def reshaped(document: Any, rng: random.Random) -> Any:
    """A document of JSON with a few random changes: values replaced, doubled, left out or exchanged."""
    found = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(found))
        if not places:
            return copy.deepcopy(rng.choice(ODD_VALUES))
        parent, key = rng.choice(places)
        how = rng.randrange(5)
        if how == 0 and isinstance(parent, dict):
            del parent[key]
        elif how == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        elif how == 2:
            other, name = rng.choice(places)
            parent[key] = copy.deepcopy(other[name]) if name in _keys(other) else None
        elif how == 3:
            parent[key] = str(parent[key])
        else:
            # A copy, for later changes may be within it.
            parent[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    return found


def _keys(parent: Any) -> Any:
    return parent if isinstance(parent, dict) else range(len(parent))


def _places(found: Any) -> Iterator[tuple[Any, Any]]:
    for key in _keys(found) if isinstance(found, dict | list) else ():
        yield found, key
        yield from _places(found[key])


def fuzz(what: str, attempt: Callable[[random.Random], str]) -> None:
    """Attempts for `SECONDS` and prints how many came to what; fails with the seed of the first that raises.

    Arguments:
        what: is tried, for the line that is printed.
        attempt: does one thing with this generator, and says what it came to.
    """
    began, outcomes, first = time.monotonic(), collections.Counter[str](), time.time_ns() % 10**9
    seed = first
    while time.monotonic() < began + SECONDS:
        start = time.monotonic()
        try:
            outcomes[attempt(random.Random(seed))] += 1
        except BaseException:
            raise AssertionError(f"{what}: seed {seed}\n{traceback.format_exc()}") from None
        taken = time.monotonic() - start
        assert taken < SLOWEST, f"{what}: seed {seed} took {taken:.0f} s"
        seed += 1
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
    print(f"\n{what}: {seed - first:,} in {time.monotonic() - began:.0f} s: {told}")


def as_json(document: Any) -> bytes:
    """A document as a file, with whatever JSON of Python can write."""
    return json.dumps(document, ensure_ascii=True).encode()
