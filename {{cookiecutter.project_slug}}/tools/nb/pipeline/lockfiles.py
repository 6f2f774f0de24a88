"""What `dvc.lock` holds: written stage by stage, mended after a kill, in `dvc repro`'s order."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nb.project import write_whole

from .protocols import Lockfile, Stage
from .repository import locked_repository

STAGES = "stages:\n"
# The lines of stages by their names, by the path of the lock file that holds them.
Written = dict[str, dict[str, str]]


@dataclass
class Blocks:
    """The text of a lock file, taken apart.

    Attributes:
        head: the lines before the stages.
        stages: the lines of each stage, by its first line.
        tail: the lines after the stages.
    """

    head: str
    stages: dict[str, str]
    tail: str

    @classmethod
    def read(cls, text: str) -> Blocks | None:
        """Take a text apart; return None if it is not laid out as DVC does it."""
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
        """Put the text together."""
        return f"{self.head}{STAGES}{''.join(self.stages.values())}{self.tail}"

    def named(self) -> dict[str, str]:
        """Return the lines of each stage by its name."""
        return {name_in(line): block for line, block in self.stages.items()}


def name_in(line: str) -> str:
    """Return the name of a stage from the first of its lines."""
    return line.strip()[:-1].strip("'\"")


@contextmanager
def one_stage_at_a_time() -> Iterator[Written]:
    """Have DVC write a stage into `dvc.lock` and leave the lines of the others alone.

    Gives what is written.

    It would read and write all of them for each stage, in pure Python: 0.2 s for a hundred
    stages. The bytes are the same. The file is replaced as a whole, so that who is killed leaves
    the old or the new one. What is not laid out as DVC does it is left to DVC.
    """
    from dvc.dvcfile import Lockfile

    dump_stages = Lockfile.dump_stages
    written: Written = defaultdict(dict)

    def dump(lock: Lockfile, stages: Sequence[Stage], **options: bool) -> None:
        if not _write_stages(lock, stages, options):
            dump_stages(lock, stages, **options)
        blocks = Blocks.read(Path(lock.path).read_text(encoding="utf-8"))
        names = {stage.name for stage in stages}
        found = blocks.named().items() if blocks else ()
        written[os.path.realpath(lock.path)] |= {n: block for n, block in found if n in names}

    Lockfile.dump_stages = dump
    try:
        yield written
    finally:
        Lockfile.dump_stages = dump_stages


def _write_stages(lock: Lockfile, stages: Sequence[Stage], options: Mapping[str, bool]) -> bool:
    """Write stages into a lock file; return whether that could be done without the others."""
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dumps_yaml

    path = Path(lock.path)
    before = lock_text(path)
    blocks = Blocks.read(before)
    if blocks is None:
        return False
    for stage in stages:
        written = Blocks.read(dumps_yaml({"stages": to_lockfile(stage, **options)}))
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
    """Return whether lock files hold what they held before, and what was written since, only.

    Args:
        before: their texts, by path; empty for one that did not exist.
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
    # Of the fingerprints' lock Git has only the first line.
    old = Blocks.read(before) if STAGES in before else Blocks(before, {}, "")
    if new is None or old is None:
        return False
    if before and (old.head, old.tail) != (new.head, new.tail):
        return False
    return new.named() == {**old.named(), **written}


def lock_text(path: Path) -> str:
    """Return the text of a lock file; an empty one, if it does not exist."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def read_locks(root: Path, names: Iterable[str]) -> dict[Path, bytes]:
    """Return the content of the lock files that hold the given stages."""
    files = {Path(name.rpartition(":")[0] or "dvc.yaml").with_name("dvc.lock") for name in names}
    return {root / file: (root / file).read_bytes() for file in files if (root / file).exists()}


def mend_locks(root: Path, before: Mapping[Path, bytes], tell: Callable[[str], None]) -> None:
    """Put back a lock file that a killed DVC left half-written.

    What stages recorded since comes back from DVC's run cache when they are looked at again.

    Args:
        root: the project's root.
        before: the lock files as they were.
        tell: called with one line while another DVC process is waited for.
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
    """Give stages back the lines that lock files held of them, if the block raises anything.

    Lines of other stages stay as they are then: other commands may have written them meanwhile.

    Args:
        root: the project's root.
        names: the stages.
    """
    by_file: dict[Path, set[str]] = defaultdict(set)
    for name in names:
        file, _, stage = name.rpartition(":")
        by_file[root / Path(file or "dvc.yaml").with_name("dvc.lock")].add(stage)
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
    """Return the text of a lock file in which stages have the lines that they had before.

    Args:
        before: its text then; empty if it did not exist.
        now: its text now.
        names: the stages. What is not laid out as DVC does it is put back as a whole.
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


def sort_locks(root: Path, order: Sequence[str], tell: Callable[[str], None]) -> None:
    """Bring the stages in lock files into the order in which `dvc repro` would have run them all.

    DVC appends what it has not seen before, so the order would be that in which stages ended. Lines
    are moved and stay as DVC wrote them; stages that are no longer declared come last.

    Args:
        root: the project's root.
        order: the names of the stages.
        tell: called with one line while another DVC process is waited for.
    """
    with locked_repository(root, tell):
        for path, content in read_locks(root, order).items():
            file = path.relative_to(root).with_name("dvc.yaml").as_posix()
            prefix = "" if file == "dvc.yaml" else f"{file}:"
            ranks = {name.removeprefix(prefix): rank for rank, name in enumerate(order)}
            text = content.decode()
            found = _sorted_lock(text, ranks)
            if found != text:
                write_whole(path, found)


def _sorted_lock(text: str, ranks: Mapping[str, int]) -> str:
    """Sort the lines of the stages; where they cannot be told apart leave all alone."""
    blocks = Blocks.read(text)
    if blocks is None:
        return text
    lines = sorted(blocks.stages, key=lambda line: ranks.get(name_in(line), len(ranks)))
    blocks.stages = {line: blocks.stages[line] for line in lines}
    return blocks.text()
