"""Files by name in the storage, in a folder beside the objects of DVC and the run cache.

`dvc gc` does not know these files and leaves them alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nb.pipeline.protocols import FileSystem, ObjectStore

from .access import open_storage
from .results import copy_files, file_sizes


class NamedFiles:
    """A folder of the storage whose files have names of their own.

    Args:
        store: a store of the storage.
        local: the file system of this machine.
        folder: the folder in the store.
    """

    def __init__(self, store: ObjectStore, local: FileSystem, folder: str) -> None:
        self._store = store
        self._local = local
        self._top = store.fs.join(store.path, folder)

    def sizes(self) -> dict[str, int]:
        """Return the size of each file by name."""
        fs = self._store.fs
        return {
            "/".join(fs.relparts(path, self._top)): size
            for path, size in file_sizes(fs, self._top).items()
        }

    def send(self, files: Mapping[str, Path]) -> None:
        """Send files, by the name in the storage."""
        copy_files(self._local, self._store.fs, [(str(p), self._path(n)) for n, p in files.items()])

    def fetch(self, files: Mapping[str, Path]) -> None:
        """Fetch files that are in the storage, by name, to paths on this machine."""
        copy_files(self._store.fs, self._local, [(self._path(n), str(p)) for n, p in files.items()])

    def _path(self, name: str) -> str:
        return str(self._store.fs.join(self._top, *name.split("/")))


@contextmanager
def named_files(root: Path, folder: str) -> Iterator[NamedFiles]:
    """Open a folder of the storage.

    Raises:
        NbError: if the storage cannot be used.
    """
    with open_storage(root) as (repo, _):
        remote = repo.cloud.get_remote_odb(command="nb push")  # refuses versioned buckets
        yield NamedFiles(remote, repo.cache.local.fs, folder)
