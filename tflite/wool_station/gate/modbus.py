"""Gates on coils of a Modbus/TCP coupler, through pymodbus.

The coils are written time and again, for the coupler's own watchdog: it must fall back to reject (0) when that stops.
"""

import logging
from typing import Any

from wool_board.errors import Unusable, in_one_line

ANSWER_SECONDS = 0.3
"""Within which a coupler must answer; until then nothing else can be written."""


class ModbusOutput:
    """Coils, 1 to let pass and 0 to reject.

    Arguments:
        host, port: of the coupler.
        unit: its number, 1 to 247, or 0 or 255 where it has none.
        coil: the first; one for each lane follows.

    Raises:
        WoolError: pymodbus is missing.
    """

    def __init__(self, host: str, port: int, unit: int, coil: int):
        try:
            from pymodbus import ModbusException
            from pymodbus.client import ModbusTcpClient
        except ImportError:
            raise Unusable("modbus", None, "needs pymodbus; pip install 'pymodbus>=3.10,<4'") from None
        # The caller reports what goes wrong.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._exception: type[Exception] = ModbusException
        self._unit, self._coil, self._lanes = unit, coil, 0
        self._client: Any = ModbusTcpClient(host, port=port, timeout=ANSWER_SECONDS, retries=0)

    def write(self, passing: tuple[bool, ...]) -> None:
        self._lanes = len(passing)
        try:
            if not self._client.connected and not self._client.connect():
                raise OSError("the coupler does not answer")
            answer = self._client.write_coils(self._coil, list(passing), device_id=self._unit)
        except self._exception as error:
            self._client.close()
            raise OSError(in_one_line(error)) from None
        if answer.isError():
            raise OSError(f"the coupler refuses: {in_one_line(answer)}")

    def beat(self) -> None:
        """Nothing: the coils are written again with each sign of life anyway."""

    def close(self) -> None:
        try:
            if self._lanes and self._client.connected:
                self.write((False,) * self._lanes)
        except OSError:
            pass  # The coupler's watchdog does it.
        finally:
            self._client.close()
