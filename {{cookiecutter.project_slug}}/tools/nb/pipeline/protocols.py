"""Protocols of the objects of DVC, which ships no types: mypy sees a misspelt attribute.

They list the attributes that are used; a test compares them with the installed DVC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

# A stage as `dvc.lock` and the run cache hold it.
LockEntry = dict[str, Any]


class Config(Protocol):
    """The settings of `.dvc/config` and the files above and below it."""

    files: Mapping[str, str]

    def __getitem__(self, section: str, /) -> dict[str, Any]: ...


class RawFileSystem(Protocol):
    """A file system of fsspec; only one that is asynchronous has `_put_file`."""

    _put_file: Callable[..., Awaitable[object]]

    def find(self, path: str, *, detail: bool) -> Mapping[str, Mapping[str, int]]: ...
    def invalidate_cache(self) -> None: ...
    def ls(self, path: str, *, detail: bool) -> object: ...


class FileSystem(Protocol):
    """A file system of DVC, around one of fsspec."""

    protocol: str
    fs: RawFileSystem

    def exists(self, path: str) -> bool: ...
    def find(self, path: str) -> Iterable[str]: ...
    def get_file(self, path: str, to: str) -> None: ...
    def join(self, *parts: str) -> str: ...
    def parts(self, path: str) -> tuple[str, ...]: ...
    def relparts(self, path: str, start: str) -> tuple[str, ...]: ...
    def remove(self, path: str) -> None: ...
    def size(self, path: str) -> int: ...


class HashInfo(Hashable, Protocol):
    """The hash of an output: false where `dvc.lock` holds none."""

    name: str
    value: str


class ObjectStore(Protocol):
    """Files by their hashes: a cache of the project, or that of the storage."""

    fs: FileSystem
    hash_name: str
    path: str

    def makedirs(self, path: str) -> None: ...
    def oid_to_path(self, oid: str) -> str: ...


UsedObjects = Mapping[ObjectStore | None, Iterable[HashInfo]]


class Item(Protocol):
    """A dependency or an output of a stage."""

    def_path: str
    exists: bool
    fs: FileSystem | None
    fs_path: str
    hash_info: HashInfo
    hash_name: str
    protocol: str
    repo: Repo | None

    def save(self) -> None: ...


class Parameters(Item, Protocol):
    """A file of parameters on which a stage depends."""

    def read_params(self) -> object: ...


class Output(Item, Protocol):
    """An output of a stage."""

    metric: object
    persist: bool
    plot: object
    use_cache: bool

    def changed_cache(self) -> bool: ...


class DvcStage(Hashable, Protocol):
    """A stage of a `dvc.yaml`, or data that a `.dvc` file tracks."""

    addressing: str
    always_changed: bool
    cmd: str | list[str] | None
    deps: Sequence[Item]
    desc: str | None
    frozen: bool
    is_callback: bool
    meta: object
    name: str
    outs: Sequence[Output]
    params: Iterable[Parameters]
    path: str
    relpath: str
    wdir: str

    def changed(self, *, allow_missing: bool = False) -> bool: ...
    def changed_outs(self) -> bool: ...
    def checkout(self) -> object: ...
    def commit(self) -> None: ...
    def dump(self, *, update_pipeline: bool) -> None: ...
    def get_used_objs(self) -> UsedObjects: ...
    def outs_cached(self) -> bool: ...
    def remove_outs(self) -> None: ...
    def save(self, *, run_cache: bool) -> None: ...
    def save_deps(self) -> None: ...
    def status(
        self, *, check_updates: bool
    ) -> Mapping[str, Sequence[str | Mapping[str, Mapping[str, str | Mapping[str, str]]]]]: ...


class Graph(Protocol):
    """Stages with an edge from each to those on which it depends, as networkx has them."""

    def __iter__(self) -> Iterator[DvcStage]: ...
    def reverse(self) -> Graph: ...
    def successors(self, stage: DvcStage, /) -> Iterable[DvcStage]: ...


class Index(Protocol):
    """All stages of a project."""

    graph: Graph
    stages: Sequence[DvcStage]


class StageLoader(Protocol):
    """Stages by name, read from the files that declare them."""

    def collect(self, target: str) -> Iterable[DvcStage]: ...


class StageCache(Protocol):
    """The run cache: the results of stages by the hash of their inputs and command."""

    _load: Callable[[DvcStage], LockEntry | None]
    _load_cache: Callable[[str, str], LockEntry | None]
    pull: Callable[..., object]

    _uncached_outs: Callable[[DvcStage, LockEntry], Iterable[Output]]

    def _create_stage(self, entry: LockEntry, *, wdir: str) -> DvcStage: ...
    def _get_cache_dir(self, key: str) -> str: ...
    def _get_cache_path(self, key: str, value: str) -> str: ...
    def get_used_objs(self, entries: Sequence[tuple[str, str]]) -> UsedObjects: ...


class CacheManager(Protocol):
    """The caches of a project: of DVC's present hashes, and of those before DVC 3."""

    legacy: ObjectStore
    local: ObjectStore
    local_cache_dir: str


class Remote(Protocol):
    """The storage of a project."""

    fs: FileSystem
    legacy_odb: ObjectStore
    odb: ObjectStore


class Transferred(Protocol):
    """The files of a transfer, by whether they arrived."""

    failed: Sequence[HashInfo] | set[HashInfo]
    transferred: Sequence[HashInfo] | set[HashInfo]


class DataCloud(Protocol):
    """Transfers between the cache and the storage."""

    def get_remote(self) -> Remote: ...
    def get_remote_odb(self, *, command: str = ..., hash_name: str = ...) -> ObjectStore: ...
    def pull(self, objects: Iterable[HashInfo]) -> object: ...
    def push(self, objects: Iterable[HashInfo], *, odb: ObjectStore) -> Transferred: ...


class DvcIgnore(Protocol):
    """The rules of `.dvcignore` files."""

    def is_ignored_dir(self, path: str) -> bool: ...


class SourceControl(Protocol):
    """Git, as DVC asks it."""

    @property
    def root_dir(self) -> str: ...
    def ignore(self, path: str) -> str | None: ...
    def is_ignored(self, path: str) -> bool: ...
    def is_tracked(self, path: str) -> bool: ...
    def _add_entry_to_gitignore(self, entry: str, gitignore: str) -> None: ...
    def _get_gitignore(self, path: str) -> tuple[str, str]: ...


class SourceControlContext(Protocol):
    """Files that DVC adds to Git after a command, where it is told to."""

    def track_file(self, path: str) -> None: ...


class State(Protocol):
    """DVC's database of the hashes of files, by path and status."""

    def get(self, path: str, fs: FileSystem | None) -> tuple[object, HashInfo | None]: ...


class Comparer(Protocol):
    """Metrics or parameters of a project."""

    def diff(
        self, *, a_rev: str, all: bool
    ) -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, object]]]]: ...


class Repo(Protocol):
    """A project, opened by DVC."""

    cache: CacheManager
    cloud: DataCloud
    config: Config
    dvcignore: DvcIgnore
    fs: FileSystem
    index: Index
    lock: AbstractContextManager[object]
    metrics: Comparer
    params: Comparer
    root_dir: str
    state: State
    scm: SourceControl
    scm_context: SourceControlContext
    _lock_depth: int
    stage: StageLoader
    stage_cache: StageCache
    tmp_dir: str

    def __enter__(self) -> Repo: ...

    def __exit__(self, *details: object) -> None: ...

    def _reset(self) -> None: ...
    def checkout(
        self, targets: Sequence[str] | None = None, *, force: bool, allow_missing: bool
    ) -> object: ...
    def commit(self, target: str, *, force: bool) -> object: ...
    def pull(self) -> Mapping[str, Mapping[str, int]]: ...
    def reproduce(
        self, targets: str, *, single_item: bool, force: bool, pull: bool, no_commit: bool
    ) -> Sequence[DvcStage]: ...
    def status(self, *, cloud: bool = False) -> Mapping[str, Any]: ...
    def unprotect(self, path: str) -> None: ...


class Lockfile(Protocol):
    """A `dvc.lock`."""

    path: str
    relpath: str
    repo: Repo
