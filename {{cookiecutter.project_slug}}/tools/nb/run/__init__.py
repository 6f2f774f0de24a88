"""Runs of the pipeline, of single stages, and with other parameters; records and views of runs."""
