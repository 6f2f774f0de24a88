"""Fork servers: papermill and kernels of a stage start as forks of a process with warm imports.

The server is forked by the worker of a stage, which is a fork of the warm process. Requests for
papermill come through a socket file, from `shim/request.py`, which stands for `papermill` in the
stage's command; requests for kernels come through a channel to each forked papermill
(`execution/kernels.py`). All forks stay among the worker's descendants, end with the stage and
count as its CPU seconds and memory.

A request is a line of JSON with open files passed along (SCM_RIGHTS). The answer is a line with
`pid`, and one with `exit` when the process has ended; or one with `refused`, the reason why the
process must start in the ordinary way. Closing the connection ends the process. Linux only.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from .events import EventLoop
from .fork_admission import inherited_properties, peer_pid, refusal
from .forked_programs import PAPERMILL, become, run_and_exit
from .messages import line, receive
from .tree import end_tree, send_signal

SHIM = Path(__file__).parent / "shim"
SOCKETS = Path(".nb/forks")


@dataclass
class ServerHandle:
    """The worker's handle on its fork server."""

    pid: int
    lifeline: socket.socket
    path: Path

    def environment(self) -> dict[str, str]:
        """Return the variables with which `papermill` in a command means a fork of this server."""
        path = os.pathsep.join([str(SHIM), os.environ.get("PATH", "")])
        return {"NB_FORK_SERVER": str(self.path), "NB_PYTHON": sys.executable, "PATH": path}

    def close(self) -> None:
        """End the server and all its forks, and wait for that."""
        self.lifeline.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.path.unlink(missing_ok=True)


def remove_dead_sockets(root: Path) -> None:
    """Remove the sockets of servers that were killed, when no run is at work."""
    for path in (root / SOCKETS).glob("*"):
        path.unlink()


def start_server(root: Path, private: Iterable[int]) -> ServerHandle | None:
    """Fork a server from this process; None if the socket cannot be made here.

    Args:
        root: the project's root, also the working directory.
        private: files that are to be closed in the server.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    (root / SOCKETS).mkdir(mode=0o700, parents=True, exist_ok=True)
    path = root / SOCKETS / str(os.getpid())
    listener = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(root / SOCKETS)  # the path of a socket may have no more than about a hundred bytes
        listener.bind(path.name)
    except OSError:
        return None
    finally:
        os.chdir(root)
    listener.listen()
    lifeline, other = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        lifeline.close()
        try:
            for file in private:
                os.close(file)
            _Server(listener, other).serve()
        finally:
            os._exit(1)
    other.close()
    listener.close()
    return ServerHandle(pid, lifeline, path)


class _Server:
    """The loop of a fork server, in its own process.

    Args:
        listener: where papermill is asked for.
        lifeline: the other end is the worker's; when that closes, everything ends.
    """

    def __init__(self, listener: socket.socket, lifeline: socket.socket) -> None:
        self.listener = listener
        self.lifeline = lifeline
        self.forks: dict[int, socket.socket] = {}
        self.is_interrupted = False
        self.sockets: set[socket.socket] = set()
        self.events = EventLoop(on_signal=self._reap)

    def serve(self) -> NoReturn:
        """Answer requests until the worker closes the lifeline."""
        if sys.platform == "win32":
            raise NotImplementedError
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # papermill, in the same group, heeds them
        self.events.catch({signal.SIGINT: self._note_interrupt})
        self._watch(self.listener, self._accept)
        self._watch(self.lifeline, self._end)
        while True:
            self.events.wait()

    def _note_interrupt(self, *_: object) -> None:
        """Note Ctrl-C, to which a papermill that is not forked yet cannot answer."""
        self.is_interrupted = True

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        request, files = receive(connection)
        if request:
            # A shell between the worker and papermill may set limits (ulimit, nice, taskset, …).
            same = inherited_properties(peer_pid(connection)) == inherited_properties(os.getpid())
            self._fork(request, files, connection, "" if same else "its command changed its limits")
        else:
            connection.close()

    def _kernel_wanted(self, channel: socket.socket) -> None:
        request, files = receive(channel)
        if request:
            self._fork(request, files[:3], socket.socket(fileno=files[3]))
        else:
            self._forget(channel)

    def _fork(
        self, request: dict[str, Any], files: list[int], connection: socket.socket, why: str = ""
    ) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        objection = why or refusal(request)
        is_papermill = request["kind"] == PAPERMILL
        if is_papermill and self.is_interrupted:
            _tell(connection, {"exit": -signal.SIGINT})
            connection.close()
        elif objection:
            _tell(connection, {"refused": objection})
            connection.close()
        else:
            channel, other = socket.socketpair()
            # Python forgets a signal that comes during a fork; a blocked signal waits.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            pid = os.fork()
            if pid == 0:
                run_and_exit(lambda: self._become(request, files, other, (channel, connection)))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            self.forks[pid] = connection
            if is_papermill and self.is_interrupted:  # the signal came before the fork was known
                os.kill(pid, signal.SIGINT)
            _tell(connection, {"pid": pid})
            self._watch(connection, lambda: self._client_gone(pid, connection))
            self._watch(channel, lambda: self._kernel_wanted(channel))
            other.close()
        for file in files:
            os.close(file)

    def _watch(self, source: socket.socket, action: Callable[[], None]) -> None:
        self.sockets.add(source)
        self.events.watch(source, action)

    def _forget(self, source: socket.socket) -> None:
        self.events.forget(source)
        self.sockets.discard(source)
        source.close()

    def _become(
        self,
        request: dict[str, Any],
        files: list[int],
        channel: socket.socket,
        private: Iterable[socket.socket],
    ) -> None:
        """Be the requested process, in a new fork, without the files of the server."""
        self.events.close()
        for source in {*self.sockets, *private}:
            source.close()
        become(request, files, channel, lambda: self.is_interrupted)

    def _client_gone(self, pid: int, connection: socket.socket) -> None:
        """End a process that nobody waits for: papermill gets a chance to end the kernel."""
        if sys.platform == "win32":
            raise NotImplementedError
        self._forget(connection)
        if os.getsid(pid) == pid:
            end_tree(pid)
        else:
            send_signal(pid, signal.SIGTERM)

    def _reap(self) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        for pid in list(self.forks):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                connection = self.forks.pop(pid)
                if connection in self.sockets:
                    _tell(connection, {"exit": os.waitstatus_to_exitcode(status)})
                    self._forget(connection)

    def _end(self) -> NoReturn:
        for pid in self.forks:
            end_tree(pid)
        for pid in self.forks:
            os.waitpid(pid, 0)
        os._exit(0)


def _tell(connection: socket.socket, answer: Mapping[str, Any]) -> None:
    with suppress(OSError):  # the client is gone, which comes up when the connection is read
        connection.sendall(line(answer))
