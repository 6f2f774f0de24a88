"""Strict mode inside the kernel: failures of threads and shell commands fail the cell.

The engine sends this source to the kernel, which may lack `nb`: the module imports nothing of this
package, and leaves no name in the user's namespace.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # in a kernel, classes for types alone would cost time
    from collections.abc import Callable
    from typing import Protocol

    class CellResult(Protocol):
        success: bool
        error_in_exec: BaseException | None

    class ShellEvents(Protocol):
        def register(self, event: str, function: Callable[[CellResult | None], None]) -> None: ...

    class Shell(Protocol):
        events: ShellEvents
        system_raise_on_error: bool

        def showtraceback(self, error: tuple[type, BaseException, None]) -> None: ...


STRICT_NAME = "_nb_strict"
# The limit of outputs in the queue of the kernel.
MOST_SENT = 100_000


class Strict:
    """Hooks that fail a cell after a failed shell command or thread.

    Args:
        shell: IPython's shell.
    """

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.failures: list[tuple[str, BaseException]] = []
        self.show = threading.excepthook
        threading.excepthook = self.note
        shell.events.register("post_run_cell", self.after_cell)
        shell.system_raise_on_error = True

    def note(self, failed: threading.ExceptHookArgs) -> None:
        """Record the failure of a thread, after the usual traceback."""
        self.show(failed)
        if not issubclass(failed.exc_type, SystemExit):
            name = failed.thread.name if failed.thread else "a thread"
            self.failures.append((name, failed.exc_value or failed.exc_type()))

    def after_cell(self, result: CellResult | None) -> None:
        """Fail the ended cell if a thread has failed since the previous cell."""
        error = self.take()
        if error and result is not None and result.success:
            result.error_in_exec = error
            self.shell.showtraceback((type(error), error, None))

    def take(self) -> RuntimeError | None:
        """Return the error of failed threads since the last call; None if there is none."""
        if not self.failures:
            return None
        name, cause = self.failures[0]
        self.failures.clear()
        error = RuntimeError(f"{name} failed: {type(cause).__name__}: {cause}")
        error.__cause__ = cause
        return error

    def finish(self) -> None:
        """Raise the error of threads that failed after the last cell."""
        error = self.take()
        if error:
            raise error


def install_strict() -> None:
    """Switch strict mode on."""
    from IPython import get_ipython

    shell = get_ipython()
    # The kernel, too, drops outputs beyond its queue, 1,000 by default, if the client is slower.
    # Kernels other than ipykernel have no such thread.
    thread = getattr(getattr(shell, "kernel", None), "iopub_thread", None)
    if thread:
        thread.schedule(lambda: setattr(thread.socket, "sndhwm", MOST_SENT))
    sys.modules[STRICT_NAME] = Strict(shell)  # type: ignore[assignment]  # no module, but found by name


if __name__ == STRICT_NAME:
    install_strict()
