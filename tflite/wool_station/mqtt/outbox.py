"""What waits for the broker: bounded, in order, and counted where it had to give up something."""

import collections
from typing import NamedTuple


class Message(NamedTuple):
    """Something to publish: the end of its topic, its text, and whether the broker keeps it for who comes later."""

    topic: str
    text: str
    retain: bool


class Outbox:
    """Messages in order. Of those that the broker keeps, only the latest of a topic waits.

    Arguments:
        most: messages that may wait; with more, the oldest that the broker would not keep is dropped.

    Attributes:
        dropped: messages, since the start.
    """

    def __init__(self, most: int):
        self.dropped = 0
        self._most = most
        self._messages: collections.OrderedDict[int | str, Message] = collections.OrderedDict()
        self._number = 0

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: Message) -> None:
        """Adds a message; one that is kept takes the place of the one before."""
        self._number += 1
        key = message.topic if message.retain else self._number
        self._messages.pop(key, None)
        self._messages[key] = message
        if len(self._messages) > self._most:
            oldest = next((key for key, one in self._messages.items() if not one.retain), next(iter(self._messages)))
            del self._messages[oldest]
            self.dropped += 1

    def take(self) -> Message | None:
        """The next message, which waits no longer; None if there is none."""
        return self._messages.popitem(last=False)[1] if self._messages else None
