"""The types of defects that an image shows, which manifests and documents have in one text, joined by "+"."""


def parted(text: str) -> list[str]:
    """The types that a text names, each once, in its order; none where none is known.

    >>> parted("D3+D1"), parted("D1 + D1+"), parted("")
    (['D3', 'D1'], ['D1'], [])
    """
    # One type named twice is still one image.
    return list(dict.fromkeys(name for part in str(text).split("+") if (name := part.strip())))
