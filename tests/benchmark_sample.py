"""Documents of `tflite/benchmark.py` that nobody measured, as its first versions wrote them: none said its version."""

MACHINE = {"board": "Raspberry Pi 5", "cpu": "Cortex-A76", "architecture": "aarch64", "clock_seen_mhz": [1500, 2400]}


def model(file: str, p50: float, **facts) -> dict:
    times = {"mean_ms": p50, "p50_ms": p50, "p90_ms": 1.5 * p50, "p95_ms": 2 * p50, "p99_ms": 3 * p50}
    loading = {"load_ms": 30.0, "first_ms": 4 * p50, "images_per_second": 1000 / p50, "runs": 200}
    known = {"bytes": 11_200_000, "threads": 1, "runtime": "LiteRT 2.3.0", "network": None, "memory_mb": 20.5}
    return {"file": file, **known, **times, **loading, **facts}


def written(board: str | None, *models: dict, warnings: tuple[str, ...] = ()) -> dict:
    machine = MACHINE | {"board": board}
    return {"machine": machine, "warnings": list(warnings), "warm_up_runs": 10, "models": list(models), "notes": []}
