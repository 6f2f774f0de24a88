"""The help of `nb`: groups, whole sentences, suggestions; and colors as the environment asks."""

from __future__ import annotations

import ast
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from help_pages import every_command, examples
from nb import terminal
from nb.cli import GROUPS, WHERE, main


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.mark.parametrize(
    ("typed", "begun", "completed"),
    [([], "ru", {"run"}), (["run"], "--verb", {"--verbose"}), ([], "no-such", set())],
)
def test_a_shell_completes_commands_and_options(
    typed: list[str], begun: str, completed: set[str]
) -> None:
    complete = ShellComplete(main, {}, "nb", "_NB_COMPLETE")
    assert {item.value for item in complete.get_completions(typed, begun)} == completed


def test_every_command_is_in_a_group_with_a_whole_sentence_on_one_line(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["--help"], terminal_width=80).output
    assert all(f"\n{title}:\n" in shown for title in GROUPS)
    assert max(map(len, shown.splitlines())) <= 80
    lines = {line.split()[0]: line for line in re.findall(r"^  [a-z-]+  .*$", shown, re.M)}
    for command in WHERE:
        assert lines[command].endswith("."), command
        assert not lines[command].endswith("...")
    assert sum(line.startswith("   ") for line in shown.splitlines()) == 3  # the examples
    assert len(re.findall(r"^    nb ", shown, re.M)) == 3


def test_every_command_and_no_other_has_a_help_page(runner: CliRunner) -> None:
    assert sorted(WHERE) == main.list_commands(click.Context(main))
    for command in WHERE:
        page = runner.invoke(main, [command, "--help"])
        assert page.exit_code == 0
        assert page.output.startswith(f"Usage: nb {command} ")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("rnu", "did you mean run?"), ("statsu", "did you mean status?"), ("zzz", "nb --help")],
)
def test_a_mistyped_command_is_one_line_with_the_nearest(
    runner: CliRunner, typed: str, hint: str
) -> None:
    result = runner.invoke(main, [typed])
    assert result.exit_code == 2
    assert result.output.startswith(f"nb: there is no command {typed}; ")
    assert hint in result.output
    assert len(result.output.splitlines()) == 1


class _Stream(io.StringIO):
    def __init__(self, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.mark.parametrize(
    ("environment", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_the_environment_decides_about_colors(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    on_terminal: bool,
    in_pipe: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for is_terminal, wanted in ((True, on_terminal), (False, in_pipe)):
        stream = _Stream(is_terminal)
        terminal.echo(terminal.style("x", fg="red"), file=stream, nl=False)
        assert stream.getvalue() == ("\x1b[31mx\x1b[0m" if wanted else "x")
        assert terminal.is_colored(stream) == wanted


def test_without_colors_the_cursor_still_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = _Stream(True)
    terminal.echo(terminal.sequence("\x1b[2A\x1b[J") + terminal.style("x", fg="red"), file=stream)
    assert stream.getvalue() == "\x1b[2A\x1b[Jx\n"


COMMANDS = dict(every_command())


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_shows_examples_that_can_be_typed(words: str) -> None:
    shown = examples(COMMANDS[words])
    assert shown
    assert words == "nb commit-checks" or any(f"{words} " in f"{line} " for line in shown)
    for line in shown:
        typed = shlex.split(re.split(r" (?:\||>>) ", line)[0])
        while "=" in typed[0]:
            typed = typed[1:]
        if typed[0] == "nb":
            parsed(main, typed[1:])


def parsed(command: click.Command, arguments: list[str]) -> None:
    """Parse a command line, down to the last subcommand; nothing is run."""
    context = command.make_context("nb", list(arguments))
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        _, inner, arguments = command.resolve_command(context, rest) if rest else ("", None, [])
        if inner is not None:
            parsed(inner, arguments)


def test_an_option_is_called_the_same_everywhere() -> None:
    called: dict[str, dict[tuple[str, ...], str]] = {}
    for words, command in COMMANDS.items():
        for option in command.params:
            for name in option.opts if isinstance(option, click.Option) else ():
                called.setdefault(name, {})[tuple(option.opts)] = words
    assert not {name: found for name, found in called.items() if len(found) > 1}
    assert called["--yes"].keys() == {("-y", "--yes")}
    assert called["--dry-run"].keys() == {("-n", "--dry-run")}


def test_commands_of_a_group_have_a_whole_sentence_on_one_line(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["experiments", "--help"], terminal_width=80).output
    lines = shown.partition("Commands:\n")[2].splitlines()
    assert len(lines) == 6
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("run --verfy", "nb run has no option --verfy; did you mean --verify?"),
        ("run --qqq", "nb run has no option --qqq; its options: nb run --help"),
        ("--verson", "nb has no option --verson; did you mean --version?"),
        ("run -j 0", "invalid value for '-j' / '--jobs': 0 is not in the range x>=1"),
        ("new", "missing argument 'NAME'; see nb new --help"),
        ("export x --to pdff", "invalid value for '--to': 'pdff' is not one of"),
        ("experiments shw", "there is no command shw; did you mean show?"),
        ("merge-lock a b c", "a version of dvc.lock cannot be read: "),
        ("check --select NB3011", "--select: no rule NB3011; did you mean NB301?"),
    ],
)
def test_a_wrong_argument_is_one_line_with_the_next_step(
    runner: CliRunner, typed: str, problem: str
) -> None:
    result = runner.invoke(main, typed.split())
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert result.output.startswith(f"nb: {problem}")


def test_a_notebook_to_promote_that_is_missing_is_named_with_the_nearest(
    runner: CliRunner,
) -> None:
    idea = Path("notebooks/exploratory/01-me-idea.ipynb")
    idea.parent.mkdir(parents=True)
    idea.write_text("{}")
    mistyped = runner.invoke(main, ["promote", "notebooks/exploratory/01-me-idae.ipynb"])
    assert f"did you mean {idea.as_posix()}?" in mistyped.output
    mistyped = runner.invoke(main, ["promote", "01-me-idae"])
    assert "did you mean 01-me-idea?" in mistyped.output
    missing = runner.invoke(main, ["show", "notebooks/exploratory/01-idea.ipynb"])
    assert f"did you mean {idea.as_posix()}?" in missing.output
    found = runner.invoke(main, ["promote", "01-me-idea"])
    assert "Name of the production notebook [10-idea]" in found.output
    assert "nb: nobody answered the question" in found.output and found.exit_code == 2
    assert "name the notebook to promote" in runner.invoke(main, ["promote", ""]).output


def test_a_shell_completes_stages_notebooks_and_variants(runner: CliRunner) -> None:
    Path("dvc.yaml").write_text("stages:\n  train:\n    cmd: a\n  tidy:\n    cmd: b\n")
    for name in ("10-train", "20-tidy"):
        Path("notebooks/production").mkdir(parents=True, exist_ok=True)
        Path(f"notebooks/production/{name}.ipynb").write_text("{}")
    complete = ShellComplete(main, {}, "nb", "_NB_COMPLETE")

    def completed(*typed: str) -> list[str]:
        *words, begun = typed
        return [str(item.value) for item in complete.get_completions(words, begun)]

    assert completed("run", "t") == ["train", "tidy"]
    assert completed("task", "tr") == ["train"]
    assert completed("show", "2") == ["20-tidy"]
    assert completed("experiments", "show", "1") == []
    (files,) = complete.get_completions(["show"], "notebooks/")
    assert files.type == "file"


# Libraries that take long to import, and rooms that only work needs.
HEAVY = {"dvc", "email", "importlib.metadata", "nb.pipeline", "nb.secrets.search", "yaml"}


@pytest.mark.parametrize(
    ("command", "late"),
    [
        ("--help", HEAVY | {"_sysconfigdata", "csv", "subprocess", "tempfile"}),
        ("status", HEAVY | {"nb.notebook.content", "shutil"}),
        ("run", HEAVY),
    ],
)
def test_commands_without_work_import_nothing_that_only_work_needs(
    command: str, late: set[str], runner: CliRunner
) -> None:
    Path("reports/site").mkdir(parents=True)
    Path("reports/site/index.html").touch()
    program = f"""
import atexit, sys
sys.path.insert(0, {str(Path(terminal.__file__).parents[1])!r})
atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))
from nb import uptodate
uptodate.read_stamp = lambda root: {{"stages": [], "shown": ["train"], "metrics": {{}}}}
from nb_start import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, command], capture_output=True, encoding="utf-8", check=True
    )
    loaded = {name.partition("__")[0] for name in ast.literal_eval(done.stderr)}
    assert not loaded & late
