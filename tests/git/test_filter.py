"""Git stores notebooks without outputs: in every Git command, whatever dies in the middle."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nb.git import filter
from nb.notebook.strip import RefusedError, strip

TOOLS = Path(filter.__file__).parents[2]
ATTRIBUTES = "*.ipynb filter=nbstripout diff=notebook\nreports/*.ipynb !filter !diff\n"
SECRET = "an output that must not get into Git"
posix = pytest.mark.skipif(os.name == "nt", reason="signals and symbolic links")


def notebook(source: str = "x = 1", output: str = SECRET, **fields: Any) -> bytes:
    """A notebook with one executed cell."""
    stream = {"output_type": "stream", "name": "stdout", "text": [output]}
    cell = {
        "cell_type": "code",
        "execution_count": 3,
        "id": "cell",
        "metadata": {"execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"}},
        "outputs": [stream],
        "source": source.splitlines(True),
        **fields,
    }
    tree = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(tree, indent=1).encode() + b"\n"


def odd_notebook() -> bytes:
    """A notebook that the fast path refuses and nbstripout strips."""
    return notebook(prompt_number=7)


@dataclass
class Repository:
    """A Git repository, used with nothing on the PATH but Git, a shell and maybe a Python."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, code: int | None = 0, cwd: str = "", **options: Any
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            command,
            cwd=self.path / cwd,
            env=self.environment,
            capture_output=True,
            stdin=None if "input" in options else subprocess.DEVNULL,
            **options,
        )
        assert code is None or done.returncode == code, done.stderr.decode()
        return done

    def git(self, *arguments: str, code: int | None = 0, cwd: str = "") -> str:
        return self.run("git", *arguments, code=code, cwd=cwd).stdout.decode()

    def fails(self, *arguments: str) -> str:
        """Run a Git command that must fail; return what it says."""
        done = self.run("git", *arguments, code=None)
        assert done.returncode
        return done.stderr.decode()

    def write(self, name: str, data: bytes) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def staged(self, name: str) -> bytes:
        return self.run("git", "cat-file", "blob", f":{name}").stdout

    def index(self) -> str:
        return self.git("ls-files", "--stage")

    def commit(self, message: str = "work") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def everything_stored(self) -> list[bytes]:
        """Every blob that Git has, reachable or not."""
        check = "--batch-check=%(objecttype) %(objectname)"
        objects = self.git("cat-file", "--batch-all-objects", check).split("\n")
        names = [line[5:] for line in objects if line.startswith("blob ")]
        return [self.run("git", "cat-file", "blob", name).stdout for name in names]

    def sabotage(self, module: str, lines: str) -> None:
        """Append code to a module of the installed filter."""
        with (self.path / f".git/nb/{module}").open("a") as file:
            file.write(f"\n{lines}\n")

    def make_environment(self, python: str) -> None:
        """Give the project an environment whose Python is a shell script."""
        write_script(self.path / ".venv/bin/python", python)


def write_script(file: Path, lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(0o755)


# Stands for a Python with nbstripout, which takes seconds to start.
STRIPPING = "cat >/dev/null; echo stripped"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with all that the PATH holds: Git, a shell, and a Python without packages."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for program in ("git", "sh", "cat"):
        (folder / program).symlink_to(str(shutil.which(program)))
    (folder / "python3").symlink_to(Path(sys.executable).resolve())
    return folder


def isolated(**variables: str) -> dict[str, str]:
    return {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **variables}


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that uses the filter, to be copied."""
    path = tmp_path_factory.mktemp("wired")
    repository = Repository(path, isolated(PATH=os.environ["PATH"], HOME=str(path)))
    repository.git("init", "--quiet", "--initial-branch=main", "--template=")
    settings = {"user.name": "A", "user.email": "a@example.org", "commit.gpgsign": "false"}
    for key, value in {**settings, **filter.WIRING}.items():
        repository.git("config", key, value)
    filter.install(path / ".git")
    repository.write(".gitattributes", ATTRIBUTES.encode())
    repository.write(".gitignore", b".venv/\n")
    repository.commit("first")
    return path


@pytest.fixture
def repository(wired: Path, tmp_path: Path, programs: Path) -> Repository:
    path = Path(shutil.copytree(wired, tmp_path / "project"))
    return Repository(path, isolated(PATH=str(programs), HOME=str(tmp_path)))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# ------------------------------------------------------------------------------- what Git stores


def test_git_stores_the_stripped_notebook_and_leaves_the_file_alone(repository: Repository) -> None:
    data = notebook()
    repository.write("a.ipynb", data)
    repository.git("add", "a.ipynb")
    assert repository.staged("a.ipynb") == strip(data)
    assert repository.read("a.ipynb") == data
    assert all(SECRET.encode() not in blob for blob in repository.everything_stored())


def test_checkout_writes_what_git_stores(repository: Repository) -> None:
    repository.write("a.ipynb", notebook())
    repository.commit()
    (repository.path / "a.ipynb").unlink()
    repository.git("checkout", "a.ipynb")
    assert repository.read("a.ipynb") == strip(notebook())


def test_running_a_notebook_leaves_nothing_to_commit(repository: Repository) -> None:
    repository.write("a.ipynb", notebook(output="first run"))
    repository.commit()
    repository.write("a.ipynb", notebook(output="again run"))
    assert repository.git("status", "--porcelain") == ""
    # Git does not ask the filter about a file of another size: it lists it, with an empty diff.
    repository.write("a.ipynb", notebook(output="second run, with more output"))
    assert repository.git("diff") == ""
    repository.git("add", "--all")
    assert repository.git("status", "--porcelain") == ""


def test_executed_copies_are_stored_as_they_are(repository: Repository) -> None:
    repository.write("reports/a.ipynb", notebook())
    repository.git("add", "--all")
    assert repository.staged("reports/a.ipynb") == notebook()


@posix
@pytest.mark.parametrize(
    "name",
    ["with space.ipynb", "Übersicht 日本.ipynb", "line\nbreak.ipynb", "a=b.ipynb", "'\"$x;.ipynb"],
)
@pytest.mark.parametrize("how", ["process", "clean"])
def test_any_file_name_will_do(repository: Repository, name: str, how: str) -> None:
    if how == "clean":
        repository.git("config", "--unset", "filter.nbstripout.process")
    repository.write(name, notebook())
    repository.git("add", "--all")
    assert repository.staged(name) == strip(notebook())


def test_one_process_serves_a_git_command(repository: Repository) -> None:
    for number in range(20):
        repository.write(f"{number}.ipynb", notebook())
    repository.sabotage("nb/git/filter.py", "with open('starts', 'a') as file: file.write('x')")
    repository.git("add", "*.ipynb")
    assert repository.read("starts") == b"x"
    assert len(repository.index().splitlines()) == 22


def test_clients_that_start_a_filter_per_file_get_the_same(repository: Repository) -> None:
    repository.git("config", "--unset", "filter.nbstripout.process")
    repository.write("a.ipynb", notebook())
    repository.commit()
    assert repository.staged("a.ipynb") == strip(notebook())
    repository.git("rm", "--quiet", "--cached", "a.ipynb")
    repository.git("reset", "--quiet", "--hard")
    assert repository.read("a.ipynb") == strip(notebook())


@pytest.mark.parametrize("end", [b"\n", b""], ids=["git", "dulwich"])
@pytest.mark.parametrize("size", [0, 1, 65515, 65516, 65517, 200_000])
def test_packets_carry_any_amount_of_data(size: int, end: bytes) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sent = io.BytesIO()
    filter._write_list(sent, b"git-filter-client" + end, b"version=2" + end)
    filter._write_list(sent, b"capability=clean" + end, b"capability=smudge" + end)
    filter._write_list(sent, b"command=smudge" + end, b"pathname=a" + end)
    filter._write_list(sent, *(data[i : i + 65516] for i in range(0, size, 65516)))
    sent.seek(0)
    answer = io.BytesIO()
    with pytest.raises(EOFError):
        filter.serve(sent, answer)
    answer.seek(0)
    lists = [filter._read_list(answer) for _ in range(5)]
    assert lists[0] == [b"git-filter-server\n", b"version=2\n"]
    assert lists[2] == [b"status=success\n"]
    assert b"".join(lists[3]) == data
    assert lists[4] == []


@pytest.mark.slow
def test_a_huge_notebook_is_no_trouble(repository: Repository) -> None:
    data = notebook(output="0123456789abcdef" * 2**22)
    repository.write("a.ipynb", data)
    repository.commit()
    assert repository.staged("a.ipynb") == strip(data)
    source = notebook("y = '" + "ü" * 10**7 + "'")
    repository.write("a.ipynb", source)
    repository.commit()
    assert repository.staged("a.ipynb") == strip(source)


# ------------------------------------------------------------------ what is not to be stripped


@pytest.mark.parametrize("how", ["process", "clean"])
def test_a_conflict_can_be_added(repository: Repository, how: str) -> None:
    if how == "clean":
        repository.git("config", "--unset", "filter.nbstripout.process")
    broken = b"{\n<<<<<<< ours\n" + notebook()
    repository.write("dir/a b.ipynb", broken)
    done = repository.run("git", "add", "--all")
    assert repository.staged("dir/a b.ipynb") == broken
    [warning] = done.stderr.decode().splitlines()
    assert '"dir/a b.ipynb" is not valid JSON' in warning


def test_an_empty_file_is_stored_empty_and_in_silence(repository: Repository) -> None:
    repository.write("a.ipynb", b"")
    done = repository.run("git", "add", "--all")
    assert done.stderr == b""
    assert repository.staged("a.ipynb") == b""


@pytest.mark.parametrize("how", ["process", "clean"])
def test_what_nobody_here_can_strip_is_not_added(repository: Repository, how: str) -> None:
    if how == "clean":
        repository.git("config", "--unset", "filter.nbstripout.process")
    before = repository.index()
    repository.write("a.ipynb", odd_notebook())
    message = repository.fails("add", "a.ipynb")
    ours = [line for line in message.splitlines() if line.startswith("git-notebook: ")]
    assert len(ours) == 1
    assert '"a.ipynb" cannot be stripped' in ours[0]
    assert "make setup" in ours[0]
    assert repository.index() == before
    assert all(SECRET.encode() not in blob for blob in repository.everything_stored())


@posix
@pytest.mark.slow
def test_nbstripout_itself_takes_what_the_fast_path_refuses(repository: Repository) -> None:
    repository.make_environment(f'exec "{sys.executable}" "$@"')
    repository.git("config", "filter.nbstripout.extrakeys", "cell.metadata.mine")
    data = notebook(prompt_number=7, metadata={"mine": 1, "papermill": 2})
    repository.write("a.ipynb", data)
    repository.git("add", "--all")
    tree = json.loads(data)
    tree["cells"][0].update(outputs=[], execution_count=None, prompt_number=None)
    tree["cells"][0]["metadata"] = {"mine": 1}
    expected = json.dumps(tree, indent=1, sort_keys=True).encode() + b"\n"
    assert repository.staged("a.ipynb") == expected


@posix
def test_nbstripout_on_the_path_will_do(repository: Repository, programs: Path) -> None:
    write_script(programs / "nbstripout", STRIPPING)
    repository.make_environment("echo No module named nbstripout >&2; exit 1")
    repository.write("a.ipynb", odd_notebook())
    repository.git("add", "--all")
    assert repository.staged("a.ipynb") == b"stripped\n"


@pytest.mark.parametrize("source", ["x = 1", ""], ids=["cells", "empty"])
@pytest.mark.parametrize("how", ["process", "clean"])
def test_blame_raises_no_alarm(repository: Repository, source: str, how: str) -> None:
    if how == "clean":
        repository.git("config", "--unset", "filter.nbstripout.process")
    repository.write("a.ipynb", notebook(source))
    repository.write(
        "none.ipynb", b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    repository.commit()
    for name in ("a.ipynb", "none.ipynb"):
        assert repository.run("git", "blame", name).stderr == b""


def test_a_cell_that_cannot_be_stripped_is_named() -> None:
    data = json.loads(notebook())
    contradiction = {
        **data["cells"][0],
        "id": "2",
        "metadata": {"tags": ["keep_output"], "keep_output": False},
    }
    data["cells"].append(contradiction)
    with pytest.raises(RefusedError, match=r"^code cell 2: its metadata and tags disagree"):
        strip(json.dumps(data).encode())


@posix
def test_what_nbstripout_fails_on_is_not_added(repository: Repository) -> None:
    repository.make_environment("echo 'Traceback\n  line\nMetadataError: why' >&2; exit 1")
    repository.write("a.ipynb", odd_notebook())
    repository.write("b.ipynb", notebook())
    message = repository.fails("add", "a.ipynb")
    said = "code cell 1: it has unknown fields; nbstripout fails (MetadataError: why)"
    assert f'"a.ipynb" cannot be stripped: {said}' in message
    assert "Traceback" not in message
    repository.git("add", "b.ipynb")
    assert repository.staged("b.ipynb") == strip(notebook())


# ------------------------------------------------------------------------ wherever Git is used


@posix
def test_a_moved_repository_needs_no_repair(repository: Repository) -> None:
    moved = Repository(repository.path.parent / "new place", repository.environment)
    repository.path.rename(moved.path)
    moved.write("a.ipynb", notebook())
    moved.commit()
    assert moved.staged("a.ipynb") == strip(notebook())


def test_git_works_from_a_subfolder(repository: Repository) -> None:
    repository.write("notebooks/deep/a.ipynb", notebook())
    repository.git("add", "a.ipynb", cwd="notebooks/deep")
    assert repository.staged("notebooks/deep/a.ipynb") == strip(notebook())
    repository.write("notebooks/deep/a.ipynb", notebook("y = 2"))
    assert "+y = 2" in repository.git("diff", cwd="notebooks/deep")


@posix
def test_a_linked_worktree_is_filtered_from_its_first_file_on(repository: Repository) -> None:
    repository.make_environment(STRIPPING)
    repository.write("a.ipynb", notebook())
    repository.commit()
    repository.git("worktree", "add", "--quiet", "../linked", "-b", "other")
    linked = Repository(repository.path.parent / "linked", repository.environment)
    assert linked.read("a.ipynb") == strip(notebook())
    linked.write("a.ipynb", notebook("y = 2"))
    linked.write("odd.ipynb", odd_notebook())
    linked.commit()
    assert linked.staged("a.ipynb") == strip(notebook("y = 2"))
    assert linked.staged("odd.ipynb") == b"stripped\n"
    assert "+y = 2" in linked.git("log", "-p", "-1")


def test_rebase_cherry_pick_stash_and_merge_store_no_outputs(repository: Repository) -> None:
    repository.write("a.ipynb", notebook("a = 0"))
    repository.write("b.ipynb", notebook("b = 0"))
    repository.commit("base")
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.write("b.ipynb", notebook("b = 1"))
    repository.commit("topic")
    repository.git("checkout", "--quiet", "main")
    repository.write("a.ipynb", notebook("a = 1"))
    repository.commit("main")

    repository.write("a.ipynb", notebook("a = 2"))
    repository.git("stash", "--quiet")
    assert repository.read("a.ipynb") == strip(notebook("a = 1"))
    repository.git("cherry-pick", "topic")
    repository.git("stash", "pop", "--quiet")
    assert repository.read("a.ipynb") == strip(notebook("a = 2"))
    repository.commit("unstashed")

    repository.git("checkout", "--quiet", "-b", "side", "main~3")
    repository.write("c.ipynb", notebook("c = 1"))
    repository.commit("side")
    repository.git("rebase", "--quiet", "main")
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "side")
    assert repository.git("status", "--porcelain") == ""
    expected = {"a.ipynb": "a = 2", "b.ipynb": "b = 1", "c.ipynb": "c = 1"}
    for name, source in expected.items():
        assert repository.read(name) == strip(notebook(source))
    assert all(SECRET.encode() not in blob for blob in repository.everything_stored())


# --------------------------------------------------------------------- whatever Python there is


@posix
def test_without_any_python_nothing_is_added(repository: Repository, programs: Path) -> None:
    before = repository.index()
    (programs / "python3").unlink()
    repository.write("a.ipynb", notebook())
    message = repository.fails("add", "a.ipynb")
    assert "git-notebook: no Python 3.8 or newer was found" in message
    assert repository.index() == before


@posix
def test_the_environments_python_is_used_if_there_is_no_other(
    repository: Repository, programs: Path
) -> None:
    python = (programs / "python3").resolve()
    (programs / "python3").unlink()
    (repository.path / ".venv/bin").mkdir(parents=True)
    (repository.path / ".venv/bin/python").symlink_to(python)
    repository.write("a.ipynb", notebook())
    repository.git("add", "--all")
    assert repository.staged("a.ipynb") == strip(notebook())


@posix
@pytest.mark.parametrize("failure", ["exit 97", "exit 127", "echo Unknown option: -I >&2; exit 2"])
def test_a_python_that_is_too_old_or_broken_is_passed_over(
    repository: Repository, programs: Path, failure: str
) -> None:
    (programs / "python3").rename(programs / "python")
    write_script(programs / "python3", failure)
    repository.write("a.ipynb", notebook())
    repository.git("add", "--all")
    assert repository.staged("a.ipynb") == strip(notebook())


@posix
def test_a_shim_is_not_started_if_there_is_a_python(
    repository: Repository, programs: Path, tmp_path: Path
) -> None:
    shims = tmp_path / "shims"
    write_script(shims / "python3", f"echo started >> '{tmp_path}/trace'; exec python4 \"$@\"")
    repository.environment["PATH"] = f"{shims}{os.pathsep}{programs}"
    repository.write("a.ipynb", notebook())
    repository.git("add", "a.ipynb")
    assert not (tmp_path / "trace").exists()
    (programs / "python3").rename(programs / "python4")
    repository.write("b.ipynb", notebook())
    repository.git("add", "b.ipynb")
    assert (tmp_path / "trace").exists()
    assert repository.staged("b.ipynb") == strip(notebook())


@posix
def test_nothing_of_the_project_or_the_user_is_imported(repository: Repository) -> None:
    for name in ("json", "signal", "sitecustomize"):
        repository.write(f"{name}.py", b"raise SystemExit(1)")
    repository.environment["PYTHONPATH"] = str(repository.path)
    repository.environment["PYTHONSTARTUP"] = str(repository.path / "json.py")
    repository.write("a.ipynb", notebook())
    repository.git("add", "a.ipynb")
    assert repository.staged("a.ipynb") == strip(notebook())


@pytest.mark.parametrize("name", ["git/filter", "notebook/strip", "git/text_view", "printable"])
def test_old_pythons_can_read_the_filter(name: str) -> None:
    source = (TOOLS / f"nb/{name}.py").read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source, feature_version=(3, 8))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported.add(str(node.module).partition(".")[0])
    assert imported <= {*sys.stdlib_module_names, "nb"}


# ------------------------------------------------------------------------------ whatever breaks


@posix
@pytest.mark.parametrize(
    "blow",
    [
        "def clean(data, name): os.kill(os.getpid(), 9)",
        "def clean(data, name): raise KeyError(name)",
        "def clean(data, name): os._exit(0)",
        "def _write_packet(sink, data): sink.write(b'ffff{}'); sink.flush(); os._exit(0)",
        "def _write_packet(sink, data): sink.write(b'nonsense'); sink.flush()",
    ],
    ids=["killed", "a bug", "ended", "cut off", "nonsense"],
)
@pytest.mark.parametrize("how", ["process", "clean"])
def test_a_filter_that_dies_leaves_no_trace(repository: Repository, blow: str, how: str) -> None:
    if how == "clean" and "packet" in blow:
        blow = "def _clean_once(source, sink, name): sink.write(b'{}'); sink.flush(); os._exit(1)"
    elif how == "clean":
        blow = blow.replace("os._exit(0)", "os._exit(1)")
    repository.write("a.ipynb", notebook())
    repository.commit()
    before, stored = repository.index(), len(repository.everything_stored())
    if how == "clean":
        repository.git("config", "--unset", "filter.nbstripout.process")
    repository.sabotage("nb/git/filter.py", blow)
    repository.write("a.ipynb", notebook("y = 2"))
    repository.write("b.ipynb", notebook("z = 3"))
    repository.fails("add", "--all")
    assert repository.index() == before
    assert len(repository.everything_stored()) == stored
    filter.install(repository.path / ".git")
    repository.git("add", "--all")
    assert repository.staged("a.ipynb") == strip(notebook("y = 2"))


SLEEPY = """
def clean(data, name):
    if b"sleep" in data:
        with open("pid", "w") as file:
            file.write(str(os.getpid()) + "\\n")
        import time
        time.sleep(30)
    return strip(data)
"""


@posix
@pytest.mark.parametrize("victim", ["filter", "git"])
def test_killing_a_git_add_leaves_no_trace(repository: Repository, victim: str) -> None:
    repository.sabotage("nb/git/filter.py", SLEEPY)
    before = repository.index()
    for number in range(3):
        repository.write(f"{number}.ipynb", notebook(f"x = {number}"))
    repository.write("4.ipynb", notebook("sleep"))
    git = subprocess.Popen(
        ["git", "add", "--all"],
        cwd=repository.path,
        env=repository.environment,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    pid_file = repository.path / "pid"
    wait_for(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    python = int(pid_file.read_text())
    os.kill(python if victim == "filter" else git.pid, signal.SIGKILL)
    assert git.wait(20)
    if victim == "git":
        os.kill(python, signal.SIGKILL)  # asleep, it cannot notice that Git is gone
        (repository.path / ".git/index.lock").unlink()
    pid_file.unlink()
    assert repository.index() == before
    stored = repository.everything_stored()
    allowed = {strip(notebook(f"x = {number}")) for number in range(3)}
    assert {blob for blob in stored if b"cells" in blob} <= allowed
    assert all(SECRET.encode() not in blob for blob in stored)


@posix
def test_a_truncated_file_is_stored_truncated_until_it_is_whole_again(
    repository: Repository,
) -> None:
    repository.write("a.ipynb", strip(notebook())[:-20])
    repository.commit()
    repository.write("a.ipynb", notebook())
    repository.commit()
    assert repository.staged("a.ipynb") == strip(notebook())


def launcher(repository: Repository, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", ".git/nb/git-notebook", *arguments],
        cwd=repository.path,
        env=repository.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def greet(filter_process: subprocess.Popen[bytes]) -> None:
    assert filter_process.stdin and filter_process.stdout
    filter._write_list(filter_process.stdin, b"git-filter-client\n", b"version=2\n")
    assert filter._read_list(filter_process.stdout)
    filter._write_list(filter_process.stdin, b"capability=clean\n", b"capability=smudge\n")
    assert filter._read_list(filter_process.stdout)


@posix
@pytest.mark.parametrize(
    "last_words",
    [b"", b"00", b"0012command=clean\n", b"0012command=clean\n0015pathname=a.ipynb\n0000ffff{"],
)
def test_the_filter_ends_in_silence_when_git_does(
    repository: Repository, last_words: bytes
) -> None:
    process = launcher(repository, "filter")
    greet(process)
    assert process.communicate(last_words, timeout=20) == (b"", b"")
    assert process.returncode == 0


@posix
def test_the_filter_survives_ctrl_c_and_still_answers(repository: Repository) -> None:
    process = launcher(repository, "filter")
    greet(process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdin and process.stdout
    filter._write_list(process.stdin, b"command=clean\n", b"pathname=a.ipynb\n")
    filter._write_list(process.stdin, notebook())
    assert filter._read_list(process.stdout) == [b"status=success\n"]
    assert filter._read_list(process.stdout) == [strip(notebook())]
    assert filter._read_list(process.stdout) == []
    assert process.communicate(timeout=20) == (b"", b"")


@posix
def test_ctrl_c_ends_a_one_shot_clean_without_a_traceback(repository: Repository) -> None:
    repository.sabotage("nb/git/filter.py", SLEEPY)
    process = launcher(repository, "clean")
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(notebook("sleep"))
    process.stdin.close()
    wait_for((repository.path / "pid").exists)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20)
    assert process.stdout.read() + process.stderr.read() == b""


@posix
@pytest.mark.parametrize("mode", ["filter", "clean"])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(
    repository: Repository, mode: str
) -> None:
    process = launcher(repository, mode)
    assert process.stdin and process.stdout and process.stderr
    if mode == "filter":
        greet(process)
    process.stdout.close()
    if mode == "filter":
        filter._write_list(process.stdin, b"command=smudge\n", b"pathname=a.ipynb\n")
        filter._write_list(process.stdin, b"x" * 60_000)
    else:
        process.stdin.write(notebook("x" * 100_000))
    process.stdin.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == b""


@posix
def test_a_gui_without_stderr_changes_nothing(repository: Repository) -> None:
    command = "sh .git/nb/git-notebook clean 2>&-"
    done = repository.run("sh", "-c", command, input=b"{ broken")
    assert done.stdout == b"{ broken"


@posix
@pytest.mark.parametrize("arguments", [(), ("strip",), ("textconv", "nowhere.ipynb")])
def test_wrong_use_fails_with_a_sentence(
    repository: Repository, arguments: tuple[str, ...]
) -> None:
    done = repository.run("sh", ".git/nb/git-notebook", *arguments, code=None)
    assert done.returncode
    assert len(done.stderr.splitlines()) == 1


@posix
def test_whoever_is_not_git_is_told(repository: Repository) -> None:
    done = repository.run("sh", ".git/nb/git-notebook", "filter", code=1, input=b"0007abc0000")
    assert done.stderr.startswith(b"git-notebook: version 2 of Git's filter protocol is expected")


# ---------------------------------------------------------------------------------- installing


def test_installing_twice_changes_nothing_and_repairs_what_differs(
    repository: Repository,
) -> None:
    git_dir = repository.path / ".git"
    assert filter.is_installed(git_dir)
    repository.sabotage("nb/notebook/strip.py", "raise SystemExit")
    assert not filter.is_installed(git_dir)
    filter.install(git_dir)
    assert filter.is_installed(git_dir)
    (git_dir / "nb/nb/git/text_view.py").unlink()
    assert not filter.is_installed(git_dir)
    filter.install(git_dir)
    filter.install(git_dir)
    assert filter.is_installed(git_dir)
    copies = [path for path in (git_dir / "nb").rglob("*") if "__pycache__" not in str(path)]
    assert sum(path.is_file() for path in copies) == len(filter.RUNTIME)


@posix
def test_git_and_the_text_view_are_not_started_for_a_filter_that_is_there(
    repository: Repository, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "git"
    fake.write_text(f'#!/bin/sh\necho "$@" >>"{calls}"\n')
    fake.chmod(0o755)
    repository.sabotage("nb/git/text_view.py", "raise SystemExit('the text view was imported')")
    path = f"{fake.parent}{os.pathsep}{repository.environment['PATH']}"
    done = subprocess.run(
        ["sh", "-c", filter.WIRING["filter.nbstripout.process"]],
        cwd=repository.path,
        env={**repository.environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert not calls.exists()
