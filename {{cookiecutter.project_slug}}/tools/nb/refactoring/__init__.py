"""Duplicated code, and definitions that move from notebooks to src."""
