"""A project in a folder of a larger repository: CI and hooks, whose files are read at the top."""
