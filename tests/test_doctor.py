"""`nb doctor`: each breakage is named with its repair, and that repair makes the clone well."""

from __future__ import annotations

import json
import re
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


def comment_a_stage_out(project: Project) -> None:
    add_undeclared(project)
    append("dvc.yaml", "  # lost: papermill notebooks/production/90-lost.ipynb x.ipynb\n")(project)


def in_global_settings(name: str, key: str, text: str) -> Break:
    """Write a file, and name it in a Git setting of the person, for all repositories."""

    def write(project: Project) -> None:
        file = project.path.parent / name
        file.write_text(text)
        project.git("config", "--global", key, str(file))

    return write


def hooks_for_all_repositories(project: Project) -> None:
    project.git("config", "--global", "core.hooksPath", str(project.path.parent / "hooks"))
    delete(".git/hooks/pre-commit")(project)


def commit_marks(project: Project) -> None:
    lock = project.read("dvc.lock")
    stage = lock[lock.index("  evaluate:") :]
    other = stage.replace("md5: ", "md5: f", 1)
    marks = f"<<<<<<< HEAD\n{stage}=======\n{other}>>>>>>> theirs\n"
    project.write("dvc.lock", lock.replace(stage, marks))
    project.git("commit", "--quiet", "--no-verify", "--all", "--message", "marks")


def set_aside_by_pre_commit(project: Project) -> None:
    project.run("pre-commit", "install")
    hook = project.path / ".git" / "hooks" / "pre-commit"
    hook.write_text((hook.parent / "pre-commit.legacy").read_text())
    hook.chmod(0o755)


def install_nbstripout(project: Project) -> None:
    """Leave what its own installation leaves when somebody has repaired the filter by hand."""
    clean = project.git("config", "filter.nbstripout.clean").strip()
    project.run("nbstripout", "--install")
    project.git("config", "filter.nbstripout.clean", clean)


def cut(name: str) -> Break:
    return lambda project: project.write(name, project.read(name)[: len(project.read(name)) // 2])


def forget_attributes(project: Project) -> None:
    replace(".gitattributes", " merge=notebook", "")(project)
    project.git("commit", "--quiet", "--no-verify", "--all", "--message", "attributes")


PRODUCTION = "notebooks/production"
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
    "no repository": (delete(".git"), "Git repository", "there is none here", True),
    "commit hook not executable": (
        lambda p: (p.path / ".git/hooks/pre-commit").chmod(0o644),
        "hooks",
        "pre-commit hook",
        True,
    ),
    "our hook set aside for itself": (set_aside_by_pre_commit, "hooks", "hook is not", True),
    "pre-commit's own hook": (lambda p: p.run("pre-commit", "install"), "hooks", "hook", True),
    "hooks elsewhere": (
        lambda p: (p.git("config", "core.hooksPath", "/nowhere"), delete(".git/hooks")(p)),
        "hooks",
        "core.hooksPath",
        False,
    ),
    "hooks of all repositories": (hooks_for_all_repositories, "hooks", "core.hooksPath", False),
    "lock files of killed commands": (
        lambda p: (p.write(".git/index.lock", ""), p.write(".git/refs/heads/main.lock", "")),
        "Git's lock files",
        ".git/index.lock .git/refs/heads/main.lock",
        False,
    ),
    "edits overlooked": (
        lambda p: (
            p.git("update-index", "--skip-worktree", "config/10-ingest.yaml"),
            p.git("update-index", "--assume-unchanged", "dvc.yaml"),
        ),
        "edits",
        "config/10-ingest.yaml and 1 more",
        False,
    ),
    "lock file ignored by a setting": (
        in_global_settings("ignored", "core.excludesFile", "# mine\n*.lock\n"),
        "ignored files",
        "ignored, line 2 (*.lock), keeps files such as dvc.lock",
        False,
    ),
    "pipeline ignored by a setting": (
        in_global_settings("ignored", "core.excludesFile", "dvc.yaml\n"),
        "ignored files",
        "ignored, line 1 (dvc.yaml)",
        False,
    ),
    "notebooks ignored here": (
        append(".git/info/exclude", "*.ipynb\n"),
        "ignored files",
        ".git/info/exclude, line 2 (*.ipynb)",
        False,
    ),
    "attributes of nbstripout --install": (
        install_nbstripout,
        ".gitattributes",
        ".git/info/attributes, line 3, takes the diff from",
        True,
    ),
    "attributes overruled here": (
        lambda p: p.write(".git/info/attributes", "# mine\n*.ipynb -filter\n"),
        ".gitattributes",
        ".git/info/attributes, line 2, takes the filter from",
        False,
    ),
    "attributes overruled in a folder": (
        lambda p: p.write(f"{PRODUCTION}/.gitattributes", "*.ipynb -filter\n"),
        ".gitattributes",
        f"{PRODUCTION}/.gitattributes, line 1, takes the filter from {PRODUCTION}/",
        False,
    ),
    "attributes lost and committed": (
        forget_attributes,
        ".gitattributes",
        "no longer names the merge",
        False,
    ),
    "half a notebook": (
        cut(f"{PRODUCTION}/10-ingest.ipynb"),
        "notebooks",
        "10-ingest.ipynb is not a notebook that can be read",
        False,
    ),
    "half a lock file": (
        lambda p: p.write("dvc.lock", p.read("dvc.lock")[:20] + "\n  ingest: ["),
        "pipeline",
        "dvc.lock",
        False,
    ),
    "half a manifest": (
        cut("tools/manifest.json"),
        "tooling",
        "tools/manifest.json cannot be read",
        False,
    ),
    "half a record": (cut(".cruft.json"), "template", ".cruft.json is not a record", False),
    "half a lock of packages": (
        lambda p: p.write("uv.lock", "version = "),
        "environment",
        "uv.lock names no package",
        False,
    ),
    "marks in the lock file": (commit_marks, "pipeline", "dvc.lock holds the marks", True),
    "attributes lost": (
        replace(".gitattributes", "filter=nbstripout diff=notebook", ""),
        ".gitattributes",
        "filter and the diff",
        False,
    ),
    "conflict in Git": (leave_marks, "notebook merges", "the text at the top holds a merge", False),
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
    "stage commented out": (comment_a_stage_out, "pipeline", "90-lost.ipynb", False),
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


# Repairs that need a new environment, a network or a person's knowledge.
BY_HAND = ("make setup", "edit dvc.yaml", "edit notebooks/", "nb pull", "check the address")


def follow(project: Project, repair: str) -> None:
    """Do what a repair says: run the command with values for its capitals, or edit the file."""
    edit = re.fullmatch(r"edit (\S+): (?:delete line (\d+)|add the line (.+))", repair)
    if edit is None:
        storage = project.path.parent / "storage"
        storage.mkdir()
        command = repair.replace("URL", str(storage)).replace("NAME", "other")
        project.run("bash", "-c", command)
        return
    lines = project.read(edit[1]).splitlines(keepends=True)
    if edit[2]:
        del lines[int(edit[2]) - 1]
    else:
        lines.append(f"{edit[3]}\n")
    project.write(edit[1], "".join(lines))


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of Git for all repositories of a person, for `git config --global`."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))


@pytest.mark.parametrize(("broken", "name", "words", "is_fixed"), BREAKAGES.values(), ids=BREAKAGES)
@pytest.mark.usefixtures("person")
def test_a_breakage_is_named_and_its_repair_makes_the_clone_well(
    member: Project, broken: Break, name: str, words: str, is_fixed: bool
) -> None:
    broken(member)
    found = wrong(member)
    assert set(found) == {name}, found
    assert words in found[name]["problem"]
    repair = found[name]["repair"]
    assert repair
    if is_fixed:
        assert found[name]["is_safe"]
        assert wrong(member, "--fix") == {}
    elif not repair.startswith(BY_HAND):
        follow(member, repair)
        assert wrong(member) == {}, repair


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
    member.run("nb", "setup")
    assert wrong(member) == {}
    commit(member, code=None)
