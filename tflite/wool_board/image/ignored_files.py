"""Files and folders that lie among images without being anybody's images.

Operating systems, network storage and programs that keep folders the same on several machines leave thumbnails, recycle
bins, notes and second copies beside the files of people. To judge or to train on these would count an image twice, or
one that was thrown away.
"""

import re
from collections.abc import Sequence

from wool_board.command_line import one_line
from wool_board.errors import few

NAMES = frozenset(
    (
        "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp", "@sharebin",  # network storage
        "~snapshot", "network trash folder", "temporary items",
        "$recycle.bin", "recycler", "recycled", "system volume information",  # Windows
        "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",
        "__macosx", "icon\r", "lost+found",
    )
)  # fmt: skip
"""Names that mean nothing else, in lower case."""

PATTERNS = re.compile(
    r"""
      ^\.(?!\.?$)                               # hidden, such as .DS_Store, ._x.png, .~lock.x# and .Trash-1000
    | ^~\$                                      # an open document of Office
    | [:\uf03a] (zone\.identifier|smartscreen|afp_\w+|com\.(apple|dropbox)\..+) (:\$data)? $   # streams beside a file
    | [:\uf03a] (\$data|encryptable) $
    | _zone\.identifier $                       # such a stream, where names must not have colons
    | \.sync-conflict-\d                        # Syncthing
    | ~\d{8}-\d{6} \.\w+ $                      # Syncthing's older versions
    | \([^()]* (conflicted\ copy|(case|encoding|whitespace|sync)\ conflict|sfconflict|
                in\ konflikt\ stehende|konfliktkopie|copie\ en\ conflit|copia\ en\ conflicto|
                copia\ in\ conflitto) [^()]*\)     # Dropbox, Nextcloud, Seafile, …
    | _conflict-([\w.]+-)?\d{8}-\d{6}            # ownCloud, Nextcloud
    | _(case|\w+_utf8)?conflict \.\w+ $          # Synology Drive
    | \[conflicted\] | \.conflict \.\w+ $       # pCloud, Resilio
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What such names look like. Second copies count: each shows what another file shows already."""


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name, without its path, is left out."""
    return name.lower() in NAMES or PATTERNS.search(name) is not None


def told(names: Sequence[str]) -> str:
    """What is left out, in words: how many, with the first few names.

    >>> told(["Thumbs.db", "@eaDir"])
    '2 left out as hidden, of the system or second copies of a conflict: @eaDir, Thumbs.db'
    """
    # A name need not be text; half a character could neither be printed everywhere nor be kept in a document.
    shown = few([one_line(name).encode(errors="backslashreplace").decode() for name in sorted(names)])
    return f"{len(names):,} left out as hidden, of the system or second copies of a conflict: {shown}"
