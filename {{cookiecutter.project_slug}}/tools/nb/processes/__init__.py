"""Processes: the fork server, the subreaper, memory, and the state of an interpreter."""
