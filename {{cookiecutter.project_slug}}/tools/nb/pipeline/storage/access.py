"""Access to the DVC storage: checked within seconds, and each failure told in one sentence."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from nb.git.credentials import storage_secrets
from nb.pipeline.protocols import Repo
from nb.pipeline.repository import open_project
from nb.project import NbError, UsageError

from .trouble import Trouble, explain_failure, explain_own_file, no_answer

# Some client libraries retry for minutes.
ANSWER_SECONDS = 10.0
# Overrides the seconds: on a busy machine a healthy storage may need more.
TIMEOUT = "NB_STORAGE_TIMEOUT"
ATTEMPTS = 2
LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "azure": "adlfs", "ssh": "sshfs"}
LOGGERS = ("dvc", "dvc_data", "dvc_objects", "gcsfs", "azure", "asyncssh", "asyncio", "s3fs")


@dataclass
class TransferErrors(logging.Handler):
    """Log handler that collects the errors of libraries during transfers of many files.

    Attributes:
        errors: the errors of single files.
        missing: the hashes of files that are neither in the cache nor in the storage.
    """

    errors: list[BaseException] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = logging.Handler.__hash__

    def emit(self, record: logging.LogRecord) -> None:
        """Collect the error of a record; nothing is shown."""
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])
        if "do not exist neither locally nor on remote" in str(record.msg):
            self.missing.update(re.findall(r"^name: .*, (\w+: \S+)$", record.getMessage(), re.M))


def diagnose_storage(root: Path) -> tuple[str, Trouble | None]:
    """Return the address of the storage and the trouble with access; None if there is none."""
    with open_project(root) as repo, _listening():
        url, trouble = _address(repo)
        return url, trouble or _look(repo, url)


def secret_in_config(root: Path) -> Trouble | None:
    """Return the trouble of a secret in `.dvc/config`, which Git keeps; None if there is none."""
    found = storage_secrets((root / ".dvc" / "config").read_text(encoding="utf-8"))
    if not found:
        return None
    name = next(iter(found.values()))
    repair = f"dvc remote modify --unset storage {name}, then dvc remote modify --local storage"
    return Trouble(f".dvc/config, which Git keeps, holds {name}", f"{repair} {name} VALUE")


def require_storage(root: Path) -> None:
    """Check that the storage can be used.

    Raises:
        NbError: if the storage cannot be used.
    """
    with open_storage(root):
        pass


@contextmanager
def open_storage(root: Path) -> Iterator[tuple[Repo, TransferErrors]]:
    """Open the project and its storage; errors of the storage become one sentence."""
    with open_project(root) as repo, _listening() as heard:
        url, trouble = _address(repo)
        trouble = trouble or _look(repo, url)
        if trouble:
            raise NbError(str(trouble))
        try:
            yield repo, heard
        except NbError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            own = explain_own_file(root, url, error)
            raise NbError(own or str(explain_failure(url, error))) from None


@contextmanager
def _listening() -> Iterator[TransferErrors]:
    """Divert the logs of libraries to a collector that shows nothing."""
    heard = TransferErrors()
    with ExitStack() as undo:
        for logger in map(logging.getLogger, LOGGERS):
            undo.callback(logger.__dict__.update, vars(logger).copy())
            logger.handlers, logger.propagate = [heard], False
        yield heard


def _address(repo: Repo) -> tuple[str, Trouble | None]:
    name = repo.config["core"].get("remote")
    if not name:
        return "", Trouble("no storage is configured", "dvc remote add --default NAME URL")
    return str(repo.config["remote"].get(name, {}).get("url", "")), None


def _look(repo: Repo, url: str) -> Trouble | None:
    """Return the trouble with the storage, within seconds; None if there is none."""
    seconds = answer_seconds()
    _import_library(repo, url)
    with _one_attempt_of_aws():
        return probe(lambda: _list(repo, seconds), url, seconds)


def probe(look: Callable[[], object], url: str, seconds: float) -> Trouble | None:
    """Return the trouble with a storage; None if there is none. Passing trouble gets a retry.

    Args:
        look: accesses the storage and raises an error if that fails.
        url: the storage's address.
        seconds: the timeout of each attempt.
    """
    found: SimpleQueue[Trouble | None] = SimpleQueue()

    def attempt() -> None:
        try:
            look()
            found.put(None)
        except Exception as error:
            found.put(explain_failure(url, error))

    trouble: Trouble | None = None
    for _ in range(ATTEMPTS):
        Thread(target=attempt, daemon=True).start()
        try:
            trouble = found.get(timeout=seconds)
        except Empty:
            trouble = no_answer(url, f"no answer within {seconds:g} seconds ({TIMEOUT})")
        if not trouble or not trouble.is_passing:
            break
    return trouble


def answer_seconds() -> float:
    """Return the timeout of the storage in seconds.

    Raises:
        NbError: if NB_STORAGE_TIMEOUT holds no number above 0 (exit code 2).
    """
    text = os.environ.get(TIMEOUT) or str(ANSWER_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{TIMEOUT} is {text}; it must be a number of seconds above 0")
    return seconds


def _import_library(repo: Repo, url: str) -> None:
    """Import the client library before the timeout starts: on a busy machine that takes seconds."""
    from dvc.fs import get_cloud_fs

    with suppress(Exception):  # the access to the storage reports a missing package
        get_cloud_fs(repo.config, name=repo.config["core"]["remote"])
        import_module(LIBRARIES[url.partition("://")[0]])


@contextmanager
def _one_attempt_of_aws() -> Iterator[None]:
    """Disable the retries of the AWS libraries."""
    name = "AWS_MAX_ATTEMPTS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _list(repo: Repo, seconds: float) -> None:
    """List the top folder of the storage; an empty storage has a bucket only."""
    from dvc.fs import get_cloud_fs

    cls, config, path = get_cloud_fs(repo.config, name=repo.config["core"]["remote"])
    if cls.protocol == "local":
        _require_writable(Path(path))
        return
    for file in ("credentialpath", "keyfile"):
        if config.get(file) and not Path(config[file]).expanduser().is_file():
            raise PermissionError(f"{file} {config[file]} is no file")
    if cls.protocol == "s3":  # a connection of its own, not that of transfers
        config = {"connect_timeout": seconds / 2, **config}
    fs = cls(**config).fs
    try:
        fs.ls(path, detail=False)
    except FileNotFoundError:
        if cls.protocol != "ssh":
            with suppress(PermissionError):  # the permission may cover the folder only
                fs.ls(path.partition("/")[0], detail=False)
    fs.invalidate_cache()


def _require_writable(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise OSError(f"{existing} is not a folder that can be written to")
