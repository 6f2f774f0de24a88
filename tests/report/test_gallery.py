"""The gallery: an executed copy with every kind of output, as a page in Chromium.

The libraries that drew the outputs ship the JavaScript, so the page is made where they are.
"""

from __future__ import annotations

import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import LOOKS, fits, screenshot, violations, visit
from nb.project import EXECUTED, SITE
from nb.report import make_page

for module in ("nbconvert", "latex2mathml", "plotly", "bokeh", "vl_convert"):
    pytest.importorskip(module, reason="the group gallery of pyproject.toml: make test-all")

COPY = Path(__file__).parent / "gallery.ipynb"
# The code cells with an interactive figure.
FIGURES = (1, 2, 4)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a project whose only executed copy is the gallery."""
    root = tmp_path_factory.mktemp("gallery")
    copy = root / EXECUTED / "gallery.ipynb"
    copy.parent.mkdir(parents=True)
    shutil.copy(COPY, copy)
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    make_page(root, copy)
    return root / SITE


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def look(browser: Any, where: Path | str, name: str) -> None:
    """Open the gallery, wait for every figure, and check that the page is quiet."""
    with browser.new_context(**LOOKS["desktop"]) as context:
        seen = visit(context, where)
        for number in FIGURES:
            frame = seen.page.locator(f"#cell-{number} iframe.interactive")
            frame.scroll_into_view_if_needed()
            inner = frame.content_frame.locator("iframe").content_frame
            inner.locator("svg, canvas, .bk-Figure").first.wait_for(timeout=60_000)
        assert seen.events == [] and fits(seen.page)
        assert violations(seen.page, allowed=["frame-tested"]) == []
        screenshot(seen.page, name, full_page=True)


@pytest.mark.slow
def test_the_gallery_from_a_folder(browser: Any, site: Path) -> None:
    look(browser, site / "notebooks/gallery.html", "gallery-folder")


@pytest.mark.slow
def test_the_gallery_over_http(browser: Any, site: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/notebooks/gallery.html"
        look(browser, address, "gallery-http")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_each_library_is_there_once(site: Path) -> None:
    names = sorted(path.name.partition("-")[0] for path in (site / "libraries").iterdir())
    assert names == ["bokeh", "plotly", "vega"]
