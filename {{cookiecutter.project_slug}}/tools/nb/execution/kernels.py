"""Kernels over private sockets, forked with warm imports: manager, client and provisioner.

A provisioner is Jupyter's interface to the source of kernels; ours asks the fork server of the
stage, and starts an ordinary kernel if there is no server or a fork would behave differently.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from queue import Empty
from subprocess import DEVNULL
from typing import Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets import Type, default

from nb.processes.kernel_forks import Fork, fork_kernel

from .kernel_folder import KernelFolder

# A message of Jupyter's protocol.
Message = dict[str, Any]
KERNEL_LAUNCHER = ["-m", "ipykernel_launcher"]
KERNEL_ARGUMENTS = [
    # Parallel kernels would wait for the lock of the shared history database.
    "--HistoryManager.enabled=False",
    # The interrupt before a shutdown is logged as an error by a kernel that had just answered.
    "--IPKernelApp.log_level=50",
]
# Jupyter's manager polls every 0.1 s for the end of a kernel; the provisioner delays its answer and
# polls more often.
PATIENCE_SECONDS, POLL_SECONDS = 1.0, 0.005
LOOKS = 20
# The client connects before the kernel listens, and would reconnect only after 0.1 s.
RECONNECT_MILLISECONDS = 5
KERNEL_REPLY_SECONDS = 1.0
SOCKETS_SECONDS = 30.0
# Timeout of a listening kernel before the first cell: an early interrupt can leave a kernel deaf.
SILENT_SECONDS = 30.0

# Kernels that the fork server started for this process, whose children they are not.
forks: list[Fork] = []


class Provisioner(LocalProvisioner):
    """Provisioner that forks a warm kernel if possible, and else starts an ordinary kernel."""

    _ending = False

    async def launch_kernel(self, cmd: list[str], **options: object) -> dict[str, object]:
        """Start a kernel.

        Args:
            cmd: the command line of the kernel.
            options: options of `subprocess.Popen`.
        """
        reason = self._fork(cmd, options)
        if not reason:
            return dict(self.connection_info)
        print(f"nb: the kernel starts anew: {reason}", file=sys.stderr)
        return dict(await super().launch_kernel(cmd, **options))

    def _fork(self, cmd: list[str], options: Mapping[str, object]) -> str:
        """Fork the kernel; return the reason if that is impossible, else nothing."""
        launcher = [part for part in cmd if not part.startswith("-X")]
        if launcher[0] != sys.executable or launcher[1:3] != KERNEL_LAUNCHER:
            return "it is not the project's kernel"
        folder = options.get("cwd") or Path.cwd()
        environment = cast("Mapping[str, str] | None", options.get("env")) or os.environ
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
        """Record the request for a shutdown."""
        self._ending = True

    async def poll(self) -> int | None:
        """Return the exit code, None for a running kernel; wait a moment during a shutdown."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (
            self._ending
            and isinstance(self.process, Fork)
            and self.process.poll() is None
            and time.monotonic() < end
        ):
            await asyncio.sleep(POLL_SECONDS)
        code: int | None = await super().poll()
        return code


class Channel(AsyncZMQSocketChannel):
    """Channel that skips incomplete messages: an interrupt can hit a kernel that is sending."""

    async def get_msg(self, timeout: float | None = None) -> Message:
        """Return the next message with a valid signature.

        Args:
            timeout: seconds to wait at most for a message.

        Raises:
            Empty: if no message comes in time.
        """
        while True:
            try:
                return dict(await super().get_msg(timeout))
            except (TypeError, ValueError):  # Jupyter's, for missing parts and wrong signatures
                print("nb: an incomplete message of the kernel was skipped", file=sys.stderr)


class KernelClient(AsyncKernelClient):
    """Kernel client that is ready as soon as the kernel is idle.

    Jupyter's own client listens for another 0.2 s for messages of other clients.
    """

    shell_channel_class = Type(Channel)
    iopub_channel_class = Type(Channel)

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers.

        Args:
            timeout: seconds to wait at most.

        Raises:
            RuntimeError: if the kernel ended, or does not answer in time.
        """
        timeout = timeout or float("inf")
        if listens(self):
            timeout = min(timeout, SILENT_SECONDS)
        end = time.monotonic() + timeout
        while not await self._answers():
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > end:
                raise RuntimeError(f"Kernel didn't respond in {timeout:g} seconds")

    async def _answers(self) -> bool:
        """Request the kernel info; return whether both channels answer."""
        request = self.kernel_info()
        try:
            reply = await self.get_shell_msg(timeout=KERNEL_REPLY_SECONDS)
            while reply["parent_header"].get("msg_id") != request:
                reply = await self.get_shell_msg(timeout=KERNEL_REPLY_SECONDS)
            message: Message = {}
            while not is_idle(message, request):
                message = await self.get_iopub_msg(timeout=KERNEL_REPLY_SECONDS)
        except Empty:
            return False
        self._handle_kernel_info_reply(reply)
        return True


def listens(side: KernelClient) -> bool:
    """Return whether the sockets of a kernel are there; over TCP nobody knows."""
    paths = (Path(f"{side.ip}-{port}") for port in side.ports)
    return side.transport == "ipc" and all(path.exists() for path in paths)


def is_idle(message: Message, request: str) -> bool:
    """Return whether a message reports the end of a request."""
    return (
        message.get("msg_type") == "status"
        and message["parent_header"].get("msg_id") == request
        and message["content"]["execution_state"] == "idle"
    )


class KernelManager(AsyncKernelManager):
    """Kernel manager with files in a private folder: sockets, or TCP ports on Windows.

    The kernel has no terminal: ipykernel would copy the output of child processes there, unmasked.
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
        return str(self._folder.path / "k")

    @default("connection_file")
    def _default_connection_file(self) -> str:
        return str(self._folder.path / "kernel.json")

    @cached_property
    def _folder(self) -> KernelFolder:
        return KernelFolder()

    async def start_kernel(self, extra_arguments: Sequence[str] = (), **options: object) -> None:
        """Start the kernel.

        Args:
            extra_arguments: further arguments of the kernel.
            options: options of `AsyncKernelManager`.
        """
        arguments = [*extra_arguments, *KERNEL_ARGUMENTS]
        self.context.RECONNECT_IVL = RECONNECT_MILLISECONDS
        await super().start_kernel(
            extra_arguments=arguments, stdout=DEVNULL, stderr=DEVNULL, **options
        )
        await self._wait_for_sockets()

    async def _wait_for_sockets(self) -> None:
        """Wait for the kernel's sockets: an early connection is retried only after 0.1 s."""
        end = time.monotonic() + SOCKETS_SECONDS
        paths = [f"{self.ip}-{port}" for port in self.ports]
        while self.transport == "ipc" and time.monotonic() < end and await self.is_alive():
            for _ in range(LOOKS):  # cheap beside the question whether the kernel is alive
                paths = [path for path in paths if not os.path.exists(path)]  # noqa: PTH110  # faster than a Path, 200 times a second
                if not paths:
                    return
                await asyncio.sleep(POLL_SECONDS)
