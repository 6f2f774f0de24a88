"""Guards: processes that end a process tree when the process that waits for the tree is killed.

A process that is killed (SIGKILL, the out-of-memory killer) cannot clean up. A guard reads from a
pipe of that process, which the system closes then.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nb.programs import module_command

from .tree import end_tree


@contextmanager
def guarded(pid: int) -> Iterator[None]:
    """End a process and all descendants if this process is killed in the block."""
    options: dict[str, Any] = {"start_new_session": True}  # Ctrl-C is not for the guard
    if sys.platform == "win32":
        options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    silent = subprocess.DEVNULL
    command = [*module_command(__name__), str(pid)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=silent, stderr=silent, **options) as guard:
        try:
            yield
        finally:
            guard.kill()


def main() -> None:
    """Wait for the end of the process that has the other end of standard input."""
    sys.stdin.buffer.read()
    end_tree(int(sys.argv[1]))


if __name__ == "__main__":
    main()
