"""What moves the gates: the driver, pins of gpiozero's mock, and coils of pymodbus' own server."""

import asyncio
import socket
import statistics
import threading
import time

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory
from pymodbus.client import ModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from wool_board.errors import UsageError, WoolError
from wool_station.gate.driver import Driver, GateRequest
from wool_station.gate.gpio import GpioOutput
from wool_station.gate.modbus import ModbusOutput


def until(holds, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.002)


class Recorded:
    """An output that remembers."""

    def __init__(self) -> None:
        self.state, self.beats, self.writes, self.closed, self.fault = None, 0, 0, False, None
        self.changed: list[tuple[float, tuple]] = []
        """When what was written changed, and to what."""

    def write(self, passing):
        if self.fault:
            raise self.fault
        if passing != self.state:
            self.changed.append((time.monotonic(), passing))
        self.state, self.writes = passing, self.writes + 1

    def beat(self):
        self.beats += 1

    def close(self):
        self.closed = True


def asked(*passing: bool) -> GateRequest:
    return GateRequest(tuple(None if one else "reject" for one in passing), 7, 1.0)


def test_the_driver_rejects_first_and_whenever_nobody_asks():
    output = Recorded()
    with Driver(output, 2, valid=0.2, beat=0.02) as driver:
        until(lambda: output.state == (False, False))
        began = time.monotonic()
        driver.ask(asked(True, False), began + 1)
        until(lambda: len(output.changed) == 3)
        assert [passing for _, passing in output.changed] == [(False, False), (True, False), (False, False)]
        assert 1 <= output.changed[-1][0] - began < 5
        # Nobody is alive, so there are no signs of life, but the coils are still written.
        beats, writes = output.beats, output.writes
        until(lambda: output.writes > writes + 3)
        assert output.beats == beats > 3
        changes = driver.changes()
        assert [change.passing for change in changes] == [(False, False), (True, False), (False, False)]
        assert changes[1].asked == asked(True, False) and driver.changes() == []
    assert output.closed and not driver.is_alive


def test_a_change_is_written_at_once():
    output, delays, late = Recorded(), [], []
    with Driver(output, 1, valid=1.0, beat=0.5) as driver:
        for number in range(50):
            began = time.monotonic()
            driver.ask(asked(number % 2 == 0), time.monotonic() + 60)
            until(lambda number=number: output.state == (number % 2 == 0,))
            delays.append(time.monotonic() - began)
            time.sleep(0.002)
            late.append(time.monotonic() - began - delays[-1] - 0.002)
    # A busy machine wakes every thread late, that of the driver and this one.
    assert statistics.median(delays) < 0.05 + 5 * statistics.median(late)


def test_an_output_that_fails_is_said_and_tried_again():
    output = Recorded()
    with Driver(output, 1, valid=5.0, beat=0.01) as driver:
        driver.ask(asked(True), time.monotonic() + 60)
        until(lambda: output.state == (True,))
        output.fault = OSError("no way")
        until(lambda: driver.failures > 2)
        assert driver.trouble == "no way"
        output.fault = None
        until(lambda: driver.trouble is None)
        output.fault = RuntimeError("a defect")
        until(lambda: driver.trouble == "a defect")
        assert driver.is_alive


@pytest.fixture
def pins(monkeypatch):
    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.reset()


@pytest.mark.parametrize("active_low", [False, True])
def test_a_pin_is_driven_to_pass_and_is_an_input_before_and_after(pins, active_low):
    mocked = [pins.pin(number) for number in (17, 27)]
    assert [pin.function for pin in mocked] == ["input", "input"]
    output = GpioOutput((17, 27), active_low, None)
    passes = not active_low
    assert [pin.state for pin in mocked] == [not passes, not passes]
    output.write((True, False))
    assert [bool(pin.state) for pin in mocked] == [passes, not passes]
    output.close()
    assert [pin.function for pin in mocked] == ["input", "input"]


def test_the_heartbeat_changes_with_every_sign_of_life(pins):
    beat = pins.pin(22)
    output = GpioOutput((17,), False, 22)
    states = []
    for _ in range(4):
        output.beat()
        states.append(bool(beat.state))
    assert states == [True, False, True, False]
    output.close()


def test_pins_that_cannot_be_had_are_one_line(pins, monkeypatch):
    with pytest.raises(UsageError, match=r"--gpio=17,99: .*; give other pins of this board"):
        GpioOutput((17, 99), False, None)
    kept = GpioOutput((17,), False, None)
    with pytest.raises(UsageError, match="--gpio=17: .*; give other pins"):
        GpioOutput((17,), False, None)
    kept.close()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    with pytest.raises(WoolError, match="--gpio=17: .*is lgpio installed"):
        GpioOutput((17,), False, None)


class Coupler:
    """A Modbus/TCP coupler with a number of coils, in a thread of its own."""

    def __init__(self, port: int = 0) -> None:
        self.written = 0
        self._loop = asyncio.new_event_loop()
        self._port, self._ready = port, threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _serve(self) -> None:
        def trace(sending, pdu):
            self.written += not sending and pdu.function_code == 15
            return pdu

        bits = [SimData(0, values=[False] * 64, datatype=DataType.BITS)]
        registers = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        blocks = (bits, bits, registers, registers)
        self._server = ModbusTcpServer(SimDevice(0, simdata=blocks), address=("127.0.0.1", self._port), trace_pdu=trace)
        await self._server.listen()
        self.port = self._server.transport.sockets[0].getsockname()[1]
        self._ready.set()
        await self._server.serving

    def coils(self, first: int, count: int) -> list[bool]:
        with ModbusTcpClient("127.0.0.1", port=self.port) as client:
            return client.read_coils(first, count=count).bits[:count]

    def end(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._server.shutdown(), self._loop).result(10)
            self._thread.join(10)
            self._loop.close()


@pytest.fixture
def coupler():
    made = Coupler()
    yield made
    made.end()


def test_coils_are_written_and_fall_to_reject_at_the_end(coupler):
    output = ModbusOutput("127.0.0.1", coupler.port, 1, 8)
    output.write((True, False, True))
    assert coupler.coils(7, 5) == [False, True, False, True, False]
    output.close()
    assert coupler.coils(7, 5) == [False] * 5


def test_coils_are_written_time_and_again_and_after_a_coupler_was_away(coupler):
    port = coupler.port
    with Driver(ModbusOutput("127.0.0.1", port, 1, 0), 1, valid=60, beat=0.02) as driver:
        driver.ask(asked(True), time.monotonic() + 60)
        until(lambda: coupler.coils(0, 1) == [True])
        written = coupler.written
        until(lambda: coupler.written > written + 5)
        coupler.end()
        until(lambda: driver.failures > 2)
        assert "coupler does not answer" in driver.trouble or driver.trouble
        again = Coupler(port)
        try:
            until(lambda: again.coils(0, 1) == [True])
            until(lambda: driver.trouble is None)
        finally:
            driver.__exit__()
            assert again.coils(0, 1) == [False]
            again.end()


def test_a_coupler_that_refuses_or_does_not_answer_is_said(coupler):
    output = ModbusOutput("127.0.0.1", coupler.port, 1, 60)
    with pytest.raises(OSError, match="the coupler refuses"):
        output.write((True,) * 20)
    output.close()
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen()
    output = ModbusOutput(*deaf.getsockname(), 1, 0)
    began = time.monotonic()
    with pytest.raises(OSError):
        output.write((True,))
    assert time.monotonic() - began < 5
    output.close()
    deaf.close()
