"""Commands called from odd places: streams closed or full, no folder, paths that are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from nb import project
from nb.cli import main
from nb.git import wiring

TOOLS = Path(project.__file__).parent.parent
START = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import nb_start; "
ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="there is no /dev/full")
LONG = "x" * 5000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project without notebooks."""
    (tmp_path / "tools" / "nb").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: echo\n")
    (tmp_path / "notebooks" / "production").mkdir(parents=True)
    return tmp_path


def shell(root: Path, command: str, code: str = "nb_start.main()") -> tuple[int, str, str]:
    """Run Python code in a shell: "$NB" in the command, with redirections around it."""
    done = subprocess.run(
        ["sh", "-c", command.replace("nb", '"$PYTHON" -c "$CODE"')],
        cwd=root,
        env={**os.environ, "PYTHON": sys.executable, "CODE": START + code},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@ON_POSIX
@pytest.mark.parametrize("arguments", ["--help", "--version", "run --help", "check --help"])
def test_a_full_output_is_one_line(root: Path, arguments: str) -> None:
    said = shell(root, f"nb {arguments} >/dev/full")
    assert said == (1, "", "nb: [Errno 28] No space left on device\n")


@ON_POSIX
@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
def test_a_closed_stream_changes_no_result(root: Path, closed: str) -> None:
    code, output, _ = shell(root, "nb check --json")
    assert shell(root, f"nb check --json {closed}") == (code, output, "")


@ON_POSIX
def test_a_closed_stream_is_no_file_of_ours(root: Path) -> None:
    code = "import os; from nb import surroundings; surroundings.open_closed_streams(); "
    code += "print(*(os.path.samefile(n, os.devnull) for n in (0, 2)), open('dvc.yaml').fileno())"
    _, output, _ = shell(root, "nb <&- 2>&-", code)
    *are_null, number = output.split()
    assert are_null == ["True", "True"]
    assert int(number) > 2


@ON_POSIX
def test_a_current_folder_that_was_deleted_is_one_line(root: Path) -> None:
    said = shell(root, "mkdir gone; cd gone; rmdir ../gone; nb stages")
    assert said == (2, "", "nb: the current folder was deleted; change to another.\n")


@pytest.mark.parametrize("path", ["", "/", "..", "dvc.yaml/x", LONG, f"../{LONG}"])
@pytest.mark.parametrize(
    "command", ["describe --output", "check", "export", "show", "params", "trace", "fingerprint"]
)
def test_a_path_that_is_none_is_one_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: str, path: str
) -> None:
    monkeypatch.chdir(root)
    before = sorted(root.rglob("*"))
    done = CliRunner().invoke(main, [*command.split(), path])
    assert isinstance(done.exception, SystemExit | None)
    assert len(done.stderr.splitlines()) <= 1
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize("arguments", [["--help"], ["a.ipynb", "-h"]])
@pytest.mark.parametrize("command", ["extract", "run", "trace"])
def test_a_page_of_help_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: str, arguments: list[str]
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr(wiring, "heal", lambda root: pytest.fail("changes the clone"))
    done = CliRunner().invoke(main, [command, *arguments])
    assert done.exit_code == 0 and done.stdout.startswith("Usage: ")


def test_a_hook_that_git_does_not_have_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    done = CliRunner().invoke(main, ["hook", "pre-comit"])
    assert done.exit_code == 2
    assert "'pre-comit' is not one of 'pre-commit', 'pre-push'" in done.stderr
