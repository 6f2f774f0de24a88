"""`nb doctor`: each breakage is named with its repair, and `--fix` repairs what it says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from test_git import Clone, commit, execute, team

__all__ = ["team"]  # the fixture

Break = Callable[[Project], Any]


@pytest.fixture
def member(ready: Project, team: Clone) -> Project:
    """A clone in which everything is well; its data come from the cache of the first."""
    project = team("member")
    project.run("nb", "setup")
    (project.path / ".dvc" / "cache").symlink_to(ready.path / ".dvc" / "cache")
    project.run("dvc", "checkout", "--quiet")
    return project


def wrong(project: Project, *options: str, **environment: str) -> dict[str, dict[str, Any]]:
    """Return the findings that have a problem, by name."""
    text = project.run("nb", "doctor", "--json", *options, code=None, **environment)
    return {f["name"]: f for f in json.loads(text[text.index("[") :]) if f["problem"]}


def unset(key: str) -> Break:
    return lambda project: project.git("config", "--local", "--unset-all", key)


def delete(name: str) -> Break:
    def remove(project: Project) -> None:
        path = project.path / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return remove


def commit_outputs(project: Project) -> None:
    execute(project)
    project.write(".git/info/attributes", "*.ipynb !filter\n")
    project.git("commit", "--quiet", "--no-verify", "--all", "--message", "outputs")
    (project.path / ".git" / "info" / "attributes").unlink()


def commit_windows_lines(project: Project) -> None:
    (project.path / "notes.md").write_bytes(b"one\r\ntwo\r\n")
    project.git("-c", "core.autocrlf=false", "hash-object", "-w", "notes.md")
    project.write(".git/info/attributes", "notes.md -text\n")
    project.git("add", "notes.md")
    (project.path / ".git" / "info" / "attributes").unlink()


def lose_data(project: Project) -> None:
    shutil.rmtree(project.path / "models")
    (project.path / ".dvc" / "cache").unlink()


def append(name: str, text: str) -> Break:
    return lambda project: project.write(name, project.read(name) + text)


def replace(name: str, old: str, new: str) -> Break:
    return lambda project: project.edit(name, old, new)


def block_storage(project: Project) -> None:
    project.write("blocked", "a file where a folder must be")
    project.edit(".dvc/config", "../../ready-storage", "../blocked/storage")


def leave_marks(project: Project) -> None:
    name = "notebooks/production/10-ingest.ipynb"
    notebook = json.loads(project.read(name))
    notebook["cells"][0]["source"] = "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs"
    project.write(name, json.dumps(notebook))
    project.git("add", name)


def add_undeclared(project: Project) -> None:
    shutil.copy(
        project.path / "notebooks/production/10-ingest.ipynb",
        project.path / "notebooks/production/90-lost.ipynb",
    )


# What is broken: how, the finding that names it, words of the problem, whether --fix repairs it.
BREAKAGES: dict[str, tuple[Break, str, str, bool]] = {
    "filter not connected": (
        unset("filter.nbstripout.process"),
        "notebook filter",
        "outputs would be committed",
        True,
    ),
    "filter not required": (
        unset("filter.nbstripout.required"),
        "notebook filter",
        "filter.nbstripout.required",
        True,
    ),
    "filter's files gone": (delete(".git/nb"), "notebook filter", "missing or outdated", True),
    "diff not connected": (unset("diff.notebook.textconv"), "notebook diff", "shows JSON", True),
    "merge not connected": (
        unset("merge.notebook.driver"),
        "merge drivers",
        "merge line by line",
        True,
    ),
    "no commit hook": (delete(".git/hooks/pre-commit"), "hooks", "pre-commit hook", True),
    "no push hook": (delete(".git/hooks/pre-push"), "hooks", "pre-push hook", True),
    "no repository": (delete(".git"), "Git repository", "there is none here", False),
    "hooks elsewhere": (
        lambda p: p.git("config", "core.hooksPath", "/nowhere"),
        "hooks",
        "core.hooksPath",
        False,
    ),
    "attributes lost": (
        replace(".gitattributes", "filter=nbstripout diff=notebook", ""),
        ".gitattributes",
        "filter and the diff",
        False,
    ),
    "conflict in Git": (leave_marks, "notebook merges", "cell 1 holds a merge conflict", False),
    "outputs in Git": (commit_outputs, "notebooks in Git", "holds outputs", False),
    "Windows lines in Git": (commit_windows_lines, "line endings", "notes.md", False),
    "broken pipeline": (append("dvc.yaml", "  oops: [\n"), "pipeline", "dvc.yaml", False),
    "circle": (
        append("dvc.yaml", "  oops:\n    cmd: make\n    deps: [loop]\n    outs: [loop]\n"),
        "pipeline",
        "oops",
        False,
    ),
    "undeclared notebook": (add_undeclared, "pipeline", "90-lost.ipynb", False),
    "storage out of reach": (block_storage, "DVC storage", "cannot be reached", False),
    "no storage": (
        lambda p: p.run("dvc", "config", "--unset", "core.remote"),
        "DVC storage",
        "no storage is configured",
        False,
    ),
    "data missing": (lose_data, "data", "not here", False),
    "no lock file": (delete("uv.lock"), "environment", "no uv.lock", False),
    "another version locked": (
        replace("uv.lock", 'name = "click"\nversion = "', 'name = "click"\nversion = "0.'),
        "environment",
        "click",
        False,
    ),
    "a package missing": (
        replace("pyproject.toml", '"matplotlib",', '"matplotlib",\n    "not-installed",'),
        "environment",
        "not-installed missing",
        False,
    ),
    "Python too old": (
        replace("pyproject.toml", 'requires-python = ">=3.', 'requires-python = ">=3.9'),
        "Python",
        "older than",
        False,
    ),
}


def test_a_clone_after_setup_is_well(member: Project) -> None:
    text = member.run("nb", "doctor")
    assert "✗" not in text
    assert "All is well." in text


@pytest.mark.parametrize(("broken", "name", "words", "is_fixed"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_breakage_is_named_and_repaired(
    member: Project, broken: Break, name: str, words: str, is_fixed: bool
) -> None:
    broken(member)
    found = wrong(member)
    assert set(found) == {name}, found
    assert words in found[name]["problem"]
    assert found[name]["repair"]
    if is_fixed:
        assert found[name]["is_safe"]
        assert wrong(member, "--fix") == {}


def test_a_missing_identity_is_named(member: Project) -> None:
    blank = {f"GIT_{r}_{p}": "" for r in ("AUTHOR", "COMMITTER") for p in ("NAME", "EMAIL")}
    assert "commits will fail" in wrong(member, CI="", **blank)["Git identity"]["problem"]
    assert "Git identity" not in wrong(member, CI="true", **blank)


def test_a_foreign_kernel_is_named(member: Project, tmp_path: Path) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    other = {"argv": ["/opt/other/python"], "display_name": "Other", "language": "python"}
    spec.write_text(json.dumps(other))
    found = wrong(member, JUPYTER_PATH=str(tmp_path / "jupyter"))
    assert "/opt/other/python" in found["kernel"]["problem"]


def test_every_problem_is_one_line_with_its_repair(member: Project) -> None:
    for broken, *_ in (BREAKAGES["filter not connected"], BREAKAGES["no commit hook"]):
        broken(member)
    lines = member.run("nb", "doctor", code=1).splitlines()
    crosses = [number for number, line in enumerate(lines) if line.startswith("✗")]
    assert len(crosses) == 2
    assert all(lines[number + 1].strip() == "→ nb setup" for number in crosses)
    assert lines[-1] == "2 to repair; `nb doctor --fix` repairs 2."
    commit(member, code=None)
