"""Notebooks merge through Git's own commands, and whatever breaks, no side is gone unseen."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from merge_shapes import (
    ALL,
    SHAPES,
    Notebook,
    holds,
    is_marked,
    lines,
    notebook,
    packed,
    sources,
)
from nb.git import filter, index, objects, verify, wiring
from test_merge import Team

NAME = "a.ipynb"
posix = pytest.mark.skipif(os.name == "nt", reason="signals and symbolic links")


@dataclass
class Clone:
    """A clone that is wired, without a project or an environment around."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def git(self, *words: str, code: int | None = 0) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.path,
            env=self.environment or isolated(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def wire(self) -> None:
        settings = {"user.name": "A", "user.email": "a@example.org", "commit.gpgsign": "false"}
        for key, value in {**settings, **filter.WIRING}.items():
            self.git("config", key, value)
        filter.install(self.path / ".git")

    def read(self, name: str = NAME) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def commit(self, **versions: Notebook | bytes | None) -> None:
        for name, version in versions.items():
            data = version if isinstance(version, bytes) else packed(version)
            if version is not None:
                (self.path / f"{name}.ipynb").write_bytes(data)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")

    def branches(self, base: Versions, ours: Versions, theirs: Versions) -> None:
        """Commit versions of notebooks to main and to `theirs`; stay on main."""
        self.commit(**base)
        self.git("checkout", "--quiet", "-b", "theirs")
        self.commit(**theirs)
        self.git("checkout", "--quiet", "main")
        self.commit(**ours)
        for name in ours:  # as Git stores it: a test may take the filter away
            (self.path / f"{name}.ipynb").unlink()
        self.git("checkout", "--", ".")

    def problems(self) -> list[str]:
        """What the commit hook and CI say of the notebooks in the index."""
        return verify.verify_notebooks(self.path, index.index_ids(self.path))

    def objects(self) -> list[bytes]:
        """Every blob that Git has, reachable or not."""
        check = "--batch-check=%(objecttype) %(objectname)"
        listed = self.git("cat-file", "--batch-all-objects", check).splitlines()
        names = {line[5:]: line[5:] for line in listed if line.startswith("blob ")}
        return [content for _, content in objects.read_blobs(self.path, names)]


Versions = dict[str, "Notebook | bytes | None"]


def isolated(**variables: str) -> dict[str, str]:
    """An environment without the settings of whoever runs the tests."""
    settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **variables}
    return {"PATH": os.environ["PATH"], "HOME": os.devnull, **settings}


def make(path: Path) -> Clone:
    path.mkdir()
    clone = Clone(path)
    clone.git("init", "--quiet", "--initial-branch=main", "--template=")
    clone.wire()
    attributes = "*.ipynb filter=nbstripout diff=notebook merge=notebook\n"
    (path / ".gitattributes").write_text(attributes)
    clone.commit()
    return clone


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return make(tmp_path / "clone")


def has_untagged_outputs(content: bytes) -> bool:
    try:
        cells = json.loads(content)["cells"]
    except ValueError:
        return b'"output_type"' in content  # a conflict, or another file
    tagged = [c for c in cells if "keep_output" not in c["metadata"].get("tags", [])]
    return any(c.get("outputs") for c in tagged)


# ------------------------------------------------------------------------------ Git's commands


@pytest.fixture(scope="module", params=["merge", "rebase", "cherry-pick", "stash pop"])
def integrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which one command had to merge every shape, each in a notebook of its own."""
    clone = make(tmp_path_factory.mktemp("merges") / "clone")
    versions = [{name: shape[at] for name, shape in SHAPES.items()} for at in range(3)]
    if request.param == "stash pop":
        clone.commit(**versions[0])
        for name, version in versions[2].items():
            (clone.path / f"{name}.ipynb").write_bytes(packed(version))
        clone.git("add", "--all")
        clone.git("stash")
        clone.commit(**versions[1])
    else:
        clone.branches(*versions)
    words = {"rebase": ["rebase", "theirs"], "stash pop": ["stash", "pop"]}
    clone.git(*words.get(request.param, [request.param, "theirs"]), code=1)
    return clone


@pytest.mark.parametrize("shape", SHAPES)
def test_git_has_both_sides_of_every_shape(integrated: Clone, shape: str) -> None:
    _, _, _, words, is_conflict = SHAPES[shape]
    text = integrated.read(f"{shape}.ipynb")
    assert holds(text, words)
    assert is_marked(text) == is_conflict
    assert (f"{shape}.ipynb" in index.unmerged(integrated.path)) == is_conflict


def test_git_stores_no_output_that_is_not_kept(integrated: Clone) -> None:
    assert not any(has_untagged_outputs(blob) for blob in integrated.objects())


def test_what_is_unmerged_or_marked_is_refused_until_it_is_resolved(clone: Clone) -> None:
    base, ours, theirs, _, _ = SHAPES["kernels"]
    clone.branches({"a": base}, {"a": ours}, {"a": theirs})
    clone.git("merge", "theirs", code=1)
    assert clone.problems() == [f"{NAME} is unmerged: edit the marked cells, then git add it."]
    jupyter = nbformat.writes(nbformat.reads(clone.read(), as_version=4))  # open and save
    (clone.path / NAME).write_text(jupyter, encoding="utf-8")
    clone.git("add", NAME)
    assert clone.problems() == [
        f"{NAME}: the text at the top holds a merge conflict: edit it, then git add it again."
    ]
    resolved = json.loads(clone.read())
    resolved["cells"].pop(0)
    clone.commit(a=resolved)
    assert clone.problems() == []


def test_a_merge_of_merges_with_conflicts_in_their_base_loses_nothing(clone: Clone) -> None:
    base, ours, theirs, _, _ = SHAPES["one-line"]
    clone.branches({"a": base}, {"a": ours}, {"a": theirs})
    clone.git("branch", "other")
    for branch, side in (("main", "theirs"), ("theirs", "other")):
        clone.git("checkout", "--quiet", branch)
        clone.git("merge", side, code=1)
        text = clone.read().replace("<<<<<<< ours", branch).replace(">>>>>>> theirs", "end")
        clone.commit(a=text.encode())
    clone.git("checkout", "--quiet", "main")
    clone.git("merge", "theirs", code=1)
    assert holds(clone.read(), "main theirs end") and is_marked(clone.read())


# --------------------------------------------------------------------------- whatever breaks


def without_python(clone: Clone) -> None:
    programs = clone.path.parent / "programs"
    programs.mkdir()
    for program in ("git", "sh", "cat", "mv", "rm"):
        (programs / program).symlink_to(str(shutil.which(program)))
    clone.environment = isolated(PATH=str(programs))
    for key in ("process", "clean"):
        clone.git("config", f"filter.nbstripout.{key}", "cat")
    clone.git("config", "--unset", "filter.nbstripout.process")


def append(name: str, code: str) -> Callable[[Clone], None]:
    def break_it(clone: Clone) -> None:
        with (clone.path / ".git/nb" / name).open("a") as file:
            file.write(f"\n{code}\n")

    return break_it


def without_files(name: str) -> Callable[[Clone], None]:
    return lambda clone: (clone.path / ".git/nb" / name).unlink()


def killing_the_shell(clone: Clone) -> None:
    # The program's parent is the shell that Git started.
    append("nb/git/merge.py", "import os; os.kill(os.getppid(), 9)")(clone)


BREAKS: dict[str, Callable[[Clone], None]] = {
    "no Python": without_python,
    "killed": append("nb/git/merge.py", "import os; os.kill(os.getpid(), 9)"),
    "its shell killed": killing_the_shell,
    "a bug": append("nb/git/merge.py", "def merge(*_, **__): raise KeyError('oops')"),
    "a bug where none is caught": append("nb/git/merge.py", "def main(_): raise SystemError"),
    "no file to import": without_files("nb/git/align.py"),
    "syntax": append("nb/git/align.py", "def ("),
    "killed while writing": append(
        "nb/git/merge.py",
        "import os\n"
        "def merge(*_, **__): Path(sys.argv[-1]).write_bytes(b'{'); os.kill(os.getpid(), 9)",
    ),
}


@posix
@pytest.mark.parametrize("break_it", BREAKS.values(), ids=BREAKS)
def test_a_merge_that_dies_leaves_both_versions_as_one_conflict(
    clone: Clone, break_it: Callable[[Clone], None]
) -> None:
    base, ours, theirs, _, _ = SHAPES["in-the-middle"]
    clone.branches({"a": base}, {"a": ours}, {"a": theirs})
    break_it(clone)
    clone.git("merge", "theirs", code=None)
    text = clone.read()
    assert holds(text, "alice bob") and text.startswith("<<<<<<< ours\n")
    assert f"{NAME} is unmerged" in clone.problems()[0]
    # Repaired, Git merges again.
    clone.environment = {}
    clone.wire()
    clone.git("checkout", "--merge", "--", NAME)
    assert holds(clone.read(), "alice bob") and not is_marked(clone.read())
    assert not list((clone.path / ".git/nb").glob("ours.*"))


@posix
def test_a_merge_that_cannot_save_our_version_is_no_result(clone: Clone) -> None:
    base, ours, theirs, _, _ = SHAPES["in-the-middle"]
    clone.branches({"a": base}, {"a": ours}, {"a": theirs})
    programs, full = clone.path.parent / "full", clone.path.parent / "was-full"
    programs.mkdir()
    fails = f'[ -e "{full}" ] || {{ : >"{full}"; echo {{; exit 1; }}'
    (programs / "cat").write_text(f'#!/bin/sh\n{fails}\nexec {shutil.which("cat")} "$@"\n')
    (programs / "cat").chmod(0o755)
    clone.git("config", "filter.nbstripout.smudge", "")
    clone.environment = isolated(PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
    said = clone.git("merge", "theirs", code=1)
    assert full.exists() and "nothing is merged; make room" in said
    assert f"{NAME} is unmerged" in clone.problems()[0]
    assert not list((clone.path / ".git/nb").glob("ours.*"))
    # Also who adds the file nevertheless is told.
    clone.git("add", NAME)
    assert "is not a notebook that can be read" in clone.problems()[0]
    clone.git("checkout", "--merge", "--", NAME)
    assert holds(clone.read(), "alice bob") and not is_marked(clone.read())


@pytest.mark.parametrize("cut", [b"", b"\n", packed(ALL)[:-9]], ids=["empty", "blank", "cut"])
def test_a_notebook_without_its_end_is_refused(clone: Clone, cut: bytes) -> None:
    clone.commit(a=cut)
    assert "is not a notebook that can be read" in clone.problems()[0]


@posix
def test_a_clone_without_the_files_merges_lines_and_does_not_take_that_for_done(
    clone: Clone,
) -> None:
    base, ours, theirs, _, _ = SHAPES["in-the-middle"]
    clone.branches({"a": base}, {"a": ours}, {"a": theirs})
    for key in ("process", "clean"):
        clone.git("config", f"filter.nbstripout.{key}", "cat")
    clone.git("config", "--unset", "filter.nbstripout.process")
    shutil.rmtree(clone.path / ".git/nb")
    clone.git("merge", "theirs", code=1)
    assert holds(clone.read(), "alice bob")
    assert index.unmerged(clone.path) == {NAME}


@pytest.mark.parametrize(
    "odd", [b"{ broken", b'{"nbformat": 3, "worksheets": [], "metadata": {}}'], ids=["no JSON", "3"]
)
def test_what_is_no_notebook_ends_as_one_conflict(clone: Clone, odd: bytes) -> None:
    clone.git("config", "filter.nbstripout.clean", "cat")
    clone.git("config", "--unset", "filter.nbstripout.process")
    clone.branches({"a": b"old\n"}, {"a": odd}, {"a": ALL})
    said = clone.git("merge", "theirs", code=1)
    assert '"a.ipynb" is not merged: ' in said and "both versions now" in said
    text = clone.read()
    assert text.startswith(f"<<<<<<< ours\n{odd.decode()}\n=======\n{{")
    assert text.endswith("}\n>>>>>>> theirs\n")
    clone.git("add", NAME)
    assert "is not a notebook that can be read: finish its merge" in clone.problems()[0]


def test_a_lock_that_cannot_be_merged_is_marked(clone: Clone) -> None:
    driver = wiring.WIRED["merge.dvc-lock.driver"]
    clone.git("config", "merge.dvc-lock.driver", driver)  # and there is no tools/in-env
    (clone.path / ".gitattributes").write_text("dvc.lock merge=dvc-lock\n")
    lock = clone.path / "dvc.lock"
    lock.write_text("a: 1\n")
    clone.commit()
    clone.git("checkout", "--quiet", "-b", "theirs")
    lock.write_text("a: 2\n")
    clone.commit()
    clone.git("checkout", "--quiet", "main")
    lock.write_text("a: 3\n")
    clone.commit()
    clone.git("merge", "theirs", code=1)
    assert lock.read_text() == "<<<<<<< ours\na: 3\n=======\na: 2\n>>>>>>> theirs\n"


@pytest.mark.parametrize("name", ["merge", "align", "__init__"])
def test_old_pythons_can_merge(name: str) -> None:
    import ast

    file = Path(filter.__file__).parent / f"{name}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))
    imports = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level
    ]
    plain = [n for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names]
    roots = {str(node.module).partition(".")[0] for node in imports} | {n.name for n in plain}
    assert roots <= {*sys.stdlib_module_names, "nb"}


# --------------------------------------------------------------------- three people, one notebook


class Ledger(Team):
    """Random edits that remember what was written, and what somebody deleted."""

    written: set[str]
    deleted: set[str]

    def work(self, before: Notebook) -> Notebook:
        for made, source in zip(before["cells"], sources(before), strict=True):
            made["source"] = source
        after = self.edited(before)
        self.written |= lines(after)
        self.deleted |= lines(before) - lines(after)
        return after


def take_both(clone: Clone) -> None:
    found = json.loads(clone.read())
    for cell in found["cells"]:
        text = "".join(cell["source"]).splitlines(True)
        cell["source"] = [line for line in text if line[:7] not in ("<" * 7, "=" * 7, ">" * 7)]
    clone.commit(a=found)


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_three_people_who_edit_one_notebook_lose_nothing(tmp_path: Path, rounds: int) -> None:
    ledger = Ledger(random.Random(rounds))
    shared, first = Clone(tmp_path / "shared.git"), make(tmp_path / "0")
    start = notebook(*(ledger.cell(5) for _ in range(5)))
    ledger.written, ledger.deleted = lines(start), set()
    first.commit(a=start)
    first.git("clone", "--quiet", "--bare", ".", str(shared.path))
    clones = [Clone(tmp_path / str(number)) for number in (1, 2, 3)]
    for clone in clones:
        shared.git("clone", "--quiet", ".", str(clone.path))
        clone.wire()
    for turn in range(rounds):
        for clone in clones:
            clone.commit(a=ledger.work(json.loads(clone.read())))
        for clone in clones:
            how = "--rebase" if turn % 2 and clone is clones[0] else "--no-rebase"
            clone.git("pull", "--no-edit", how, code=None)
            while index.unmerged(clone.path):
                take_both(clone)
                if how == "--rebase":
                    clone.git("-c", "core.editor=true", "rebase", "--continue", code=None)
            assert clone.problems() == []
            clone.git("push", "--quiet")
    for clone in clones:
        clone.git("pull", "--quiet", "--no-rebase")
        assert ledger.written - ledger.deleted <= lines(json.loads(clone.read()))
        assert not any(has_untagged_outputs(c) for c in clone.objects() if b'"cells"' in c)
