"""The page of an experiment, from records of variants alone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import LOOKS, fits, screenshot, violations, visit
from nb.experiments import store
from nb.experiments.store import VariantRecord
from nb.report.experiments import site_files, write_experiments
from nb.run.record import StageRecord

METRICS = "reports/metrics/evaluate.json"
DECLARED = f"""\
stages:
  evaluate:
    cmd: "true"
    metrics: [{METRICS}]
    plots: [reports/figures/roc.png]
    meta: {{nb: {{best: max:auc}}}}
"""
SITE = Path("reports/site")


def made(root: Path, number: int, experiment: str = "folds", **more: Any) -> VariantRecord:
    """Write the record of a variant that has run, with its figure."""
    (root / "dvc.yaml").write_text(DECLARED, encoding="utf-8")
    record = VariantRecord(
        number=number,
        experiment=experiment,
        settings={"train.folds": number},
        source="s",
        started="2026-11-27T00:00:00+00:00",
        stages=[StageRecord("evaluate", state="ran", seconds=0.5)],
        metrics={METRICS: {"auc": 0.9 + number / 100, "rows": 7}},
    )
    for name, value in more.items():
        setattr(record, name, value)
    record.save(root)
    figure = store.variant_copy(root, number) / "reports" / "figures" / "roc.png"
    figure.parent.mkdir(parents=True)
    figure.write_bytes(b"figure %d" % number)
    return record


def page(root: Path) -> str:
    (overview,) = write_experiments(root)
    return (root / SITE / overview.page).read_text(encoding="utf-8")


def test_the_best_variant_comes_first_and_only_what_differs_is_a_column(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        made(tmp_path, number)
    text = page(tmp_path)
    assert "highest <code>evaluate.auc</code>: <strong>variant 3</strong>" in text
    body = text.partition("<tbody>")[2]
    assert body.index('class="best"') < body.index('data-value="2"')
    assert body.count('class="best"') == 1
    assert "evaluate.rows" not in text


def test_figures_of_one_name_stand_side_by_side_unless_all_are_the_same(tmp_path: Path) -> None:
    for number in (1, 2):
        made(tmp_path, number)
    (overview,) = write_experiments(tmp_path)
    files = site_files([overview], tmp_path / SITE)
    pictures = {name for name in files if name.endswith(".png")}
    assert len(pictures) == 2
    assert {(tmp_path / SITE / name).read_bytes() for name in pictures} == {
        b"figure 1",
        b"figure 2",
    }
    for number in (1, 2):
        (store.variant_copy(tmp_path, number) / "reports/figures/roc.png").write_bytes(b"same")
    assert "<img" not in page(tmp_path)


def test_names_of_experiments_and_variants_are_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    made(tmp_path, 1, evil, name=evil, settings={f"{evil}.x": evil})
    made(tmp_path, 2, evil, settings={f"{evil}.x": 2})
    text = page(tmp_path)
    assert evil not in text
    assert "&lt;script&gt;alert(1)" in text


def test_experiments_whose_names_differ_in_punctuation_have_pages_of_their_own(
    tmp_path: Path,
) -> None:
    for number, name in enumerate(("a.b", "a-b", "a b", "//", "a-b-2"), 1):
        made(tmp_path, number, name)
    found = write_experiments(tmp_path)
    assert len({overview.page for overview in found}) == 5
    assert all((tmp_path / SITE / overview.page).is_file() for overview in found)


def test_a_variant_without_results_is_a_row_with_the_cause(tmp_path: Path) -> None:
    made(tmp_path, 1)
    broken = StageRecord("evaluate", state="failed", cause="ValueError: two is bad")
    made(tmp_path, 2, metrics={}, stages=[broken])
    made(tmp_path, 3)
    text = page(tmp_path)
    assert "evaluate: ValueError: two is bad" in text
    assert "1 variant " not in text
    assert "3 variants:" in text
    pictures = {path.read_bytes() for path in (tmp_path / SITE).rglob("*.png")}
    assert pictures == {b"figure 1", b"figure 3"}, "the other is the project's"


@pytest.mark.parametrize("metrics", [{}, {METRICS: {"auc": float("nan")}}])
def test_no_metric_at_all_is_no_error(tmp_path: Path, metrics: dict[str, Any]) -> None:
    for number in (1, 2):
        made(tmp_path, number, metrics=metrics)
    assert "Variants</h2>" in page(tmp_path)


def test_long_values_and_causes_are_cut_and_secrets_removed(tmp_path: Path) -> None:
    token = "ghp_" + "R7q2Xk9vLm4Tz8Wc1Yb6" + "Nf3Hs5Jd0Gp2Qa"
    broken = StageRecord("evaluate", state="failed", cause="ValueError: " + "bad " * 300)
    made(tmp_path, 1, settings={"train.text": "long " * 300, "train.token": token})
    made(tmp_path, 2, settings={"train.text": None, "train.token": 1}, stages=[broken])
    text = page(tmp_path)
    assert token not in text
    assert "long " * 41 not in text
    assert "bad " * 51 not in text
    assert 'class="long"' in text
    assert ">null</td>" in text


def test_a_page_of_two_hundred_variants_is_light(tmp_path: Path) -> None:
    """Browsers take a millisecond per kilobyte; figures beyond the first come when scrolled to."""
    sizes = []
    for last in (100, 200):
        for number in range(last - 99, last + 1):
            made(tmp_path, number, settings={"train.folds": number})
        text = page(tmp_path)
        sizes.append(len(text))
        pictures = re.findall("<img[^>]*>", text)
        assert len(pictures) == last
        assert sum('loading="lazy"' not in each for each in pictures) == 24
    assert sizes[1] < 250_000
    assert sizes[1] - sizes[0] < 100_000


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_two_hundred_variants_are_quiet_and_accessible(
    browser: Any, tmp_path: Path, look: str
) -> None:
    for number in range(1, 201):
        made(tmp_path, number, settings={"train.folds": number % 7, "train.kind": "ab"[number % 2]})
    (overview,) = write_experiments(tmp_path)
    context = browser.new_context(**LOOKS[look])
    seen = visit(context, tmp_path / SITE / overview.page)
    shown = seen.page
    assert shown.locator("figure.scatter circle").count() == 200
    shown.get_by_label("Across:").select_option(label="train.kind")
    assert shown.locator("figure.scatter svg").get_attribute("aria-label") == (
        "evaluate.auc over train.kind, 200 variants"
    )
    shown.get_by_role("button", name="folds").click()
    assert shown.locator("#variants tbody tr").first.locator("td").first.inner_text() == "0"
    assert not violations(shown)
    assert not seen.events
    assert fits(shown)
    screenshot(shown, f"experiment-{look}")
    context.close()


@pytest.mark.slow
def test_numbers_that_cannot_be_drawn_leave_chart_and_order_alone(
    browser: Any, tmp_path: Path
) -> None:
    scores = [0.5, float("nan"), 0.9, float("inf"), float("-inf"), 0.7]
    for number, score in enumerate(scores, 1):
        text = "a very long text " * number
        made(tmp_path, number, settings={"train.text": text}, metrics={METRICS: {"auc": score}})
    (overview,) = write_experiments(tmp_path)
    context = browser.new_context(**LOOKS["phone"])
    seen = visit(context, tmp_path / SITE / overview.page)
    shown = seen.page
    assert shown.locator("figure.scatter circle").count() == 3
    assert shown.locator("figure svg text").first.text_content() == "0.5", "the axis has numbers"
    shown.get_by_role("button", name="auc").click()
    order = shown.locator("#variants tbody th").all_inner_texts()
    assert order == ["5", "1", "6", "3", "4", "2"], "NaN is last"
    assert fits(shown)
    assert not violations(shown)
    assert not seen.events
    screenshot(shown, "experiment-odd-phone", full_page=True)
    context.close()
