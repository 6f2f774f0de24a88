"""What a generated project consists of, for every value of every question."""

import io
import json
import os
import re
import subprocess
import sys
import threading
from configparser import ConfigParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Bake, Project, literal
from nb.execution.deferred_imports import SLOW
from ruamel.yaml import YAML

if sys.version_info >= (3, 11):
    import tomllib

ALWAYS = {
    *(".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitattributes", ".gitignore"),
    *(
        ".cruft.json",
        ".pre-commit-config.yaml",
        ".editorconfig",
        ".vscode/launch.json",
        ".vscode/settings.json",
        "AGENTS.md",
        "CONTRIBUTING.md",
        "Makefile",
        "README.md",
        "data/README.md",
        "dvc.yaml",
        "pyproject.toml",
    ),
    *("notebooks/dvc.lock", "notebooks/dvc.yaml", "notebooks/exploratory/README.md"),
    *("notebooks/production/README.md", "reports/notebooks/.gitignore"),
    *(
        "src/my_data_project/__init__.py",
        "src/my_data_project/paths.py",
        "src/my_data_project/py.typed",
    ),
    *("tests/test_notebooks.py", "tests/test_paths.py"),
    *(
        path.relative_to(TEMPLATE / "{{cookiecutter.project_slug}}").as_posix()
        for path in (TEMPLATE / "{{cookiecutter.project_slug}}" / "tools").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "{%" not in path.name
    ),
}
NOTEBOOKS = ("10-ingest", "20-features", "30-train", "40-evaluate")
EXAMPLE = {
    ".dvc/plots/curve_per_model.json",
    *(f"config/{name}.yaml" for name in NOTEBOOKS),
    *(f"notebooks/production/{name}.ipynb" for name in NOTEBOOKS),
    "notebooks/exploratory/01-dm-first-look.ipynb",
    *(f"src/my_data_project/{name}.py" for name in ("data", "evaluation", "models")),
    *(f"tests/test_{name}.py" for name in ("data", "evaluation", "models")),
}
WAREHOUSE = {
    *("config/warehouse.yaml", "src/my_data_project/warehouse.py", "tests/test_warehouse.py"),
}
WAREHOUSE_EXAMPLE = {"config/15-sizes.yaml", "notebooks/production/15-sizes.ipynb"}
CLOUD = {
    *(".binder/postBuild", ".binder/runtime.txt", ".devcontainer/devcontainer.json"),
    *(".dockerignore", "Dockerfile", "docs/cloud.md"),
    *("notebooks/start.ipynb", "tools/badges.py"),
}
ANY_DASHBOARD = {"src/my_data_project/artifacts.py", "tests/test_artifacts.py"}
STREAMLIT = ANY_DASHBOARD | {".streamlit/config.toml", "app/dashboard.py", "tests/test_app.py"}
VOILA = ANY_DASHBOARD | {
    *("notebooks/dashboard/template/conf.json", "notebooks/dashboard/template/index.html.j2"),
    *("tests/test_dashboard.py", "voila.json"),
}
DECISION = {"src/my_data_project/decision.py", "tests/test_decision.py"}
GITHUB = {
    *(f".github/{name}.yml" for name in ("dependabot", "workflows/ci", "workflows/update")),
    ".github/pull_request_template.md",
}
GITLAB = {".gitlab-ci.yml", ".gitlab/merge_request_templates/Default.md", "renovate.json"}
DEFAULT = ALWAYS | EXAMPLE | GITHUB | {"CITATION.cff", "LICENSE"}
ORCHESTRATION = {f"orchestration/{n}.py" for n in ("environment", "server", "stages")}
MKDOCS = {"docs/pages.py", "mkdocs.yml"}
DAGSTER = ("dagster_definitions", "start_dagster")
AIRFLOW = ("airflow_dag", "start_airflow")

# Each adds tasks of its own.
CHOICES = (("none", "none"), ("Streamlit", "Dagster"), ("Voila", "Airflow"))

OPTIONS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "the default": ({}, DEFAULT),
    "no example": ({"example": False}, DEFAULT - EXAMPLE),
    "GitLab": ({"ci": "GitLab"}, DEFAULT - GITHUB | GITLAB),
    "no CI": ({"ci": "none"}, DEFAULT - GITHUB),
    "Streamlit": ({"dashboard": "Streamlit"}, DEFAULT | STREAMLIT | DECISION),
    "Streamlit without the example": (
        {"dashboard": "Streamlit", "example": False},
        DEFAULT - EXAMPLE | STREAMLIT,
    ),
    "Voila": (
        {"dashboard": "Voila"},
        DEFAULT | VOILA | DECISION | {"notebooks/dashboard/decision.ipynb"},
    ),
    "Voila without the example": (
        {"dashboard": "Voila", "example": False},
        DEFAULT - EXAMPLE | VOILA | {"notebooks/dashboard/results.ipynb"},
    ),
    "BSD": ({"license": "BSD-3-Clause"}, DEFAULT),
    "Apache": ({"license": "Apache-2.0"}, DEFAULT),
    "cloud files": ({"cloud": True}, DEFAULT | CLOUD),
    "cloud files with conda": (
        {"cloud": True, "environment": "conda", "example": False},
        DEFAULT - EXAMPLE | CLOUD | {"environment.yml"},
    ),
    "no license": ({"license": "none"}, DEFAULT - {"LICENSE"}),
    "pip": ({"environment": "pip"}, DEFAULT),
    "conda": ({"environment": "conda"}, DEFAULT | {"environment.yml"}),
    "S3": ({"storage": "s3://bucket/path"}, DEFAULT),
    "Dagster": (
        {"scheduler": "Dagster"},
        DEFAULT | ORCHESTRATION | {f"orchestration/{n}.py" for n in DAGSTER},
    ),
    "Airflow with pip, no example": (
        {"scheduler": "Airflow", "environment": "pip", "example": False},
        DEFAULT - EXAMPLE | ORCHESTRATION | {f"orchestration/{n}.py" for n in AIRFLOW},
    ),
    "MkDocs": ({"docs": "MkDocs"}, DEFAULT | MKDOCS),
    "MkDocs, no example, cloud files, GitLab": (
        {"docs": "MkDocs", "example": False, "cloud": True, "ci": "GitLab"},
        DEFAULT - EXAMPLE - GITHUB | MKDOCS | CLOUD | GITLAB,
    ),
    "Python 3.13": ({"python_version": "3.13"}, DEFAULT),
    "a warehouse": ({"warehouse": "DuckDB"}, DEFAULT | WAREHOUSE | WAREHOUSE_EXAMPLE),
    "a warehouse and no example": (
        {"warehouse": "PostgreSQL", "example": False},
        DEFAULT - EXAMPLE | WAREHOUSE,
    ),
    "an author with an e-mail": ({"author": "A. Person", "email": "a@example.org"}, DEFAULT),
    "nobody's": ({"author": " ", "license": "none"}, DEFAULT - {"CITATION.cff", "LICENSE"}),
    "as little as possible": (
        {"example": False, "ci": "none", "license": "none", "environment": "pip"},
        ALWAYS | {"CITATION.cff"},
    ),
}


def parse(name: str, text: str) -> Any:
    """Parse a generated file with the parser of its kind; a file that is not valid raises."""
    suffix = Path(name).suffix
    if suffix == ".toml":
        return tomllib.loads(text) if sys.version_info >= (3, 11) else text
    if suffix in (".yaml", ".yml", ".lock", ".cff"):
        return YAML(typ="safe").load(text)
    if suffix == ".py":
        return compile(text, name, "exec")
    if suffix == ".ipynb":
        return nbformat.validate(nbformat.reads(text, as_version=4))
    if suffix == ".json":
        return json.loads(text)
    if name == ".dvc/config":
        parser = ConfigParser()
        parser.read_file(io.StringIO(text))
    return text


def assert_tidy(name: str, text: str) -> None:
    """Assert that a file looks hand-written."""
    assert "cookiecutter" not in text or name == ".cruft.json", name
    assert "project_package" not in text, name
    assert not text or (text.endswith("\n") and not text.endswith("\n\n")), f"{name}: final newline"
    assert not re.search(r"[ \t]+$", text, re.M), f"{name}: blanks at the end of a line"
    assert "\n\n\n\n" not in text, f"{name}: blank lines"
    if not name.endswith(".py"):
        assert "\n\n\n" not in text, f"{name}: blank lines"
    if name != "Makefile":
        assert "\t" not in text, f"{name}: tab"


def check(project: Project) -> None:
    for name in project.files():
        if name == "LICENSE":
            continue  # the texts of licenses are what they are
        text = project.read(name)
        parse(name, text)
        if not name.startswith("tools/"):
            assert_tidy(name, text)


@pytest.mark.parametrize(("answers", "tree"), OPTIONS.values(), ids=OPTIONS)
def test_every_option_gives_its_files_and_no_other(
    bake: Bake, answers: dict[str, Any], tree: set[str]
) -> None:
    project = bake(**answers)
    smoke = {name for name in project.files() if name.startswith("tests/smoke/config/")}
    assert project.files() - smoke == tree
    assert bool(smoke) == any(name.startswith("config/") for name in tree)
    check(project)


@pytest.mark.parametrize("dashboard", ["Streamlit", "Voila"])
@pytest.mark.parametrize("scheduler", ["Dagster", "Airflow"])
@pytest.mark.parametrize(("environment", "warehouse"), [("uv", "Spark"), ("conda", "Athena")])
def test_options_go_together(
    bake: Bake, dashboard: str, scheduler: str, environment: str, warehouse: str
) -> None:
    project = bake(
        dashboard=dashboard,
        scheduler=scheduler,
        environment=environment,
        warehouse=warehouse,
        cloud=True,
        docs="MkDocs",
        storage="gs://bucket/path",
        python_version="3.14",  # newer syntax has another form
    )
    check(project)
    require_clean_code(project)


@pytest.mark.parametrize("package", ["a", "a" * 40])
@pytest.mark.parametrize("example", [True, False])
@pytest.mark.parametrize("dashboard", ["none", "Streamlit", "Voila"])
def test_code_and_notebooks_are_clean_whatever_the_package_is_called(
    bake: Bake, package: str, example: bool, dashboard: str
) -> None:
    require_clean_code(bake(package_name=package, example=example, dashboard=dashboard))


def require_clean_code(project: Project) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache"],
            cwd=project.path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_exploratory_notebooks_are_not_refused_for_their_form(bake: Bake) -> None:
    project = bake()
    code = "x = {  'a':1 }\nfrom os.path import *\nimport os\nos.path.join( x )\nl = list([1,])"
    cells = [nbformat.v4.new_code_cell(code)]
    for folder in ("exploratory", "production"):
        path = project.path / "notebooks" / folder / "09-at-look.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        entries = re.findall(
            r"entry: sh tools/in-env (ruff .+)", project.read(".pre-commit-config.yaml")
        )
        assert len(entries) == 2
        codes = [
            subprocess.call(
                [sys.executable, "-m", *entry.split(), "--no-cache", str(path)], cwd=project.path
            )
            for entry in entries
        ]
        assert codes == ([0, 0] if folder == "exploratory" else [1, 1])


def test_the_tree_in_the_readme_is_the_real_tree(bake: Bake) -> None:
    for answers, _ in OPTIONS.values():
        project = bake(project_slug=f"p{abs(hash(str(answers)))}", package_name="a" * 20, **answers)
        (tree,) = re.findall(r"```text\n\.\n(.*?)```", project.read("README.md"), re.S)
        listed, folder = set(), ""
        for inside, name in re.findall(r"^(│   )?[├└]── (\S+)", tree, re.M):
            folder = folder if inside else name
            listed.add(folder + name if inside else name)
        assert {name for name in listed if not project.has(name)} == set()
        # Every top-level entry is listed, itself or something in it.
        tops = {path.name for path in project.path.iterdir()}
        assert {name.split("/")[0] for name in listed} == tops


def test_without_a_dashboard_nothing_tells_of_one(bake: Bake) -> None:
    project = bake()
    words = re.compile("streamlit|voila|ipywidgets|altair|dashboard|make app|nb app", re.I)
    # The record holds all answers; the tooling is the same for every project.
    own = {name for name in project.files() if not name.startswith(("tools/", ".cruft.json"))}
    assert {name for name in own if words.search(project.read(name))} == set()
    assert not re.search(r"^app:|\bapp\b", project.read("Makefile"), re.M)


@pytest.mark.parametrize(("dashboard", "scheduler"), CHOICES)
def test_every_task_that_the_readme_names_exists(
    bake: Bake, dashboard: str, scheduler: str
) -> None:
    project = bake(dashboard=dashboard, scheduler=scheduler, cloud=True, docs="MkDocs")
    tasks = set(re.findall(r"^([\w-]+):.*##", project.read("Makefile"), re.M))
    assert set(re.findall(r"(?:`|^    )make ([\w-]+)", project.read("README.md"), re.M)) <= tasks
    assert set(re.findall(r"\| `make ([\w-]+)` \|", project.read("README.md"))) == tasks - {"help"}


@pytest.mark.parametrize("ci", ["GitHub", "GitLab", "none"])
@pytest.mark.parametrize("page", ["AGENTS.md", "CONTRIBUTING.md"])
def test_every_task_command_and_file_that_a_page_names_exists(
    bake: Bake, page: str, ci: str
) -> None:
    project = bake(ci=ci)
    text = project.read(page)
    tasks = set(re.findall(r"^([\w-]+):.*##", project.read("Makefile"), re.M))
    assert set(re.findall(r"(?:`|^    |&& )make ([\w-]+)", text, re.M)) <= tasks
    commands = project.read("tools/nb/cli.py")
    assert all(f'"{name}"' in commands for name in re.findall(r"`nb ([a-z-]+)", text))
    named = re.findall(r"`((?:tools|notebooks|reports|data|models|src|config)/[\w/-]*)`", text)
    made = ("models/",)  # by a run
    assert all((project.path / name).exists() for name in named if name not in made)
    assert ("pull request" in text) == (page == "CONTRIBUTING.md" and ci != "GitLab")


@pytest.mark.parametrize("answers", [{}, {"license": "none", "email": "a@example.org"}])
def test_the_citation_keeps_to_its_schema(bake: Bake, answers: dict[str, Any]) -> None:
    path = bake(**answers).path / "CITATION.cff"
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [checker, "--builtin-schema", "vendor.citation-file-format", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("dashboard", "scheduler"), CHOICES)
def test_the_lines_for_windows_are_those_of_the_makefile(
    bake: Bake, dashboard: str, scheduler: str
) -> None:
    project = bake(dashboard=dashboard, scheduler=scheduler, cloud=True, docs="MkDocs")
    typed = dict(re.findall(r"^\| `make ([\w-]+)` \| `(.+?)` \|", project.read("README.md"), re.M))
    recipes = dict(re.findall(r"^([\w-]+):.*##.*\n\t(.+)", project.read("Makefile"), re.M))
    del recipes["help"]
    for name, recipe in recipes.items():
        recipes[name] = re.sub(r"\$\((NAME|NB|FROM|VARY)\)", r"\1", recipe)
    for name in ("kernel", "image"):
        recipes[name] = recipes[name].replace("$(IMAGE)", "my-data-project")
    for name, recipe in recipes.items():
        recipes[name] = recipe.replace("$(PYTHON)", "python").replace("$(ENVIRONMENT)", "uv")
    if dashboard != "none":
        recipes["app"] = recipes["app"].removeprefix("sh tools/in-env ")
    assert typed == recipes


@pytest.mark.parametrize("scheduler", ["none", "Dagster", "Airflow"])
def test_a_scheduler_is_named_only_where_it_was_chosen(bake: Bake, scheduler: str) -> None:
    project = bake(scheduler=scheduler)
    for name in {"Dagster", "Airflow"} - {scheduler}:
        naming = {f for f in project.files() if name.lower() in project.read(f).lower()}
        assert {f for f in naming if not f.startswith("tools/")} == set()
    tasks = set(re.findall(r"^(\w+):.*##", project.read("Makefile"), re.M))
    assert tasks & {"dagster", "airflow"} == {scheduler.lower()} - {"none"}
    for command in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache"], cwd=project.path, check=True
        )


@pytest.mark.parametrize("environment", ["uv", "pip", "conda"])
def test_one_variable_of_the_makefile_carries_the_environment(bake: Bake, environment: str) -> None:
    project = bake(environment=environment)
    assert f"ENVIRONMENT := {environment}\n" in project.read("Makefile")
    assert (
        project.read("Makefile").count(environment) - project.read("Makefile").count("uv.lock") <= 2
    )
    assert project.has("environment.yml") == (environment == "conda")
    if environment == "conda":
        names = YAML(typ="safe").load(project.read("environment.yml"))["dependencies"]
        assert names == [f"python>={PYTHON_VERSION}", "pip>=25.1"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads TOML")
@pytest.mark.parametrize("environment", ["uv", "pip", "conda"])
def test_no_environment_gets_the_parser_that_slows_each_start(bake: Bake, environment: str) -> None:
    settings = tomllib.loads(bake(environment=environment).read("pyproject.toml"))["tool"]["uv"]
    (override,) = settings["override-dependencies"]
    name, marker = override.split("; ")
    assert name.replace("-", "_") in SLOW and marker == "python_version < '3'"


@pytest.mark.parametrize(
    ("storage", "extra"),
    [("s3://b/p", "[s3]"), ("gs://b", "[gs]"), ("azure://c", "[azure]"), ("ssh://h/p", "[ssh]")],
)
def test_the_storage_is_dvcs_remote(bake: Bake, storage: str, extra: str) -> None:
    project = bake(storage=storage)
    assert f'"dvc{extra}>=' in project.read("pyproject.toml")
    assert f'url = "{storage}"' in project.read(".dvc/config")


HOSTILE = [
    "say \"hello\" 'there'",
    "back\\slash \\n \\u00e9 \\",
    "{{ cookiecutter.project_slug }} {% if x %} {# note #} { } {{ }}",
    "# hash # not a comment",
    "$HOME ${item} $(id) `id` %(x)s %PATH% 100 %",
    "<script>alert('x')</script> & < >",
    "数据科学项目 Ελληνικά العربية русский",
    "👩‍🔬 emoji 🚀",
    "  blanks around  ",
    "x" * 300,
    "- dash: colon, [list] *stars* _under_ | pipe ~~gone~~",
    "'''\"\"\" triple ''' \"\"\"",
]


@pytest.mark.parametrize("text", HOSTILE, ids=[text[:12] for text in HOSTILE])
def test_any_text_gives_valid_files(bake: Bake, text: str) -> None:
    answers = {question: literal(text) for question in ("project_name", "description", "author")}
    project = bake(project_slug="slug", package_name="my_data_project", **answers)
    holding = {".cruft.json", "CITATION.cff", "README.md", "LICENSE", "pyproject.toml"}
    for name in project.files() - holding:
        assert text.strip() not in project.read(name) or name.startswith("tools/")
    for name in project.files():
        parse(name, project.read(name))
    if sys.version_info >= (3, 11):
        metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
        assert metadata["description"] == text.strip()
        assert metadata["authors"] == [{"name": text.strip()}]
    citation = parse("CITATION.cff", project.read("CITATION.cff"))
    assert citation["title"] == citation["abstract"] == text.strip()
    assert citation["authors"] == [{"name": text.strip()}]
    assert f"{text.strip()}\n" in project.read("LICENSE")


def test_text_typed_at_the_prompts_arrives_as_it_was_typed(tmp_path: Path) -> None:
    typed = 'A {{ strange }} "name" \\ {% if %}'
    answers = [typed, "typed", "typed_package", typed, typed, *[""] * 12]
    done = subprocess.run(
        [sys.executable, "-m", "cookiecutter", str(TEMPLATE)],
        cwd=tmp_path,
        input="".join(f"{answer}\n" for answer in answers),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    project = Project(tmp_path / "typed")
    if sys.version_info >= (3, 11):
        metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
        assert metadata["description"] == typed
        assert metadata["authors"] == [{"name": typed}]


def test_generating_into_a_path_with_blanks_and_letters_needs_no_network_nor_git(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "Daten für Ärzte"
    folder.mkdir()
    # A PATH with nothing on it and a proxy that nobody listens on: only Python itself can be used.
    environment = {"PATH": "/nonexistent", "https_proxy": "http://127.0.0.1:9", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "cookiecutter", "--no-input", str(TEMPLATE)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "my-data-project" / "Makefile").exists()
    assert [path.name for path in folder.iterdir()] == ["my-data-project"]


def test_the_same_answers_give_the_same_bytes(bake: Bake, tmp_path: Path) -> None:
    first = bake()
    before = {name: (first.path / name).read_bytes() for name in first.files()}
    first.path.rename(tmp_path / "first")
    second = bake()
    assert {name: (second.path / name).read_bytes() for name in second.files()} == before


def test_the_workflow_is_valid_yaml_that_runs_the_tasks(bake: Bake) -> None:
    workflow = YAML(typ="safe").load(bake().read(".github/workflows/ci.yml"))
    steps = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    assert [step for step in steps if step.startswith("make")] == [
        *("make setup", "make lint", "make test", "make doctor")
    ]
    assert ".venv/bin/nb run --verify" in steps


CI_FILES = {"GitHub": ".github/workflows/ci.yml", "GitLab": ".gitlab-ci.yml"}
CI_SCHEMAS = {"GitHub": "vendor.github-workflows", "GitLab": "vendor.gitlab-ci"}


@pytest.mark.parametrize(
    ("ci", "environment"), [("GitHub", "uv"), ("GitLab", "uv"), ("GitLab", "conda")]
)
def test_ci_files_keep_to_their_schema(bake: Bake, ci: str, environment: str) -> None:
    path = bake(ci=ci, environment=environment).path / CI_FILES[ci]
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [checker, "--builtin-schema", CI_SCHEMAS[ci], str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("environment", ["uv", "pip", "conda"])
def test_ci_trusts_nothing_that_can_change(bake: Bake, environment: str) -> None:
    project = bake(environment=environment)
    text = project.read(CI_FILES["GitHub"])
    assert text.count("uses: ") == len(
        re.findall(r"uses: [\w/-]+@[0-9a-f]{40}  # v[\d.]+$", text, re.M)
    )
    check = YAML(typ="safe").load(text)["jobs"]["check"]
    assert check["env"] == {"UV_LOCKED": 1}
    (checkout,) = (s for s in check["steps"] if s.get("uses", "").startswith("actions/checkout@"))
    assert checkout["with"]["persist-credentials"] is False


@pytest.mark.parametrize("environment", ["uv", "pip"])
def test_gitlab_trusts_nothing_that_can_change(bake: Bake, environment: str) -> None:
    project = bake(ci="GitLab", environment=environment)
    check = YAML(typ="safe").load(project.read(CI_FILES["GitLab"]))["check"]
    assert check["variables"]["UV_LOCKED"] == 1
    assert check["artifacts"]["access"] == "developer"


def test_github_sums_up_a_pull_request_and_comments_when_switched_on(bake: Bake) -> None:
    jobs = YAML(typ="safe").load(bake().read(CI_FILES["GitHub"]))["jobs"]
    (step,) = (s for s in jobs["check"]["steps"] if "GITHUB_STEP_SUMMARY" in s.get("run", ""))
    assert step["if"] == "always() && github.event_name == 'pull_request'"
    assert "vars.COMMENT_CHANGES == 'true'" in jobs["comment"]["if"]
    assert jobs["comment"]["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert "permissions" not in jobs["check"]


GH = """#!/bin/sh
# Stands for GitHub's client: the download, the list of comments, and what is written.
case "$*" in
    "run download"*) echo "the changes" > changes.md ;;
    *--jq*) cat known ;;
    *) echo "$*" >> calls ;;
esac
"""


@pytest.mark.skipif(os.name == "nt", reason="the job runs on Linux")
@pytest.mark.parametrize(
    ("known", "call"),
    [
        ("", "--method POST repos/a/b/issues/7/comments"),
        ("3\n9\n", "--method PATCH repos/a/b/issues/comments/3"),
    ],
)
def test_the_comment_is_made_once_and_updated(
    bake: Bake, tmp_path: Path, known: str, call: str
) -> None:
    job = YAML(typ="safe").load(bake().read(CI_FILES["GitHub"]))["jobs"]["comment"]
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "known").write_text(known)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NUMBER": "7"}
    environment |= {"GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "1"}
    script = ["bash", "-e", "-c", job["steps"][0]["run"]]
    subprocess.run(script, cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "calls").read_text() == f"api --silent {call} -F body=@comment.md\n"
    assert (tmp_path / "comment.md").read_text() == "<!-- nb compare -->\nthe changes\n"


class Notes(BaseHTTPRequestHandler):
    """Stands for GitLab's comments on a merge request: two pages of them, and what is written."""

    known: ClassVar[list[dict[str, object]]]
    calls: ClassVar[list[tuple[str, str, str]]]

    def do_GET(self) -> None:
        number = int(parse_qs(urlsplit(self.path).query)["page"][0])
        self.answer(self.known[number - 1 : number])

    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        token = self.headers["PRIVATE-TOKEN"]
        self.calls.append((f"{self.command} {self.path}", text, token))
        self.answer({})

    do_PUT = do_POST

    def answer(self, content: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.mark.skipif(os.name == "nt", reason="the job runs on Linux")
@pytest.mark.parametrize(
    ("known", "call"),
    [
        ([], "POST /projects/5/merge_requests/7/notes"),
        (
            [{"id": 1, "body": "Fine."}, {"id": 3, "body": "<!-- nb compare -->\nold"}],
            "PUT /projects/5/merge_requests/7/notes/3",
        ),
    ],
)
def test_the_comment_on_a_merge_request_is_made_once_and_updated(
    bake: Bake, tmp_path: Path, known: list[dict[str, object]], call: str
) -> None:
    jobs = YAML(typ="safe").load(bake(ci="GitLab").read(CI_FILES["GitLab"]))
    assert "reports/changes.md" in jobs["check"]["after_script"][0]
    (rule,) = jobs["comment"]["rules"]
    assert rule["if"] == '$COMMENT_CHANGES == "true" && $CI_OPEN_MERGE_REQUESTS'
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/changes.md").write_text("the changes, é\n", encoding="utf-8")
    Notes.known, Notes.calls = known, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Notes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {
            "PATH": os.environ["PATH"],
            "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}",
            "CI_PROJECT_ID": "5",
            "CI_OPEN_MERGE_REQUESTS": "team/lab!7",
            "COMMENT_TOKEN": "t0",
        }
        script = ["bash", "-e", "-c", jobs["comment"]["script"][0]]
        subprocess.run(script, cwd=tmp_path, env=environment, check=True)
        server.shutdown()
    assert Notes.calls == [(call, "<!-- nb compare -->\nthe changes, é\n", "t0")]


def test_github_keeps_the_site_and_publishes_it_when_switched_on(bake: Bake) -> None:
    jobs = YAML(typ="safe").load(bake().read(CI_FILES["GitHub"]))["jobs"]
    kept, published = (s for s in jobs["check"]["steps"] if "upload" in s.get("uses", ""))
    assert kept["with"]["path"] == "reports" and kept["if"] == "always()"
    assert published["with"]["path"] == "reports/site"
    switch = "github.event_name == 'push' && vars.PUBLISH_SITE == 'true'"
    assert published["if"] == jobs["pages"]["if"] == switch


def test_gitlab_keeps_the_site_and_publishes_it_when_switched_on(bake: Bake) -> None:
    jobs = YAML(typ="safe").load(bake(ci="GitLab").read(CI_FILES["GitLab"]))
    assert jobs["check"]["artifacts"]["paths"] == ["reports/"]
    assert '$PUBLISH_SITE == "true"' in jobs["pages"]["rules"][0]["if"]
    assert jobs["pages"]["artifacts"]["paths"] == ["public"]


def test_without_ci_nothing_speaks_of_publishing(bake: Bake) -> None:
    project = bake(ci="none")
    assert not any("PUBLISH_SITE" in project.read(name) for name in ("README.md", "Makefile"))
