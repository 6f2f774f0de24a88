"""Frames for outputs with styles or scripts, sealed off from the report and from the network.

An interactive output is a page of its own: a frame in which the scripts run, without an origin and
under a policy that loads nothing, inside a shell that hands the libraries in and passes the height
out. The shell's policy names no frames, so the inner frame cannot even go elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from .sanitised import LOST_IMAGE, without_scripts

# Blocked, each would fill the browser's console.
_BLOCKED = re.compile(
    r"\s(?:on\w+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+))"
    r"|<(?:link|meta|base|iframe|frame|object|embed|(?P<image>img))\b[^>]*>",
    re.I,
)
_ADDRESS = re.compile(r"\bsrc\s*=\s*[\"']?(?!\s*[\"']?data:)", re.I)
# A frame loads nothing, whatever the content.
_STATIC = (
    "default-src 'none'; img-src data: blob:; media-src data: blob:; font-src data:;"
    " style-src 'unsafe-inline'"
)
# Text becomes elements through a function of inner.js alone, where browsers know trusted types.
_INTERACTIVE = (
    f"{_STATIC}; script-src 'unsafe-inline' 'unsafe-eval'; worker-src blob:;"
    " require-trusted-types-for 'script'; trusted-types default"
)
_FRAMES = re.compile(r"<(?=i?frame\b|object\b|embed\b)", re.I)
# The shell loads the libraries that lie beside the pages.
_SHELL = f"{_STATIC}; script-src 'unsafe-inline' 'unsafe-eval' 'self' file:; worker-src blob:"
_HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="x-dns-prefetch-control" content="off">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>:root {{ color-scheme: {scheme}; font: 15px/1.5 system-ui, sans-serif }}
body {{ margin: 0 }} iframe {{ border: 0; width: 100%; height: 28rem }} {style}
@media print {{ html {{ overflow: hidden }} }}</style>
"""


def static_frame(html: str, title: str) -> str:
    """Return a frame in which no script runs; the page reads the height of the content."""
    # Behind the last tag, each begin of a tag would be searched for an end.
    tags, end, text = without_scripts(html).rpartition(">")
    quiet = _BLOCKED.sub(_quiet, tags + end) + text
    head = _HEAD.format(policy=_STATIC, title=escape(title), scheme="light dark", style="")
    return (
        f'<iframe sandbox="allow-same-origin" title="{escape(title)}"'
        f' srcdoc="{escape(head + quiet)}"></iframe>'
    )


def _quiet(blocked: re.Match[str]) -> str:
    """Return a picture, if the notebook holds it; nothing for all else that a frame blocks."""
    tag = blocked[0]
    if not blocked["image"]:
        return ""
    return LOST_IMAGE if _ADDRESS.search(tag) else tag


def frame_of(href: str, title: str) -> str:
    """Return the frame of an interactive page, loaded when a reader comes near."""
    return (
        f'<iframe class="interactive" loading="lazy" title="{escape(title)}"'
        f' src="{escape(href)}"></iframe>'
    )


def interactive_page(html: str, title: str, libraries: Sequence[str], empty: str) -> str:
    """Return the page of an output with scripts.

    Args:
        html: the output.
        title: the title of page and frame.
        libraries: links to the libraries, files of `library_file`.
        empty: the sentence to show if the scripts draw nothing.
    """
    inner_script, outer_script = (
        (Path(__file__).parent / name).read_text(encoding="utf-8")
        for name in ("inner.js", "outer.js")
    )
    # Most libraries draw dark text, whatever the scheme of the system.
    shown = {"title": escape(title), "scheme": "light", "style": "body { background: #fff }"}
    inner = _HEAD.format(policy=_INTERACTIVE, **shown)
    inner += f"<script>{inner_script}</script>"
    html = _FRAMES.sub("&lt;", html)
    # With libraries the content waits for them, and is inserted by the script.
    inner += f'<script type="application/json">{script_data(html)}</script>' if libraries else html
    loads = "".join(f'<script src="{escape(href)}"></script>\n' for href in libraries)
    return (
        f"{_HEAD.format(policy=_SHELL, **shown)}<script>const libraries = [];</script>\n{loads}"
        f'<main><iframe sandbox="allow-scripts" title="{escape(title)}" srcdoc="{escape(inner)}">'
        f"</iframe></main>\n<p hidden>{escape(empty)}</p>\n<script>{outer_script}</script></html>\n"
    )


def library_file(script: str) -> str:
    """Return a library as a file of the site, which hands the source over as text."""
    return f"libraries.push({script_data(script)});\n"


def script_data(content: object) -> str:
    """Return JSON for a script element, which no text in it can end."""
    return json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
