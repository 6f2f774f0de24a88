"""`nb help`: pages of the guide, and messages that name pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import TEMPLATE
from nb import project
from nb.cli import WHERE, main
from nb.commands import guide

import template_answers

TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A project with the guide as the template writes it."""
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    path = tmp_path / "tools/nb/guide.md"
    path.write_text(f"{template_answers.guide('')}\n", encoding="utf-8")
    monkeypatch.setattr(guide, "GUIDE", path)
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def test_without_a_topic_all_pages_are_listed(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["help"])
    assert shown.exit_code == 0
    folders = (TEMPLATE / "docs" / folder for folder in template_answers.GUIDE_FOLDERS)
    topics = [path.stem for folder in folders for path in folder.glob("*.md")]
    assert len(topics) == len(set(topics)) > 20
    assert set(re.findall(r"^  ([\w-]+)  +\S", shown.output, re.M)) == set(topics)
    assert shown.output.splitlines()[-1] == project.documentation()


def test_every_page_is_shown_without_the_marks_of_the_site(runner: CliRunner) -> None:
    for topic in guide.read_guide():
        shown = runner.invoke(main, ["help", topic])
        assert shown.exit_code == 0
        assert shown.output.startswith("# ")
        assert "](" not in re.sub(r"```.*?```", "", shown.output, flags=re.S), topic
        assert "<!--" not in shown.output


def test_a_link_to_another_page_names_its_topic(runner: CliRunner) -> None:
    assert "Parameters (`nb help parameters`)" in runner.invoke(main, ["help", "faq"]).output


def test_words_are_found(runner: CliRunner) -> None:
    shown = runner.invoke(main, ["help", "--search", "NO credentials were found"])
    assert shown.exit_code == 0 and re.search(r"^storage: .*no credentials", shown.output, re.M)
    assert runner.invoke(main, ["help", "--search", "qwertz"]).exit_code == 1
    (example,) = re.findall(r'nb help --search "(.+)"', runner.invoke(main, ["help", "-h"]).output)
    assert runner.invoke(main, ["help", "--search", example]).exit_code == 0


@pytest.mark.parametrize("command", ["push", "doctor"])
def test_a_command_without_a_page_shows_its_help(runner: CliRunner, command: str) -> None:
    shown = runner.invoke(main, ["help", command])
    assert shown.exit_code == 0 and shown.output.startswith(f"Usage: nb {command}")


@pytest.mark.parametrize(
    ("typed", "nearest"), [("storrage", "storage"), ("strage", "storage"), ("doctr", "doctor")]
)
def test_a_mistyped_topic_is_one_line_with_the_nearest(
    runner: CliRunner, typed: str, nearest: str
) -> None:
    shown = runner.invoke(main, ["help", typed])
    assert (shown.exit_code, shown.output) == (
        2,
        f"nb: the guide has no page {typed}; did you mean {nearest}?\n",
    )


def test_a_lost_guide_is_one_line_with_the_site(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(guide, "GUIDE", tmp_path / "lost.md")
    shown = runner.invoke(main, ["help"])
    assert shown.exit_code == 1
    assert re.fullmatch(r"nb: the guide is not there; read https://\S+/\n", shown.output)


def test_the_help_names_the_guide(runner: CliRunner) -> None:
    assert "\nGuide: nb help, or https://" in runner.invoke(main, ["--help"]).output


def test_pages_that_the_tooling_names_are_there(runner: CliRunner) -> None:
    topics = {*guide.read_guide(), *WHERE}
    for path in TOOLS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for topic in re.findall(r"nb\s+help ([a-z][\w-]+)", text):
            assert topic in topics, f"{path.name}: nb help {topic}"
        assert not re.search(r"\bdocs/(?!plan|cloud)[\w/-]+\.md", text), path.name


def test_each_place_names_the_site_of_this_version() -> None:
    (version,) = re.findall(
        r'^version = "(.+)"', (TEMPLATE / "pyproject.toml").read_text("utf-8"), re.M
    )
    (site,) = re.findall(r"^site_url: (\S+)", (TEMPLATE / "mkdocs.yml").read_text("utf-8"), re.M)
    project = TOOLS.parent
    assert f'"{site}"' in (TOOLS / "nb/project.py").read_text(encoding="utf-8")
    for file in (TOOLS / "pyproject.toml", project / "README.md"):
        assert f"{site}/{version}/" in file.read_text(encoding="utf-8"), file
