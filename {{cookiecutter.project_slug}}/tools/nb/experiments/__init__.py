"""Experiments: one pipeline with many parameter values, and one table of the results."""
