"""Warm process as the runner sees it: forks for stages, libraries to import, unfit notebooks."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nb.notebook.content import python_source, read_notebook
from nb.notebook.magics import parse_python
from nb.notebook.modules import SourcePackages
from nb.processes.messages import line
from nb.programs import module_command, program_environment
from nb.project import NbError

# With this variable set every kernel starts in the ordinary way, as with `nb run --cold`.
COLD = "NB_COLD"
ENV_MAGIC = re.compile(r"\s*%(set_)?env\s+\w+[\s=]")


class Warm:
    """The runner's handle on the warm process.

    Args:
        program: the module that is the warm process.
        kept: files that the process and all forks keep open: the lock of the run.
        environment: the environment variables; by default those in which programs of the project
            are found.
        wrapped: returns the command line that starts the process, such as one that traces it.

    Attributes:
        excluded: the libraries that each notebook imports by itself, and why.
        workers: the processes that were forked.
        ends: the exit code and the CPU seconds of those that ended.
        is_alive: the process has not ended, as far as is known.
    """

    def __init__(
        self,
        root: Path,
        program: str,
        kept: Iterable[int] = (),
        *,
        environment: Mapping[str, str] | None = None,
        wrapped: Callable[[list[str]], list[str]] = list,
    ) -> None:
        self.root = root
        self.program = program
        self.kept = tuple(kept)
        self.environment = environment or program_environment()
        self.wrapped = wrapped
        self.excluded: dict[str, str] = {}
        self._wanted: tuple[dict[str, str], list[str]] = {}, []
        self._expected = self._wanted
        self.workers: set[int] = set()
        self.ends: dict[int, tuple[int, float]] = {}
        self._start()

    def _start(self) -> None:
        self.socket, other = socket.socketpair()
        files = (other.fileno(), *self.kept)
        self.process = subprocess.Popen(
            self.wrapped([*module_command(self.program), *map(str, files)]),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the runner's to pass on
            pass_fds=files,
        )
        other.close()
        self.pid = self.process.pid
        self.is_alive = True
        self._rest = b""
        self._answers: deque[dict[str, Any]] = deque()

    def expect(self, environment: Mapping[str, str], modules: Iterable[str]) -> None:
        """Have modules imported that a stage needs, before the rest is known; see `preload`."""
        self._expected = dict(environment), list(modules)
        self._ask(*self._expected, all=False)

    def preload(self, environment: Mapping[str, str], modules: Iterable[str]) -> None:
        """Begin to have modules imported; `is_ready` says when they are.

        A module with which forks are not safe is left out, see `excluded`.

        Args:
            environment: the environment variables of the stages.
            modules: dotted names; names of no module are passed over.
        """
        self._wanted = dict(environment), list(modules)
        expected, early = self._expected
        if early and not (expected == self._wanted[0] and {*early} <= {*self._wanted[1]}):
            self.close()
            self._start()
        self._ask(*self._wanted)

    def is_ready(self) -> bool:
        """Return whether stages can be forked, as far as was listened.

        If forks would not be safe, the process starts again without the module, and has another
        file.
        """
        if not self._answers:
            return False
        answer = self._answers.popleft()
        if "unsafe" not in answer:
            return True
        self.close()
        self.excluded[answer["unsafe"].partition(".")[0]] = answer["why"]
        self._start()
        self._ask(*self._wanted)
        return False

    def _ask(self, environment: dict[str, str], modules: list[str], *, all: bool = True) -> None:
        wanted = [name for name in modules if name.partition(".")[0] not in self.excluded]
        self._send({"environment": environment, "modules": wanted, "all": all})

    def fork(self, job: str, order: Mapping[str, Any], files: Iterable[int]) -> int | None:
        """Fork a worker; return its process, or None if the warm process is gone.

        Args:
            job: the name of the job.
            order: the order for the worker.
            files: the worker's pipes.
        """
        self._send({**order, "job": job}, files)
        answer = self._receive()
        if answer:
            self.workers.add(answer["pid"])
        return answer.get("pid")

    def fileno(self) -> int:
        """Return the file that is readable when a worker ended, for `listen`."""
        return self.socket.fileno()

    def listen(self) -> bool:
        """Note the answers of the warm process; return whether the process is still there."""
        try:
            content = self.socket.recv(65_536)
        except OSError:
            content = b""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for answer in map(json.loads, lines):
            if "ended" in answer:
                code = os.waitstatus_to_exitcode(answer["status"])
                self.ends[answer["ended"]] = (code, answer["cpu"])
            else:
                self._answers.append(answer)
        self.is_alive = bool(content)
        return self.is_alive

    def close(self) -> None:
        """End the warm process, without the workers."""
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def _send(self, content: Mapping[str, Any], files: Iterable[int] = ()) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        with suppress(OSError):
            socket.send_fds(self.socket, [line(content)], list(files))

    def _receive(self) -> dict[str, Any]:
        """Wait for an answer; return an empty answer if there will be none."""
        while not self._answers:
            if not self.listen():
                return {}
        return self._answers.popleft()


def sets_environment_first(root: Path, notebook: Path) -> bool:
    """Return whether a notebook sets environment variables before it imports libraries.

    Libraries may read variables as they are imported, which happens before a fork. The modules of
    `src/` that the notebook uses are searched, too, each by itself.
    """
    sources = SourcePackages(root / "src")
    try:
        content = read_notebook(notebook)
    except NbError:  # the run reports the error
        return False
    modules = [sources.modules[name] for name in sources.used_by(content)]
    texts = [[path.read_text(encoding="utf-8", errors="replace")] for path in modules]
    return any(map(_sets_first, [[cell.source for cell in content.cells], *texts]))


def _sets_first(cells: Iterable[str]) -> bool:
    has_set = False
    for source in cells:
        magics = [i for i, text in enumerate(source.split("\n"), 1) if ENV_MAGIC.match(text)]
        events = [(number, True) for number in magics]
        tree = parse_python(python_source(source))
        nodes = list(ast.walk(tree)) if tree else []
        events += [(n.lineno, True) for n in nodes if isinstance(n, ast.expr) and _is_set(n)]
        events += [(n.lineno, False) for n in nodes if isinstance(n, ast.stmt) and _is_library(n)]
        for _, is_set in sorted(events):
            if has_set and not is_set:
                return True
            has_set |= is_set
    return False


def _is_set(node: ast.expr) -> bool:
    """Return whether an expression sets variables: `os.environ["A"] =`, `os.environ.update(…)`."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        return _name(node.value) == "environ"
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and _name(node.func.value) == "environ":
        return node.func.attr in ("setdefault", "update")
    return _name(node.func) in ("load_dotenv", "putenv")


def _is_library(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return any(name.partition(".")[0] not in sys.stdlib_module_names for name in names)


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    return getattr(node, "attr", "") or getattr(node, "id", "")


def third_party_modules(root: Path, notebooks: Iterable[Path]) -> list[str]:
    """Return the dotted names outside the project that notebooks import, also through `src/`.

    A name that follows `from module import` may be no module.

    Args:
        notebooks: their paths.
    """
    sources = SourcePackages(root / "src")
    own = {name.partition(".")[0] for name in sources.modules} | sys.stdlib_module_names
    names: set[str] = set()
    for path in notebooks:
        with suppress(NbError):  # the run reports the error
            names |= sources.imported_by(read_notebook(path))
    return sorted(name for name in names if name.partition(".")[0] not in own)
