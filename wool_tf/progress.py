"""What long work tells its caller."""

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Told the finished share of the work, 0 to 1, and what is going on in a few words."""
Count = Callable[[int, int], None]
"""Told the number of finished parts and that of all, which is 0 where it is not known."""
