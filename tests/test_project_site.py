"""The documentation site of a project: its pages hold what the project declares."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import Bake, Project, load_from_template
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

STAGE: dict[str, Any] = {
    "name": "train@forest",
    "desc": "Fits a *model* | tunes it",
    "after": ["features"],
    "inputs": [".nb/fingerprints/30-train.txt", "data/train.parquet"],
    "outputs": [],
    "metrics": ["metrics.json", "gone.json", "other.yaml"],
    "parameters": [
        {
            "name": "folds",
            "type": "int | None",
            "default": 5,
            "value": 3,
            "help": "",
            "secret": None,
        },
        {"name": "model", "type": "str", "default": "a", "help": "Which.", "secret": None},
        {"name": "token", "type": "str", "default": None, "help": "", "secret": "TOKEN"},
    ],
    "fixed": {"model": "forest"},
}


@pytest.fixture
def pages(tmp_path: Path) -> ModuleType:
    """The module that makes the pages; it is copied as it is."""
    return load_from_template("*docs/*pages.py*", tmp_path / "docs/pages.py")


def test_a_stage_has_its_parameters_and_metrics_and_no_secret(pages: ModuleType) -> None:
    content = {"auc": 0.98765432, "by": {"fold": {"first": 1}}, "note": "a|b"}
    (pages.ROOT / "metrics.json").write_text(json.dumps(content))
    assert "\n\n".join(pages.section(STAGE)) == "\n\n".join(
        [
            "## `train@forest`",
            r"Fits a \*model\* \| tunes it",
            "After: `features`",
            "Reads: `data/train.parquet`",
            "| parameter | type | value | meaning |\n| --- | --- | --- | --- |\n"
            "| folds | int \\| None | 3 |  |\n| model | str | forest | Which. |",
            "| metric | value |\n| --- | --- |\n"
            "| auc | 0.9877 |\n| note | a\\|b |\n| by.fold.first | 1 |",
        ]
    )


@given(st.lists(st.text(), min_size=2, max_size=2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_stays_in_its_cell(pages: ModuleType, row: list[str]) -> None:
    (text,) = pages.table(["a", "b"], [row])
    html = MarkdownIt("commonmark").enable("table").render(text)
    assert html.count("<tr>") == 2 and html.count("<td") == 2
    assert "<em>" not in html and "<a" not in html


@pytest.mark.slow
def test_the_site_holds_stages_data_and_functions_and_asks_no_network(
    bake: Bake, browser: Any
) -> None:
    project: Project = bake(docs="MkDocs", project_name="Lake")
    project.write("docs/choices.md", "# Choices\n\nWhy, see [the data](data.md).\n")
    project.make("docs")
    asked: list[str] = []
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    expected = {
        "index": "What happens when you run",
        "pipeline": "correlation_limit",
        "data": "data/raw/biopsies.csv",
        "functions": "lake.evaluation",
        "choices": "Why, see",
    }
    for name, text in expected.items():
        page.goto((project.path / f"reports/docs/{name}.html").as_uri())
        assert text in page.inner_text("body")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    page.close()
    assert not [url for url in asked if not url.startswith("file:")]
    project.write("docs/choices.md", "[the data](date.md)\n")
    assert "date.md" in project.make("docs", code=2)
