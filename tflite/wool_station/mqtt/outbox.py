"""What waits for the broker: bounded, in order, and counted where it had to give up something."""

import collections
from typing import NamedTuple


class Letter(NamedTuple):
    """Something to publish: the end of its topic, its text, and whether the broker keeps it for who comes later."""

    topic: str
    text: str
    retain: bool


class Outbox:
    """Letters in order. Of those that the broker keeps, only the latest of a topic waits.

    Arguments:
        most: letters that may wait; with more, the oldest that the broker would not keep is dropped.

    Attributes:
        dropped: letters, since the start.
    """

    def __init__(self, most: int):
        self.dropped = 0
        self._most = most
        self._letters: collections.OrderedDict[int | str, Letter] = collections.OrderedDict()
        self._number = 0

    def __len__(self) -> int:
        return len(self._letters)

    def put(self, letter: Letter) -> None:
        """Adds a letter; one that is kept takes the place of the one before."""
        self._number += 1
        key = letter.topic if letter.retain else self._number
        self._letters.pop(key, None)
        self._letters[key] = letter
        if len(self._letters) > self._most:
            oldest = next((key for key, one in self._letters.items() if not one.retain), next(iter(self._letters)))
            del self._letters[oldest]
            self.dropped += 1

    def take(self) -> Letter | None:
        """The next letter, which waits no longer; None if there is none."""
        return self._letters.popitem(last=False)[1] if self._letters else None
