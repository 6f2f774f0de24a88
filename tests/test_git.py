"""Git and notebooks as a team lives with them: clones of one project, a shared repository."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from merge_shapes import SHAPES, holds, is_marked

FEATURES = "notebooks/production/20-features.ipynb"
SHAPE = "notebooks/exploratory/{}.ipynb"
Clone = Callable[[str], Project]


@pytest.fixture
def team(ready: Project, tmp_path: Path) -> Clone:
    """Return a function that clones the project, as it was pushed, for one more member.

    The clone is not wired. It uses the environment that is there: making one is tested elsewhere.
    """
    shared = tmp_path / "shared.git"
    ready.git("clone", "--quiet", "--bare", str(ready.path), str(shared))

    def clone(name: str) -> Project:
        project = Project(tmp_path / name)
        ready.git("clone", "--quiet", str(shared), str(project.path))
        (project.path / ".venv").symlink_to(ready.path / ".venv", target_is_directory=True)
        project.write(".git/info/exclude", ".venv\n")
        return project

    return clone


def load(project: Project, name: str = FEATURES) -> Any:
    return json.loads(project.read(name))


def save(project: Project, notebook: Any, name: str = FEATURES) -> None:
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    project.write(name, f"{text}\n")


def code_cells(notebook: Any) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def edit(project: Project, cell: int, line: str, name: str = FEATURES) -> None:
    """Add a line at the top of a code cell."""
    notebook = load(project, name)
    chosen = code_cells(notebook)[cell]
    chosen["source"] = [f"{line}\n", *chosen["source"]]
    save(project, notebook, name)


def execute(project: Project, name: str = FEATURES) -> None:
    """Give every code cell an output, as running it in Jupyter does."""
    notebook = load(project, name)
    for number, cell in enumerate(code_cells(notebook), 1):
        cell["execution_count"] = number
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": [f"out {number}\n"]}]
    save(project, notebook, name)


def outputs(project: Project, name: str = FEATURES) -> list[bool]:
    return [bool(cell["outputs"]) for cell in code_cells(load(project, name))]


def commit(project: Project, message: str = "work", code: int = 0) -> str:
    return project.git("commit", "--quiet", "--all", "--message", message, code=code)


def test_outputs_committed_before_any_setup_are_caught_by_verification(team: Clone) -> None:
    newcomer = team("newcomer")
    execute(newcomer)
    notebook = load(newcomer)
    code_cells(notebook)[1]["outputs"][0]["text"] = ["x" * 2_000_000]  # not for its size
    save(newcomer, notebook)
    commit(newcomer)
    assert '"out 1\\n"' in newcomer.git("show", f"HEAD:{FEATURES}")
    caught = newcomer.run("nb", "verify", code=1)
    assert caught.startswith(f"{FEATURES} holds outputs: run `nb setup`")


def test_the_first_command_of_any_kind_wires_a_clone(team: Clone) -> None:
    member = team("member")
    said = member.run("nb", "status").splitlines()
    assert said[0] == "nb: connected Git's filter, diff and merge for notebooks"
    assert said[1] == "nb: installed the pre-commit and pre-push hooks"
    assert not any(line.startswith("nb: ") for line in member.run("nb", "status").splitlines())
    execute(member)
    commit(member, code=1)  # nothing to commit: Git sees no change


def test_the_verification_names_what_is_staged(team: Clone) -> None:
    member = team("member")
    execute(member)
    member.git("add", "--all")
    member.run("nb", "setup")
    assert "holds outputs" in member.git("commit", "--message", "work", code=1)
    member.git("add", "--renormalize", ".")
    assert member.git("status", "--short") == ""
    assert outputs(member) == [True] * len(outputs(member))


def test_a_diff_reads_like_a_review(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    edit(member, -1, "total = 0  # a new line")
    shown = member.git("diff")
    assert "+total = 0  # a new line" in shown
    assert "out 1" not in shown and "execution_count" not in shown and '"source"' not in shown
    changed = [
        line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == ["+total = 0  # a new line"]
    commit(member)
    assert "+total = 0  # a new line" in member.git("log", "-p", "-1")


def branches(project: Project, ours: tuple[int, str], theirs: tuple[int, str]) -> None:
    """Edit the notebook on two branches; leave the work tree on ours."""
    project.run("nb", "setup")
    project.git("checkout", "--quiet", "-b", "theirs")
    edit(project, *theirs)
    commit(project)
    project.git("checkout", "--quiet", "main")
    edit(project, *ours)
    commit(project)


def test_edits_of_different_cells_merge_by_themselves(team: Clone) -> None:
    member = team("member")
    branches(member, (1, "ours: int = 1"), (-1, "theirs = 2"))
    member.git("merge", "--quiet", "theirs")
    sources = ["".join(cell["source"]) for cell in code_cells(load(member))]
    assert sources[1].startswith("ours: int = 1\n") and sources[-1].startswith("theirs = 2\n")
    member.run("nb", "verify")


def test_edits_of_the_same_cell_are_a_conflict_that_a_person_resolves(team: Clone) -> None:
    member = team("member")
    branches(member, (-1, 'side = "ours"'), (-1, 'side = "theirs"'))
    member.git("merge", "theirs", code=1)
    assert f"{FEATURES} is unmerged" in member.run("nb", "verify", code=1)
    assert f"{FEATURES} is unmerged" in member.run("nb", "doctor", code=1)
    notebook = load(member)  # valid JSON, opens in Jupyter
    text = json.dumps(notebook)
    assert all(part in text for part in ('\\"ours', '\\"theirs', "<<<<<<<"))
    member.git("add", "--all")
    assert "holds a merge conflict" in commit(member, code=1)
    member.git("checkout", "HEAD", "--", FEATURES)
    commit(member)
    assert member.git("rev-parse", "HEAD^2") == member.git("rev-parse", "theirs")
    assert 'side = \\"ours' in member.git("show", f"HEAD:{FEATURES}")


@pytest.fixture
def merged(team: Clone) -> tuple[Project, str]:
    """A clone in which `git merge` had to merge every shape, and the words of that command."""
    member = team("member")
    member.run("nb", "setup")
    for branch, start, at in (("base", "main", 0), ("theirs", "base", 2), ("ours", "base", 1)):
        member.git("checkout", "--quiet", "-b", branch, start)
        for name, shape in SHAPES.items():
            if shape[at] is not None:
                member.write(SHAPE.format(name), f"{json.dumps(shape[at], indent=1)}\n")
        member.git("add", "--all")
        member.git("commit", "--quiet", "--no-verify", "--message", branch)
    return member, member.git("merge", "theirs", code=1)


def test_no_merge_loses_a_side_or_lets_a_conflict_be_committed(merged: tuple[Project, str]) -> None:
    member, said = merged
    unmerged = member.run("nb", "verify", code=1)
    member.git("add", "--all")
    refused = commit(member, code=1)
    problems = {}
    for name, (_, _, _, words, is_conflict) in SHAPES.items():
        path = SHAPE.format(name)
        text = member.git("show", f":{path}")
        problems[name] = [
            problem
            for problem, is_there in {
                "a side is lost": not holds(text, words),
                "its conflict is not named": is_conflict != (f"{path} is unmerged" in unmerged),
                "its conflict can be committed": is_conflict
                != bool(re.search(rf"{re.escape(path)}: .* holds a merge conflict", refused)),
                "its marks are not where they are read": is_conflict != is_marked(text),
                "an output that is not kept is stored": "changed" in text,
            }.items()
            if is_there
        ]
    assert {name: found for name, found in problems.items() if found} == {}
    assert "Traceback" not in said


def test_a_merge_needs_no_environment(team: Clone) -> None:
    member = team("member")
    branches(member, (1, "ours: int = 1"), (-1, "theirs = 2"))
    (member.path / ".venv").unlink()
    member.git("merge", "--quiet", "--no-verify", "theirs")
    sources = ["".join(cell["source"]) for cell in code_cells(load(member))]
    assert sources[1].startswith("ours: int = 1\n") and sources[-1].startswith("theirs = 2\n")


@pytest.mark.parametrize("spoil", ["conflict", "utf-8-sig", "utf-16"])
def test_an_unreadable_notebook_is_refused_by_the_hook(team: Clone, spoil: str) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    text = member.read(FEATURES)
    if spoil == "conflict":
        member.write(FEATURES, f"<<<<<<< ours\n{text}")
    else:
        (member.path / FEATURES).write_bytes(text.encode(spoil))
    member.git("add", "--all")
    assert f"{FEATURES} is not a notebook that can be read" in commit(member, code=1)


def test_rebase_and_stash_leave_outputs_out_of_git(team: Clone) -> None:
    member = team("member")
    branches(member, (1, "ours: int = 1"), (-1, "theirs = 2"))
    member.git("rebase", "--quiet", "theirs")
    execute(member)
    edit(member, 0, "# not finished")
    member.git("stash")
    assert not any(outputs(member))
    member.git("stash", "pop")
    assert "# not finished" in member.read(FEATURES)
    commit(member)
    member.run("nb", "verify")


def test_a_pull_is_not_blocked_and_keeps_the_outputs_of_unchanged_cells(team: Clone) -> None:
    anna, bert = team("anna"), team("bert")
    for member in (anna, bert):
        member.run("nb", "setup")
    edit(anna, -1, "changed = True")
    commit(anna)
    anna.git("push", "--quiet", "--no-verify")
    execute(bert)
    execute(bert, "notebooks/production/10-ingest.ipynb")
    assert "would be overwritten" in bert.git("pull", "--quiet", code=1)
    said = bert.run("nb", "sync")
    assert f"kept the outputs of notebooks/production/10-ingest.ipynb, {FEATURES}" in said
    assert "changed = True" in bert.read(FEATURES)
    assert outputs(bert) == [*([True] * (len(outputs(bert)) - 1)), False]
    assert all(outputs(bert, "notebooks/production/10-ingest.ipynb"))
    assert bert.git("diff", "--stat") == ""
    assert not list((bert.path / ".nb" / "outputs").rglob("*.ipynb"))


def test_a_commit_beside_unstaged_changes_keeps_outputs(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    execute(member, "notebooks/production/10-ingest.ipynb")
    edit(member, 0, "# not finished")
    member.edit("README.md", "## Start", "## Begin")
    member.write("notes.md", "A note.\n")
    member.git("add", "notes.md")
    member.git("commit", "--quiet", "--message", "only the note")
    assert member.git("show", "--stat", "--format=", "HEAD").split()[0] == "notes.md"
    assert all(outputs(member)) and all(outputs(member, "notebooks/production/10-ingest.ipynb"))
    assert "# not finished" in member.read(FEATURES) and "## Begin" in member.read("README.md")


def test_outputs_of_a_notebook_that_is_not_here_wait_for_it(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    name = "notebooks/exploratory/02-at-side.ipynb"
    member.git("checkout", "--quiet", "-b", "side")
    save(member, load(member), name)
    edit(member, 0, "# at the side", name)
    member.git("add", "--all")
    commit(member)
    execute(member, name)
    assert f"outputs of {name} wait" in member.run("nb", "sync", "checkout", "--quiet", "main")
    assert not member.has(name)
    assert f"kept the outputs of {name}" in member.run("nb", "sync", "checkout", "--quiet", "side")
    assert all(outputs(member, name))


def test_outputs_follow_a_notebook_that_was_renamed(team: Clone) -> None:
    anna, bert = team("anna"), team("bert")
    for member in (anna, bert):
        member.run("nb", "setup")
    old, new = (
        f"notebooks/exploratory/{name}.ipynb" for name in ("01-dm-first-look", "01-dm-look")
    )
    anna.git("mv", old, new)
    commit(anna)
    anna.git("push", "--quiet", "--no-verify")
    execute(bert, old)
    assert f"kept the outputs of {new}" in bert.run("nb", "sync")
    assert all(outputs(bert, new))


def test_a_conflict_during_sync_loses_no_outputs(team: Clone) -> None:
    anna, bert = team("anna"), team("bert")
    for member in (anna, bert):
        member.run("nb", "setup")
        edit(member, -1, f"side = {member.path.name == 'anna'}")
        commit(member)
    anna.git("push", "--quiet", "--no-verify")
    execute(bert)
    bert.run("nb", "sync", "pull", "--no-rebase", code=1)
    bert.git("merge", "--abort")
    assert f"kept the outputs of {FEATURES}" in bert.run("nb", "sync", "status")
    assert all(outputs(bert))


def test_a_check_that_saw_nothing_does_not_pass(team: Clone) -> None:
    member = team("member")
    execute(member)
    commit(member)
    folder = (member.path / FEATURES).parent
    for name in ("20-features.ipynb", str(member.path / FEATURES)):
        assert "holds outputs" in member.run("nb", "verify", name, code=1, cwd=folder)
    for command in ("verify", "credentials"):
        assert "nothing.ipynb is not a file that Git tracks" in member.run(
            "nb", command, "nothing.ipynb", code=2
        )


def test_names_that_are_hard_to_handle_are_named(team: Clone) -> None:
    member = team("member")
    names = ["a\nb.ipynb", '"q".ipynb', "é ü.ipynb", "0:x.ipynb", "z z.ipynb"]
    for name in names:
        save(member, load(member), name)
        execute(member, name)
    member.git("add", "--all")
    found = member.run("nb", "verify", code=1)
    assert all(f"{name} holds outputs" in found for name in names)
    assert found.count("holds outputs") == len(names)
    member.run("nb", "setup")
    member.git("add", "--renormalize", ".")
    member.run("nb", "sync", "status")
    assert all(all(outputs(member, name)) for name in names)


def test_large_outputs_do_not_keep_a_notebook_out_of_git(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    notebook = load(member)
    name = "notebooks/exploratory/02-at-large.ipynb"
    code_cells(notebook)[0]["outputs"] = [
        {"name": "stdout", "output_type": "stream", "text": ["x" * 2_000_000]}
    ]
    save(member, notebook, name)
    member.git("add", "--all")
    commit(member)
    notebook["cells"][0]["source"] = ["x" * 2_000_000]
    save(member, notebook, name)
    assert "02-at-large.ipynb holds 2 MB besides outputs" in commit(member, code=1)


def test_hooks_survive_a_move_and_say_what_to_do_without_an_environment(
    team: Clone, tmp_path: Path
) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.path.rename(tmp_path / "moved")
    moved = Project(tmp_path / "moved")
    edit(moved, 0, "# after the move")
    commit(moved)
    (moved.path / ".venv").unlink()
    edit(moved, 0, "# without an environment")
    assert "nb: the project has no environment yet; run: make setup" in commit(moved, code=1)


def test_somebody_elses_hook_runs_before_ours(team: Clone) -> None:
    member = team("member")
    hook = member.path / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho theirs\n")
    hook.chmod(0o755)
    member.run("nb", "setup")
    edit(member, 0, "# a change")
    assert "theirs" in commit(member)


def test_a_stash_through_sync_keeps_outputs(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    member.edit("README.md", "## Start", "## Begin")
    member.run("nb", "sync", "stash")
    assert all(outputs(member)) and "## Start" in member.read("README.md")


def test_a_stash_that_is_popped_has_the_output_of_an_edited_cell(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    edit(member, 2, "changed = 1")
    member.run("nb", "sync", "stash")
    member.run("nb", "sync", "stash", "pop")
    assert all(outputs(member)) and "changed = 1" in member.read(FEATURES)


def test_blame_raises_no_alarm(team: Clone) -> None:
    """Git gives the filter the readable text of the notebook instead of JSON."""
    member = team("member")
    member.run("nb", "setup")
    assert "git-notebook:" not in member.git("blame", FEATURES)


def test_a_change_of_metadata_alone_is_seen_in_a_diff(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    notebook = load(member)
    notebook["metadata"]["authors"] = [{"name": "Ada"}]
    save(member, notebook)
    assert member.git("status", "--short") == f" M {FEATURES}\n"
    assert "Ada" in member.git("diff")


def test_a_failed_pull_loses_nothing_and_says_so(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    before = member.read(FEATURES)
    said = member.run("nb", "sync", "pull", "nowhere", code=1)
    assert "nb: git pull nowhere failed" in said
    assert member.read(FEATURES) == before


def test_outputs_set_aside_by_a_killed_sync_come_back(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    execute(member)
    executed = member.read(FEATURES)
    aside = member.path / ".nb" / "outputs" / FEATURES
    aside.parent.mkdir(parents=True)
    aside.write_text(executed, encoding="utf-8")
    member.git("checkout", "--", FEATURES)
    assert not any(outputs(member))
    member.run("nb", "sync", "status")
    assert member.read(FEATURES) == executed


def change_lock(project: Project, digest: str, stage: str) -> None:
    """Commit another hash for the output of a stage, as a run would."""
    lines, inside = [], False
    for line in project.read("dvc.lock").splitlines():
        inside = line == f"  {stage}:" if line.startswith("  ") and line[2] != " " else inside
        is_hash = inside and line.strip().startswith("md5:")
        lines.append(line.split("md5:")[0] + f"md5: {digest * 32}" if is_hash else line)
    project.write("dvc.lock", "\n".join(lines) + "\n")
    project.git("commit", "--quiet", "--no-verify", "--all", "--message", "run")


def test_locks_merge_stage_by_stage_and_a_conflict_is_resolved_by_one_command(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.git("checkout", "--quiet", "-b", "theirs")
    change_lock(member, "a", "ingest")
    change_lock(member, "b", "evaluate")
    member.git("checkout", "--quiet", "main")
    change_lock(member, "c", "ingest")
    member.git("merge", "--quiet", "--no-verify", "-m", "merge", "theirs")
    lock = member.read("dvc.lock")
    assert "c" * 32 in lock and "b" * 32 in lock and "a" * 32 not in lock
    assert member.git("diff", "HEAD^1", "--stat", "--", "dvc.lock").count("dvc.lock") == 1

    member.git("reset", "--quiet", "--hard", "HEAD^1")
    member.git("-c", "merge.dvc-lock.driver=false", "merge", "--no-verify", "theirs", code=1)
    assert "dvc.lock is resolved" in member.run("nb", "resolve")
    assert member.read("dvc.lock") == lock
    assert member.git("diff", "--name-only", "--diff-filter=U") == ""
    assert "no dvc.lock is in conflict" in member.run("nb", "resolve", code=1)


# Pieces, so that this file is not itself full of credentials.
AWS_KEY = "AKIA" + "IOSFODNN7" + "EXAMPLA"


@pytest.mark.parametrize("place", ["source", "kept output", "file"])
def test_credentials_are_refused_by_the_hook(team: Clone, place: str) -> None:
    member = team("member")
    member.run("nb", "setup")
    if place == "source":
        edit(member, 0, f'key = "{AWS_KEY}"')
        expected = f"{FEATURES}, code cell 1: AWS Access Key"
    elif place == "kept output":
        execute(member)
        notebook = load(member)
        kept = code_cells(notebook)[0]
        kept["metadata"]["tags"] = ["keep_output"]
        kept["outputs"][0]["text"] = [f"connecting with {AWS_KEY}\n"]
        save(member, notebook)
        expected = f"{FEATURES}, code cell 1: AWS Access Key"
    else:
        member.write("src/biopsies/login.py", f'"""Log in."""\n\nKEY = "{AWS_KEY}"\n')
        expected = "src/biopsies/login.py:3: AWS Access Key"
    member.git("add", "--all")
    assert expected in commit(member, code=1)


def test_large_files_are_refused_and_dvc_is_named(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.write("big.txt", "x" * 2_000_000)
    member.git("add", "--all")
    said = commit(member, code=1)
    assert "dvc add FILE" in said and "big.txt" in said


def test_data_that_was_not_pushed_is_named_before_a_push(ready: Project, team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.git("fetch", "--quiet")
    member.write("data/raw.csv", "a,b\n1,2\n")
    member.run("dvc", "add", "--quiet", "data/raw.csv")
    member.git("add", "--all")
    commit(member)
    said = member.git("push", code=1)
    assert "data/raw.csv" in said and "make push" in said
    member.run("dvc", "push")
    member.git("push")


def test_hooks_work_from_a_linked_worktree_without_an_environment_of_its_own(
    team: Clone, tmp_path: Path
) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Project(tmp_path / "side")
    execute(side)
    edit(side, 0, "# from the side")
    commit(side)
    assert "out 1" not in side.git("show", f"HEAD:{FEATURES}")


def test_commits_need_no_activated_environment(team: Clone) -> None:
    member = team("member")
    member.run("nb", "setup")
    edit(member, 0, "# from a desktop program")
    done = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", "work"],
        cwd=member.path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
