"""Cards of board models that nobody made, and files that carry them, written with nothing of the project."""

import dataclasses
import hashlib
import io
import json
import zipfile

from wool_board.model.card import Card, typed

SCORES = {"non_defective": [n / 200 for n in range(101)], "defective": [n / 100 for n in range(101)]}
DOCUMENT = {
    "format": 1,
    "precision": "int8",
    "labels": ["non_defective", "defective"],
    "decision": {
        "threshold": 0.5,
        "rule": "a miss costs as much as 1 false alarm, on 430 training images",
        "float_threshold": 0.4,
    },
    "input": {
        "side": 48,
        "margin": 4.0,
        "pixels": "grey, 255 is air",
        "window": [0.0, 1.071],
        "pixel_mm": 0.8,
        "white": 3900,
    },
    "heatmap": [5, 5],
    "network": {"spec": {"depth": 18}, "params": 1000, "macs": 2000, "weights_sha256": "ab" * 32},
    "training": {"fingerprint": "cd" * 32, "images": 430},
    "metrics": {"of": "this file", "confusion": [[90, 10], [5, 95]], "score_quantiles": SCORES},
    "environment": {"wool_tf": "0.1.0"},
    "model": {"bytes": 9, "sha256": "0" * 64},
}


def card(**changes) -> Card:
    return dataclasses.replace(typed(DOCUMENT), **changes)


def with_input(**fields) -> dict:
    """What to change of the document, so that its input has other fields."""
    return {"input": DOCUMENT["input"] | fields}


def attached(content: bytes, **changes) -> bytes:
    """A file with the document, changed, for its card."""
    model = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("card.json"), json.dumps(DOCUMENT | {"model": model} | changes))
    return file.getvalue()
