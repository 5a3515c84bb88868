"""The inspection of a belt: lines come in, events go out."""
