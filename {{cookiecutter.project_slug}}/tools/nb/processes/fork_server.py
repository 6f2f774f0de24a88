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

import atexit
import importlib.util
import json
import os
import random
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from nb.exit_codes import ExitCode

from .events import EventLoop
from .tree import KILL_SIGNAL, end_tree, send_signal

SHIM = Path(__file__).parent / "shim"
SOCKETS = Path(".nb/forks")
# Variables that no library reads as it is imported. If any other differs from that of the warm
# process, a fork may behave unlike an ordinary start.
HARMLESS_VARIABLES = (
    "DVC_", "JPY_", "JUPYTER_DEFAULT_PROVISIONER_NAME", "NB_", "OLDPWD=", "PATH=", "PS1=", "PS2=",
    "PWD=", "PYDEVD_DISABLE_FILE_VALIDATION", "SHLVL=", "_=",
)  # fmt: skip
# Further properties that a process inherits: lines of /proc/PID/status, and files beside that.
INHERITED_LINES = ("Uid", "Gid", "Groups", "Umask", "Cpus_allowed:", "Cap", "NoNewPrivs")
INHERITED_FILES = ("cgroup", "limits", "oom_score_adj")
# Read from the working directory as matplotlib is imported.
MATPLOTLIB_SETTINGS = "matplotlibrc"
# Signals that the server handles or ignores, and an ordinary process does not.
OWN_SIGNALS = ("SIGCHLD", "SIGHUP", "SIGTERM")
CONTROL_SECONDS = 2.0
PAPERMILL, KERNEL, STARTED = "papermill", "kernel", "started"
MOST_BYTES = 1 << 20
MOST_FILES = 4


@dataclass
class Server:
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


def start_server(root: Path, private: Iterable[int]) -> Server | None:
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
    return Server(pid, lifeline, path)


class Fork:
    """A process that a fork server forked: the part of `subprocess.Popen` that clients use.

    Args:
        connection: the connection of the request; closing it ends the process.
        pid: the process.
    """

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid
        self.returncode: int | None = None
        connection.setblocking(False)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while the process runs."""
        if self.returncode is None:
            try:
                answer = self.connection.recv(100)
            except BlockingIOError:
                return None
            except ConnectionError:
                answer = b""
            # Without an answer the server is gone, and all forks end with the server.
            self.returncode = json.loads(answer)["exit"] if answer else -KILL_SIGNAL
            self.connection.close()
        return self.returncode

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        while (code := self.poll()) is None:
            select.select([self.connection], [], [])
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self.send_signal(KILL_SIGNAL)


# Environment variables that the imports of the warm process set, as those of a kernel would.
set_by_imports: dict[str, str] = {}
# Called first in a fork of each kind, and in a kernel before it executes code: the warm process has
# imports for all.
preparations: dict[str, Callable[[], None]] = {}
# The channel to the fork server, in a forked papermill.
_channel: socket.socket | None = None


def fork_kernel(
    arguments: list[str], folder: str, environment: Mapping[str, str], files: list[int]
) -> Fork | str:
    """Ask the fork server of this process for a kernel.

    Args:
        arguments: those of `python -m ipykernel_launcher`.
        folder: the working directory of the kernel.
        environment: the environment variables of the kernel.
        files: the standard streams of the kernel.

    Returns:
        The process; or why there is none.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    if _channel is None:
        return "this papermill was not forked"
    connection, other = socket.socketpair()
    request = {
        "kind": KERNEL,
        "arguments": arguments,
        "folder": folder,
        "environment": dict(environment),
        "python": sys.executable,
    }
    try:
        socket.send_fds(_channel, [line(request)], [*files, other.fileno()])
        other.close()
        with connection.makefile("rb", buffering=0) as answers:
            answer = json.loads(answers.readline() or "{}")
    except OSError as error:
        return str(error)
    if "pid" not in answer:
        connection.close()
        return str(answer.get("refused", "the fork server has ended"))
    return Fork(connection, answer["pid"])


def line(content: Any) -> bytes:
    """Return a message of the protocol."""
    return json.dumps(content).encode() + b"\n"


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the files that came along; empty if the other end is closed."""
    if sys.platform == "win32":
        raise NotImplementedError
    content, files = b"", []
    while not content.endswith(b"\n"):
        part, received, _, _ = socket.recv_fds(connection, MOST_BYTES, MOST_FILES)
        files += received
        content += part
        if not part:
            return {}, files
    request: dict[str, Any] = json.loads(content)
    return request, files


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
            same = _inherited(_peer(connection)) == _inherited(os.getpid())
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
        refusal = why or _refusal(request)
        is_papermill = request["kind"] == PAPERMILL
        if is_papermill and self.is_interrupted:
            _tell(connection, {"exit": -signal.SIGINT})
            connection.close()
        elif refusal:
            _tell(connection, {"refused": refusal})
            connection.close()
        else:
            channel, other = socket.socketpair()
            # Python forgets a signal that comes during a fork; a blocked signal waits.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            pid = os.fork()
            if pid == 0:
                _exit(lambda: self._become(request, files, other, (channel, connection)))
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
        _become(request, files, channel, lambda: self.is_interrupted)

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


def _peer(connection: socket.socket) -> int:
    """Return the process at the other end."""
    if sys.platform != "linux":
        raise NotImplementedError
    form = "3i"  # struct ucred: process, user, group
    content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    return int(struct.unpack(form, content)[0])


def _inherited(pid: int) -> list[str]:
    """Return the properties that a process inherits and a fork from elsewhere would lack."""
    if sys.platform == "win32":
        raise NotImplementedError
    folder = Path("/proc", str(pid))
    try:
        lines = (folder / "status").read_text().splitlines()
        texts = [(folder / name).read_text() for name in INHERITED_FILES]
        priority = os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return [f"{pid} is gone"]
    return [*(text for text in lines if text.startswith(INHERITED_LINES)), *texts, str(priority)]


def _refusal(request: Mapping[str, Any]) -> str:
    """Return why a process cannot be forked; else empty."""
    if request["python"] != sys.executable:
        return f"it is for another interpreter, {request['python']}"
    ours, theirs = os.environ, request["environment"]
    names = sorted(
        name
        for name in ours.keys() | theirs.keys()
        if not f"{name}=".startswith(HARMLESS_VARIABLES) and ours.get(name) != theirs.get(name)
    )
    if names:
        return f"it is to start with another value of {', '.join(names)}"
    here, there = Path.cwd(), Path(request["folder"])
    if here != there and any((folder / MATPLOTLIB_SETTINGS).exists() for folder in (here, there)):
        return f"it is to start where {MATPLOTLIB_SETTINGS} is another one"
    return ""


def _become(
    request: dict[str, Any],
    files: list[int],
    channel: socket.socket,
    is_interrupted: Callable[[], bool],
) -> None:
    """Be the process that was asked for, in a new fork.

    A kernel ignores interrupts until it executes code.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    global _channel
    preparations[request["kind"]]()
    for name in OWN_SIGNALS:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    for target, file in enumerate(files):
        os.dup2(file, target)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["kind"] == PAPERMILL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        if is_interrupted():
            raise KeyboardInterrupt
        _channel = channel
        _run_papermill(request["arguments"])
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        channel.close()
        os.setsid()
        _make_fresh()
        _run_kernel(request["arguments"])


def _make_fresh() -> None:
    """Undo set-up by the warm process's imports that an ordinary kernel does by itself."""
    from jupyter_client.provisioning import KernelProvisionerFactory

    KernelProvisionerFactory.clear_instance()
    os.environ.pop("JUPYTER_DEFAULT_PROVISIONER_NAME")
    os.environ.update({k: v for k, v in set_by_imports.items() if k not in os.environ})
    for name in ("tqdm.auto", "tqdm.autonotebook"):  # they found no notebook as they were imported
        sys.modules.pop(name, None)
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def _run_papermill(arguments: list[str]) -> None:
    from papermill.cli import papermill

    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "nb"
    sys.argv = ["papermill", *arguments]
    papermill(arguments, prog_name="papermill")


def _run_kernel(arguments: list[str]) -> None:
    from ipykernel import kernelapp

    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [str(launcher.origin if launcher else ""), *arguments]
    sys.orig_argv = [sys.executable, "-m", "ipykernel_launcher", *arguments]
    # The kernel ends with its parent, which is the fork server and not the papermill that asked.
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    kernel = kernelapp.IPKernelApp.instance(parent_handle=os.getppid())
    kernel.initialize(arguments)
    preparations[STARTED]()
    kernel.start()
    # At exit ipykernel stops the thread of outputs first; that of control may wait for it then,
    # until the kernel's manager loses patience after 2.5 s.
    control = kernel.control_thread
    if control and control.is_alive():
        control.stop()
        control.join(CONTROL_SECONDS)


def _exit(run: Callable[[], None]) -> NoReturn:
    """Run to the end, and end as the interpreter does, without taking all modules apart."""
    code = 1
    try:
        run()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _end_interpreter(code)


def _end_interpreter(code: int) -> NoReturn:
    try:
        # The standard library's own forked processes (multiprocessing) end with these calls.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)
