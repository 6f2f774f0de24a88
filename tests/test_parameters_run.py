"""Parameters through the doors that a user has: dvc, papermill and nb, in a generated project."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from conftest import Project
from secret_kinds import KINDS

NOTEBOOK = "notebooks/production/30-train.ipynb"
# What papermill says once it has started a kernel.
STARTED = "Executing notebook with kernel"
SECRET = "it's <s3cret> & \\more"


def papermill(project: Project, source: str, target: str, *options: str, code: int = 0) -> str:
    """Type a papermill command; return what it printed."""
    engine = ("--engine", "nb", "-k", "python3", "--no-progress-bar")
    return project.run("papermill", source, target, *engine, *options, code=code)


def messages(output: str) -> list[str]:
    """Return the lines that are ours; nothing was started, and nobody needs a traceback."""
    assert STARTED not in output and "runs notebooks/" not in output
    assert "Traceback" not in output
    return [line for line in output.splitlines() if line.startswith("nb: ")]


def save_notebook(path: Path, *sources: str) -> None:
    """Save a notebook whose second cell is tagged `parameters`."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[1].metadata["tags"] = ["parameters"]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


@pytest.mark.parametrize(
    ("command", "code", "name"),
    [
        ("dvc repro features", 255, "notebooks/production/20-features.ipynb"),
        ("nb run features", 2, "config/20-features.yaml"),
    ],
)
def test_a_misspelt_parameter_ends_a_run_before_it_starts(
    project: Project, command: str, code: int, name: str
) -> None:
    copy = project.path / "reports" / "notebooks" / "20-features.ipynb"
    before = copy.read_bytes(), copy.stat().st_mtime_ns
    project.edit("config/20-features.yaml", "seed:", "sede:")
    output = project.run(*command.split(), code=code)
    assert f"nb: {name}: unknown parameter sede; did you mean seed?\n" in output
    assert messages(output)
    assert (copy.read_bytes(), copy.stat().st_mtime_ns) == before


def test_papermill_reports_all_problems_and_exits_with_2(project: Project) -> None:
    copy = "reports/notebooks/30-train-forest.ipynb"
    before = project.read(copy)
    wrong = ("-p", "model", "tree", "-p", "folds", "2.5", "-r", "seed", "7")
    output = papermill(project, NOTEBOOK, copy, *wrong, code=2)
    problem = f"nb: {NOTEBOOK}: parameter"
    assert messages(output) == [
        f'{problem} model: given "tree", expected one of "logistic", "forest"',
        f"{problem} folds: given 2.5, expected int",
        f'{problem} seed: given "7", expected int; write it without quotes in YAML; '
        "pass it with -p instead of -r",
    ]
    assert project.read(copy) == before


def test_a_parameters_cell_that_computes_is_refused(project: Project, tmp_path: Path) -> None:
    save_notebook(tmp_path / "n.ipynb", "", "a = 1\nb = a + 1")
    output = papermill(project, f"{tmp_path}/n.ipynb", f"{tmp_path}/out.ipynb", code=2)
    (line,) = messages(output)
    assert "n.ipynb: parameters cell (code cell 2), line 2: b: a + 1 is not a literal" in line
    assert not (tmp_path / "out.ipynb").exists()


def test_a_notebook_gets_its_values_in_the_types_that_it_names(
    project: Project, tmp_path: Path
) -> None:
    save_notebook(
        tmp_path / "n.ipynb",
        "import datetime as dt\nfrom pathlib import Path",
        "folder: Path = ...\nwhen: dt.date | None = None\nrate: float = 0.5\n"
        "size: tuple[int, int] = (1, 2)\nlimit: float = 0.0\nname: str = ''",
        "[folder, when, rate, size, limit, name]",
    )
    (tmp_path / "n.yaml").write_text(
        "folder: data/raw\nwhen: '2024-01-31'\nrate: 1\nsize: [3, 4]\nlimit: .inf\n"
        "name: 'no \"7\"'\n"
    )
    files = [f"{tmp_path}/{name}" for name in ("n.ipynb", "out.ipynb", "n.yaml")]
    assert STARTED in papermill(project, *files[:2], "-f", files[2])
    (output,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs
    assert "".join(output.data["text/plain"].split()) == (
        "[PosixPath('data/raw'),datetime.date(2024,1,31),1.0,(3,4),inf,'no\"7\"']"
    )


SHOW_SECRET = """\
import html, subprocess, sys, time
from IPython.display import HTML, JSON
print(key)
print(repr(key), file=sys.stderr)
subprocess.run("printf %s \\"$MY_KEY\\"", shell=True)
time.sleep(0.5)  # a thread of the kernel takes what a child prints; the last cell may end before it
display(JSON({key: [key]}), HTML(html.escape(key)), metadata={"note": key})
"""


def test_a_secret_is_in_no_file_and_no_log(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Under pytest a kernel does not capture what its child processes print.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    cell = 'key: str = os.environ["MY_KEY"]\nseed: int = 1'
    last = "raise ValueError(f'not {key}')"
    save_notebook(tmp_path / "n.ipynb", "import os", cell, SHOW_SECRET, f"assert seed == 2\n{last}")
    logs = [tmp_path / "stdout.txt", tmp_path / "stderr.txt"]
    output = project.run(
        *("papermill", f"{tmp_path}/n.ipynb", f"{tmp_path}/out.ipynb", "--engine", "nb"),
        *("-p", "seed", "2", "--log-output", "--log-level", "DEBUG"),
        *("--stdout-file", str(logs[0]), "--stderr-file", str(logs[1])),
        code=1,
        MY_KEY=SECRET,
    )
    copy = (tmp_path / "out.ipynb").read_text()
    for text in (output, copy, *(log.read_text() for log in logs)):
        assert "[MY_KEY removed]" in text
        assert "s3cret" not in text
    # The cell got the value: it is in each place where the notebook showed it, and in the error
    # at the top.
    assert copy.count("[MY_KEY removed]") == 11
    assert "ValueError: not [MY_KEY removed]" in output


SHOW_CREDENTIALS = """\
import html, json, logging, pathlib, subprocess, sys
from IPython.display import HTML, JSON, Markdown, display
path = pathlib.Path("KINDS")
kinds = json.loads(path.read_text())
for text in kinds:
    print(text)
    print(text[:-4], end="", file=sys.stderr, flush=True)
    print(text[-4:], file=sys.stderr, flush=True)
    logging.warning("%s", text)
    display(HTML(html.escape(text)), Markdown(text), JSON([text]), metadata={"note": text})
    display({"application/vnd.vega.v5+json": {"data": {"values": [text]}}}, raw=True)
subprocess.run(["cat", str(path)])
raise ValueError("\\n".join(kinds))
"""


def test_a_run_leaves_no_credential(project: Project, tmp_path: Path) -> None:
    (tmp_path / "kinds.json").write_text(json.dumps([text for text, _ in KINDS.values()]))
    code = SHOW_CREDENTIALS.replace("KINDS", str(tmp_path / "kinds.json"))
    save_notebook(tmp_path / "n.ipynb", "import os", "seed: int = 1", code)
    logs = [tmp_path / "stdout.txt", tmp_path / "stderr.txt"]
    output = project.run(
        *("papermill", f"{tmp_path}/n.ipynb", f"{tmp_path}/out.ipynb", "--engine", "nb"),
        *("--log-output", "--stdout-file", str(logs[0]), "--stderr-file", str(logs[1])),
        code=1,
    )
    copy = (tmp_path / "out.ipynb").read_text()
    for text in (output, copy, *(log.read_text() for log in logs)):
        assert "[credential removed]" in text
        readable = [k for k, (_, s) in KINDS.items() if s[:12] in text or s[-12:] in text]
        assert readable == []


def test_a_secret_is_neither_given_nor_missing(project: Project, tmp_path: Path) -> None:
    save_notebook(tmp_path / "n.ipynb", "import os", 'key: str = os.environ["MY_KEY"]')
    files = [f"{tmp_path}/{name}" for name in ("n.ipynb", "out.ipynb")]
    (missing,) = messages(papermill(project, *files, code=2))
    assert missing.endswith("parameter key is secret: set the environment variable MY_KEY")
    output = papermill(project, *files, "-p", "key", SECRET, code=2)
    assert "parameter key is secret: remove it here" in messages(output)[0]
    assert SECRET not in output
    assert not Path(files[1]).exists()


def test_nb_params_documents_the_parameters(project: Project) -> None:
    lines = project.run("nb", "params", "30-train", cwd=project.path / "src").splitlines()
    assert lines[0].split() == ["name", "type", "default", "value", "help"]
    assert lines[2].split()[:4] == ["folds", "int", "5", "5"]
    rows = json.loads(project.run("nb", "params", "--json", NOTEBOOK))
    assert rows[0]["choices"] == ["logistic", "forest"]
    assert "value" not in rows[0]
    assert rows[1]["help"].startswith("Number of parts")


def test_nb_params_checks_the_config_file(project: Project) -> None:
    project.write("config/30-train.yaml", "folds: five\nsede: 1\n")
    output = project.run("nb", "params", "30-train", code=2)
    assert messages(output) == [
        "nb: config/30-train.yaml: unknown parameter sede; did you mean seed?",
        'nb: config/30-train.yaml: parameter folds: given "five", expected int',
    ]
    output = project.run("nb", "params", "30-trian", code=2)
    assert output == "nb: there is no notebook 30-trian; did you mean 30-train?\n"


def test_a_config_file_is_the_same_to_nb_to_papermill_and_to_dvc(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "a: '2024-01-31'\nb: false\nc: 'no'\nd: 10\ne: 1.0e-3\nf: '12:30'\ng: 0x1F\n"
        "h: 1_000\ni: .inf\nj: ~\nk: [true, 'x', {y: .5e3}]\n"
    )
    code = (
        "from pathlib import Path; from nb.notebook.config import read_config; "
        "from dvc.utils.serialize import load_yaml; from papermill.iorw import read_yaml_file; "
        f"path = {str(path)!r}; "
        "read = repr(read_config(Path(path))); "
        "assert read == repr(read_yaml_file(path)) == repr(load_yaml(path))"
    )
    project.run("python", "-c", code)


def test_a_value_with_two_readings_is_refused_whoever_starts_the_run(
    project: Project, tmp_path: Path
) -> None:
    before = project.read("config/30-train.yaml")
    project.write("config/30-train.yaml", before.replace("folds: 5", "folds: 012"))
    where = f"nb: config/30-train.yaml, line {before.split('folds: 5')[0].count(chr(10)) + 1}"
    refused = f"{where}: parameter folds: 012 is 10 to papermill and 12 to DVC; write 10 or 12"
    for command in (
        ("nb", "params", "30-train"),
        ("nb", "status"),
        ("nb", "run", "-n"),
        ("nb", "run"),
        ("nb", "task", "train@forest"),
    ):
        assert project.run(*command, code=2).splitlines()[-1] == refused
    assert refused.removeprefix("nb: ") in project.run("nb", "check", code=1)
    copy = str(tmp_path / "copy.ipynb")
    assert refused in papermill(project, NOTEBOOK, copy, "-f", "config/30-train.yaml", code=2)
    project.write("config/30-train.yaml", before)
