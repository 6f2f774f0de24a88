"""Errors of the engine with exit codes; papermill shows them without a traceback of its own."""

from __future__ import annotations

from typing import IO

from click import ClickException, echo
from papermill.exceptions import PapermillExecutionError

from nb.exit_codes import ExitCode

from .copies.failure import Failure


class Problem(ClickException):
    """An error that papermill's command line, based on click, shows without a traceback."""

    def show(self, file: IO[str] | None = None) -> None:
        """Print a line per problem."""
        for line in self.message.splitlines():
            echo(f"nb: {line}", file=file, err=True)


class WrongParameters(Problem):
    """Parameters that a notebook does not take, or a kernel or a setting that does not exist."""

    exit_code = ExitCode.USAGE


class LostKernel(Problem):
    """The kernel did not start, or was lost before the first cell or after the last."""

    exit_code = ExitCode.DEAD_KERNEL


class NotWritten(Problem):
    """The executed copy cannot be written."""


class NotebookFailed(ClickException, PapermillExecutionError):
    """A cell failed, timed out, or lost the kernel.

    papermill's command line prints the traceback of the cell instead of a Python traceback.

    Args:
        message: place and cause, in one line.
        failure: the failure as a record.
        source: the source of the cell.
        count: the execution count of the cell.
        exit_code: 1; 124 after a timeout, 138 if the kernel died, above 128 after a signal.
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

    def show(self, file: IO[str] | None = None) -> None:
        """Print the cell's traceback, then a line with place and cause."""
        for line in self.traceback:
            echo(line, file=file, err=True)
        echo(f"nb: {self.message}", file=file, err=True)
