"""What a check found."""

from typing import NamedTuple


class Finding(NamedTuple):
    """A line of the doctor's.

    Attributes:
        name: of what was looked at.
        text: what was found.
        advice: what to do; empty: it is well. Settings of the programs stand in backticks, as in the text.
    """

    name: str
    text: str
    advice: str = ""

    @property
    def line(self) -> str:
        """`ok` or `NOT OK`, and what there is to say."""
        state = "NOT OK" if self.advice else "ok"
        return f"{state:<6}  {self.name:<12}  {self.text}" + (f"; {self.advice}" if self.advice else "")
