"""The programs of the board as processes, as their services would run them."""
