"""Systems without forks: every module is imported, and a pipeline runs in fresh processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from architecture import PACKAGE
from conftest import TEMPLATE, Bake
from nb.programs import program_environment
from test_answers import OTHERS
from test_run import Pipeline, meeting, notebook, pipeline, step

__all__ = ["pipeline"]  # a fixture
WITHOUT_LOCKS = Path(__file__).parent / "without_locks"
WITHOUT_POSIX = Path(__file__).parent / "without_posix"
# Programs of their own, which take the place of others on PYTHONPATH or PATH.
PROGRAMS = ("hook", "shim")
IMPORT_ALL = """
import importlib, os, signal, socket, sys
import papermill.execute  # loads engines, the tooling among them
assert not hasattr(os, "fork") and not hasattr(signal, "SIGCHLD") and not hasattr(socket, "AF_UNIX")
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
ADD = "from pathlib import Path\nPath('{name}.txt').write_text('{name}')"


@pytest.fixture
def windows(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A project on a system without POSIX names."""
    monkeypatch.setenv("PYTHONPATH", str(WITHOUT_POSIX))
    return pipeline


def tooling() -> list[str]:
    """Return the dotted names of all modules but those that are programs."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if not set(parts) & {*PROGRAMS, "__main__"}:
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def test_every_module_is_imported_without_posix_names(windows: Pipeline) -> None:
    path = os.pathsep.join([str(WITHOUT_POSIX), str(PACKAGE.parent)])
    windows.run(
        str(windows.path / ".venv/bin/python"), "-c", IMPORT_ALL, *tooling(), PYTHONPATH=path
    )


def test_a_pipeline_runs_side_by_side_without_posix_names(windows: Pipeline) -> None:
    stages = {name: notebook(windows, ADD.format(name=name), name=name) for name in "ab"}
    stages = {name: {**stage, "outs": [f"{name}.txt"]} for name, stage in stages.items()}
    end = "{} && cat a.txt b.txt > {}"
    ends = {
        name: step(end.format(meeting(name, 2), name), "a.txt", "b.txt", out=name) for name in "cd"
    }
    windows.declare(**stages, **ends)
    output = windows.nb("run", "-j2")
    assert "dvc repro" not in output
    record = windows.record()
    assert {stage["name"]: stage["state"] for stage in record["stages"]} == dict.fromkeys(
        "abcd", "ran"
    )
    assert all(stage["cpu_seconds"] > 0 for stage in record["stages"])
    assert (windows.read("c"), record["exit_code"]) == ("ab", 0)
    windows.edit("dvc.yaml", "cat a.txt b.txt > d", "false")
    windows.nb("run", code=1)
    assert windows.stage("d")["state"] == "failed"


def test_a_task_runs_in_a_fresh_process(windows: Pipeline) -> None:
    windows.declare(a=step("echo a > a", out="a"))
    output = windows.nb("task", "a", "--json")
    found = json.loads(output[output.index("{\n") :])
    assert (found["state"], found["exit_code"]) == ("ran", 0)


def test_a_wrong_start_method_is_named(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("echo a > a", out="a"))
    output = pipeline.nb("run", code=2, NB_START_METHOD="thread")
    assert "NB_START_METHOD is thread: set it to fork or spawn" in output
    assert not pipeline.has("a")


@pytest.mark.parametrize("is_writable", [True, False])
def test_caches_go_into_the_environment_where_the_home_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_writable: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os, "access", lambda path, mode: is_writable)
    cache = program_environment().get("XDG_CACHE_HOME")
    assert cache == (None if is_writable else str(Path(sys.prefix, "cache")))


def test_every_command_names_a_file_system_without_locks(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("echo a > a", out="a"))
    for words in ("status", "stages", "run", "run --dry-run", "task a", "pull"):
        output = pipeline.nb(*words.split(), code=2, PYTHONPATH=str(WITHOUT_LOCKS))
        (line,) = output.splitlines()
        assert line.startswith("nb: no file can be locked here")
        assert line.endswith("move the project to a file system with locks, such as a local disk")


def test_a_read_only_checkout_is_looked_at_without_locks(pipeline: Pipeline) -> None:
    namespace = ["unshare", "--mount", "sh", "-c"]
    mount = 'mount --bind . . && mount -o remount,ro,bind . && cd "$PWD"'
    pipeline.declare(a=step("echo a > a", out="a"))
    if subprocess.run([*namespace, mount], cwd=pipeline.path, capture_output=True).returncode:
        pytest.skip("needs mount namespaces")
    pipeline.nb("status")  # writes .nb, as a set-up does
    assert "nb run" in pipeline.run(*namespace, f"{mount} && nb status")
    refused = pipeline.run(*namespace, f"{mount} && nb run", code=None)
    assert refused == "nb: .nb/run.lock: Read-only file system\n"


CODE_PAGE = {"PYTHONIOENCODING": "cp1252"}  # of a pipe, on a Windows of western Europe


def test_a_pipe_gets_utf8_whatever_the_code_page() -> None:
    command = [sys.executable, "-c", "from nb.cli import main; main()", "Δ"]
    environment = {**os.environ, **CODE_PAGE, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8")
    assert "there is no command Δ" in done.stderr


def test_stages_print_what_the_code_page_lacks(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("python -c \"print('δ')\" && echo Δ > a && cat a", out="a"))
    output = pipeline.nb("run", **CODE_PAGE)
    assert "| δ\n" in output and "| Δ\n" in output


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
def test_a_kernel_that_does_not_listen_yet_has_the_whole_timeout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: str
) -> None:
    kernels = pytest.importorskip("nb.execution.kernels")
    answers = iter([False, True])

    async def answer(_: object) -> bool:
        return next(answers)

    async def is_alive(_: object) -> bool:
        return True

    monkeypatch.setattr(kernels, "SILENT_SECONDS", 0)
    monkeypatch.setattr(kernels.KernelClient, "_answers", answer)
    monkeypatch.setattr(kernels.KernelClient, "is_alive", is_alive)
    client = kernels.KernelClient(transport=transport, ip=str(tmp_path / "k"))
    asyncio.run(client.wait_for_ready(timeout=60))
    assert next(answers, None) is None


def test_make_finds_an_environment_of_windows(bake: Bake) -> None:
    made = bake()
    here = f"{made.path}/../{made.path.name}"  # as C:\\x and /c/x are two names of a folder
    (made.path / ".venv/Scripts").mkdir(parents=True)
    made.write(".venv/.ready", here)
    python = "import sys; sys.path.insert(0, 'tools'); "
    for name, script in {
        "python.exe": f'exec {sys.executable} -c "{python}$2"',
        "nb": 'echo "nb of Scripts: $*"',
    }.items():
        made.write(f".venv/Scripts/{name}", f"#!/bin/sh\n{script}\n")
        (made.path / ".venv/Scripts" / name).chmod(0o755)
    assert made.make("status") == "nb status\nnb of Scripts: status\n"
    made.write(".venv/.ready", str(made.path.parent))
    assert "bootstrap.py" in made.make("--dry-run", "status")


def test_no_two_paths_differ_only_in_case() -> None:
    """macOS and Windows would write one file over the other."""
    listed = subprocess.run(["git", "ls-files"], cwd=TEMPLATE, capture_output=True, text=True)
    names = listed.stdout.splitlines()
    assert len({name.casefold() for name in names}) == len(names) > 100


# macOS has GNU Make 3.81 and the tools of BSD.
NEWER_THAN_MAKE_3_81 = (
    *(r"\$\((file|let|intcmp|guile) ", r"(::?:|!)=", r"&:", r"^\s*(undefine|load|private) "),
    *(r"^\.(ONESHELL|RECIPEPREFIX|SHELLFLAGS|EXTRA_PREREQS|NOTINTERMEDIATE|WAIT)\b",),
)
GNU_ONLY = (
    *(
        r"\bsed -\w*i(?! '')",
        r"\bgrep -\w*[PZ]",
        r"\breadlink -\w*[fe]",
        r"\bdate -d",
        r"\bxargs -\w*r",
    ),
    *(
        r"\bstat -c",
        r"\bmktemp --",
        r"\bfind .* -(printf|quit)\b",
        r"\bsort -\w*[VR]",
        r"\btouch -d",
    ),
    *(
        r"\b(cp|mv|rm|mkdir|ln|ls|tail|head|tr|wc|touch) (\S+ )*--\w",
        r"\b(timeout|nproc|tac|flock) ",
    ),
    *(r"\bcp -\w*[lt]\b", r"\bln -\w*[rT]", r"\bhead -n -", r"\brealpath\b"),
)
RECIPES = ("Makefile", "tools/in-env", "tools/git-notebook")


def of_macos(text: str) -> list[str]:
    """Return the lines of a script or Makefile that need newer or other tools than macOS has."""
    signs = re.compile("|".join((*NEWER_THAN_MAKE_3_81, *GNU_ONLY)))
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in lines if signs.search(line)]


@pytest.mark.parametrize("options", [{}, {"cloud": True, "scheduler": "Dagster"}], ids=str)
def test_recipes_need_only_the_tools_of_macos(bake: Bake, options: dict[str, Any]) -> None:
    project = bake(**options)
    texts = [*map(project.read, RECIPES), (TEMPLATE / "Makefile").read_text(encoding="utf-8")]
    assert [line for text in texts for line in of_macos(text)] == []


@pytest.mark.parametrize(
    "line",
    [
        *("A != date", "A ::= b", "$(file >a,b)", ".ONESHELL:", "a b &: c"),
        *("\tsed -i s/a/b/ c", "\tcp --parents a b", "\trm -f --one-file-system a"),
        *("\treadlink -f a", "\tls | xargs -r rm", "\ttimeout 3 nb run"),
    ],
)
def test_tools_that_macos_lacks_are_seen(line: str) -> None:
    assert of_macos(line) == [line]


@pytest.mark.slow
@pytest.mark.parametrize("answers", [{}, *OTHERS], ids=str)
def test_every_set_of_packages_can_be_had_for_the_newest_python(
    bake: Bake, answers: dict[str, Any]
) -> None:
    """As wheels, but for Spark, which is published as source only."""
    project = bake(**answers)
    groups = {"dev", str(answers.get("scheduler", "dev")).lower()}
    options = ["--python-version=3.14", "--only-binary=:all:", "--no-binary=pyspark"]
    for group in groups:
        asked = ["pyproject.toml"] if group == "dev" else []
        asked += ["--group", group, "--no-emit-package=nb-tools"]
        project.run("uv", "pip", "compile", "--quiet", *asked, *options)


@pytest.mark.parametrize(("own", "got"), [(None, "16"), ("26", "26")])
def test_waiting_threads_of_openblas_sleep_soon_unless_a_person_wants_otherwise(
    own: str | None, got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    if own:
        monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", own)
    assert program_environment()["OPENBLAS_THREAD_TIMEOUT"] == got
