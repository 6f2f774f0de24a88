"""Runs of the pipeline, of single tasks, and with other parameters; their records and views."""
