"""Executed copies: bounded outputs, equal bytes for equal runs, and the failure in a copy."""
