"""The site of results, documents of notebooks, and the comparison with a commit."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from browsing import LOOKS, fits, screenshot, violations, visit
from conftest import Project

from benchmarks.site import make_project

NOTEBOOKS = ("10-ingest", "20-features", "30-train-forest", "30-train-logistic", "40-evaluate")
SITE = "reports/site"
EVIL = "https://evil.example"
SCRIPT = f"<script>document.title = 'taken'; fetch('{EVIL}')</script>"
PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d4944415478da63fcffff3f0300050001ff5c5ddf0c0000000049454e44ae426082"
    )
).decode()


def markdown(source: str, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": "a", "metadata": metadata, "source": source}


def code(source: str, *outputs: dict[str, Any], tags: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {"tags": list(tags)},
        "source": source,
        "execution_count": 1,
        "outputs": list(outputs),
    }


def shows(**data: str) -> dict[str, Any]:
    kinds = {"html": "text/html", "png": "image/png", "text": "text/plain", "svg": "image/svg+xml"}
    found = {kinds[kind]: content for kind, content in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": found}


def prints(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def fails(name: str, value: str) -> dict[str, Any]:
    lines = ["Traceback", f"\x1b[0;31m{name}\x1b[0m: {value}"]
    return {"output_type": "error", "ename": name, "evalue": value, "traceback": lines}


def notebook(*cells: dict[str, Any]) -> str:
    numbered = [{**cell, "id": f"cell{n}"} for n, cell in enumerate(cells)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": numbered})


HOSTILE = notebook(
    markdown(f"# A {SCRIPT} title\n\n</main></article></html><h1>second</h1>"),
    markdown(f"[click](javascript:alert(1)) <img src=x onerror=alert(1)> ![i]({EVIL}/i.png)"),
    markdown(f'<img src="data:image/png;base64,{PNG}"> and <b>no end'),
    markdown(
        "<style>* { display: none }</style><form action=x><input></form><svg onload=alert(1)>"
    ),
    code("1", shows(html=f"<div>kept</div>{SCRIPT}", text="as text")),
    code("2", shows(html=f"<b onclick='alert(1)'>bold</b><iframe src='{EVIL}'></iframe>")),
    code("3", shows(svg=f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>")),
    code("4", prints("long\n" * 2_000_000)),
    code("5", shows(html="<table><tr><td>" + "x" * 10_000_000, text="short")),
    code("6", shows(html="<table><tr><td>broken <b>cell", text="t")),
    code("7", fails("Evil</pre><script>alert(1)</script>", SCRIPT)),
)


class Links(HTMLParser):
    """Collects what a page refers to, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.found.append(value)
            if name == "id" and value:
                self.ids.append(value)


def pages(project: Project) -> list[Path]:
    return sorted((project.path / SITE).rglob("*.html"))


def dead_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    links = Links(page.read_text(encoding="utf-8"))
    known: dict[Path, list[str]] = {page: links.ids}
    dead = []
    for link in links.found:
        parts = urlsplit(link)
        if parts.scheme in ("data", "http", "https"):
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        if parts.fragment and target.is_file() and target not in known:
            known[target] = Links(target.read_text(encoding="utf-8")).ids
        is_choice = parts.path.endswith("compare.html")  # the fragment says which two to compare
        found = is_choice or not parts.fragment or unquote(parts.fragment) in known.get(target, [])
        if not target.exists() or not found:
            dead.append(link)
    return dead


@pytest.fixture(scope="module", autouse=True)
def _run_of_the_example(ready: Project) -> None:
    """Leave out of the site what other tests have run."""
    ready.run("nb", "clean")
    shutil.rmtree(ready.path / "reports" / "runs")
    ready.run("nb", "run", "--force")


@pytest.fixture
def hostile(ready: Project) -> Iterator[Project]:
    """The shared project with an executed copy that means harm, even by its name."""
    copy = ready.path / "reports" / "notebooks" / "bad <b>&'.ipynb"
    copy.write_text(HOSTILE, encoding="utf-8")
    ready.run("nb", "report")
    yield ready
    copy.unlink()
    ready.run("nb", "report")


@pytest.fixture
def failed(ready: Project) -> Iterator[Project]:
    """The shared project with the record and the executed copy of a run that failed."""
    copy = ready.path / "reports" / "notebooks" / "40-evaluate.ipynb"
    before = copy.read_bytes()
    content = json.loads(before)
    cell = [cell for cell in content["cells"] if cell["cell_type"] == "code"][-1]
    cell["outputs"] = [fails("ValueError", "on <b>purpose</b>")]
    copy.write_text(json.dumps(content), encoding="utf-8")
    newest = max((ready.path / "reports" / "runs").glob("*.json"))
    record = newest.with_name("29991231T235959.000000Z.json")
    run = json.loads(newest.read_text(encoding="utf-8")) | {"id": record.stem, "state": "failed"}
    run["stages"][-1] |= {"state": "failed", "cause": "ValueError: on <b>purpose</b>"}
    record.write_text(json.dumps(run), encoding="utf-8")
    ready.run("nb", "report")
    yield ready
    copy.write_bytes(before)
    record.unlink()
    ready.run("nb", "report")


def test_the_index_tells_of_every_stage(ready: Project) -> None:
    index = ready.read(f"{SITE}/index.html")
    stages = re.findall(r'<article class="stage" id="stage-([\w-]+)" data-state="([\w ]+)"', index)
    assert [name for name, _ in stages] == [
        *("ingest", "features", "train-logistic", "train-forest", "evaluate")
    ]
    for told in ("min_recall", "models/forest.joblib", "data/interim/biopsies.parquet", " MB"):
        assert told in index
    assert index.count('<g class="node"') == 5
    assert "train, side by side" in index and "validation_roc_auc" in index
    assert 'alt="Figure 1 of forest"' in index
    assert "ROC on the validation set" in index and "<polyline" in index


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(ready: Project) -> None:
    assert {path.stem for path in pages(ready)} >= {"index", *NOTEBOOKS}
    for page in pages(ready):
        text = page.read_text(encoding="utf-8")
        assert dead_links(page) == [], page
        assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=.(https?:)?//", text)
        assert "default-src 'none'" in text


def test_the_site_is_light_and_the_same_results_give_the_same_bytes(ready: Project) -> None:
    def content() -> dict[Path, bytes]:
        site = ready.path / SITE
        return {path: path.read_bytes() for path in site.rglob("*") if path.is_file()}

    before = content()
    assert sum(map(len, before.values())) < 3_000_000
    shutil.rmtree(ready.path / SITE)
    ready.run("nb", "report")
    assert content() == before


def test_no_data_goes_with_the_site(ready: Project) -> None:
    index = ready.read(f"{SITE}/index.html")
    assert 'class="local">data/raw/biopsies.csv</a>' in index
    assert 'href="files/metrics/evaluate.json">' in index
    assert ready.has(f"{SITE}/files/plots/roc.csv")
    assert not list((ready.path / SITE).rglob("biopsies*"))


def test_a_page_can_be_made_as_its_stage_ends(ready: Project) -> None:
    page = ready.path / SITE / "notebooks" / "10-ingest.html"
    before = page.read_bytes()
    page.unlink()
    make = "import sys, nb.report as r, pathlib as p; r.make_page(*map(p.Path, sys.argv[1:]))"
    copy = ready.path / "reports" / "notebooks" / "10-ingest.ipynb"
    ready.run("python", "-c", make, str(ready.path), str(copy))
    assert page.read_bytes() == before
    made = page.stat().st_mtime_ns
    ready.run("nb", "report")
    assert page.stat().st_mtime_ns == made


def test_only_outdated_pages_are_made_and_forgotten_ones_removed(ready: Project) -> None:
    def times() -> dict[str, int]:
        return {p.stem: p.stat().st_mtime_ns for p in (ready.path / SITE / "notebooks").iterdir()}

    copy = ready.path / "reports/notebooks/more/50-more.ipynb"
    copy.parent.mkdir()
    try:
        copy.write_text(notebook(markdown("# One\n\n## Two"), code("1", shows(png=PNG))))
        before = times()
        ready.run("nb", "report")
        page = ready.path / SITE / "notebooks" / "more" / "50-more.html"
        assert {name: when for name, when in times().items() if name in before} == before
        assert '<a href="#Two">' in page.read_text() and dead_links(page) == []
        assert (ready.path / SITE / "figures" / "more" / "50-more-1.png").exists()
    finally:
        shutil.rmtree(copy.parent)
    ready.run("nb", "report")
    assert not page.exists()
    assert not (ready.path / SITE / "figures" / "more").exists()


def test_a_failed_stage_comes_first_with_its_cell_and_traceback(failed: Project) -> None:
    index = failed.read(f"{SITE}/index.html")
    assert index.index("1 stage failed") < index.index("Pipeline</h2>")
    assert "on &lt;b&gt;purpose&lt;/b&gt;" in index and "<b>purpose" not in index
    assert 'class="traceback"' in index
    assert "../notebooks/40-evaluate.ipynb" in index
    page = failed.read(f"{SITE}/notebooks/40-evaluate.html")
    (anchor,) = re.findall(r'<a href="#(cell-\d+)">Go to the cell</a>', page)
    cell = page.partition(f'id="{anchor}"')[2].partition("</section>")[0]
    assert '<details class="code" open' in cell and 'class="traceback"' in cell
    assert dead_links(failed.path / SITE / "index.html") == []


def test_hostile_content_stays_harmless(hostile: Project) -> None:
    assert dead_links(hostile.path / SITE / "index.html") == []
    page = hostile.path / SITE / "notebooks" / "bad <b>&'.html"
    text = page.read_text(encoding="utf-8")
    tags = Links(text).tags
    assert tags.count("script") == 1 and tags.count("h1") == 1 and tags.count("main") == 1
    assert not {"form", "input", "svg", "object", "embed"} & set(tags)
    assert tags.count("style") == 1
    assert '<img alt="Image without a description" src="data:' in text
    assert not re.search(r"<[^>]+\son(click|error|load)=", re.sub(r'srcdoc="[^"]*"', "", text))
    assert "javascript:" not in re.sub(r'srcdoc="[^"]*"', "", text)
    assert "loads evil.example from the network" in text
    assert len(text) < 200_000
    assert "10 MB" in text and "executed copy" in text
    index = hostile.read(f"{SITE}/index.html")
    assert "<b>&'" not in index and Links(index).tags.count("script") == 1


def test_a_broken_executed_copy_spoils_its_own_page_only(ready: Project) -> None:
    copy = ready.path / "reports" / "notebooks" / "broken.ipynb"
    copy.write_text("{", encoding="utf-8")
    try:
        ready.run("nb", "report")
        said = ready.read(f"{SITE}/notebooks/broken.html")
    finally:
        copy.unlink()
        ready.run("nb", "report")
    assert "cannot be shown" in said and str(ready.path) not in said


EXPORT = """
import sys
from pathlib import Path
from nb.report.export import export_document
source = Path(sys.argv[1])
for kind in ("html", "slides", "markdown"):
    export_document(source, kind, source.parent / kind, no_input=False)
export_document(source, "html", source.parent / "bare", no_input=True)
"""


def test_documents_are_one_file_without_what_is_hidden(ready: Project, tmp_path: Path) -> None:
    source = tmp_path / "talk.ipynb"
    cells = (
        markdown("# Talk\n\n$e = mc^2$"),
        code("shown_code = 1", shows(png=PNG)),
        markdown("## Next"),
        code("hidden_code = 2", prints("what hidden code prints"), tags=("hide-input",)),
        code("removed_cell = 3", prints("gone"), tags=("remove-cell",)),
    )
    source.write_text(notebook(*cells), encoding="utf-8")
    ready.run("python", "-c", EXPORT, str(source))
    texts = {}
    for kind in ("html", "slides", "markdown", "bare"):
        text = (tmp_path / kind).read_text(encoding="utf-8")
        texts[kind] = re.sub("<style>.*?</style>|</?span.*?>", "", text, flags=re.S)
        assert "what hidden code prints" in texts[kind]
        assert ("shown_code" in texts[kind]) == (kind != "bare")
        assert "hidden_code" not in texts[kind] and "removed_cell" not in texts[kind]
        assert "https://" not in texts[kind]
    assert texts["slides"].count('<section class="slide"') == 2
    assert texts["html"].count('id="cell-2"') == texts["slides"].count('id="cell-2"') == 1
    assert (
        "data:image/png;base64" in texts["html"]
        and "<msup><mi>c</mi><mn>2</mn></msup>" in texts["html"]
    )
    assert list((tmp_path / "markdown_files").glob("*.png"))


@pytest.mark.parametrize("kind", ["html", "slides", "markdown"])
def test_a_document_without_outputs_says_so_and_is_a_warning(
    ready: Project, tmp_path: Path, kind: str
) -> None:
    source, target = tmp_path / "plain.ipynb", tmp_path / "made"
    source.write_text(notebook(markdown("# Title")))
    command = ("nb", "export", str(source), "--to", kind, "-o", str(target))
    ready.run(*command)
    assert "without outputs" not in target.read_text("utf-8")
    source.write_text(notebook(markdown("# Title"), code("1 + 1")))
    assert "has no outputs; run and save the notebook first" in ready.run(*command, code=1)
    assert "is shown without outputs" in target.read_text("utf-8")
    ready.run(*command[:4], "script", *command[5:])


def test_a_document_of_a_name_is_made_of_its_executed_copy(ready: Project) -> None:
    said = ready.run("nb", "export", "20-features", "--to", "html")
    assert said == "reports/documents/20-features.html\n"
    assert "data:image/png" in ready.read(said.strip())
    said = ready.run("nb", "export", "20-features", "--to", "script")
    compile(ready.read(said.strip()), said, "exec")
    assert "there is no notebook nothing" in ready.run("nb", "export", "nothing", code=2)
    assert ready.git("status", "--short") == ""


def test_without_a_browser_a_pdf_is_refused_in_one_sentence(ready: Project) -> None:
    script = "import nb.report.export as e; e.find_browser = lambda: None; e._print('', None)"
    assert "a PDF needs Chromium, Chrome or Edge" in ready.run("python", "-c", script, code=1)


def test_metrics_and_parameters_are_compared_with_a_commit(ready: Project) -> None:
    path = "reports/metrics/train-forest.json"
    before = ready.read(path)
    numbers = json.loads(before)
    ready.write(path, json.dumps({**numbers, "folds_roc_auc": numbers["folds_roc_auc"] + 0.25}))
    ready.edit("config/40-evaluate.yaml", "min_recall: 0.97", "min_recall: 0.9")
    try:
        table = ready.run("nb", "metrics").splitlines()
        assert table[0].split() == ["file", "name", "HEAD", "now", "change"]
        (row,) = [line for line in table if line.endswith("+0.25")]
        assert row.startswith(path) and "folds_roc_auc" in row
        assert [line.split()[1] for line in table if line.startswith("config/")] == ["min_recall"]
        changes = json.loads(ready.run("nb", "params", "--json"))
        assert {c["name"] for c in changes} > {"min_recall", "seed"}
        assert [c["now"] for c in changes if c["before"] != c["now"]] == [0.9]
    finally:
        ready.git("checkout", "--quiet", "--", ".")
    assert "there is no commit nowhere" in ready.run("nb", "metrics", "nowhere", code=2)


def test_a_record_keeps_the_metrics_for_the_history(ready: Project) -> None:
    record = json.loads(max((ready.path / "reports" / "runs").glob("*.json")).read_text())
    numbers = json.loads(ready.read("reports/metrics/train-forest.json"))
    assert record["metrics"]["reports/metrics/train-forest.json"] == numbers


def test_commits_that_brought_other_metrics_are_part_of_the_history(ready: Project) -> None:
    path = "reports/metrics/train-forest.json"
    before = ready.read(path)
    numbers = json.loads(before)
    commits = ready.git("rev-list", "--count", "HEAD").strip()
    try:
        for number, subject in enumerate(["Try <b>more</b> trees", "Try fewer"], start=1):
            ready.write(path, json.dumps({**numbers, "folds_roc_auc": number / 4}))
            ready.git("commit", "--quiet", "--no-verify", "--message", subject, path)
        ready.run("nb", "report")
        index = ready.read(f"{SITE}/index.html")
    finally:
        ready.git("reset", "--quiet", "--soft", f"HEAD~{2}")
        ready.git("reset", "--quiet", "--", path)
        ready.write(path, before)
        ready.run("nb", "report")
    assert ready.git("rev-list", "--count", "HEAD").strip() == commits
    history = index.partition('id="history"')[2]
    assert history.index("Try fewer") < history.index("Try &lt;b&gt;more&lt;/b&gt; trees")
    assert "<title>0.25, commit of " in index
    # A commit that holds just what a run here had made is no news.
    known = ready.read(f"{SITE}/index.html").count('data-state="committed"')
    assert history.count('data-state="committed"') == known + 2


# In a browser.


def test_the_index_looks_well_on_every_screen(browser: Any, ready: Project) -> None:
    for look, options in LOOKS.items():
        with browser.new_context(**options) as context:
            seen = visit(context, ready.path / SITE / "index.html")
            screenshot(seen.page, f"index-{look}", full_page=True)
            assert seen.events == [] and fits(seen.page), look
            assert violations(seen.page) == [], look


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_pages_are_quiet_accessible_and_fit_the_screen(
    browser: Any, failed: Project, look: str
) -> None:
    context = browser.new_context(**LOOKS[look])
    for path in pages(failed):
        seen = visit(context, path)
        assert seen.events == [], path
        assert fits(seen.page), path
        pictures = "[...document.images].every((image) => image.naturalWidth > 0)"
        assert seen.page.evaluate(pictures), path
        assert violations(seen.page) == [], path
        screenshot(seen.page, f"failed-{path.stem}-{look}", full_page=True)
        seen.page.close()
    context.close()


@pytest.mark.slow
def test_code_opens_and_tables_sort(browser: Any, ready: Project) -> None:
    context = browser.new_context()
    page = visit(context, ready.path / SITE / "notebooks" / "20-features.html").page
    code_cells = page.locator("details.code > .highlight")
    assert not code_cells.first.is_visible()
    page.locator("details.code > summary").first.click()
    assert code_cells.first.is_visible() and not code_cells.last.is_visible()
    page.get_by_role("button", name="Show all code").click()
    assert code_cells.last.is_visible()
    page.get_by_role("button", name="Hide all code").click()
    assert not code_cells.first.is_visible()

    page = visit(context, ready.path / SITE / "index.html").page
    table = page.locator("table.sortable").first
    heading = table.get_by_role("columnheader", name="validation_roc_auc")
    for order in ("ascending", "descending"):
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == order
        values = [float(text) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
        assert values == sorted(values, reverse=order == "descending")
    context.close()


@pytest.mark.slow
def test_everything_can_be_done_with_the_keyboard(browser: Any, ready: Project) -> None:
    page = visit(browser, ready.path / SITE / "index.html").page
    focused = "document.activeElement.textContent.trim()"

    def press_tab_until(found: str) -> None:
        for _ in range(100):
            page.keyboard.press("Tab")
            if page.evaluate(found):
                return
        raise AssertionError(f"the keyboard does not reach {found}")

    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to the content"
    press_tab_until("document.activeElement.closest('.graph a')?.ariaLabel.startsWith('evaluate')")
    page.keyboard.press("Enter")
    page.wait_for_function("location.hash === '#stage-evaluate'")
    assert page.locator("#stage-evaluate").get_by_text("min_recall").is_visible()

    press_tab_until("document.activeElement.closest('th')?.textContent === 'Time'")
    page.keyboard.press("Enter")
    heading = page.locator("#history ~ .scroll").get_by_role("columnheader", name="Time")
    assert heading.get_attribute("aria-sort") == "ascending"
    page.close()

    page = visit(browser, ready.path / SITE / "notebooks" / "20-features.html").page
    press_tab_until("document.activeElement.matches('details.code > summary')")
    page.keyboard.press("Enter")
    assert page.locator("details.code > .highlight").first.is_visible()
    page.close()


@pytest.mark.slow
def test_a_failed_stage_is_what_people_see_first(browser: Any, ready: Project) -> None:
    source = "notebooks/production/40-evaluate.ipynb"
    before = ready.read(source)
    content = json.loads(before)
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    cells[-1]["source"] = "def fail():\n    raise ValueError('on purpose')\n\n\nfail()"
    ready.write(source, json.dumps(content))
    try:
        ready.run("nb", "run", code=1)
        seen = visit(browser, ready.path / SITE / "index.html")
        page = seen.page
        assert page.title().startswith("Failed: ")
        first = page.locator("h2").first
        assert first.inner_text() == "1 stage failed"
        in_view = "(heading) => heading.getBoundingClientRect().bottom < innerHeight"
        assert first.evaluate(in_view)
        alert = page.get_by_role("alert")
        assert "raise ValueError('on purpose')" in alert.locator("pre").inner_text()
        screenshot(page, "failed-stage")
        copy = alert.get_by_role("link", name="open the executed copy").get_attribute("href")
        assert (ready.path / SITE / copy).resolve() == (
            ready.path / "reports/notebooks/40-evaluate.ipynb"
        )
        alert.get_by_role("link", name="See code cell").click()
        page.get_by_role("link", name="Go to the cell").click()
        assert page.locator("pre.traceback").get_by_text("on purpose").first.is_visible()
        failing = page.locator(".cell:target")
        assert "def fail()" in failing.locator(".highlight").inner_text()
        assert seen.events == []
        page.close()
    finally:
        ready.write(source, before)
        ready.run("nb", "run")


@pytest.mark.slow
def test_on_paper_nothing_is_hidden_but_code(browser: Any, ready: Project) -> None:
    context = browser.new_context(viewport={"width": 750, "height": 1000}, color_scheme="dark")
    for name in ("index", "notebooks/40-evaluate"):
        page = visit(context, ready.path / SITE / f"{name}.html").page
        page.emulate_media(media="print", color_scheme="dark")
        assert fits(page), name
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        parameters = page.get_by_role("term").filter(has_text="min_recall")
        assert parameters.evaluate("(term) => term.getBoundingClientRect().height") > 0
        assert not page.locator("details.code").first.is_visible()
        screenshot(page, f"print-{Path(name).stem}", full_page=True)
        page.close()
    context.close()


@pytest.mark.slow
def test_on_a_server_the_site_does_without_the_project(
    browser: Any, ready: Project, tmp_path: Path
) -> None:
    shutil.copytree(ready.path / SITE, tmp_path / "report")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_port}/report/"
        seen = visit(browser, home)
        address = "(a) => new URL(a.getAttribute('href'), document.baseURI).href"
        links = seen.page.locator("a[href]").evaluate_all(f"(links) => links.map({address})")
        targets = {link.partition("#")[0] for link in links}
        assert len(targets) > len(NOTEBOOKS)
        for target in targets:
            assert target.startswith(home)
            assert seen.page.request.get(target).ok, target
        seen.page.get_by_role("link", name="forest").first.click()
        assert seen.page.title().endswith(ready.path.name)
        assert seen.events == []
        server.shutdown()
    seen.page.close()


@pytest.mark.slow
def test_a_hundred_stages_and_twenty_runs_work(
    browser: Any, ready: Project, tmp_path: Path
) -> None:
    make_project(tmp_path, stages=100, runs=20)
    build = "import sys, nb.report as r; from pathlib import Path as P; r.build(P(sys.argv[1]))"
    ready.run("python", "-c", build, str(tmp_path))
    seen = visit(browser, tmp_path / SITE / "index.html")
    page = seen.page
    assert page.locator(".graph .node").count() == page.locator("article.stage").count() == 100
    assert page.locator("a[href^='runs/']").count() == 20
    assert seen.events == [] and fits(page)
    assert dead_links(tmp_path / SITE / "index.html") == []
    chart = page.get_by_role("img", name="score, 20 times, from 0 to 19")
    assert not chart.first.is_visible()
    page.get_by_text("Over time").click()
    assert chart.first.is_visible()
    screenshot(page, "hundred-stages")
    page.close()


@pytest.mark.slow
def test_hostile_scripts_reach_nothing(browser: Any, hostile: Project) -> None:
    context = browser.new_context()
    for path in pages(hostile):
        seen = visit(context, path)
        page = seen.page
        page.wait_for_timeout(200)
        if path.name == "index.html":
            assert seen.events == [] and violations(page) == []
        # Frames may complain of what they may not do.
        assert [event for event in seen.events if event.startswith(("request", "dialog"))] == [], (
            path
        )
        assert page.title() != "taken"
        assert page.locator("main").is_visible()
    # On its own page the output's script runs, and reaches nothing but its frame.
    page = visit(context, hostile.path / SITE / "outputs" / "bad <b>&'-1.html").page
    assert page.title() == "Output of code cell 1"
    page.frames[1].wait_for_function("document.title === 'taken'", polling=100)
    assert page.title() == "Output of code cell 1"
    context.close()


@pytest.mark.slow
def test_documents_are_quiet_and_keys_turn_slides(
    browser: Any, ready: Project, tmp_path: Path
) -> None:
    for kind in ("html", "slides"):
        target = tmp_path / f"{kind}.html"
        ready.run("nb", "export", "40-evaluate", "--to", kind, "-o", str(target))
        seen = visit(browser, target)
        assert seen.events == [] and fits(seen.page) and violations(seen.page) == []
        if kind == "slides":
            for heading in ("Choose, on the validation table", "The test, once"):
                seen.page.keyboard.press("ArrowRight")
                shown = f"document.activeElement.innerText.startsWith('{heading}')"
                seen.page.wait_for_function(shown)
        screenshot(seen.page, f"document-{kind}")
        seen.page.close()


@pytest.mark.slow
def test_a_notebook_becomes_a_pdf(browser: Any, ready: Project, tmp_path: Path) -> None:
    target = tmp_path / "a.pdf"
    ready.run("nb", "export", "40-evaluate", "--to", "pdf", "--no-input", "-o", str(target))
    assert target.read_bytes().startswith(b"%PDF")


if sys.platform == "win32":
    pytest.skip(
        "executed copies of hostile names need a POSIX file system", allow_module_level=True
    )
