"""Crops in image files are classified, those that are there and those that arrive."""
