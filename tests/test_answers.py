"""Answers: what is refused, with which sentence, and what text becomes in the generated files."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, Bake, Project
from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import create_env_with_context
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

import template_answers

if sys.version_info >= (3, 11):
    import tomllib

BAD_ANSWERS = {
    "a slug with a path separator": ({"project_slug": "a/b"}, "slug 'a/b'"),
    "a slug that leaves the folder": ({"project_slug": "../out"}, "slug '../out'"),
    "a slug with a blank": ({"project_slug": "my project"}, "slug 'my project'"),
    "a slug that is a Windows device": ({"project_slug": "con"}, "reserved device name"),
    "a slug that is a dependency": ({"project_slug": "pandas"}, "name of something"),
    "a name without any letter": ({"project_name": "!!!"}, "slug ''"),
    "a package that is a keyword": ({"package_name": "class"}, "Python keyword"),
    "a package of the standard library": ({"package_name": "statistics"}, "hide Python's own"),
    "a package that is a dependency": ({"package_name": "sklearn"}, "name of something"),
    "a package that is the tooling": ({"package_name": "nb"}, "name of something"),
    "a slug that a dependency needs": ({"project_slug": "packaging"}, "name of something"),
    "a package with a hyphen": ({"package_name": "my-package"}, "lower-case letters"),
    "a package that begins with a digit": ({"package_name": "2026_sales"}, "begin with a letter"),
    "an e-mail without a domain": ({"email": "nobody"}, "name@example.org"),
    "a storage of an unknown kind": ({"storage": "ftp://host/x"}, "must be a folder, s3://…"),
    "a storage in a home folder": ({"storage": "~/store"}, "without '~'"),
    "a storage that is the project": ({"storage": "."}, "is in the project"),
    "a storage in the project": ({"storage": "a/../store"}, "is in the project"),
    "a storage without a bucket": ({"storage": "s3://"}, "must name a folder or a bucket"),
}


@pytest.mark.parametrize(("answers", "sentence"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_one_sentence_and_leaves_nothing(
    answers: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    command = [sys.executable, "-m", "cookiecutter", "--no-input", str(TEMPLATE)]
    command += [f"{question}={answer}" for question, answer in answers.items()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]


EDITS: dict[str, tuple[dict[str, Any], str]] = {
    "a slug that leaves the folder": ({"project_slug": "../evil"}, "slug '../evil'"),
    "a package": ({"package_name": "../../evil"}, "package name '../../evil'"),
    "a storage": ({"storage": "ftp://host"}, "storage 'ftp://host'"),
    "text of two lines": ({"author": "a\nb"}, "'author' holds a line break"),
    "a choice that is none": ({"license": "GPL"}, "'license' must be one of MIT, "),
    "a choice of another kind": ({"ci": ["GitHub"]}, "'ci' must be a text"),
    "neither yes nor no": ({"cloud": "maybe"}, "'cloud' must be yes or no, not 'maybe'"),
    "a number for a text": ({"author": 1}, "'author' must be a text, not 1"),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The replay file that cookiecutter writes."""
    folder = tmp_path_factory.mktemp("recorded")
    settings = folder / "settings.yaml"
    settings.write_text(f"replay_dir: {folder / 'replay'}\n", encoding="utf-8")
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", str(settings)]
    subprocess.run([*command, str(TEMPLATE)], cwd=folder, check=True, capture_output=True)
    (written,) = (folder / "replay").iterdir()
    return written.read_text(encoding="utf-8")


def replay(
    recorded: str, changes: dict[str, Any], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Generate from a replay file that somebody edited."""
    context = json.loads(recorded)
    context["cookiecutter"].update(changes)
    (folder / "replay.json").write_text(json.dumps(context), encoding="utf-8")
    (folder / "here").mkdir()
    command = [sys.executable, "-m", "cookiecutter", "--replay-file", "../replay.json"]
    command += [str(TEMPLATE)]
    return subprocess.run(command, cwd=folder / "here", capture_output=True, text=True)


@pytest.mark.parametrize(("changes", "sentence"), EDITS.values(), ids=EDITS)
def test_an_edited_replay_file_is_checked_like_answers(
    recorded: str, changes: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    done = replay(recorded, changes, tmp_path)
    assert done.returncode == 1
    assert sentence in done.stdout + done.stderr
    assert len((done.stdout + done.stderr).strip().splitlines()) == 1
    assert {path.name for path in tmp_path.rglob("*")} == {"replay.json", "here"}


def test_what_follows_from_answers_is_computed_anew_in_a_replay(
    recorded: str, tmp_path: Path
) -> None:
    old = {"__dvc": "dvc", "__storage_url": "x", "__ibis": "x", "__year": "1066", "__image": "x"}
    old |= {"__valid_slug": "", "_copy_without_render": ["*.ipynb", "*.j2", ".github", "tools"]}
    answers = {"project_slug": "second", "storage": "s3://bucket/x", "warehouse": "Spark"}
    done = replay(recorded, {**old, **answers, "cloud": "yes"}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    project = Project(tmp_path / "here" / "second")
    assert '"dvc[s3]>=' in project.read("pyproject.toml")
    assert '"ibis-framework[duckdb,pyspark]>=' in project.read("pyproject.toml")
    assert 'url = "s3://bucket/x"' in project.read(".dvc/config")
    assert "IMAGE := second\n" in project.read("Makefile")
    assert "1066" not in project.read("LICENSE")
    assert project.has("Dockerfile") and project.has("notebooks/production/15-sizes.ipynb")


BRACES = [
    *("{{ x }}", "{{ 1 }}", "{% if %}", "{# note #}", "{{ }}", "}} {{", "{% now %}", "{ a } }"),
    *("{{ lookup('x') }}", "{{ cookiecutter.author | nothing }}", "%} \\ ' \" {%"),
]


@pytest.mark.parametrize("text", BRACES)
def test_braces_that_name_no_answer_are_text(text: str) -> None:
    """cookiecutter renders each answer that nobody typed at a prompt."""
    environment = create_env_with_context(
        {"cookiecutter": {"_extensions": ["template_answers.Answers"]}}
    )
    assert environment.from_string(text).render(cookiecutter={}) == text


@pytest.mark.parametrize("way", ["key=value", "user default"])
def test_braces_are_text_in_answers_that_nobody_is_asked_for(way: str, tmp_path: Path) -> None:
    text = "{{ x }} {% if %} {# note #} }} \\ ' \" é"
    command = [sys.executable, "-m", "cookiecutter", "--no-input"]
    settings = {"replay_dir": str(tmp_path / "replay"), "default_context": {"description": text}}
    if way == "user default":
        (tmp_path / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")
        command += ["--config-file", "settings.yaml", str(TEMPLATE)]
    else:
        command += [str(TEMPLATE), f"description={text}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    project = Project(tmp_path / "my-data-project")
    if sys.version_info >= (3, 11):
        metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
        assert metadata["description"] == text


def test_an_answer_may_name_another(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cookiecutter", "--no-input", str(TEMPLATE)]
    command += ["project_slug=sales", "storage=s3://team/{{ cookiecutter.project_slug }}"]
    command += ["author={% raw %}{{ cookiecutter.project_slug }}{% endraw %}"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    project = Project(tmp_path / "sales")
    assert 'url = "s3://team/sales"' in project.read(".dvc/config")
    assert "{{ cookiecutter.project_slug }}" in project.read("LICENSE")


@pytest.mark.parametrize(
    ("version", "python", "named"),
    [
        ("2.0.2", (3, 11), "cookiecutter 2.0.2 run by Python 3.11"),
        ("1.7.3", (3, 11), "cookiecutter 1.7.3 run by Python 3.11"),
        ("2.6.0", (3, 9), "cookiecutter 2.6.0 run by Python 3.9"),
        ("2.6.0", (3, 8), "cookiecutter 2.6.0 run by Python 3.8"),
    ],
)
def test_an_old_cookiecutter_or_python_is_refused(
    version: str, python: tuple[int, int], named: str
) -> None:
    with pytest.raises(FailedHookException, match=named):
        template_answers.refuse_old_versions(version, python)


@pytest.mark.parametrize("version", ["2.1.1", "2.7.1", "2.10.0", "3.0.0.dev1"])
def test_a_cookiecutter_that_is_new_enough_is_taken(version: str) -> None:
    template_answers.refuse_old_versions(version, (3, 10))


OLD_PYTHONS = ("3.7", "3.8", "3.9")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "python"),
    [("2.1.1", "3.10"), ("2.2.3", "3.10"), ("1.7.3", "3.10"), *(("2.6.0", p) for p in OLD_PYTHONS)],
)
def test_what_other_versions_do(version: str, python: str, tmp_path: Path) -> None:
    """The same bytes from the oldest version on; older ones, and older Pythons, get a sentence."""
    uv = str(Path(sys.prefix) / "bin" / "uv")
    found = subprocess.run([uv, "python", "find", python], capture_output=True, text=True)
    if found.returncode or not (interpreter := found.stdout.strip()):
        pytest.skip(f"needs Python {python}")
    install = [uv, "pip", "install", "--quiet", "--python", interpreter, "--target", "old"]
    install += [f"cookiecutter=={version}", "setuptools<80"]  # 1.7 imports pkg_resources
    subprocess.run(install, cwd=tmp_path, check=True)
    generate = [interpreter, "-m", "cookiecutter", "--no-input", str(TEMPLATE)]
    generate += ["cloud=yes", "example=no"]
    environment = {"PYTHONPATH": str(tmp_path / "old"), "HOME": str(tmp_path)}
    done = subprocess.run(generate, cwd=tmp_path, env=environment, capture_output=True, text=True)
    said = (done.stdout + done.stderr).strip()
    if version == "1.7.3" or python in OLD_PYTHONS:
        assert done.returncode == 1 and len(said.splitlines()) == 1
        # Before 2.0, cookiecutter finds no extension in a template.
        named = (
            "No module named 'template_answers'" if version == "1.7.3" else "This template needs"
        )
        assert named in said
        return
    assert done.returncode == 0, said
    project = tmp_path / "my-data-project"
    old = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    shutil.rmtree(project)
    subprocess.run([sys.executable, *generate[1:]], cwd=tmp_path, check=True, capture_output=True)
    assert old == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


@pytest.mark.parametrize("text", ["two\nlines", "a\0null", "a\x85next line", "a\u2028separator"])
def test_text_of_more_than_one_line_is_refused(text: str) -> None:
    with pytest.raises(FailedHookException, match="'author' holds a line break"):
        template_answers.valid_text({"author": text})


@pytest.mark.parametrize(
    ("slug", "package"),
    [
        ("churn", "churn"),
        ("2026-sales", "project_2026_sales"),
        ("A.b-C", "a_b_c"),
        ("x" * 60, "x" * 40),
    ],
)
def test_the_proposed_package_is_valid(slug: str, package: str) -> None:
    assert template_answers.package_name(slug) == package
    assert template_answers.valid_package(package) == ""


@pytest.mark.parametrize(
    ("storage", "url", "requirement"),
    [
        ("../store", "../../store", "dvc"),
        ("/mnt/a b", "/mnt/a b", "dvc"),
        ("C:\\store", "C:\\store", "dvc"),
        ("s3://bucket/path", "s3://bucket/path", "dvc[s3]"),
        (" gs://bucket ", "gs://bucket", "dvc[gs]"),
        ("azure://container", "azure://container", "dvc[azure]"),
        ("ssh://host/path", "ssh://host/path", "dvc[ssh]"),
    ],
)
def test_the_storage_selects_url_and_extra(storage: str, url: str, requirement: str) -> None:
    assert template_answers.valid_storage(storage) == ""
    assert template_answers.storage_url(storage) == url
    assert template_answers.dvc_requirement(storage) == requirement


NAMES = """
import importlib.metadata, json
modules = importlib.metadata.packages_distributions()
names = {name for name in modules if name.isidentifier() and name[0] != "_"}
print(json.dumps([*names, *(d.name for d in importlib.metadata.distributions())]))
"""


def free(names: Iterable[str], *own: str) -> set[str]:
    """Return the names that a project could be given although an environment holds them."""
    normal = {re.sub(r"[-_.]+", "_", name).lower() for name in names}
    return normal - template_answers.TAKEN - {*own}


def test_no_project_is_called_like_what_its_environment_holds(ready: Project) -> None:
    held = json.loads(ready.run("python", "-P", "-c", NAMES))
    assert free(held, "ready", "biopsies") == set()


STORAGES = ("s3://b", "gs://b", "azure://b", "ssh://h/p")
OTHERS: list[dict[str, Any]] = [
    *({"storage": storage} for storage in STORAGES),
    *({"warehouse": name} for name in template_answers.QUESTIONS["warehouse"][1:]),
    *({"scheduler": name} for name in template_answers.QUESTIONS["scheduler"][1:]),
    *({"dashboard": name} for name in template_answers.QUESTIONS["dashboard"][1:]),
    {"docs": "MkDocs"},
]


@pytest.mark.slow
@pytest.mark.parametrize("answers", OTHERS, ids=str)
def test_no_project_is_called_like_what_other_answers_install(
    bake: Bake, answers: dict[str, Any]
) -> None:
    """By their lock file, which names distributions for all platforms, not modules."""
    project = bake(project_slug="locked-names", package_name="locked_names", **answers)
    project.run(str(Path(sys.prefix) / "bin" / "uv"), "lock", "--quiet")
    locked = re.findall(r'^name = "(.+)"', project.read("uv.lock"), re.M)
    assert free(locked, "locked_names") == set()


TEXTS = [
    'say "hello"',
    "O'Brien \\ Söhne \\u00e9 \\n",
    "{{ cookiecutter }} {% if %} {# c #}",
    "# $HOME ${x} `id` $(id) %(x)s 100 %",
    "<script>alert(1)</script> &amp; a < b > c & d",
    "数据科学 Ελληνικά العربية",
    "👩‍🔬 🚀 a\u200db \x7f",
    "*stars* _under_ [link](x) ~~gone~~ | pipe",
    "1. first",
    "- item",
    "  blanks around  ",
    "x" * 300,
]


@pytest.mark.parametrize("text", TEXTS)
def test_quoted_text_means_the_same_in_every_language(text: str) -> None:
    quoted = template_answers.quoted(text)
    assert json.loads(quoted) == text.strip()
    assert eval(quoted) == text.strip()
    assert YAML(typ="safe").load(f"key: {quoted}")["key"] == text.strip()
    if sys.version_info >= (3, 11):
        assert tomllib.loads(f"key = {quoted}")["key"] == text.strip()


@pytest.mark.parametrize("text", TEXTS)
def test_text_in_markdown_is_shown_as_it_was_typed(text: str) -> None:
    (_, inline, _) = (
        MarkdownIt("commonmark").enable("strikethrough").parse(template_answers.markdown(text))
    )
    assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or ()) == text.strip()
