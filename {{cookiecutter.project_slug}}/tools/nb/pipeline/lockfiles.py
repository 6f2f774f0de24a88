"""Editing of `dvc.lock` as text: writing a stage's lines alone, repair after a kill, sorting."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.plain_yaml import plain_yaml
from nb.project import write_whole

from .loaded import changed_since
from .protocols import DvcStage, Lockfile
from .repository import locked_repository

STAGES = "stages:\n"
# The lines of stages by name, by the path of their lock file.
Written = dict[str, dict[str, str]]


@dataclass
class Blocks:
    """The text of a lock file, split into stages.

    Attributes:
        head: the lines before the stages.
        stages: the lines of each stage, by the first line.
        tail: the lines after the stages.
    """

    head: str
    stages: dict[str, str]
    tail: str

    @classmethod
    def read(cls, text: str) -> Blocks | None:
        """Split a text; return None if the layout is not that of DVC."""
        head, found, rest = f"\n{text}".partition(f"\n{STAGES}")
        end = re.search(r"^\S", rest, re.MULTILINE)
        body, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
        blocks = re.findall(r"^  \S.*\n(?:    .*\n|\n)*", body, re.MULTILINE)
        stages = {block.partition("\n")[0]: block for block in blocks}
        plain = all(re.fullmatch(r"  [^\s#].*:", line) for line in stages)
        is_whole = "".join(stages.values()) == body and not tail.startswith("#")
        if not found or not plain or not is_whole:
            return None
        return cls(f"{head}\n"[1:], stages, tail)

    def text(self) -> str:
        """Join the blocks."""
        return f"{self.head}{STAGES}{''.join(self.stages.values())}{self.tail}"

    def named(self) -> dict[str, str]:
        """Return the lines of each stage by name."""
        return {name_in(line): block for line, block in self.stages.items()}


def name_in(line: str) -> str:
    """Return the name of a stage from the first line of a block."""
    return line.strip()[:-1].strip("'\"")


@contextmanager
def write_changed_lines_only() -> Iterator[Written]:
    """Make DVC write only the lines of the reproduced stage into `dvc.lock`; yield these lines.

    DVC parses and writes all stages for each stage, in pure Python: 0.2 s for a hundred stages.
    The bytes are the same. The file is replaced atomically, so that a killed process leaves the
    old or the new content. A file with another layout is left to DVC. Entries of the run cache are
    written by the same means.
    """
    from dvc.dvcfile import Lockfile
    from dvc.utils import serialize

    dump_stages, dump_yaml = Lockfile.dump_stages, serialize.dump_yaml
    written: Written = defaultdict(dict)

    def dump(lock: Lockfile, stages: Sequence[DvcStage], **options: bool) -> None:
        if not _write_stages(lock, stages, options):
            dump_stages(lock, stages, **options)
        blocks = Blocks.read(Path(lock.path).read_text(encoding="utf-8"))
        names = {stage.name for stage in stages}
        found = blocks.named().items() if blocks else ()
        written[os.path.realpath(lock.path)] |= {n: block for n, block in found if n in names}

    def dump_plain(path: str, data: object, **options: object) -> None:
        text = None if options else plain_yaml(data)
        if text is None:
            dump_yaml(path, data, **options)
        else:
            Path(path).write_text(text, encoding="utf-8")

    Lockfile.dump_stages, serialize.dump_yaml = dump, dump_plain
    try:
        yield written
    finally:
        Lockfile.dump_stages, serialize.dump_yaml = dump_stages, dump_yaml


def _write_stages(lock: Lockfile, stages: Sequence[DvcStage], options: Mapping[str, bool]) -> bool:
    """Write stages into a lock file; return whether the other stages could be left alone."""
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    path = Path(lock.path)
    before = lock_text(path)
    blocks = Blocks.read(before)
    if blocks is None:
        return False
    for stage in stages:
        entry = {"stages": to_lockfile(stage, **options)}
        written = Blocks.read(plain_yaml(entry) or dumps_yaml(entry))
        if written is None or len(written.stages) != 1:
            return False
        line = next(iter(written.stages))
        if line not in blocks.stages and name_in(line) in map(name_in, blocks.stages):
            return False
        blocks.stages |= written.stages
    if blocks.text() != before:
        write_whole(path, blocks.text())
        lock.repo.scm_context.track_file(lock.relpath)
    return True


def hold_only(before: Mapping[str, str], written: Written) -> bool:
    """Return whether lock files hold nothing but their former content and our own writes.

    Args:
        before: the former texts, by path; empty for a file that did not exist.
        written: the lines of stages that were written.
    """
    return all(
        _holds_only(path, text, written.get(os.path.realpath(path), {}))
        for path, text in before.items()
    )


def _holds_only(path: str, before: str, written: Mapping[str, str]) -> bool:
    text = lock_text(Path(path))
    if not written:
        return text == before
    new = Blocks.read(text)
    # Git holds only the first line of the lock file of the fingerprints.
    old = Blocks.read(before) if STAGES in before else Blocks(before, {}, "")
    if new is None or old is None:
        return False
    if before and (old.head, old.tail) != (new.head, new.tail):
        return False
    return new.named() == {**old.named(), **written}


def lock_text(path: Path) -> str:
    """Return the text of a lock file; an empty text if the file does not exist."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def texts_since(began: int, paths: Iterable[Path]) -> dict[str, str] | None:
    """Return the texts of lock files as DVC has read them; None if they may be others.

    DVC reads lock files as it loads the pipeline, before the names of all are known. A checkout in
    Git may replace them in between.

    Args:
        began: a time before DVC read any of them, by the clock of the file system, in ns.
        paths: the lock files.
    """
    texts = {str(path): lock_text(path) for path in paths}
    return None if any(changed_since(Path(path), began) for path in texts) else texts


def stages_by_lock(names: Iterable[str]) -> dict[Path, set[str]]:
    """Return stages by the lock file that holds them, under their names in that file."""
    found: dict[Path, set[str]] = defaultdict(set)
    for name in names:
        file, _, stage = name.rpartition(":")
        found[Path(file or "dvc.yaml").with_name("dvc.lock")].add(stage)
    return found


def read_locks(root: Path, names: Iterable[str]) -> dict[Path, bytes]:
    """Return the content of the lock files that hold the given stages."""
    files = (root / file for file in stages_by_lock(names))
    return {file: file.read_bytes() for file in files if file.exists()}


def mend_locks(root: Path, before: Mapping[Path, bytes], tell: Callable[[str], None]) -> None:
    """Restore a lock file that a killed DVC left torn.

    Entries of stages that ran since come back from DVC's run cache when the stages are reproduced.

    Args:
        before: the contents of the lock files before the run.
        tell: called with one line while another process holds DVC's lock.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with locked_repository(root, tell):
        for path, content in before.items():
            try:
                whole = isinstance(YAML(typ="safe").load(path), dict)
            except (YAMLError, FileNotFoundError):
                whole = False
            if not whole:
                path.write_bytes(content)


@contextmanager
def lines_put_back_on_error(root: Path, names: Iterable[str]) -> Iterator[None]:
    """Restore the lines of stages in lock files if the block raises anything.

    Lines of other stages stay as they are: other commands may have written them meanwhile.
    """
    by_file = {root / file: stages for file, stages in stages_by_lock(names).items()}
    before = {path: lock_text(path) for path in by_file}
    try:
        yield
    except BaseException:
        if any(lock_text(path) != text for path, text in before.items()):
            with locked_repository(root, lambda line: None):
                for path, text in before.items():
                    _write_or_remove(path, put_back(text, lock_text(path), by_file[path]))
        raise


def _write_or_remove(path: Path, text: str) -> None:
    if not text:
        path.unlink(missing_ok=True)
    elif text != lock_text(path):
        write_whole(path, text)


def put_back(before: str, now: str, names: Set[str]) -> str:
    """Return the text of a lock file with the former lines of some stages.

    Args:
        before: the former text; empty if the file did not exist.
        now: the present text.
        names: the stages. A text with another layout than DVC's is restored as a whole.
    """
    old = Blocks.read(before) if STAGES in before else Blocks(before, {}, "")
    new = Blocks.read(now)
    if old is None or new is None:
        return before
    others = {line: block for line, block in new.stages.items() if name_in(line) not in names}
    theirs = {line: block for line, block in old.stages.items() if name_in(line) in names}
    if not others and not theirs:
        return "" if old.stages else before
    order = {line: number for number, line in enumerate(old.stages)}
    found = {**others, **theirs}
    new.stages = dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))
    return new.text()


def without_stages(text: str) -> str:
    """Return the text of a lock file without any stage; another layout than DVC's is empty."""
    blocks = Blocks.read(text)
    if blocks is None:
        return ""
    blocks.stages = {}
    return blocks.text()


def sort_locks(root: Path, order: Sequence[str], tell: Callable[[str], None]) -> None:
    """Sort the stages in lock files into the order of `dvc repro`.

    DVC appends new stages in the order in which they end, which differs between parallel runs.
    Lines are moved unchanged; stages that are no longer declared come last.

    Args:
        order: the names of the stages.
        tell: called with one line while another process holds DVC's lock.
    """
    with locked_repository(root, tell):
        sort_private_locks(root, order)


def sort_private_locks(root: Path, order: Sequence[str]) -> None:
    """Sort the stages in lock files that nobody else writes; see `sort_locks`."""
    for path, content in read_locks(root, order).items():
        file = path.relative_to(root).with_name("dvc.yaml").as_posix()
        prefix = "" if file == "dvc.yaml" else f"{file}:"
        ranks = {name.removeprefix(prefix): rank for rank, name in enumerate(order)}
        text = content.decode()
        found = _sorted_lock(text, ranks)
        if found != text:
            write_whole(path, found)


def _sorted_lock(text: str, ranks: Mapping[str, int]) -> str:
    """Sort the blocks of stages; a text with another layout stays as it is."""
    blocks = Blocks.read(text)
    if blocks is None:
        return text
    lines = sorted(blocks.stages, key=lambda line: ranks.get(name_in(line), len(ranks)))
    blocks.stages = {line: blocks.stages[line] for line in lines}
    return blocks.text()
