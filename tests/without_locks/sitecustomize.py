"""A file system that refuses every lock."""

import errno
import fcntl
import os


def refuse(file: int, kind: int) -> None:
    """Refuse a lock as such a file system does."""
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


fcntl.flock = refuse
