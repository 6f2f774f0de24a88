"""The dashboard in Streamlit's own test runner, without a server or a browser."""

{% if cookiecutter.example %}
import json
import shutil
{% endif %}
from pathlib import Path

{% if cookiecutter.example %}
import joblib
{% endif %}
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from {{ cookiecutter.package_name }} import {% if cookiecutter.example %}data, decision, evaluation, models, {% endif %}paths

APP = Path(__file__).parent.parent / "app" / "dashboard.py"
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
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of the project's root."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return tmp_path


def shown(app: AppTest) -> str:
    """Return all text on the page."""
    assert not app.exception
    kinds = ("title", "subheader", "markdown", "warning", "error", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def start() -> AppTest:
    return AppTest.from_file(str(APP), default_timeout=60).run()


{% if cookiecutter.example %}
@pytest.fixture
def made(root: Path) -> Path:
    """The root, with what the pipeline makes of a third of the biopsies."""
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
    shutil.copy(APP.parent.parent / "dvc.yaml", root)
    (root / "dvc.lock").write_text(LOCK, encoding="utf-8")
    return root


def figures(app: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in app.metric}


def test_without_artifacts_the_page_names_them_and_the_next_step(root: Path) -> None:
    text = shown(start())
    assert "make run-notebooks" in text
    for file in decision.ARTIFACTS:
        assert file in text


def test_the_page_begins_with_what_the_pipeline_chose(made: Path) -> None:
    app = start()
    chosen = json.loads((made / decision.METRICS).read_text(encoding="utf-8"))
    assert app.radio[0].value == chosen["model"]
    assert app.select_slider[0].value == 0.9
    assert figures(app)["Threshold"] == f"{chosen['threshold']:.2f}"
    assert "To let it choose again" not in shown(app)


def test_a_higher_recall_misses_none_and_raises_more_false_alarms(made: Path) -> None:
    app = start()
    before = figures(app)
    app.select_slider[0].set_value(1.0).run()
    after = figures(app)
    assert after["Recall"] == "100.0%"
    assert after["Missed"] == "0"
    assert int(after["False alarms"]) > int(before["False alarms"])
    assert int(app.table[0].value.loc["benign", "flagged"]) == int(after["False alarms"])
    assert "`min_recall: 1`" in shown(app)


def test_another_model_has_another_threshold(made: Path) -> None:
    app = start()
    before = figures(app)["Threshold"]
    (other,) = set(decision.MODELS) - {app.radio[0].value}
    app.radio[0].set_value(other).run()
    assert figures(app)["Threshold"] != before


def test_the_list_shows_the_mistakes_or_all(made: Path) -> None:
    app = start()
    assert set(app.dataframe[0].value["result"]) <= {"missed", "false alarm"}
    app.radio[1].set_value("all").run()
    assert len(app.dataframe[0].value) == len(pd.read_parquet(made / decision.VALIDATION))


def test_the_page_follows_a_new_run(made: Path) -> None:
    app = start()
    (made / "dvc.lock").write_text(LOCK.replace("0.9", "0.95"), encoding="utf-8")
    assert app.run().select_slider[0].value == 0.95


def test_a_file_that_is_cut_off_is_explained(made: Path) -> None:
    (made / decision.METRICS).write_text("{", encoding="utf-8")
    assert "do not fit together" in shown(start())
{% else %}
def test_without_a_pipeline_the_page_says_how_to_begin(root: Path) -> None:
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    assert "nb new" in shown(start())


def test_without_artifacts_the_page_names_them_and_the_next_step(root: Path) -> None:
    (root / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    text = shown(start())
    assert "make run-notebooks" in text
    assert "data/table.csv" in text


def test_metrics_and_tables_are_shown(root: Path) -> None:
    (root / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
    for folder in ("data", "reports"):
        (root / folder).mkdir()
    pd.DataFrame({"price": [1, 2, 3]}).to_csv(root / "data/table.csv", index=False)
    (root / "reports/total.json").write_text('{"error": 0.25}', encoding="utf-8")
    app = start()
    assert app.table[0].value.loc["error", "total"] == 0.25
    assert app.dataframe[0].value["price"].tolist() == [1, 2, 3]
    assert "3 rows, 1 columns" in shown(app)
{% endif %}
