"""What a machine says of itself while something is timed on it: clock, heat, memory and other programs."""

import contextlib
import dataclasses
import os
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

HOT = 80
"""Degrees Celsius at which a Raspberry Pi begins to slow down."""
STEADY_CLOCK = 0.95
"""Ratio of the lowest clock to the highest below which the clock changed."""
MANY_FAULTS = 100
"""Pages that may come from the disk while runs are timed; a model that does not fit into the memory takes thousands."""
ARM_CORES = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76"}
"""CPU parts of the Raspberry Pi 3, 4 and 5, whose kernels tell no name."""
THROTTLING = ("under-voltage", "a capped clock", "throttling", "the soft temperature limit")
"""Meaning of the lowest bits of `vcgencmd get_throttled`; 16 bits higher, of what happened since the start."""
NOW = 0xFFFF
"""The bits of what goes on at present."""
CPUS = Path("/sys/devices/system/cpu")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MachineFacts:
    """What figures depend on, and what was seen of it while they were measured; None where a machine does not tell.

    Attributes:
        board, cpu, architecture: what it is called.
        emulator: see `emulator`.
        cores, memory_mb, kernel, python: their number, 1e6 bytes, and versions.
        governor, clock_limits_mhz: of the first core.
        load_average: of the minute before.
        temperature_before, temperature_after: see `temperature`.
        throttled_before, throttled_after: see `throttled`; `throttled_meanwhile` has the bits of the present alone.
        clock_seen_mhz: lowest and highest.
        others_cores: cores that other programs kept busy.
        pages_from_disk: that had to be read meanwhile.
    """

    board: str | None = None
    cpu: str | None = None
    architecture: str | None = None
    emulator: str | None = None
    cores: int | None = None
    memory_mb: float | None = None
    kernel: str | None = None
    governor: str | None = None
    clock_limits_mhz: tuple[int, int] | None = None
    load_average: float | None = None
    python: str | None = None
    temperature_before: float | None = None
    throttled_before: int | None = None
    clock_seen_mhz: tuple[int, int] | None = None
    temperature_after: float | None = None
    throttled_after: int | None = None
    throttled_meanwhile: int | None = None
    others_cores: float | None = None
    pages_from_disk: int = 0

    @property
    def name(self) -> str | None:
        """The most that it says of what it is."""
        return self.board or self.cpu or self.architecture or None


def describe() -> MachineFacts:
    """What this machine is."""
    memory = _fields("/proc/meminfo").get("MemTotal")
    low, high = (_megahertz(_read(CPUS / "cpu0/cpufreq" / f"cpuinfo_{limit}_freq")) for limit in ("min", "max"))
    return MachineFacts(
        board=_read("/proc/device-tree/model"),
        cpu=_cpu(),
        architecture=platform.machine(),
        emulator=emulator(),
        cores=os.cpu_count(),
        memory_mb=_megabytes(memory) if memory else None,
        kernel=f"{platform.system()} {platform.release()}",
        governor=_read(CPUS / "cpu0/cpufreq/scaling_governor"),
        clock_limits_mhz=None if low is None or high is None else (low, high),
        load_average=round(os.getloadavg()[0], 2),
        python=platform.python_version(),
    )


class MachineWatch:
    """Watches the machine while something is timed.

    watch = MachineWatch()
    with watch.timed():
        ...                    # once or several times; with watch.sample() now and then
    machine = watch.result()
    """

    def __init__(self) -> None:
        self._machine = dataclasses.replace(describe(), temperature_before=temperature(), throttled_before=throttled())
        self._seconds, self._faults = 0.0, 0
        self._others = None if others_seconds() is None else 0.0
        self._clocks: list[int] = []
        self._bits: int | None = None
        """Throttling that went on at any of the samples."""

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Around what is timed."""
        started, before, faults = time.monotonic(), others_seconds(), _faults()
        yield
        self._seconds += time.monotonic() - started
        self._faults += _faults() - faults
        after = others_seconds()
        if self._others is not None and before is not None and after is not None:
            self._others += max(0.0, after - before)

    def sample(self) -> None:
        """Looks at the clock and at throttling, best right after a run: an idle core may be slow."""
        clock, bits = clock_mhz(), throttled()
        if clock is not None:
            self._clocks.append(clock)
        if bits is not None:
            self._bits = (self._bits or 0) | (bits & NOW)

    def result(self) -> MachineFacts:
        """What `describe` says, and what was seen since."""
        return dataclasses.replace(
            self._machine,
            clock_seen_mhz=(min(self._clocks), max(self._clocks)) if self._clocks else None,
            temperature_after=temperature(),
            throttled_after=throttled(),
            throttled_meanwhile=self._bits,
            others_cores=None if self._others is None else round(self._others / max(self._seconds, 1e-9), 2),
            pages_from_disk=self._faults,
        )


def find_warnings(machine: MachineFacts) -> list[str]:
    """Why figures cannot be trusted, a line each, the gravest first."""
    found = []
    if machine.emulator:
        found.append(f"{machine.emulator} emulates this CPU: the times say nothing about any board")
    if machine.governor not in (None, "performance"):
        remedy = f"echo performance | sudo tee {CPUS}/cpu*/cpufreq/scaling_governor"
        found.append(f"the governor {machine.governor} changes the clock; for steady figures: {remedy}")
    low, high = machine.clock_seen_mhz or (1, 1)
    if low < STEADY_CLOCK * high:
        found.append(f"the clock changed between {low} and {high} MHz")
    others, cores = machine.others_cores, machine.cores
    if others is not None and cores is not None and others > cores / 2:
        found.append(f"other programs kept {others:.1f} of {cores} cores busy")
    if machine.temperature_after is not None and machine.temperature_after >= HOT:
        found.append(f"the CPU reached {machine.temperature_after:.0f} °C and may have slowed down")
    before, after = machine.throttled_before, machine.throttled_after
    if after is not None:
        # What began and ended while it was timed is a bit of its own only the first time since the start of the board.
        bits = after | ((after & ~(before or 0)) >> 16) | (machine.throttled_meanwhile or 0)
        found += [f"the board reports {name}" for bit, name in enumerate(THROTTLING) if bits >> bit & 1]
    if machine.pages_from_disk > MANY_FAULTS:
        found.append(f"memory was short: {machine.pages_from_disk} pages had to be read from the disk")
    return found


def emulator() -> str | None:
    """Name of the program that emulates this CPU for this process, `qemu-aarch64`."""
    # Of /proc/self/exe and /proc/PID/exe, qemu makes up the answer.
    try:
        name = os.path.basename(os.readlink(f"/proc/self/task/{os.getpid()}/exe"))
    except OSError:
        return None
    return name if name.startswith("qemu-") else None


def temperature() -> float | None:
    """Degrees Celsius of the hottest sensor."""
    readings = [_read(zone / "temp") for zone in Path("/sys/class/thermal").glob("thermal_zone*")]
    degrees = [int(reading) / 1e3 for reading in readings if reading and reading.lstrip("-").isdigit()]
    return max(degrees, default=None)


def throttled() -> int | None:
    """The throttling bits of a Raspberry Pi."""
    try:
        return int(_vcgencmd("get_throttled"), 16)
    except ValueError:
        return None


def clock_mhz() -> int | None:
    """Clock of the fastest core."""
    # The firmware of a Raspberry Pi throttles without telling the kernel.
    hertz = _vcgencmd("measure_clock", "arm")
    if hertz.isdigit():
        return round(int(hertz) / 1e6)
    clocks = [_megahertz(_read(path)) for path in CPUS.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
    return max((clock for clock in clocks if clock), default=None)


def others_seconds() -> float | None:
    """CPU seconds that all but this process and its children have used since the start of the machine, on all cores."""
    counters = (_read("/proc/stat") or "").partition("\n")[0].split()[1:9]
    if len(counters) < 8:
        return None
    user, nice, system, _idle, _iowait, interrupts, soft_interrupts, stolen = map(int, counters)
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def peak_memory_mb() -> float | None:
    """The most memory, in 1e6 bytes, that this process has had since its start, or since `reset_peak`."""
    peak = _fields("/proc/self/status").get("VmHWM")
    return _megabytes(peak) if peak else None


def reset_peak() -> None:
    """Starts `peak_memory_mb` anew from the memory that this process has now, where the kernel allows it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _cpu() -> str | None:
    fields = _fields("/proc/cpuinfo")
    part = fields.get("CPU part", "")
    return ARM_CORES.get(part) or fields.get("model name") or part or None


def _vcgencmd(*command: str) -> str:
    """The value that a Raspberry Pi's own tool prints, empty where there is none."""
    if not shutil.which("vcgencmd"):
        return ""
    try:
        finished = subprocess.run(["vcgencmd", *command], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return finished.stdout.strip().partition("=")[2]


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def _fields(path: str) -> dict[str, str]:
    """Values by name of a file with lines of `name: value`, the first of each name."""
    fields: dict[str, str] = {}
    for line in (_read(path) or "").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    return fields


def _megabytes(text: str) -> float:
    """From `123 kB`, which the kernel says for 1024 bytes."""
    return round(int(text.split()[0]) * 1024 / 1e6, 1)


def _megahertz(kilohertz: str | None) -> int | None:
    return round(int(kilohertz) / 1e3) if kilohertz and kilohertz.isdigit() else None


def _read(path: Path | str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip(" \n\0") or None
    except OSError:
        return None
