"""How long TFLite files take on this machine, several of them in turns.

    python benchmark.py MODEL... [--threads=1] [--runs=200] [--json[=FILE]]

Every round runs each model once, so a machine that slows down or is disturbed does so for all of them, and their ratios
hold. A run hands over an image of random pixels, computes, and reads the result. Needs ai-edge-litert and numpy.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

WARM_UP_RUNS = 10
MAX_SPREAD = 1.5
"""Ratio of the 90th percentile to the median above which something disturbed the runs."""
HOT = 80
"""Degrees Celsius at which a Raspberry Pi begins to slow down."""
FEW_RUNS = 100
ARM_CORES = {"0xd03": "Cortex-A53", "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76"}
"""CPU parts of the Raspberry Pi 3, 4 and 5, whose kernels tell no name."""
THROTTLING = ("under-voltage", "a capped clock", "throttling", "the soft temperature limit")
"""Meaning of the lowest bits of `vcgencmd get_throttled`; 16 bits higher, of what happened since the start."""


class UserError(Exception):
    """A mistake that the user can mend, in one line."""


class Model:
    """A TFLite file, loaded, with an image to run on.

    Attributes:
        load_ms: time to open the file and prepare it.
        first_ms: time of the first run.
    """

    def __init__(self, path: Path, threads: int):
        from ai_edge_litert.interpreter import Interpreter

        self.path, self.bytes = path, check_model(path)
        started = time.perf_counter()
        try:
            self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
            self.load_ms = 1e3 * (time.perf_counter() - started)
        except (ValueError, RuntimeError) as error:
            raise UserError(f"{path}: cannot be run ({' '.join(str(error).split())})") from None
        inputs = self._interpreter.get_input_details()
        self._inputs = [(tensor["index"], random_pixels(tensor["shape"], tensor["dtype"])) for tensor in inputs]
        self._outputs = [tensor["index"] for tensor in self._interpreter.get_output_details()]
        self.first_ms = self.run()

    def run(self) -> float:
        """Runs once; returns the milliseconds."""
        started = time.perf_counter()
        for index, pixels in self._inputs:
            self._interpreter.set_tensor(index, pixels)
        self._interpreter.invoke()
        for index in self._outputs:
            self._interpreter.get_tensor(index)
        return 1e3 * (time.perf_counter() - started)


def check_model(path: Path) -> int:
    """Bytes of a TFLite file; raises UserError if it is none."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
        size = path.stat().st_size
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if head[4:] != b"TFL3":
        raise UserError(f"{path}: not a TFLite file")
    return size


def random_pixels(shape: np.ndarray, dtype: type) -> np.ndarray:
    """Pixels from 0 to 255, the same each time; from -128 to 127 where the model reads int8."""
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    return (pixels - 128 if dtype == np.int8 else pixels).astype(dtype)


def measure(models: list[Model], runs: int) -> np.ndarray:
    """Milliseconds of every run, (runs, models), after a warm-up."""
    for _ in range(WARM_UP_RUNS):
        for model in models:
            model.run()
    return np.array([[model.run() for model in models] for _ in range(runs)])


def summary(model: Model, times: np.ndarray, threads: int) -> dict:
    """The figures of a model, in milliseconds, from the times of its runs."""
    p50, p90, p99 = np.percentile(times, (50, 90, 99))
    figures = {
        "load_ms": model.load_ms,
        "first_ms": model.first_ms,
        "mean_ms": times.mean(),
        "p50_ms": p50,
        "p90_ms": p90,
        "p99_ms": p99,
        "images_per_second": 1e3 / times.mean(),
    }
    rounded = {name: round(float(figure), 4) for name, figure in figures.items()}
    return {"file": str(model.path), "bytes": model.bytes, "threads": threads, **rounded, "runs": len(times)}


def describe_machine() -> dict:
    """What the figures depend on, None where this machine does not tell."""
    return {
        "board": _read("/proc/device-tree/model"),
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "ai_edge_litert": _litert_version(),
    }


def _cpu() -> str | None:
    fields = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    part = fields.get("CPU part")
    return ARM_CORES.get(part) or fields.get("model name") or part


def _litert_version() -> str | None:
    from importlib import metadata

    try:
        return metadata.version("ai-edge-litert")
    except metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip(" \n\0") or None
    except OSError:
        return None


def temperature() -> float | None:
    """Degrees Celsius of the hottest sensor."""
    readings = [_read(str(zone / "temp")) for zone in Path("/sys/class/thermal").glob("thermal_zone*")]
    degrees = [int(reading) / 1e3 for reading in readings if reading and reading.lstrip("-").isdigit()]
    return max(degrees, default=None)


def throttled() -> int | None:
    """The throttling bits of a Raspberry Pi."""
    if not shutil.which("vcgencmd"):
        return None
    finished = subprocess.run(["vcgencmd", "get_throttled"], capture_output=True, text=True, check=False)
    value = finished.stdout.strip().partition("=")[2]
    try:
        return int(value, 16)
    except ValueError:
        return None


def others_seconds() -> float | None:
    """CPU seconds that everything but this process has used since the machine's start, all cores together."""
    counters = (_read("/proc/stat") or "").partition("\n")[0].split()[1:9]
    if len(counters) < 8:
        return None
    user, nice, system, _idle, _iowait, interrupts, soft_interrupts, stolen = map(int, counters)
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def find_warnings(machine: dict, models: list[dict]) -> list[str]:
    """Why figures cannot be trusted, a line each."""
    found = []
    others = machine["others_cores"]
    if others is not None and others > machine["cores"] / 2:
        found.append(f"other programs kept {others:.1f} of {machine['cores']} cores busy")
    if (machine["temperature_after"] or 0) >= HOT:
        found.append(f"the CPU reached {machine['temperature_after']:.0f} °C and may have slowed down")
    before, after = machine["throttled_before"], machine["throttled_after"]
    if after is not None:
        bits = after | ((after & ~(before or 0)) >> 16)
        found += [f"the board reports {name}" for bit, name in enumerate(THROTTLING) if bits >> bit & 1]
    for model in models:
        if model["p90_ms"] > MAX_SPREAD * model["p50_ms"]:
            spread = model["p90_ms"] / model["p50_ms"]
            found.append(f"{model['file']}: the slowest tenth of the runs took over {spread:.1f} times the median")
    if models[0]["runs"] < FEW_RUNS:
        found.append(f"{models[0]['runs']} runs are too few for a 99th percentile; use --runs={FEW_RUNS} or more")
    return found


def benchmark(paths: list[Path], threads: int, runs: int) -> dict:
    """Measures the models; returns the document that `--json` writes."""
    machine = describe_machine() | {"temperature_before": temperature(), "throttled_before": throttled()}
    models = [Model(path, threads) for path in paths]
    started, others = time.monotonic(), others_seconds()
    times = measure(models, runs)
    if others is not None:
        others = round(max(0.0, others_seconds() - others) / (time.monotonic() - started), 2)
    machine |= {"others_cores": others, "temperature_after": temperature(), "throttled_after": throttled()}
    figures = [summary(model, column, threads) for model, column in zip(models, times.T, strict=True)]
    return {
        "machine": machine,
        "warnings": find_warnings(machine, figures),
        "warm_up_runs": WARM_UP_RUNS,
        "models": figures,
    }


def table(document: dict) -> str:
    """The document as text."""
    machine = document["machine"]
    known = [machine["board"], machine["cpu"], f"{machine['cores']} cores", machine["architecture"], machine["kernel"]]
    lines = [", ".join(part for part in known if part)]
    if machine["governor"]:
        lines.append(f"governor {machine['governor']}")
    if machine["temperature_before"] is not None and machine["temperature_after"] is not None:
        lines.append(f"{machine['temperature_before']:.0f} °C before, {machine['temperature_after']:.0f} °C after")
    first = document["models"][0]
    runs = f"{first['runs']} runs of each model in turns, after {document['warm_up_runs']} to warm up"
    lines += [f"{runs}; threads: {first['threads']}; milliseconds per image", ""]
    names = ("load", "first", "mean", "p50", "p90", "p99")
    width = max(len(model["file"]) for model in document["models"])
    lines.append(f"{'model':{width}} {'MB':>7}" + "".join(f"{name:>9}" for name in names) + f"{'images/s':>10}")
    for model in document["models"]:
        figures = "".join(f"{model[f'{name}_ms']:9.2f}" for name in names)
        lines.append(f"{model['file']:{width}} {model['bytes'] / 1e6:7.2f}{figures}{model['images_per_second']:10.1f}")
    return "\n".join(lines + [f"warning: {warning}" for warning in document["warnings"]])


def check_writable(path: Path) -> None:
    """Raises UserError if a file cannot be written there, which is better known before the measurement."""
    if not path.name or path.is_dir() or not os.access(path.parent, os.W_OK):
        raise UserError(f"--json={path}: must be a file in a folder that exists and can be written")


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"--json={path}: cannot be written ({error.strerror})") from None


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; --help tells more\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; leaves with status 2 if it is wrong."""
    parser = _Parser(prog="benchmark.py", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("models", metavar="MODEL", nargs="+", type=Path, help="TFLite file")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, at most the cores (1)")
    parser.add_argument("--runs", type=int, default=200, help="runs of each model that are timed (200)")
    parser.add_argument("--json", metavar="FILE", help="write JSON into this file; --json alone, instead of the table")
    # An optional value would take the model that follows for the file to write.
    return parser.parse_args(["--json=-" if argument == "--json" else argument for argument in arguments])


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit status."""
    options = parse(arguments)
    cores = os.cpu_count()
    try:
        if not 1 <= options.threads <= cores:
            raise UserError(f"--threads={options.threads}: must be 1 to {cores}, the cores of this machine")
        if options.runs < 1:
            raise UserError(f"--runs={options.runs}: must be at least 1")
        if options.json not in (None, "-"):
            check_writable(Path(options.json))
        for path in options.models:
            check_model(path)
        document = benchmark(options.models, options.threads, options.runs)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        if options.json not in (None, "-"):
            write(Path(options.json), text + "\n")
    except UserError as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(text if options.json == "-" else table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
