"""The dashboard notebook run by itself, and the page that Voila makes of it."""

{% if cookiecutter.example %}
import json
{% endif %}
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

{% if cookiecutter.example %}
import joblib
{% endif %}
import nbclient
import nbformat
{% if not cookiecutter.example %}
import pandas as pd
{% endif %}
import pytest

{% if cookiecutter.example %}
from {{ cookiecutter.package_name }} import data, decision, evaluation, models

{% endif %}
ROOT = Path(__file__).parent.parent
NOTEBOOK = "notebooks/dashboard/{{ 'decision' if cookiecutter.example else 'results' }}.ipynb"
{% if cookiecutter.example %}
LOCK = """\
schema: '2.0'
stages:
  evaluate:
    cmd: papermill
    params:
      config/40-evaluate.yaml:
        min_recall: 0.9
"""
{% else %}
PIPELINE = """\
stages:
  report:
    cmd: report
    outs: [data/table.csv]
    metrics: [reports/total.json]
"""
{% endif %}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the dashboard, with nothing that the pipeline makes."""
    for name in ("dvc.yaml", "pyproject.toml", "voila.json"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "notebooks" / "dashboard", tmp_path / "notebooks" / "dashboard")
    return tmp_path


def run(root: Path, *lines: str) -> str:
    """Run the notebook, then these lines, and return the text of its controls and parts."""
    notebook = nbformat.read(root / NOTEBOOK, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("\n".join(lines)))
    folder = (root / NOTEBOOK).parent
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}).execute()
    (widgets,) = notebook.metadata["widgets"].values()
    values = (part["state"].get("value") for part in widgets["state"].values())
    return "\n".join(value for value in values if isinstance(value, str))


def test_the_page_hides_its_code_and_loads_nothing_from_elsewhere(root: Path) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "voila", "--no-browser", f"--port={port}"]
    with subprocess.Popen(command, cwd=root) as server:
        try:
            page = fetch(f"http://127.0.0.1:{port}/", server)
        finally:
            server.terminate()
    assert "<h1" in page
    assert "import ipywidgets" not in page
    assert re.findall(r'(?:href|src)="https?://(?!127\.0\.0\.1)[^"]*\.(?:css|js)', page) == []


def fetch(address: str, server: subprocess.Popen[bytes]) -> str:
    """Return a page as soon as the server answers."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(address, timeout=120) as answer:
                return str(answer.read().decode())
        except OSError:
            assert server.poll() is None, "voila ended"
            time.sleep(0.2)
    raise TimeoutError(address)


{% if cookiecutter.example %}
@pytest.fixture
def made(root: Path) -> Path:
    """The copy, with what the pipeline makes of a third of the biopsies."""
    for file in decision.ARTIFACTS:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
    parts = data.split(data.tidy(data.load(180)), validation_share=0.4, test_share=0.2, seed=1)
    parts.validation.to_parquet(root / decision.VALIDATION)
    scores = {}
    for name, file in decision.MODELS.items():
        model = models.untrained(name, seed=1)[0]
        model.fit(parts.train.drop(columns="malignant"), parts.train["malignant"])
        joblib.dump(model, root / file)
        scores[name] = models.score(model, parts.validation)
    best = evaluation.choose(parts.validation["malignant"], scores, 0.9).reset_index().iloc[0]
    test = evaluation.outcome(parts.validation["malignant"], scores[best["model"]], 0.5)
    chosen = {"model": best["model"], "threshold": best["threshold"], "test": test}
    (root / decision.METRICS).write_text(json.dumps(chosen), encoding="utf-8")
    (root / "dvc.lock").write_text(LOCK, encoding="utf-8")
    return root


def test_without_artifacts_the_page_names_them_and_the_next_step(root: Path) -> None:
    text = run(root)
    assert "make run-notebooks" in text
    for file in decision.ARTIFACTS:
        assert file in text


def test_the_page_begins_with_what_the_pipeline_chose(made: Path) -> None:
    chosen = json.loads((made / decision.METRICS).read_text(encoding="utf-8"))
    text = run(made, "assert recall.value == 0.9", f"assert model.value == '{chosen['model']}'")
    assert f"<span>Threshold</span> <b>{chosen['threshold']:.2f}</b>" in text
    assert "To let it choose again" not in text


def test_a_higher_recall_misses_none(made: Path) -> None:
    text = run(made, "recall.value = 1.0")
    assert "<span>Recall</span> <b>100.0%" in text
    assert "<span>Missed</span> <b>0" in text
    assert "min_recall: 1<" in text


def test_the_page_follows_a_new_run(made: Path) -> None:
    change = f"(paths.ROOT / 'dvc.lock').write_text({LOCK.replace('0.9', '0.95')!r})"
    text = run(made, change, "await asyncio.sleep(5)", "assert recall.value == 0.95")
    assert "To let it choose again" not in text


def test_a_file_that_is_cut_off_is_explained(made: Path) -> None:
    (made / decision.METRICS).write_text("{", encoding="utf-8")
    assert "do not fit together" in run(made)
{% else %}
def test_without_a_pipeline_the_page_says_how_to_begin(root: Path) -> None:
    assert "nb new" in run(root)


def test_without_artifacts_the_page_names_them_and_the_next_step(root: Path) -> None:
    (root / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    text = run(root)
    assert "make run-notebooks" in text
    assert "data/table.csv" in text


def test_metrics_and_tables_are_shown(root: Path) -> None:
    (root / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    for folder in ("data", "reports"):
        (root / folder).mkdir()
    pd.DataFrame({"price": [1, 2, 3]}).to_csv(root / "data/table.csv", index=False)
    (root / "reports/total.json").write_text('{"error": 0.25}', encoding="utf-8")
    text = run(root)
    assert "0.25" in text
    assert "price" in text
    assert "3 rows, 1 columns" in text
{% endif %}
