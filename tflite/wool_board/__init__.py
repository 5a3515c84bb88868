"""What runs on a board: image files, detector lines and board models, and what becomes of them.

Training uses the same rules from here: how files are decoded, how lines become pixels, how a card is read and how a
score is computed. So a network is trained on the very pixels that a board shows it. Needs NumPy, Pillow and LiteRT.
"""

from wool_board.errors import WoolError

__all__ = ["WoolError"]
