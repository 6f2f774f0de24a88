"""The rooms of the tooling: imports run downwards, and docs/why/architecture.md shows them."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import architecture
import pytest
from architecture import FLOORS, PACKAGE, PAGE

FILES = architecture.modules()
IMPORTS = architecture.imports(FILES)
ROOMS = sorted({path.parent for path in FILES.values()})
# Public names that stand in two modules, and why.
SHARED_NAMES = {
    "main": "the entry of each program: nb, the filter, the warm process …",
    "TYPE_CHECKING": "Git's programs start without importing typing, which takes milliseconds",
}


def test_every_module_is_in_a_room() -> None:
    assert {architecture.room(name) for name in FILES} <= {*FLOORS, "__main__"}


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_imports_only_from_rooms_below(room: str) -> None:
    above = FLOORS[: FLOORS.index(room)]
    upwards = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        if architecture.room(name) == room
        for other in others
        if architecture.room(other) in above
    ]
    assert upwards == []


def test_modules_import_each_other_without_cycles() -> None:
    try:
        TopologicalSorter(IMPORTS).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle of imports: {error.args[1]}")


def test_only_the_pipeline_knows_dvc() -> None:
    knowing = {
        architecture.room(name)
        for name, path in FILES.items()
        if re.search(r"^\s*(?:import|from) dvc\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert knowing == {"pipeline"}


@pytest.mark.parametrize("folder", ROOMS, ids=lambda folder: folder.name)
def test_a_room_can_be_overlooked(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= 15


def test_a_public_name_means_one_thing() -> None:
    defined: dict[str, list[str]] = defaultdict(list)
    for name, path in FILES.items():
        for public in public_names(path):
            defined[public].append(name)
    twice = {public: names for public, names in defined.items() if len(names) > 1}
    assert twice.keys() == SHARED_NAMES.keys(), twice
    assert len(SHARED_NAMES) <= 10


def public_names(path: Path) -> set[str]:
    """Return the public names that a module defines."""
    found: Counter[str] = Counter()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] += 1
        elif isinstance(node, ast.Assign):
            parts = (part for target in node.targets for part in ast.walk(target))
            found.update(part.id for part in parts if isinstance(part, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] += 1
    return {name for name in found if not name.startswith("_")}


def test_the_picture_shows_the_imports() -> None:
    drawn = architecture.drawing(architecture.arrows(IMPORTS))
    assert drawn in PAGE.read_text(encoding="utf-8"), "python tests/architecture.py draws it anew"


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`(\w+(?:/\w+)*\.py)`", page)
    assert [name for name in named if not (PACKAGE / name).is_file()] == []
    assert [room for room in FLOORS if f"`{room}" not in page] == []


def test_exit_codes_come_from_the_table() -> None:
    literal = [
        f"{name}:{call.lineno}"
        for name, path in FILES.items()
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(("Error", "Exit"))
        for value in [*call.args[-1:], *(k.value for k in call.keywords if k.arg == "exit_code")]
        if isinstance(value, ast.Constant) and type(value.value) is int
    ]
    assert literal == []
