"""JSON of files that anybody may have changed."""

import json
from typing import Any

HALF = "\\ud"
"""What half a character begins with, of those that JSON writes in two halves."""


def parsed(content: str | bytes) -> Any:
    """What a text in JSON holds.

    Raises:
        ValueError: it is no JSON, nested too deeply to be read, or holds half a character, which no file can be written
            with.
    """
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content))
    try:
        found = json.loads(text)
        if HALF in text.lower():
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found
