"""The pipeline without DVC: lock files, reasons, needs of memory, outcomes of a stage."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.declaration.reader import split_commands
from nb.pipeline import comparison, hold_only, read_locks, repository
from nb.pipeline.isolated import _link
from nb.pipeline.lockfiles import Blocks, _sorted_lock
from nb.pipeline.planning import _memory, _persisted
from nb.pipeline.repository import (
    FINGERPRINT_STAGE,
    _repair_path_locks,
    failure_text,
    open_project,
    stage_parameters,
    with_fingerprints,
)
from nb.pipeline.reproducing import (
    _contract_error,
    _left_alone,
    _mark_times,
    _Messages,
    _not_computed,
    _status,
)
from nb.pipeline.run_cache import ENTRY_NAME, has_parameters
from nb.pipeline.states import _command, _reasons
from nb.pipeline.undocumented import RESTORED_MESSAGES, RUNNING_MESSAGE, STATUS_MESSAGE
from nb.project import NbError

NAMES = "abcdefghi"
HEAD = "schema: '2.0'\nstages:\n"


def stage_lines(name: str, text: str = "x") -> str:
    return f"  {name}:\n    cmd: {text}\n    outs:\n    - path: {name}.txt\n      md5: abc\n"


# Lock files --------------------------------------------------------------------------------------


def test_a_lock_file_is_taken_apart_by_stages() -> None:
    tail = "datasets:\n- name: d\n"
    text = HEAD + stage_lines("b") + stage_lines("'a:b'") + tail
    blocks = Blocks.read(text)
    assert blocks
    assert blocks.text() == text
    assert list(blocks.named()) == ["b", "a:b"]
    assert (blocks.head, blocks.tail) == ("schema: '2.0'\n", tail)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema: '2.0'\n",
        HEAD + stage_lines("a") + "# mine\n",
        HEAD + "  # mine\n" + stage_lines("a"),
        HEAD + stage_lines("a") + stage_lines("a"),
        HEAD + stage_lines("a") + "   odd: 1\n",
        "stages: {a: {cmd: x}}\n",
    ],
)
def test_what_dvc_would_not_write_is_left_to_dvc(text: str) -> None:
    assert Blocks.read(text) is None


names = st.lists(st.from_regex(r"[a-z][a-z0-9@_-]{0,8}", fullmatch=True), unique=True, max_size=8)


@given(names, st.randoms())
def test_sorting_moves_lines_and_changes_none(found: list[str], random: Any) -> None:
    order = found[: len(found) // 2 + 1]
    shuffled = random.sample(found, len(found))
    text = HEAD + "".join(map(stage_lines, shuffled))
    blocks = Blocks.read(_sorted_lock(text, {name: rank for rank, name in enumerate(order)}))
    assert blocks
    gone = [name for name in shuffled if name not in order]  # last, as they were
    assert list(blocks.named()) == order + gone
    assert sorted(blocks.named().values()) == sorted(map(stage_lines, found))


def held(path: Path, before: str, now: str, written: dict[str, str]) -> bool:
    path.write_text(now)
    return hold_only({str(path): before}, {os.path.realpath(path): written} if written else {})


def test_only_our_own_lines_in_a_lock_are_ours(tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    a, b, new = stage_lines("a"), stage_lines("b"), stage_lines("a", "new")
    assert held(path, HEAD + a, HEAD + a, {})
    assert held(path, HEAD + a + b, HEAD + b + new, {"a": new})
    assert held(path, "", HEAD + a, {"a": a})
    assert not held(path, HEAD + a, HEAD + new, {})
    assert not held(path, HEAD + a, HEAD + a + b, {"a": a})  # by somebody else
    assert not held(path, HEAD + a + b, HEAD + new, {"a": new})  # b is gone
    assert not held(path, HEAD + a, HEAD + a, {"a": new})
    assert not held(path, HEAD + a, "schema: '3'\nstages:\n" + new, {"a": new})
    assert not held(path, HEAD + a, HEAD + new + "other: 1\n", {"a": new})
    assert not held(path, HEAD + a, "torn", {"a": new})
    assert held(path, "schema: '2.0'\n", HEAD + a, {"a": a})  # the fingerprints', as Git has it


def test_the_lock_of_a_stage_is_beside_its_declaration(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("dvc.lock", "sub/dvc.lock"):
        (tmp_path / name).write_text(name)
    found = read_locks(tmp_path, ["train@a", "sub/dvc.yaml:b", "gone/dvc.yaml:c"])
    assert found == {tmp_path / n: n.encode() for n in ("dvc.lock", "sub/dvc.lock")}


@pytest.mark.parametrize(("text", "stays"), [("{}", True), ('{"read": {', False), ("", False)])
def test_half_of_a_list_of_paths_is_removed(tmp_path: Path, text: str, stays: bool) -> None:
    path = tmp_path / "rwlock"
    path.write_text(text)
    _repair_path_locks(path)
    _repair_path_locks(tmp_path / "none")
    assert path.exists() == stays


# What a stage needs ------------------------------------------------------------------------------


def stage(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"addressing": "train", "relpath": "dvc.yaml", **values})


@pytest.mark.parametrize(
    ("declared", "amount"),
    [
        ("8GB", 8e9),
        ("8 GB", 8e9),
        ("1.5GiB", 1.5 * 2**30),
        ("500MB", 5e8),
        ("2kB", 2000),
        ("3B", 3),
        (1024, 1024),
    ],
)
def test_memory_is_a_size(declared: object, amount: float) -> None:
    assert _memory(stage(meta={"nb": {"memory": declared}})) == amount


def test_a_stage_need_not_say_how_much_memory_it_needs() -> None:
    for meta in (None, {}, "text", {"nb": None}, {"nb": {"other": 1}}):
        assert _memory(stage(meta=meta)) is None


@pytest.mark.parametrize("declared", ["8", "8GB!", "much", "-1GB", "8TBB", "8Gb"])
def test_what_is_no_size_is_refused(declared: str) -> None:
    if declared == "8":
        assert _memory(stage(meta={"nb": {"memory": declared}})) == 8
        return
    with pytest.raises(NbError, match=r"dvc.yaml: stage train needs .* which is no size"):
        _memory(stage(meta={"nb": {"memory": declared}}))


def test_meta_without_names_is_refused() -> None:
    with pytest.raises(NbError, match="holds no names"):
        _memory(stage(meta={"nb": "8GB"}))


def test_commands_are_lines() -> None:
    assert split_commands("a\nb") == ["a", "b"]
    assert split_commands(["a", "b"]) == ["a", "b"]
    assert split_commands(None) == []


def test_parameters_of_all_files_count() -> None:
    read = [
        SimpleNamespace(def_path="p", fs_path="p", read_params=lambda v=v: v)
        for v in ({"a": 1}, {"b": 2})
    ]
    assert stage_parameters(stage(params=read), set()) == {"a": 1, "b": 2}
    read.append(SimpleNamespace(def_path="list.yaml", fs_path="list.yaml", read_params=lambda: [1]))
    with pytest.raises(NbError, match=r"list.yaml holds no names and values, which train reads"):
        stage_parameters(stage(params=read), set())


def test_fingerprints_are_planned_with_the_rest_if_they_can_be_made() -> None:
    def project(exists: bool) -> Any:
        made = stage(addressing=FINGERPRINT_STAGE, deps=[SimpleNamespace(exists=exists)])
        return SimpleNamespace(index=SimpleNamespace(stages=[stage(), made])), made

    repo, made = project(True)
    assert with_fingerprints(repo, ["a"]) == ["a", made]
    assert with_fingerprints(repo, []) == []
    assert with_fingerprints(project(False)[0], ["a"]) == ["a"]


# Why a stage is stale ----------------------------------------------------------------------------


def reasons(*changes: object, locked: Sequence[str] = ("in",), awaited: str = "") -> list[str]:
    known = dict.fromkeys(locked, "hash")
    return _reasons(Path(), list(changes), known, {"made": "maker"}, {awaited})


def test_reasons_are_words() -> None:
    assert reasons() == []
    assert reasons("changed command", locked=()) == ["it has not been run yet"]
    assert reasons("changed command") == ["its command in dvc.yaml changed"]
    assert reasons("always changed") == ["it is always changed"]
    outs = {"a": "deleted", "b": "modified", "c": "new", "d": "not in cache"}
    assert reasons({"changed outs": outs}) == [
        "a is missing",
        "b is not what the last run wrote",
        "c was never recorded",
        "d is neither here nor in DVC's cache",
    ]
    deps = {"in": "modified", "made": "deleted", "p.yaml": {"x": "new", "y": "modified"}}
    assert reasons({"changed deps": deps}) == [
        "in changed",
        "made, made by maker, is missing",
        "x in p.yaml is new",
        "y in p.yaml changed",
    ]


def test_what_a_stale_stage_will_make_is_no_reason() -> None:
    deps = {"in": "modified", "other": "modified"}
    assert reasons({"changed deps": deps}, awaited="in") == ["other changed"]


@pytest.mark.parametrize(
    ("declared", "command"),
    [
        (stage(frozen=False), "nb run"),
        (stage(frozen=True), "dvc unfreeze train"),
        (stage(frozen=False, addressing="s/dvc.yaml:a", relpath="s/dvc.yaml"), "nb run s/dvc.yaml"),
        (stage(frozen=False, addressing="a b", relpath="a b.yaml"), "nb run 'a b.yaml'"),
    ],
)
def test_each_stage_has_its_command(declared: Any, command: str) -> None:
    assert _command(declared, {"train"}) == command


# What became of a stage --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "is_restored"),
    [
        ([], False),
        ([RUNNING_MESSAGE], False),
        *(([message], True) for message in RESTORED_MESSAGES.values()),
        # The data could not be pulled, so the stage ran.
        ([RESTORED_MESSAGES["dvc.stage"], RUNNING_MESSAGE], False),
    ],
)
def test_a_stage_that_ran_is_not_restored(said: list[str], is_restored: bool) -> None:
    messages = _Messages(lambda line: None)
    for message in said:
        messages.emit(logging.LogRecord("dvc", logging.INFO, "", 0, message, ("train",), None))
    assert messages.is_restored() == is_restored


def test_commands_and_warnings_are_passed_on() -> None:
    told: list[str] = []
    messages = _Messages(told.append)
    for level, text in ((20, "> cmd"), (20, "other"), (30, "beware"), (40, "wrong")):
        messages.emit(logging.LogRecord("dvc", level, "", 0, text, None, None))
    assert told == ["> cmd", "beware", "wrong"]


def test_an_output_that_persists_has_to_be_written(tmp_path: Path) -> None:
    folder, file, gone = tmp_path / "folder", tmp_path / "file", tmp_path / "gone"
    folder.mkdir()
    (folder / "part").write_text("1")
    file.write_text("1")
    paths = [str(folder), str(file), str(gone)]
    repo = SimpleNamespace(unprotect=lambda path: None)
    before = _mark_times(repo, paths)
    assert _left_alone(before) == paths[:2]  # the third did not persist
    (folder / "part").write_text("22")
    assert _left_alone(before) == paths[1:2]
    os.utime(file, ns=(0, 0))
    assert _left_alone(before) == []
    assert _contract_error(tmp_path, paths[:2]).startswith("folder, file persisted from an earlier")


def test_results_are_those_of_the_same_parameters() -> None:
    entry = {"cmd": "x", "params": {"p.yaml": {"size": 1, "b": [1.5, None]}}}
    assert has_parameters(entry, {"params": {"p.yaml": {"b": [1.5, None], "size": 1}}})
    assert not has_parameters(entry, {"params": {"p.yaml": {"b": [1.5, None], "size": 2}}})
    assert not has_parameters(entry, {"cmd": "x"})
    assert has_parameters(
        {"params": {"p": {"x": float("nan")}}}, {"params": {"p": {"x": float("nan")}}}
    )


@pytest.mark.parametrize(
    ("values", "pull", "says"),
    [
        ({}, False, "train has not been computed here for these inputs: nb task train"),
        ({}, True, "train has not been computed and pushed for these inputs: nb task train --push"),
        ({"cmd": "", "exists": True}, False, "raw is not what train says: dvc add raw, or "),
        ({"cmd": ""}, True, "raw as train names it is not in the storage: make push where"),
        ({"cmd": ""}, False, "raw as train names it is not here: make push where"),
    ],
)
def test_who_was_not_computed_is_told_what_to_do(
    values: dict[str, Any], pull: bool, says: str
) -> None:
    out = SimpleNamespace(def_path="raw", exists=values.get("exists", False))
    assert _not_computed(stage(cmd=values.get("cmd", "x"), outs=[out]), pull).startswith(says)


def test_a_missing_input_is_named_from_the_root_with_the_next_step(tmp_path: Path) -> None:
    missing = FileNotFoundError(2, "No such file", f"{tmp_path}/data/a.csv")
    assert failure_text(tmp_path, missing).startswith(
        "data/a.csv is missing: dvc add and make push"
    )
    assert failure_text(tmp_path, ValueError("a\nb")) == "a b"


def stand_in_for_dvc(
    monkeypatch: pytest.MonkeyPatch, root: Path, repo: Callable[[str], object]
) -> None:
    """Have `open_project` open this repository, of an empty project."""
    for name, content in (
        ("exceptions", {"DvcException": KeyboardInterrupt}),
        ("lock", {"LockError": KeyboardInterrupt}),
        ("repo", {"Repo": repo}),
    ):
        module = ModuleType(f"dvc.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, f"dvc.{name}", module)
    monkeypatch.setitem(sys.modules, "dvc", ModuleType("dvc"))
    monkeypatch.setattr(repository, "compile_schemas", lambda: None)
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "pyproject.toml").touch()


def test_no_room_for_the_databases_of_dvc_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(root: str) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    stand_in_for_dvc(monkeypatch, tmp_path, full)
    with pytest.raises(NbError, match="DVC: database or disk is full"), open_project(tmp_path):
        pass


LOADER = """
def __getitem__(name, error, call):
    call()
    raise error
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no list"), "DVC: stage train: no list"),
        (AssertionError(), "DVC: stage train: AssertionError; dvc status -v shows where"),
        (TypeError("a\nb"), "DVC: stage train: a b"),
    ],
)
def test_an_error_inside_dvc_is_one_line_with_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    stand_in_for_dvc(monkeypatch, tmp_path, lambda root: nullcontext())
    monkeypatch.setattr(repository, "guard_runs", lambda repo: None)
    loader: dict[str, Any] = {"__name__": "dvc.stage.loader"}
    exec(LOADER, loader)
    with pytest.raises(NbError) as caught, open_project(tmp_path):
        loader["__getitem__"]("train", error, lambda: None)
    assert str(caught.value) == said
    ours: dict[str, Any] = {"__name__": "nb.pipeline.states"}
    exec("def fail(): raise KeyError('a fault of ours')", ours)
    with pytest.raises(KeyError), open_project(tmp_path):
        loader["__getitem__"]("train", error, ours["fail"])


def test_the_status_of_a_command_is_read_from_the_error_of_dvc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class StageCmdFailedError(Exception):
        pass

    fake = ModuleType("dvc.stage.exceptions")
    vars(fake)["StageCmdFailedError"] = StageCmdFailedError
    for name in ("dvc", "dvc.stage", "dvc.stage.exceptions"):
        monkeypatch.setitem(sys.modules, name, fake)
    said = f"failed to run: x, {STATUS_MESSAGE}"
    assert _status(StageCmdFailedError(f"{said}-9")) == -9
    assert _status(StageCmdFailedError(f"{said}3")) == 3
    assert _status(StageCmdFailedError("failed to run: x")) is None
    assert _status(ValueError(f"{said}3")) is None


def test_only_outputs_of_commands_persist() -> None:
    outs = [SimpleNamespace(fs_path=name, persist=name == "kept") for name in ("kept", "made")]
    assert _persisted(stage(cmd="x", outs=outs)) == ("kept",)
    assert _persisted(stage(cmd=None, outs=outs)) == ()


def test_a_copy_links_to_what_is_read_and_to_nothing_that_is_written(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    for name in ("raw/a.csv", "made/b.csv", "c.csv"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("1")
    (copy / "there").mkdir(parents=True)
    made = {data / "made"}
    _link(data, copy / "data", made)
    assert (copy / "data/raw").is_symlink() and (copy / "data/c.csv").is_symlink()
    assert not (copy / "data").is_symlink() and not (copy / "data/made").exists()
    for inside in (data / "made", data / "made/b.csv", data / "none"):
        _link(inside, copy / "made", made)
    assert not (copy / "made").exists()
    _link(data / "raw", copy / "there", set())  # a folder of Git's is filled
    assert (copy / "there/a.csv").is_symlink()
    (copy / "c.csv").write_text("ours")
    _link(data / "c.csv", copy / "c.csv", set())
    assert (copy / "c.csv").read_text() == "ours"


def test_metrics_and_parameters_are_compared_with_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(path: str, name: str) -> Any:
        found = {"diff": {path: {name: {"old": 1, "new": 2}, "gone": {"old": 1}}}}
        return SimpleNamespace(diff=lambda **_: found)

    read = SimpleNamespace(fs_path=f"{tmp_path}/p.yaml")
    index = SimpleNamespace(stages=[stage(params=[read], outs=[])])
    differing = {"metrics": differs("m.json", "auc"), "params": differs("p.yaml", "seed")}
    project = SimpleNamespace(index=index, **differing)
    monkeypatch.setattr(comparison, "open_project", lambda root: nullcontext(project))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    with pytest.raises(NbError, match="nothing is committed yet, so"):
        comparison.compare_with_commit(tmp_path, "HEAD")
    commit = ["git", "commit", "--quiet", "--allow-empty", "--message", "x"]
    subprocess.run(commit, cwd=tmp_path, check=True)
    with pytest.raises(NbError, match="there is no commit typo, so"):
        comparison.compare_with_commit(tmp_path, "typo")
    found = comparison.compare_with_commit(tmp_path, "HEAD")
    change = comparison.Change
    assert found == [
        change(kind="metric", path="m.json", name="auc", before=1, now=2),
        change(kind="metric", path="m.json", name="gone", before=1, now=None),
        change(kind="parameter", path="p.yaml", name="gone", before=1, now=None),
        change(kind="parameter", path="p.yaml", name="seed", before=1, now=2),
    ]
    assert len(comparison.compare_with_commit(tmp_path, "HEAD", ["metric"])) == 2
    bomb = "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in pairwise(NAMES)
    )
    (tmp_path / "p.yaml").write_text(f"a: &a [x]\n{bomb}")
    with pytest.raises(NbError, match=r"p\.yaml, line \d: aliases stand for more than"):
        comparison.compare_with_commit(tmp_path, "HEAD")


@pytest.mark.parametrize("name", [".x.tmp", "0" * 63, "0" * 65, "g" * 64, "A" * 64])
def test_drafts_are_no_entries(name: str) -> None:
    assert not ENTRY_NAME.fullmatch(name)
    assert ENTRY_NAME.fullmatch("0f" * 32)
