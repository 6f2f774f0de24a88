"""An event loop for files and signals: a wait ends when a file is readable or a signal comes.

A signal handler alone does not end a wait: Python goes on waiting after the handler returns. Hence
the socket to which the interpreter writes a byte per signal (`signal.set_wakeup_fd`). On Windows
only sockets can be watched, and the end of a child is no signal: see `wake`.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol

Handler = Callable[[int, "FrameType | None"], object]
# More than the socket of a wake-up holds.
MOST_WAKEUPS = 1 << 16


class HasFile(Protocol):
    """An object with an open file, such as a socket."""

    def fileno(self) -> int: ...


class EventLoop:
    """Readable files and the actions they call for.

    Args:
        on_signal: called after a signal that has a handler (`catch`).
    """

    def __init__(self, on_signal: Callable[[], None] = lambda: None) -> None:
        self._on_signal = on_signal
        self._selector = selectors.DefaultSelector()
        self._wakeup = socket.socketpair()
        for end in self._wakeup:
            end.setblocking(False)
        self.watch(self._wakeup[0], self._wake)

    def watch(self, file: int | HasFile, action: Callable[[], None]) -> None:
        """Call an action whenever a file is readable."""
        self._selector.register(file, selectors.EVENT_READ, action)

    def forget(self, file: int | HasFile) -> None:
        """Watch a file no longer; to be called before the file is closed."""
        self._selector.unregister(file)

    def catch(self, handlers: Mapping[signal.Signals, Handler]) -> dict[signal.Signals, Any]:
        """Install handlers of signals, and of SIGCHLD where the system has that: each ends a wait.

        Returns:
            The handlers from before, for `release`.
        """
        wanted: dict[signal.Signals, Handler] = dict(handlers)
        if child_ended := getattr(signal, "SIGCHLD", None):
            wanted[child_ended] = lambda *_: None
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        return before

    def release(self, before: Mapping[signal.Signals, Any]) -> None:
        """Put the handlers of signals back."""
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for an event, and call the actions of all that have come."""
        for key, _ in self._selector.select(seconds):
            # An earlier action may have closed the file, and watched another of the same number.
            if self._selector.get_map().get(key.fd) is key:
                key.data()

    def wake(self) -> None:
        """End a wait; may be called in any thread."""
        with suppress(OSError):  # full, or the loop is closed
            self._wakeup[1].send(b"\0")

    def close(self) -> None:
        """Close the loop: at the end, and in a fork, whose signals must not wake its parent."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for end in self._wakeup:
            end.close()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._wakeup[0].recv(MOST_WAKEUPS)
        self._on_signal()
