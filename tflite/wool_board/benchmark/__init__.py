"""How long models take on this machine."""
