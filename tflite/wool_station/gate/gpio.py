"""Gates on pins of the board, through gpiozero.

A pin is driven only to let a lane pass; as an input, which it is before the start, after the end and without power, a
resistor of the wiring pulls it to reject (docs/gate.md).
"""

import contextlib
from typing import Any

from wool_board.errors import BadSetting, Unusable, in_one_line


class GpioOutput:
    """Pins.

    Arguments:
        pins: one for each lane, by the numbers of the processor (BCM).
        active_low: whether a low level lets pass, instead of a high one.
        beat_pin: one that changes with each sign of life, or None.

    Raises:
        WoolError: gpiozero is missing, or a pin cannot be had.
    """

    def __init__(self, pins: tuple[int, ...], active_low: bool, beat_pin: int | None):
        try:
            import gpiozero
        except ImportError:
            raise Unusable(
                "gpio", None, "needs gpiozero and lgpio; apt install python3-gpiozero python3-lgpio"
            ) from None
        self._pins: list[Any] = []
        self._beat: Any = None
        try:
            for pin in pins:
                device = gpiozero.DigitalOutputDevice(pin, active_high=not active_low, initial_value=False)
                self._pins.append(device)
            if beat_pin is not None:
                self._beat = gpiozero.DigitalOutputDevice(beat_pin, initial_value=False)
        except (gpiozero.GPIOZeroError, ImportError, OSError) as error:
            self.close()
            raise _explained(gpiozero, pins, beat_pin, error) from None

    def write(self, passing: tuple[bool, ...]) -> None:
        for pin, passes in zip(self._pins, passing, strict=True):
            pin.value = passes

    def beat(self) -> None:
        if self._beat is not None:
            self._beat.toggle()

    def close(self) -> None:
        for pin in (*self._pins, self._beat):
            if pin is not None:
                # As far as it gets: a pin that cannot be written must not keep the others from being so.
                with contextlib.suppress(Exception):
                    pin.off()
                with contextlib.suppress(Exception):
                    pin.close()


def _explained(gpiozero: Any, pins: tuple[int, ...], beat_pin: int | None, error: Exception) -> BadSetting:
    beat = "" if beat_pin is None else f" (or `heartbeat_gpio`={beat_pin})"
    if isinstance(error, (gpiozero.PinInvalidPin, gpiozero.GPIOPinInUse)):
        return BadSetting("gpio", pins, f"{in_one_line(error)}{beat}; give other pins of this board")
    advice = "is this a board, is lgpio installed, and is this user in the group gpio?"
    return Unusable("gpio", pins, f"{in_one_line(error)}{beat}; {advice}")
