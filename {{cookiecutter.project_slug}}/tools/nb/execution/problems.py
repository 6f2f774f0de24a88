"""What papermill's command line says instead of a traceback, and the exit codes that go with it."""

from __future__ import annotations

from typing import IO, Any

from click import ClickException, echo
from papermill.exceptions import PapermillExecutionError

from .executed_copy import Failure

# What `timeout` has; what papermill has when its kernel dies.
TIMED_OUT, DEAD_KERNEL = 124, 138


class Problem(ClickException):
    """What papermill's command line, made with click, shows without a traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line per problem."""
        for line in self.message.splitlines():
            echo(f"nb: {line}", file=file, err=True)


class WrongParameters(Problem):
    """Parameters that a notebook does not take, or a kernel or a setting that does not exist."""

    exit_code = 2


class LostKernel(Problem):
    """The kernel did not start, or was lost before the first cell or after the last."""

    exit_code = DEAD_KERNEL


class NotWritten(Problem):
    """The executed copy cannot be written."""


class NotebookFailed(ClickException, PapermillExecutionError):
    """A cell failed, took too long, or lost its kernel.

    papermill's command line shows the cell's traceback, and where to look, in place of its own.

    Args:
        message: where and why, in one line.
        failure: the same for programs.
        source: of the cell.
        count: the cell's execution count.
        exit_code: 1; 124 if it took too long, 138 if the kernel died, above 128 after a signal.
    """

    def __init__(
        self, message: str, failure: Failure, source: str, count: int | None, exit_code: int
    ) -> None:
        output = failure.output
        PapermillExecutionError.__init__(
            self,
            failure.index,
            count,
            source,
            *(output[key] for key in ("ename", "evalue", "traceback")),
        )
        self.__dict__.update(message=message, exit_code=exit_code)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the cell's traceback, then one line that says where it failed."""
        for line in self.traceback:
            echo(line, file=file, err=True)
        echo(f"nb: {self.message}", file=file, err=True)
