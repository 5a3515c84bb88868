"""Whether all is well with a board: what is wrong, and what to do about it."""
