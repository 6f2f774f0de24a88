"""Processes: event loops, trees, the fork server, memory, and an interpreter's state."""
