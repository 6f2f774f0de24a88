"""Runs of the pipeline, of one task, or with other parameters; their records and view."""
