"""Programs that forks of the warm process become, papermill and kernels, from start to exit."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from nb.exit_codes import ExitCode, leave
from nb.secrets.environment import environment_secrets

from .kernel_forks import connect

PAPERMILL, STARTED = "papermill", "started"
# Modules that papermill needs, besides those of kernels.
PAPERMILL_MODULES = ("papermill.cli", "papermill.execute", "nb.execution.engine", "psutil")
# Signals that the server handles or ignores, and an ordinary process does not.
OWN_SIGNALS = ("SIGCHLD", "SIGHUP", "SIGTERM")
CONTROL_SECONDS = 2.0

# Environment variables that the imports of the warm process set, as those of a kernel would.
set_by_imports: dict[str, str] = {}
# Called first in a fork of each kind, and in a kernel before it executes code: the warm process has
# imports for all.
preparations: dict[str, Callable[[], None]] = {}


def rehearse_papermill() -> None:
    """Do the part of papermill's work that is the same for each notebook, before any fork."""
    import nbformat
    from jupyter_client.provisioning import KernelProvisionerFactory

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    nbformat.validate(notebook)  # compiles the format of notebooks
    environment_secrets(os.environ)  # remembers the search of each value
    KernelProvisionerFactory.instance()  # looks for entry points in all packages


def become(
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
        connect(channel)
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
    if "numpy.random" in sys.modules:  # `random` seeds itself anew in a fork
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


def run_and_exit(run: Callable[[], None]) -> NoReturn:
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
        leave(code)
    finally:
        os._exit(code)
