"""Scans pass on a belt as under a detector, and programs of the board inspect them: what is found, and how fast."""
