"""Fresh processes that go on with work of this process: a call, pickled, is made in a new Python.

Systems where processes cannot be forked need this. The standard streams serve as channels, which
every system can pass on: the call comes on standard input, and the call itself reads the rest.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from nb.programs import module_command, program_environment

# The head of a message: the number of bytes that follow.
LENGTH = struct.Struct("!Q")


def start_fresh_process(
    title: str,
    call: Callable[[], object],
    *,
    stdout: int,
    stderr: int,
    kept: Iterable[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a process that makes a call; Ctrl-C in the terminal does not reach the process.

    Args:
        title: the name of the work, the last word of the command line that `ps` shows.
        call: the call, which can be pickled.
        stdout: as for `Popen`.
        stderr: as for `Popen`.
        kept: files that the process keeps open; on POSIX only.
    """
    options: dict[str, Any] = {}
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options.update(start_new_session=True, pass_fds=tuple(kept))
    content = pickle.dumps(call)
    process = subprocess.Popen(
        [*module_command(__name__), title],
        env=program_environment(),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        bufsize=0,
        **options,
    )
    assert process.stdin
    with suppress(OSError):  # the process has ended already
        process.stdin.write(LENGTH.pack(len(content)) + content)
    return process


def main() -> None:
    """Read a call from standard input, and make it."""
    length = LENGTH.unpack(_read(LENGTH.size))[0]
    pickle.loads(_read(length))()


def _read(count: int) -> bytes:
    """Read a number of bytes and no more: the call itself reads the rest."""
    content = b""
    while len(content) < count:
        part = os.read(0, count - len(content))
        if not part:  # the other process is gone
            sys.exit()
        content += part
    return content


if __name__ == "__main__":
    main()
