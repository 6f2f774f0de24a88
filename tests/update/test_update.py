"""`nb update` on tiny templates in temporary repositories: Git's merges, conflicts, kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import TEMPLATE, signal_after
from nb.check.health.template import template

TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
FILES = {
    "pyproject.toml": '[project]\nname = "a"\n',
    "tools/nb/core.py": "one = 1\n",
    "tools/nb/old.py": "print('a tool that goes')\n",
    "Makefile": "a:\n\tone\n\nb:\n\ttwo\n\nc:\n\tthree\n",
    "README.md": "# {{ cookiecutter.project_name }}\n\nfirst\n\nmiddle\n\nlast\n",
    "src/lib.py": "".join(f"def f{n}():\n    return {n}\n\n\n" for n in range(8)),
    "docs/gone.md": "a page of the template\n",
}
QUESTIONS = {"project_name": "A", "project_slug": "a", "color": ["red", "blue"], "big": False}


@dataclass
class Repository:
    """A folder with Git."""

    path: Path

    def git(self, *arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.read(name)
        assert old in text
        self.write(**{name: text.replace(old, new)})

    def commit(self, message: str = "work") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD").strip()


class Project(Repository):
    """A project generated from a tiny template."""

    def nb(self, *arguments: str, code: int | None = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "nb.cli", *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": str(TOOLS)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert code is None or done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def state(self) -> tuple[str, str]:
        """Return HEAD, and the changes and new files that Git sees."""
        return self.git("rev-parse", "HEAD").strip(), self.git("status", "--porcelain")


class Source(Repository):
    """A tiny template."""

    def release(self, version: str, questions: dict[str, object] = QUESTIONS) -> str:
        self.write(**{"cookiecutter.json": json.dumps(questions)})
        self.write(**{"pyproject.toml": f'[project]\nversion = "{version}"\n'})
        return self.commit(version)

    def lay(self, **files: str) -> None:
        self.write(**{f"{{{{cookiecutter.project_slug}}}}/{name}": f for name, f in files.items()})

    def file(self, name: str) -> str:
        return f"{{{{cookiecutter.project_slug}}}}/{name}"

    def generate(self, folder: Path, **answers: object) -> Project:
        """Generate a project with its record, as cruft would write it, and commit it."""
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(folder)]
        command += [str(self.path), *(f"{name}={answer}" for name, answer in answers.items())]
        subprocess.run(command, check=True, capture_output=True)
        project = Project(folder / "a")
        known = {"project_name": "A", "project_slug": "a", "color": "red", "big": False}
        record = {
            "template": os.path.relpath(self.path, project.path),
            "commit": self.git("rev-parse", "HEAD").strip(),
            "checkout": None,
            "context": {"cookiecutter": {**known, **answers}},
            "directory": None,
        }
        project.write(**{".cruft.json": json.dumps(record), ".gitignore": "/.nb/\n"})
        project.git("init", "--quiet")
        project.commit("generated")
        return project


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a template of version 1.0 and a project of it."""
    folder = tmp_path_factory.mktemp("laid")
    made = Source(folder / "template")
    made.path.mkdir()
    made.git("init", "--quiet")
    made.lay(**FILES)
    made.write(**{"CHANGELOG.md": "# Changelog\n\n## 1.0\n\n- Begins.\n"})
    made.release("1.0")
    made.generate(folder)
    return folder


@pytest.fixture
def source(laid: Path, tmp_path: Path) -> Source:
    """A template of version 1.0."""
    shutil.copytree(laid / "template", tmp_path / "template")
    return Source(tmp_path / "template")


@pytest.fixture
def project(laid: Path, tmp_path: Path) -> Project:
    """A project of version 1.0."""
    shutil.copytree(laid / "a", tmp_path / "a")
    return Project(tmp_path / "a")


def second(source: Source) -> str:
    """Release version 2.0: a change, a new file, a removed, a renamed, a new question."""
    source.edit(source.file("Makefile"), "two", "two --better")
    source.edit(source.file("README.md"), "last", "last, and better")
    source.lay(**{"tools/nb/core.py": "one = 2\n", "docs/new.md": "{{ cookiecutter.size }}\n"})
    for name in ("docs/gone.md", "tools/nb/old.py"):
        (source.path / source.file(name)).unlink()
    (source.path / source.file("src/lib.py")).rename(source.path / source.file("src/library.py"))
    source.edit("CHANGELOG.md", "# Changelog\n", "# Changelog\n\n## 2.0\n\n- Is better.\n")
    return source.release("2.0", {**QUESTIONS, "size": ["small", "large"]})


def test_an_update_is_one_commit_that_merges(source: Source, project: Project) -> None:
    project.edit("Makefile", "three", "three --mine")
    project.edit("README.md", "first", "my own words")
    project.edit("src/lib.py", "return 3", "return 33")
    project.write(**{"src/own.py": "mine = 1\n"})
    before = project.commit()
    new = second(source)
    said = project.nb("update")
    assert "1.0" in said and "2.0" in said and "Is better." in said and "Begins." not in said
    assert project.git("rev-parse", "HEAD^").strip() == before
    assert project.state()[1] == ""
    assert project.read("Makefile") == "a:\n\tone\n\nb:\n\ttwo --better\n\nc:\n\tthree --mine\n"
    assert project.read("README.md") == "# A\n\nmy own words\n\nmiddle\n\nlast, and better\n"
    assert "return 33" in project.read("src/library.py")  # the rename is followed
    assert not (project.path / "src/lib.py").exists()
    assert not (project.path / "docs/gone.md").exists()
    assert not (project.path / "tools/nb/old.py").exists()
    assert project.read("docs/new.md") == "small\n"
    assert project.read("src/own.py") == "mine = 1\n"
    record = json.loads(project.read(".cruft.json"))
    assert record["commit"] == new
    assert record["context"]["cookiecutter"]["size"] == "small"
    assert "up to date" in project.nb("update")
    assert f"commit {new[:7]} of " in project.nb("--version")


def test_a_dry_run_changes_nothing_and_names_conflicts(source: Source, project: Project) -> None:
    project.edit("Makefile", "two", "two --mine")
    project.commit()
    second(source)
    before = project.state()
    said = project.nb("update", "--dry-run")
    assert "conflicts: Makefile" in said and "new question: size" in said
    assert project.state() == before


def test_a_conflict_stands_in_the_file_until_it_is_resolved(
    source: Source, project: Project
) -> None:
    project.edit("Makefile", "two", "two --mine")
    project.commit()
    new = second(source)
    said = project.nb("update", code=1)
    assert "in conflict: Makefile" in said and "--continue" in said
    text = project.read("Makefile")
    assert "<<<<<<< " in text and "two --mine" in text and "two --better" in text
    assert "UU Makefile" in project.state()[1]
    assert not [*project.path.rglob("*.rej")]
    assert "still in conflict" in project.nb("update", "--continue", code=1)
    assert "Makefile" in project.nb("update", code=1)
    project.git("add", "Makefile")
    assert "conflict marker" in project.nb("update", "--continue", code=1)
    project.write(Makefile="mine\n")
    project.git("add", "Makefile")
    project.nb("update", "--continue")
    assert project.state()[1] == ""
    assert json.loads(project.read(".cruft.json"))["commit"] == new
    assert "no update is under way" in project.nb("update", "--continue", code=1)


def test_abort_puts_everything_back(source: Source, project: Project) -> None:
    project.edit("Makefile", "two", "two --mine")
    project.commit()
    project.write(**{"notes.txt": "mine, and not in Git\n"})
    before = project.state()
    second(source)
    project.nb("update", code=1)
    project.nb("update", "--abort")
    assert project.state() == before
    assert project.read("Makefile").count("two --mine") == 1
    assert project.read("notes.txt") == "mine, and not in Git\n"
    assert "no update is under way" in project.nb("update", "--abort", code=1)


def test_a_file_that_the_project_deleted_stays_deleted(source: Source, project: Project) -> None:
    (project.path / "README.md").unlink()
    project.commit()
    second(source)
    assert "deleted by you, stay deleted: README.md" in project.nb("update")
    assert not (project.path / "README.md").exists()


def test_a_removed_file_with_edits_is_a_conflict_that_keeps_them(
    source: Source, project: Project
) -> None:
    project.edit("docs/gone.md", "a page", "my page")
    project.commit()
    second(source)
    assert "in conflict: docs/gone.md" in project.nb("update", code=1)
    assert project.read("docs/gone.md") == "my page of the template\n"


def test_tools_are_replaced_and_edits_kept_as_a_patch(source: Source, project: Project) -> None:
    project.edit("tools/nb/core.py", "one = 1", "one = 10")
    project.write(**{"tools/own.py": "mine\n"})
    project.commit()
    second(source)
    assert "tools/nb/core.py" in project.nb("update", "--dry-run")
    assert "edits-of-tools" in project.nb("update")
    assert project.read("tools/nb/core.py") == "one = 2\n"
    assert project.read("tools/own.py") == "mine\n"
    (patch,) = (project.path / ".nb" / "edits-of-tools").iterdir()
    assert "+one = 10" in patch.read_text()


def test_answers_change_alone(source: Source, project: Project) -> None:
    source.lay(**{"color.txt": "{{ cookiecutter.color }}{{ cookiecutter.big }}\n"})
    source.release("1.1")
    project.nb("update")
    project.nb("update", "--answers", "color=blue", "big=yes")
    assert project.read("color.txt") == "blueTrue\n"
    answers = json.loads(project.read(".cruft.json"))["context"]["cookiecutter"]
    assert (answers["color"], answers["big"]) == ("blue", True)


def test_an_answer_with_braces_is_text(source: Source, project: Project) -> None:
    answer = '{{ 7 * 7 }} "quoted" {% if %}'
    record = json.loads(project.read(".cruft.json"))
    record["context"]["cookiecutter"]["project_name"] = answer
    project.write(**{".cruft.json": json.dumps(record), "README.md": f"# {answer}\n\nmiddle\n"})
    project.commit()
    source.edit(source.file("README.md"), "first\n\n", "")
    source.edit(source.file("README.md"), "\n\nlast", "")
    source.release("1.1")
    project.nb("update")
    assert project.read("README.md") == f"# {answer}\n\nmiddle\n"


@pytest.mark.parametrize("name", ["1.5", "v1.5", "topic", "commit"])
def test_an_update_goes_to_a_version_tag_branch_or_commit(
    source: Source, project: Project, name: str
) -> None:
    source.lay(**{"color.txt": "1.5\n"})
    middle = source.release("1.5")
    source.git("branch", "topic")
    if name == "v1.5":
        source.git("tag", "v1.5")
    second(source)
    project.nb("update", "--to", middle if name == "commit" else name)
    assert json.loads(project.read(".cruft.json"))["commit"] == middle


REFUSALS = {
    "a version that is none": (("--to", "9.9"), "versions: 1.0, 2.0"),
    "an option for a version": (("--to=--all",), "no version, tag or commit"),
    "an unknown question": (("--answers", "colour=red"), "no question 'colour'"),
    "no answer": (("--answers", "color"), "QUESTION=ANSWER"),
    "a choice that is none": (("--answers", "color=green"), "one of red, blue"),
    "neither yes nor no": (("--answers", "big=perhaps"), "yes or no"),
    "a template that is gone": (("--template", "/nowhere/at/all"), "cannot be fetched"),
    "two wishes": (("--abort", "--continue"), "stand alone"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_a_wish_that_cannot_be_is_one_sentence(
    source: Source, project: Project, arguments: tuple[str, ...], sentence: str
) -> None:
    second(source)
    before = project.state()
    said = project.nb("update", *arguments, code=None)
    assert sentence in said
    assert project.state() == before


RECORDS = {
    "no JSON": "{",
    "a list": "[]",
    "no answers": '{"template": "x", "commit": "y"}',
    "a number": '{"template": 1, "commit": "y", "context": {"cookiecutter": {}}}',
    "an answer of no kind": '{"template":"x","commit":"y","context":{"cookiecutter":{"a":[1]}}}',
    "an option as the template": '{"template":"--upload-pack=touch x","commit":"y",'
    '"context":{"cookiecutter":{}}}',
    "a command as the template": '{"template":"ext::sh -c touch% x","commit":"y",'
    '"context":{"cookiecutter":{}}}',
    "a folder outside": '{"template":"../template","commit":"HEAD","directory":"../..",'
    '"context":{"cookiecutter":{}}}',
    "an unknown commit": '{"template":"../template","commit":"--all",'
    '"context":{"cookiecutter":{}}}',
    "no commit": '{"template":"a.zip","commit":null,"context":{"cookiecutter":{}}}',
    "nested deeply": "[" * 10_000,
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_broken_record_is_one_sentence(source: Source, project: Project, record: str) -> None:
    project.write(**{".cruft.json": record})
    project.commit()
    before = project.state()
    said = project.nb("update", code=1)
    assert said.strip().splitlines()[-1].startswith("nb: ")
    assert not (project.path / "x").exists()
    assert project.state() == before


def test_work_that_is_not_committed_is_refused(source: Source, project: Project) -> None:
    second(source)
    project.edit("Makefile", "one", "mine")
    assert "Makefile is not committed" in project.nb("update", code=1)
    assert "mine" in project.read("Makefile")


def test_a_new_file_of_somebodys_is_not_overwritten(source: Source, project: Project) -> None:
    second(source)
    project.write(**{"docs/new.md": "mine\n"})
    before = project.state()
    said = project.nb("update", code=1)
    assert "docs/new.md" in said and "nothing is changed" in said
    assert project.read("docs/new.md") == "mine\n"
    assert project.state() == before


def test_a_project_without_record_is_adopted(source: Source, project: Project) -> None:
    (project.path / ".cruft.json").unlink()
    project.edit("Makefile", "three", "three --mine")
    project.commit()
    new = second(source)
    assert "--from COMMIT" in project.nb("update", code=1)
    project.nb("update", "--from", "1.0", "--template", str(source.path))
    assert json.loads(project.read(".cruft.json"))["commit"] == new
    assert "three --mine" in project.read("Makefile") and "--better" in project.read("Makefile")


def test_a_project_in_a_folder_of_a_repository(source: Source, tmp_path: Path) -> None:
    outer = Repository(tmp_path / "outer")
    outer.write(**{"README.md": "the outer one\n"})
    outer.git("init", "--quiet")
    project = source.generate(outer.path)
    (project.path / ".git").rename(tmp_path / "unused")
    project.edit("Makefile", "two", "two --mine")
    outer.commit()
    second(source)
    project.nb("update", code=1)
    assert "UU a/Makefile" in project.state()[1]
    project.write(Makefile="mine\n")
    project.git("add", ".")
    project.nb("update", "--continue")
    assert project.state()[1] == ""
    assert outer.read("README.md") == "the outer one\n"
    assert project.read("docs/new.md") == "small\n"


def kill(project: Project, after: float, who: str) -> None:
    """Start an update, and kill it some seconds later."""
    number = signal.SIGKILL if who == "kill" else signal.SIGINT
    command = [sys.executable, "-m", "nb.cli", "update"]
    signal_after(after, number, command, cwd=project.path, PYTHONPATH=str(TOOLS))


@pytest.mark.slow
@pytest.mark.parametrize("who", ["kill", "Ctrl-C"])
def test_a_killed_update_leaves_the_project_before_or_after(
    source: Source, project: Project, who: str
) -> None:
    second(source)
    before = project.state()[0]
    begin = time.monotonic()
    project.nb("update")
    whole = time.monotonic() - begin
    project.git("reset", "--quiet", "--hard", before)
    ends = set()
    for moment in range(30):
        kill(project, whole * 1.2 * moment / 30, who)
        held = project.path / ".git" / "nb-update.busy"
        if held.exists():  # Git, which the kill did not reach, comes to its end
            subprocess.run(["flock", str(held), "true"], check=True)
        head, changes = project.state()
        ends.add(head == before)
        assert changes == "", moment
        if head == before:
            assert project.read("tools/nb/core.py") == "one = 1\n"
        else:
            assert project.git("rev-parse", "HEAD^").strip() == before
            assert project.read("tools/nb/core.py") == "one = 2\n"
            project.git("reset", "--quiet", "--hard", before)
    assert ends == {True, False}
    project.nb("update")
    assert project.read("tools/nb/core.py") == "one = 2\n"


def test_an_update_whose_git_was_killed_is_put_back(source: Source, project: Project) -> None:
    """As after a power failure: files of the update are there, and the lock of the index is."""
    second(source)
    project.nb("update")
    after, before = project.state()[0], project.git("rev-parse", "HEAD^").strip()
    project.git("reset", "--quiet", "--hard", before)
    state = {"schema": 1, "head": before, "commit": after, "old": "1", "new": "2"}
    state |= {"environment": "uv", "news": []}
    project.write(**{".git/nb-update.json": json.dumps(state), ".git/index.lock": ""})
    project.write(**{"docs/new.md": "sma", "Makefile": "half"})
    assert "was put back" in project.nb("update")
    assert project.state()[1] == ""
    assert project.read("docs/new.md") == "small\n"
    assert "two --better" in project.read("Makefile")


@pytest.fixture
def adoption(project: Project, tmp_path: Path) -> dict[str, str]:
    """The state of an adoption that was killed, with the clone that it was prepared in."""
    base = project.state()[0]
    clone = Repository(tmp_path / "clone")
    project.git("clone", "--quiet", str(project.path), str(clone.path))
    clone.write(**{"look.ipynb": "stripped", "more.ipynb": "more", "README.md": "theirs"})
    commit = clone.commit()
    clone.write(**{"look.ipynb": "outputs"})
    project.git("fetch", "--quiet", str(clone.path), "HEAD")
    state = {"schema": 1, "work": "adoption", "head": base, "commit": commit}
    state |= {"clone": str(clone.path)}
    project.write(**{".git/nb-update.json": json.dumps(state)})
    return {"base": base, "commit": commit}


def test_an_adoption_that_was_killed_before_its_commit_is_put_back(
    project: Project, adoption: dict[str, str]
) -> None:
    project.write(**{".git/index.lock": "", "look.ipynb": "stri", "README.md": "half"})
    assert template(project.path).repair == "nb adopt --continue"  # as nb doctor says
    assert "was put back" in project.nb("adopt", "--continue")
    assert project.state() == (adoption["base"], "")
    assert not (project.path / "look.ipynb").exists()
    assert "no adoption was broken off" in project.nb("adopt", "--continue", code=1)


def test_an_adoption_that_was_killed_after_its_commit_gets_its_outputs(
    project: Project, adoption: dict[str, str]
) -> None:
    project.git("merge", "--quiet", "--ff-only", adoption["commit"])
    project.write(**{"more.ipynb": "edited since"})
    assert "nb adopt --continue" in project.nb("update", code=1)
    assert "nb adopt --continue" in project.nb("update", "--abort", code=1)
    assert "is complete now" in project.nb("adopt", "--continue")
    assert project.read("look.ipynb") == "outputs"
    assert project.read("more.ipynb") == "edited since"
    assert project.state()[0] == adoption["commit"]


def test_a_state_of_another_version_is_left_alone(source: Source, project: Project) -> None:
    second(source)
    for text in ('{"schema": 2}', "{", "[]", '{"schema": 1}'):
        project.write(**{".git/nb-update.json": text})
        assert "another version" in project.nb("update", code=1)
        assert project.read(".git/nb-update.json") == text
