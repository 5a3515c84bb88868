"""How long loading takes and how much memory: the first load, which decodes, the second, and what a naive loader takes.

    python benchmarks/loading.py --folder=/tmp/loading --images=100000

Writes crops of 244 × 244 pixels into the folder once (42 kB each, of few different noise images with a number stamped
in; the cache takes 60 kB each) and loads them in processes of their own: with an empty cache, with a full one, and, on
--naive_images of them, all at once into one array of Pillow's images. Memory is the peak above what the process held
before: its own (anonymous), and in all, with pages of mapped files, which the system takes back when it needs them.
"""

import csv
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from absl import flags
from PIL import Image

import documents
from wool_tf import WoolError
from wool_tf.command_line import console, flag_values
from wool_tf.data import dataset

_FOLDER = flags.DEFINE_string("folder", None, "New folder for the crops and the cache.", required=True)
_IMAGES = flags.DEFINE_integer("images", 100_000, "Crops.", lower_bound=2)
_NAIVE = flags.DEFINE_integer("naive_images", 2000, "Crops that the naive loader loads.", lower_bound=2)
_JSON, _QUICK = documents.define("Twenty crops")
_LOADER = flags.DEFINE_enum("loader", None, ("load", "naive"), "Load in this process; used by the benchmark itself.")

SIDE = 244
DIFFERENT = 64
INTERVAL = 0.005
"""Seconds between looks at the memory."""


def main() -> None:
    folder = flag_values.path("folder", _FOLDER.value)
    if _LOADER.value:
        print(json.dumps(_measured(_load if _LOADER.value == "load" else _load_naively, folder)))
        return
    if not folder.exists():
        _write(folder / "crops")
    crops = len(list((folder / "crops").glob("*/*.png")))
    if crops != _images():
        raise WoolError(f"--folder={folder}: holds {crops} crops, not --images={_images()}; give a new folder")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    print(documents.heading())
    print(f"{'':22}{'images':>8}{'seconds':>10}{'ms each':>9}{'own MB':>9}{'with mapped MB':>16}")
    held, rows = {}, []
    for name, loader, images in (
        ("first load, decodes", "load", crops),
        ("second load, cached", "load", crops),
        ("naive, one array", "naive", min(_NAIVE.value, crops)),
    ):
        found = _in_child(loader)
        own, total = (f"{found[key] / 1e6:.0f}" for key in ("own", "total"))
        each = f"{1e3 * found['seconds'] / images:.2f}"
        print(f"{name:22}{images:8,}{found['seconds']:10.1f}{each:>9}{own:>9}{total:>16}", flush=True)
        rows.append({"what": name, "images": images, **found})
        held[loader] = max(held.get(loader, 0), found["own"] / images)
    print(f"own memory of an image: naive {held['naive'] / 1e3:.1f} kB, ours {held['load'] / 1e3:.1f} kB")
    documents.write(_JSON.value, rows=rows)


def _images() -> int:
    return 20 if _QUICK.value else _IMAGES.value


def _write(folder: Path) -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(150, 5, (DIFFERENT, SIDE, SIDE)).clip(0, 255).astype(np.uint8)
    for name in ("defective", "non_defective"):
        (folder / name).mkdir(parents=True)
    with open(folder / "manifest.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "group"])
        for number in range(_images()):
            image = base[number % DIFFERENT]
            image[0, :4] = np.frombuffer(number.to_bytes(4, "big"), np.uint8)
            label = ("defective", "non_defective")[number % 2]
            path = f"{label}/{number:07d}.png"
            Image.fromarray(image).save(folder / path, compress_level=1)
            rows.writerow([path, label, f"S{number // 3}"])


def _in_child(loader: str) -> dict:
    # A process of its own, for memory that was freed once is not all given back.
    command = [sys.executable, *sys.argv, f"--loader={loader}"]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(ran.stdout)


def _measured(load, folder: Path) -> dict:
    """Seconds, and peak of own and total memory in bytes above what was held before."""
    peaks, done = np.array(_memory()), threading.Event()
    before = peaks.copy()

    def watch() -> None:
        while not done.wait(INTERVAL):
            np.maximum(peaks, _memory(), out=peaks)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    kept = load(folder)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    np.maximum(peaks, _memory(), out=peaks)
    del kept
    own, total = (peaks - before).tolist()
    return {"seconds": seconds, "own": own, "total": total}


def _memory() -> tuple[int, int]:
    """Anonymous and all memory of this process, in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        held = {name: value for name, _, value in (line.partition(":") for line in file)}
    return tuple(1024 * int(held[name].split()[0]) for name in ("RssAnon", "VmRSS"))


def _load(folder: Path):
    return dataset.load(folder / "crops", SIDE, folder / "cache")


def _load_naively(folder: Path):
    files = sorted((folder / "crops").glob("*/*.png"))[: _NAIVE.value]
    return np.stack([np.asarray(Image.open(file)) for file in files])


if __name__ == "__main__":
    console.run(main)
