"""Test pieces that are put through on purpose, to show that the inspection finds and rejects them."""
