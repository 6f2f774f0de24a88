"""A Linux without POSIX names: what the tooling may use on Windows, in every process of a run.

On PYTHONPATH, this runs as Python starts. Names are gone for everybody, but for libraries that take
another way on a real Windows and are imported before.
"""

# These come before the names go, which they need.
import asyncio  # noqa: F401
import builtins
import multiprocessing.connection  # noqa: F401 - as above
import os
import signal
import socket
import sys
import types
from contextlib import suppress

with suppress(ImportError):  # in the environments of a project only
    import psutil  # noqa: F401 - as above

GONE = {
    os: ("fork", "killpg", "wait4"),
    signal: ("SIGCHLD",),
    socket: ("AF_UNIX", "send_fds", "recv_fds"),
}
HIDDEN = ("fcntl", "resource")


def tcp_pair():
    """Return two connected sockets, as `socket.socketpair` does on Windows."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


def import_for_windows(name, globals=None, *arguments, **options):
    """Import a module, unless the tooling asks for one that Windows has not."""
    asker = (globals or {}).get("__name__") or ""
    if name in HIDDEN and asker.partition(".")[0] == "nb":
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return real_import(name, globals, *arguments, **options)


def locking(file, mode, count):
    """Lock bytes from the position of a file, as Windows does."""
    import fcntl

    kinds = {msvcrt.LK_NBLCK: fcntl.LOCK_EX | fcntl.LOCK_NB, msvcrt.LK_UNLCK: fcntl.LOCK_UN}
    fcntl.lockf(file, kinds[mode], count, os.lseek(file, 0, os.SEEK_CUR))


for owner, names in GONE.items():
    for name in names:
        vars(owner).pop(name, None)
msvcrt = types.ModuleType("msvcrt")
vars(msvcrt).update(LK_UNLCK=0, LK_NBLCK=2, locking=locking)
sys.modules["msvcrt"] = msvcrt
socket.socketpair = tcp_pair
real_import, builtins.__import__ = builtins.__import__, import_for_windows
