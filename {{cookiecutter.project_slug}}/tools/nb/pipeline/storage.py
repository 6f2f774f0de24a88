"""Push and pull of results and of the run cache, and diagnosis of the DVC storage.

The run cache maps inputs to results. An entry is useless without the results, which are therefore
sent first. DVC's own `push --run-cache` leaves out results that Git keeps (`cache: false`), without
which a stage cannot be restored elsewhere.
"""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Thread

from nb.exit_codes import ExitCode
from nb.git.credentials import storage_secrets
from nb.project import NbError, one_line

from . import hold_lock, missing_data, open_project, require_places
from .run_cache import ENTRY_NAME, is_sound
from .undocumented import (
    DvcStage,
    FileSystem,
    HashInfo,
    ObjectStore,
    RawFileSystem,
    Repo,
    UsedObjects,
)

RUN_CACHE = "runs"
# Exists from the begin of a push until its success.
UNFINISHED = Path(".nb/push.unfinished")
# Some client libraries retry for minutes.
ANSWER_SECONDS = 10.0
# Overrides the seconds: on a busy machine a healthy storage may need more.
TIMEOUT = "NB_STORAGE_TIMEOUT"
ATTEMPTS = 2
LIBRARIES = {"s3": "s3fs", "gs": "gcsfs", "azure": "adlfs", "ssh": "sshfs"}
LOGGERS = ("dvc", "dvc_data", "dvc_objects", "gcsfs", "azure", "asyncssh", "asyncio", "s3fs")


@dataclass(frozen=True)
class StorageKind:
    """A kind of storage.

    Attributes:
        container: the noun for the first part of an address.
        credentials: the way to provide credentials.
    """

    container: str
    credentials: str


KINDS = {
    "s3": StorageKind("bucket", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    "gs": StorageKind(
        "bucket",
        "set GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
    ),
    "azure": StorageKind(
        "container",
        "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY",
    ),
    "ssh": StorageKind("folder", "dvc remote modify --local storage keyfile ~/.ssh/id_ed25519"),
}
# Errors by type name: each library has its own types, and most libraries are not installed.
NOT_GIVEN = {
    "AzureAuthError",
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
}
REFUSALS = {"ClientAuthenticationError", "PermissionDenied", "PermissionError", "RefreshError"}
REFUSED_CODES = (401, 403)
NO_CONTAINER = {"FileNotFoundError", "NoSuchBucket", "ResourceNotFoundError"}
NO_ANSWER = {
    "ChannelOpenError",
    "ClientConnectorError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionLost",
    "EndpointConnectionError",
    "HTTPClientError",
    "ReadTimeoutError",
    "SFTPConnectionLost",
    "SFTPNoConnection",
    "ServerDisconnectedError",
    "ServiceRequestError",
    "ServiceResponseError",
}


@dataclass(frozen=True)
class Trouble:
    """A reason that makes the storage unusable, with the next step.

    Attributes:
        what: the problem.
        repair: the next step.
        is_passing: a second attempt may succeed.
    """

    what: str
    repair: str
    is_passing: bool = False

    def __str__(self) -> str:
        return f"{self.what}; {self.repair}"


@dataclass
class Heard(logging.Handler):
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


def problem(root: Path) -> tuple[str, Trouble | None]:
    """Return the address of the storage and the trouble with access; None if there is none."""
    with open_project(root) as repo, _listening():
        url, trouble = _address(repo)
        return url, trouble or _look(repo, url)


def exposed(root: Path) -> Trouble | None:
    """Return the trouble of a secret in `.dvc/config`, which Git keeps; None if there is none."""
    found = storage_secrets((root / ".dvc" / "config").read_text(encoding="utf-8"))
    if not found:
        return None
    name = next(iter(found.values()))
    repair = f"dvc remote modify --unset storage {name}, then dvc remote modify --local storage"
    return Trouble(f".dvc/config, which Git keeps, holds {name}", f"{repair} {name} VALUE")


def require(root: Path) -> None:
    """Check that the storage can be used.

    Raises:
        NbError: if the storage cannot be used.
    """
    with _storage(root):
        pass


def fetch_runs(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch missing entries of the run cache from the storage; return their number.

    Args:
        root: the project's root.
        tell: called with a line if entries are torn or were changed.

    Raises:
        NbError: if the storage cannot be used.
    """
    with _storage(root) as (repo, _):
        return _fetch_runs(repo, tell)


def push_results(root: Path, tell: Callable[[str], None], names: Sequence[str] = ()) -> int:
    """Send results and their entries in the run cache; return the number of files sent.

    Args:
        root: the project's root.
        tell: called with a line while another process holds DVC's lock.
        names: the stages whose results are sent; empty for all stages and tracked data.

    Raises:
        NbError: if the storage cannot be used, or a file could not be sent. Available files
            are sent even if others are missing everywhere.
    """
    with _storage(root) as (repo, heard):
        with hold_lock(repo, tell):
            require_places(root, repo.index.stages)
            entries, objects = _results(repo, names)
        paths = [repo.stage_cache._get_cache_path(*entry) for entry in entries]
        repo.cloud.get_remote_odb(command="nb push")  # refuses versioned buckets
        remote = repo.cloud.get_remote()
        count = 0
        with _first_failure_ends(remote.fs.fs), _unfinished(root) as was_unfinished:
            pairs = ((repo.cache.local, remote.odb), (repo.cache.legacy, remote.legacy_odb))
            for cache, odb in pairs:
                chosen = {o for o in objects if o.name == odb.hash_name}
                if was_unfinished:
                    _remove_torn(cache, odb, chosen)
                sent = repo.cloud.push(chosen, odb=odb)
                count += len(sent.transferred)
                if sent.failed:
                    raise heard.errors[0] if heard.errors else OSError("files were not sent")
            count += _send_runs(repo.cache.legacy, remote.legacy_odb, paths)
        if heard.missing:
            raise NbError(_nowhere(count, len(heard.missing)))
    return count


@contextmanager
def _unfinished(root: Path) -> Iterator[bool]:
    """Mark a push as unfinished until the block succeeds; yield whether the last push was."""
    mark = root / UNFINISHED
    was_unfinished = mark.exists()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    yield was_unfinished
    mark.unlink(missing_ok=True)


def _remove_torn(cache: ObjectStore, odb: ObjectStore, objects: Iterable[HashInfo]) -> None:
    """Remove files from the storage whose size differs: some servers keep half of an upload.

    DVC compares names only and would keep them.
    """
    for found in objects:
        here = Path(cache.oid_to_path(found.value))
        there = odb.oid_to_path(found.value)
        with suppress(FileNotFoundError):
            if odb.fs.size(there) != here.stat().st_size:
                odb.fs.remove(there)


def pull_results(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch the results in `dvc.lock`, and the run cache; return the number of files fetched.

    Raises:
        NbError: if the storage cannot be used or lacks results, or a local file would be lost.
    """
    from dvc.exceptions import DvcException

    with _storage(root) as (repo, heard), hold_lock(repo, tell):
        require_places(root, repo.index.stages)
        count = _fetch_runs(repo, tell)
        try:
            stats = repo.pull()["stats"]
        except DvcException:
            broken = [e for e in heard.errors if not isinstance(e, FileNotFoundError)]
            if broken:
                raise broken[-1] from None
            raise _lacking(root) or _changed_here() from None
        return count + int(stats.get("fetched") or 0)


def unpushed_results(root: Path) -> list[str]:
    """Return the artifacts of this commit that the storage lacks.

    Raises:
        NbError: if the storage cannot be used.
    """
    with _storage(root) as (repo, _):
        return sorted(name for name, what in repo.status(cloud=True).items() if what == "new")


def explain_failure(url: str, error: BaseException) -> Trouble:
    """Return the trouble behind an error: no credentials, no bucket, no network, or the text."""
    scheme, _, rest = url.partition("://")
    kind = KINDS.get(scheme, StorageKind("folder", "give yourself access to it"))
    causes = list(_causes(error))
    names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
    text = one_line(causes[-1]).partition(". ")[0][:200]
    if names & NOT_GIVEN:
        return Trouble(f"{url}: no credentials were found", kind.credentials)
    refused = names & REFUSALS or {_status(cause) for cause in causes} & set(REFUSED_CODES)
    if refused and scheme in KINDS:
        return Trouble(f"{url} refuses these credentials ({text})", kind.credentials)
    if names & NO_ANSWER or any(
        isinstance(cause, ConnectionError | socket.gaierror | TimeoutError) for cause in causes
    ):
        return _no_answer(url, text)
    if names & NO_CONTAINER and scheme in KINDS:
        container = rest.partition("/")[0]
        what = f"{url}: there is no {kind.container} {container}"
        return Trouble(what, "make it, or correct the address: dvc remote modify storage url URL")
    if "RemoteMissingDepsError" in names:
        repair = f"write dvc[{scheme}] instead of dvc in pyproject.toml, then make setup"
        return Trouble(f"{url}: DVC needs more packages for it", repair)
    return Trouble(
        f"{url} cannot be reached: {one_line(error)[:200]}", "check the address: dvc remote list"
    )


def _no_answer(url: str, text: str) -> Trouble:
    what = f"{url} cannot be reached: {text}"
    return Trouble(what, "check the network and the address: dvc remote list", is_passing=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of any library; None if there is none."""
    for name in ("status_code", "code", "status"):
        with suppress(TypeError, ValueError):
            return int(getattr(error, name, None))  # type: ignore[arg-type]
    return None


@contextmanager
def _storage(root: Path) -> Iterator[tuple[Repo, Heard]]:
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
            raise NbError(str(explain_failure(url, error))) from None


@contextmanager
def _listening() -> Iterator[Heard]:
    """Divert the logs of libraries to a collector that shows nothing."""
    heard = Heard()
    with ExitStack() as undo:
        for logger in map(logging.getLogger, LOGGERS):
            undo.callback(logger.__dict__.update, vars(logger).copy())
            logger.handlers, logger.propagate = [heard], False
        yield heard


@contextmanager
def _first_failure_ends(fs: RawFileSystem) -> Iterator[None]:
    """Refuse further files after the first failure: each would retry for up to a minute.

    Args:
        fs: a file system of fsspec; DVC sends files concurrently to an asynchronous one.
    """
    if not hasattr(fs, "_put_file"):
        yield
        return
    send = fs._put_file
    failures: list[Exception] = []

    async def send_unless_failed(*arguments: object, **options: object) -> object:
        if failures:
            raise failures[0]
        try:
            return await send(*arguments, **options)
        except Exception as error:
            failures.append(error)
            raise

    fs._put_file = send_unless_failed
    try:
        yield
    finally:
        del fs._put_file


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
        return ask(lambda: _list(repo, seconds), url, seconds)


def ask(look: Callable[[], object], url: str, seconds: float) -> Trouble | None:
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
            trouble = _no_answer(url, f"no answer within {seconds:g} seconds ({TIMEOUT})")
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
        raise NbError(
            f"{TIMEOUT} is {text}; it must be a number of seconds above 0", ExitCode.USAGE
        )
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


def _nowhere(sent: int, missing: int) -> str:
    """Return the message that files are missing in the cache and in the storage."""
    subject = "1 file of dvc.lock is" if missing == 1 else f"{missing} files of dvc.lock are"
    repair = "nb run here, or make push where they were computed"
    what = f"{subject} neither here nor in the storage"
    return f"sent {sent} file{'' if sent == 1 else 's'}; {what}: {repair}"


def _results(repo: Repo, names: Sequence[str]) -> tuple[list[tuple[str, str]], set[HashInfo]]:
    """Return the run cache entries and the objects of the results in `dvc.lock`."""
    from dvc.exceptions import CollectCacheError

    stages = [s for s in repo.index.stages if not names or s.addressing in names]
    entries = [entry for entry in map(partial(_entry, repo), stages) if entry]
    used: list[UsedObjects] = []
    of_runs: Callable[[], UsedObjects] = partial(repo.stage_cache.get_used_objs, entries)
    for collect in (of_runs, *(stage.get_used_objs for stage in stages)):
        with suppress(CollectCacheError):  # a folder missing everywhere, already logged
            used.append(collect())
    return entries, {item for found in used for items in found.values() for item in items}


def _entry(repo: Repo, stage: DvcStage) -> tuple[str, str] | None:
    """Return key and value of a stage's entry in the run cache; None if there is none."""
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    if not stage.cmd or not all(item.hash_info for item in (*stage.deps, *stage.outs)):
        return None
    content = to_single_stage_lockfile(stage)
    value = _get_cache_hash(content)
    key = _get_cache_hash(content, key=True)
    return (key, value) if repo.stage_cache._load_cache(key, value) else None


def _send_runs(here: ObjectStore, remote: ObjectStore, paths: Sequence[str]) -> int:
    """Send entries of the run cache missing or torn in the storage; return their number."""
    there = _run_sizes(remote)
    pairs = [(path, _elsewhere(here, path, remote)) for path in paths]
    chosen = [
        (path, copy)
        for path, copy in pairs
        if copy not in there
        or (there[copy] != Path(path).stat().st_size and not _is_sound_there(remote, copy))
    ]
    _copy(here.fs, remote.fs, chosen)
    return len(chosen)


def _fetch_runs(repo: Repo, tell: Callable[[str], None]) -> int:
    """Fetch sound entries that the local run cache lacks; return their number."""
    here, remote = repo.cache.legacy, repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
    pairs = ((path, Path(_elsewhere(remote, path, here))) for path in _run_sizes(remote))
    missing = [(path, copy) for path, copy in pairs if not _is_here(copy)]
    folder = Path(here.path, RUN_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as drafts:  # the same file system: a rename is atomic
        names = [(path, copy, Path(drafts, str(n))) for n, (path, copy) in enumerate(missing)]
        _copy(remote.fs, here.fs, [(path, str(draft)) for path, _, draft in names])
        sound = [(copy, draft) for _, copy, draft in names if _is_entry(draft, copy)]
        for copy, draft in sound:
            here.makedirs(str(copy.parent))
            draft.replace(copy)
    if len(sound) < len(missing):
        torn = "left out entries of the storage's run cache that are torn or were changed"
        tell(f"{torn}: {len(missing) - len(sound)}")
    return len(sound)


def _run_sizes(odb: ObjectStore) -> dict[str, int]:
    """Return the sizes of the entries of a run cache by path; drafts are left out."""
    folder = odb.fs.join(odb.path, RUN_CACHE)
    if not odb.fs.exists(folder):
        return {}
    if odb.fs.protocol == "local":
        sizes = {path: Path(path).stat().st_size for path in odb.fs.find(folder)}
    else:
        sizes = {path: info["size"] for path, info in odb.fs.fs.find(folder, detail=True).items()}
    names = {path: odb.fs.parts(path)[-2:] for path in sizes}
    return {
        path: size for path, size in sizes.items() if all(map(ENTRY_NAME.fullmatch, names[path]))
    }


def _is_here(path: Path) -> bool:
    return path.exists() and _is_entry(path, path)


def _is_entry(path: Path, name: Path) -> bool:
    """Return whether a file holds the entry that belongs under a name."""
    return is_sound(path, name.parent.name, name.name)


def _is_sound_there(remote: ObjectStore, path: str) -> bool:
    with TemporaryDirectory() as folder:
        draft = Path(folder, "entry")
        remote.fs.get_file(path, str(draft))
        return _is_entry(draft, Path(path))


def _copy(source: FileSystem, target: FileSystem, pairs: Sequence[tuple[str, str]]) -> None:
    from dvc.fs import generic

    if pairs:
        generic.copy(source, [a for a, _ in pairs], target, [b for _, b in pairs])


def _elsewhere(source: ObjectStore, path: str, target: ObjectStore) -> str:
    """Return the path of a run cache entry in another store."""
    parts = source.fs.relparts(path, source.path)
    return str(target.fs.join(target.path, *parts))


def _lacking(root: Path) -> NbError | None:
    lacking = missing_data(root)
    if not lacking:
        return None
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    what = f"{lacking[0]}{more} of dvc.lock is not in the storage"
    return NbError(f"{what}: make push where it was computed, or nb run here")


def _changed_here() -> NbError:
    return NbError(
        "files that differ from dvc.lock would be lost: dvc status, then dvc pull --force"
    )
