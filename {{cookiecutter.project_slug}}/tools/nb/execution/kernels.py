"""Kernels, as Jupyter's clients start them: a private transport, and warm imports where there are.

A provisioner is Jupyter's interface for where kernels come from; ours asks the fork server of the
stage, and starts an ordinary kernel where there is none or where a fork would not be the same.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from queue import Empty
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import default

from nb.processes.fork_server import Fork, fork_kernel

KERNEL_LAUNCHER = ["-m", "ipykernel_launcher"]
KERNEL_ARGUMENTS = [
    # Kernels side by side would wait for each other's lock of the one database of history.
    "--HistoryManager.enabled=False",
    # Before its end a kernel is interrupted, and reports that as an error if it had just answered.
    "--IPKernelApp.log_level=50",
]
# Jupyter's manager asks every 0.1 s whether a kernel that was told to end has ended; the
# provisioner takes its time to answer, and looks more often.
PATIENCE_SECONDS, LOOK_SECONDS = 1.0, 0.005
# The manager connects before the kernel listens, and would try again only after 0.1 s.
RECONNECT_MILLISECONDS = 5
KERNEL_REPLY_SECONDS = 1.0
SOCKETS_SECONDS = 30.0
# How long a kernel that listens may be silent before its first cell: an interrupt in the first
# moments of its life can leave it deaf.
SILENT_SECONDS = 30.0

# The kernels that this process had forked; they are not its children.
forks: list[Fork] = []


class Provisioner(LocalProvisioner):
    """Forks a kernel where that is possible; starts an ordinary one otherwise."""

    _ending = False

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, object]:
        """Start a kernel.

        Args:
            cmd: its command line.
            options: those of `subprocess.Popen`.
        """
        reason = self._fork(cmd, options)
        if not reason:
            return dict(self.connection_info)
        print(f"nb: the kernel starts anew: {reason}", file=sys.stderr)
        return dict(await super().launch_kernel(cmd, **options))

    def _fork(self, cmd: list[str], options: dict[str, Any]) -> str:
        """Fork the kernel; return why not, or nothing."""
        launcher = [part for part in cmd if not part.startswith("-X")]
        if launcher[0] != sys.executable or launcher[1:3] != KERNEL_LAUNCHER:
            return "it is not the project's kernel"
        folder = options.get("cwd") or Path.cwd()
        environment = options.get("env") or os.environ
        null = os.open(os.devnull, os.O_RDWR)
        nothing, writer = os.pipe()  # an ordinary kernel reads from a pipe that ends at once
        os.close(writer)
        silent = options.get("stdout") == DEVNULL
        try:
            streams = [nothing, null, null] if silent else [nothing, 1, 2]
            fork = fork_kernel(launcher[3:], str(folder), environment, streams)
        finally:
            os.close(null)
            os.close(nothing)
        if isinstance(fork, str):
            return fork
        forks.append(fork)
        self.process, self.pid, self.pgid = fork, fork.pid, fork.pid
        self.cwd = folder
        return ""

    async def shutdown_requested(self, restart: bool = False) -> None:
        """Note that the kernel was asked to end."""
        self._ending = True

    async def poll(self) -> int | None:
        """Return the exit code, None while it runs; wait a moment for what was asked to end."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (
            self._ending
            and isinstance(self.process, Fork)
            and self.process.poll() is None
            and time.monotonic() < end
        ):
            await asyncio.sleep(LOOK_SECONDS)
        code: int | None = await super().poll()
        return code


class KernelClient(AsyncKernelClient):
    """A client that begins when the kernel says that it is idle.

    Jupyter's own then listens for another 0.2 s for messages of other clients; there are none.
    """

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers.

        Args:
            timeout: seconds to wait at most.

        Raises:
            RuntimeError: if it ended, or does not answer in time.
        """
        timeout = min(timeout or float("inf"), SILENT_SECONDS)
        end = time.monotonic() + timeout
        while not await self._answers():
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > end:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answers(self) -> bool:
        """Ask for the kernel's description; return whether both its channels answer."""
        request = self.kernel_info()
        try:
            reply = await self.get_shell_msg(timeout=KERNEL_REPLY_SECONDS)
            while reply["parent_header"].get("msg_id") != request:
                reply = await self.get_shell_msg(timeout=KERNEL_REPLY_SECONDS)
            message: dict[str, Any] = {}
            while not is_idle(message, request):
                message = await self.get_iopub_msg(timeout=KERNEL_REPLY_SECONDS)
        except Empty:
            return False
        self._handle_kernel_info_reply(reply)
        return True


def is_idle(message: dict[str, Any], request: str) -> bool:
    """Return whether a message says that the kernel is done with a request."""
    return (
        message.get("msg_type") == "status"
        and message["parent_header"].get("msg_id") == request
        and message["content"]["execution_state"] == "idle"
    )


class KernelManager(AsyncKernelManager):
    """Starts a kernel whose sockets are files in a private folder; on Windows, on TCP ports.

    The kernel has no terminal: all it says is in its outputs. ipykernel copies what child processes
    print to its own terminal or log, where nobody masks it.
    """

    @default("client_factory")
    def _default_client_factory(self) -> type[KernelClient]:
        return KernelClient

    @default("transport")
    def _default_transport(self) -> str:
        return "tcp" if os.name == "nt" else "ipc"

    @default("ip")
    def _default_ip(self) -> str:
        if self.transport == "tcp":
            return "127.0.0.1"
        # Short, because the path of a socket may have no more than about a hundred characters.
        self._sockets = TemporaryDirectory(prefix="nb-")
        return f"{self._sockets.name}/k"

    async def start_kernel(self, **options: Any) -> None:
        """Start the kernel.

        Args:
            options: those of the kernel manager it derives from.
        """
        arguments = [*options.pop("extra_arguments", []), *KERNEL_ARGUMENTS]
        self.context.RECONNECT_IVL = RECONNECT_MILLISECONDS
        await super().start_kernel(
            extra_arguments=arguments, stdout=DEVNULL, stderr=DEVNULL, **options
        )
        await self._sockets_are_there()

    async def _sockets_are_there(self) -> None:
        """Wait for the kernel's sockets: who connects too early tries again only after 0.1 s."""
        end = time.monotonic() + SOCKETS_SECONDS
        while self.transport == "ipc" and time.monotonic() < end and await self.is_alive():
            if all(Path(f"{self.ip}-{port}").exists() for port in self.ports):
                return
            await asyncio.sleep(LOOK_SECONDS)
