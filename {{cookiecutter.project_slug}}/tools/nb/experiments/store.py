"""Variants on disk: a folder for each, `.nb/experiments/<number>`, with a record and a project.

A record is written whole at each change, so a variant that was killed is known by a state that is
not final, and a run of the same experiment begins with the missing stages.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

from nb.declaration.tasks import BROKEN, DONE, NOT_RUN, RUNNING, WAITING
from nb.project import UsageError, parse_json, warn, write_whole
from nb.run.lock import is_locked
from nb.run.past_runs import DIED
from nb.run.record import StageRecord
from nb.typed_json import read_fields
from nb.wording import did_you_mean, enumerated
from nb.workcopy.copying import copy_file

from .space import Settings, canonical

VARIANT_SCHEMA = 1
EXPERIMENTS = Path(".nb/experiments")
RECORD = "variant.json"
# The copy of the project that a variant runs in.
COPY = "project"
# Beside the copy, once the copy is whole.
WHOLE = "copied"
# The state of a variant whose stages are all up to date; other states are those of its stages.
FINISHED = "done"
# Outputs that are shown beside those of other variants.
FIGURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp")


@dataclass(kw_only=True)
class VariantRecord:
    """The record of a variant.

    Attributes:
        number: the number in the table.
        experiment: the name of the experiment.
        name: the name that a person gave the variant; empty without.
        settings: the values that were asked for, by parameter.
        source: a hash of all else that the results depend on: code, data, other parameters.
        commit: the commit of the project; None without Git.
        dirty: the work tree differed from the commit.
        started: when the variant was planned, UTC.
        ended: when the last of its stages ended, UTC.
        stages: the stages that this variant computed, and those taken from other variants.
        parameters: the values of all parameters of notebooks, by `stage.parameter`.
        metrics: the numbers of each metrics file.
    """

    number: int
    experiment: str
    name: str = ""
    settings: Settings
    source: str
    commit: str | None = None
    dirty: bool | None = None
    started: str
    ended: str | None = None
    stages: list[StageRecord] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    schema: int = VARIANT_SCHEMA

    @property
    def state(self) -> str:
        """The state of the whole: done, or that of the first stage that is not."""
        states = [stage.state for stage in self.stages]
        for wanted in (BROKEN, (RUNNING,), (WAITING,), (NOT_RUN,)):
            found = next((state for state in states if state in wanted), None)
            if found:
                return found
        return FINISHED if states or self.ended else WAITING

    @property
    def cause(self) -> str:
        """The cause of the first failure, after the name of its stage; empty if none failed."""
        broken = [stage for stage in self.stages if stage.state in BROKEN]
        return f"{broken[0].name}: {broken[0].cause}" if broken else ""

    @property
    def seconds(self) -> float:
        """The seconds that the variant's own stages took."""
        return sum(s.seconds or 0 for s in self.stages if s.state in (*DONE, *BROKEN))

    @property
    def all_parameters(self) -> dict[str, object]:
        """The parameters of the notebooks, and those asked for; they may hold secrets."""
        return {**self.parameters, **self.settings}

    @property
    def identity(self) -> str:
        """A text that is equal for variants with equal results."""
        return identity_of(self.settings, self.source)

    def save(self, root: Path) -> None:
        """Write the record; a reader sees the old or the new record, never a part."""
        write_whole(
            variant_folder(root, self.number) / RECORD, json.dumps(asdict(self), default=str)
        )


def identity_of(settings: Settings, source: str) -> str:
    """Return a text that is equal for variants with equal settings from equal projects."""
    return canonical({"settings": settings, "source": source})


def variant_folder(root: Path, number: int) -> Path:
    """Return the folder of a variant."""
    return root / EXPERIMENTS / str(number)


def variant_copy(root: Path, number: int) -> Path:
    """Return the copy of the project that a variant runs in."""
    return variant_folder(root, number) / COPY


def read_variants(root: Path) -> list[VariantRecord]:
    """Return the variants that this version understands, by number; of others a line is printed."""
    found = [_read(root, number) for number in variant_numbers(root)]
    return [record for record in found if record]


def read_experiment(root: Path, name: str | None) -> list[VariantRecord]:
    """Return the variants of an experiment, or all without a name.

    Raises:
        NbError: with exit code 2, if there is no such experiment.
    """
    known = read_variants(root)
    found = [record for record in known if name in (None, record.experiment)]
    if name is not None and not found:
        names = dict.fromkeys(record.experiment for record in known)
        hint = did_you_mean(name, names, f"there are {enumerated(names, 8)}" if names else "")
        raise UsageError(f"there is no experiment {name}; {hint or 'there is none yet'}")
    return found


def with_dead_runs_ended(root: Path, records: Sequence[VariantRecord]) -> Sequence[VariantRecord]:
    """Return records as a person should see them: nothing runs when no runner is at work.

    A runner that was killed leaves stages behind that its records call running or waiting.
    """
    if any(record.state in (RUNNING, WAITING) for record in records) and not is_locked(
        root / EXPERIMENTS
    ):
        for stage in (stage for record in records for stage in record.stages):
            if stage.state in (RUNNING, WAITING):
                stage.state, stage.cause = NOT_RUN, DIED
    return records


def variant_numbers(root: Path) -> list[int]:
    """Return the numbers of all variants, also of those that this version cannot read."""
    try:
        names = [path.name for path in (root / EXPERIMENTS).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def find_variant(root: Path, number: int) -> VariantRecord:
    """Return a variant by number.

    Raises:
        NbError: with exit code 2, if there is none, or another version of the tooling wrote it.
    """
    record = _read(root, number)
    if record is None:
        others = [other for other in variant_numbers(root) if other != number]
        known = f"there are {_spans(others)}" if others else "there is none yet"
        raise UsageError(f"there is no variant {number}; {known}: nb experiments")
    return record


def copy_executed(stages: Iterable[StageRecord], source: Path, target: Path) -> list[StageRecord]:
    """Copy the executed copies of stages between two projects; return the stages that have one."""
    ready = [s for s in stages if s.executed and (source / s.executed).is_file()]
    for stage in ready:
        copy_file(source / stage.executed, target / stage.executed)
    return ready


def remove_executed(stages: Iterable[StageRecord], copy: Path) -> None:
    """Remove the executed copies of stages from a copy of the project."""
    for stage in stages:
        if stage.executed:
            (copy / stage.executed).unlink(missing_ok=True)


def next_number(root: Path) -> int:
    """Return the number of the next variant: higher than any that is there."""
    return max(variant_numbers(root), default=0) + 1


def remove_variant_folder(root: Path, number: int) -> None:
    """Remove a variant; files shared with the project or with others stay.

    The record goes first: half a folder is no variant, and the next removal ends the work.
    """
    (variant_folder(root, number) / RECORD).unlink(missing_ok=True)
    shutil.rmtree(variant_folder(root, number), ignore_errors=True)


def remove_partial_folders(root: Path) -> None:
    """Remove folders without a record, which a removal that was broken off left behind."""
    for number in variant_numbers(root):
        if not (variant_folder(root, number) / RECORD).exists():
            remove_variant_folder(root, number)


def variant_size(root: Path, number: int) -> int:
    """Return the bytes that a variant takes; links into DVC's cache take none of their own."""
    return sum(
        stat.st_size
        for path in variant_folder(root, number).rglob("*")
        if path.is_file() and not path.is_symlink() and (stat := path.stat()).st_nlink == 1
    )


def _read(root: Path, number: int) -> VariantRecord | None:
    path = variant_folder(root, number) / RECORD
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content["schema"] != VARIANT_SCHEMA:
            where = path.relative_to(root).as_posix()
            warn(f"{where} is of another version of the tooling, and not shown")
            return None
        return read_fields(VariantRecord, {**content, "number": number})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        warn(f"{path.relative_to(root).as_posix()} cannot be read: nb experiments remove {number}")
        return None


def _spans(numbers: Sequence[int]) -> str:
    """Return ascending numbers in short: 1-3, 7."""
    runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    spans = ([number for _, number in run] for _, run in runs)
    return ", ".join("-".join(map(str, dict.fromkeys((s[0], s[-1])))) for s in spans)


def parameters_of(stages: Sequence[StageRecord]) -> dict[str, object]:
    """Return the values of all parameters of notebooks, by `stage.parameter`.

    A parameter that is the same for all values of a matrix has the name of the matrix.
    """
    groups: dict[str, dict[str, object]] = {}
    for stage in stages:
        for name, value in stage.parameters.items():
            group = f"{stage.name.partition('@')[0]}.{name}"
            groups.setdefault(group, {})[f"{stage.name}.{name}"] = value
    merged: dict[str, object] = {}
    for group, values in groups.items():
        is_same = len({canonical({"x": value}) for value in values.values()}) == 1
        merged |= {group: next(iter(values.values()))} if is_same else values
    return merged
