"""A picture of when the gate would have fired: the belt in rows, what was told of it, and what each lane did."""

import collections
import html
from typing import NamedTuple

MOST = 4000
"""Stretches that are remembered: the latest."""

ROW_MM = 5000.0
WIDTH, BAR, GAP, LEFT = 1200, 12, 4, 70
"""Pixels: of a row, of a bar in it, between rows, and before them for the place on the belt."""

COLOURS = {"reject": "#d1495b", "unseen": "#8d99ae", "pass": "#7fb685", "rejects": "#d1495b"}
TEXTS = {"told": "told: reject (red), unseen (grey)", "output": "output: pass (green), reject (red)"}


class Stretch(NamedTuple):
    """A piece of the belt and what there is to say of it: a key of `COLOURS`; `bar` counts the bars of a row."""

    start_mm: float
    stop_mm: float
    bar: int
    kind: str


class Drawing:
    """Remembers what to draw.

    Arguments:
        lanes: of the gate.
    """

    def __init__(self, lanes: int):
        self._lanes = lanes
        self._stretches: collections.deque[Stretch] = collections.deque(maxlen=MOST)
        self._open: list[tuple[float, str] | None] = [None] * lanes

    def told(self, along_mm: tuple[float, float], lanes: list[int], kind: str) -> None:
        """An event about a stretch of some lanes."""
        for lane in lanes:
            self._stretches.append(Stretch(along_mm[0], along_mm[1], 2 * lane, kind))

    def changed(self, at_mm: float, passing: tuple[bool, ...]) -> None:
        """The output has changed when the belt at the beginning of the gate was here."""
        at_mm = max(at_mm, 0.0)
        for lane, passes in enumerate(passing):
            before, kind = self._open[lane], "pass" if passes else "rejects"
            if before and before[1] == kind:
                continue
            if before and at_mm > before[0]:
                self._stretches.append(Stretch(before[0], at_mm, 2 * lane + 1, before[1]))
            self._open[lane] = at_mm, kind

    def svg(self, at_mm: float) -> str:
        """The picture, up to where the belt is at the gate."""
        self.changed(at_mm, tuple(one is not None and one[1] != "pass" for one in self._open))
        shown = [stretch for stretch in self._stretches if stretch.stop_mm > 0]
        first = int(min((stretch.start_mm for stretch in shown), default=0.0) // ROW_MM)
        last = int(max((stretch.stop_mm for stretch in shown), default=0.0) // ROW_MM)
        height = 2 * self._lanes * BAR + 2 * GAP
        parts = [_text(LEFT, 14, f"{TEXTS['told']}; {TEXTS['output']}")]
        for row in range(max(0, first), last + 1):
            top = 20 + (row - max(0, first)) * height
            parts.append(_text(2, top + BAR, f"{row * ROW_MM / 1000:g} m"))
            parts += [_bar(stretch, row * ROW_MM, top) for stretch in shown if _is_in(stretch, row * ROW_MM)]
        size = f"{LEFT + WIDTH + 10} {20 + (last - max(0, first) + 1) * height}"
        return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}">\n' + "\n".join(parts) + "\n</svg>\n"


def _is_in(stretch: Stretch, row_mm: float) -> bool:
    return stretch.start_mm < row_mm + ROW_MM and stretch.stop_mm > row_mm


def _bar(stretch: Stretch, row_mm: float, top: int) -> str:
    start = max(stretch.start_mm - row_mm, 0.0) / ROW_MM * WIDTH
    stop = min(stretch.stop_mm - row_mm, ROW_MM) / ROW_MM * WIDTH
    place = f'x="{LEFT + start:.1f}" y="{top + stretch.bar * BAR}" width="{stop - start:.1f}" height="{BAR - 1}"'
    title = f"{stretch.kind} {stretch.start_mm:.0f} to {stretch.stop_mm:.0f} mm"
    return f'<rect {place} fill="{COLOURS[stretch.kind]}"><title>{title}</title></rect>'


def _text(x: int, y: int, text: str) -> str:
    return f'<text x="{x}" y="{y}" font-family="sans-serif" font-size="11">{html.escape(text)}</text>'
