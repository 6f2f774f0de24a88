"""Traces of the files that a command opens, checked against the contract of the stage."""
