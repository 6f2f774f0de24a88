"""Make pages of the executed copies, for people who do not open Jupyter."""

from __future__ import annotations

import json
from pathlib import Path

from .notebook import source_text
from .project import EXECUTED, INDEX, NbError

PAGES = Path("reports/html")

_INDEX_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ project }}: reports</title>
<style>
  :root { color-scheme: light dark; font: 1.1rem/1.6 system-ui, sans-serif; }
  body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }
  li { margin: .4rem 0; }
  .failed { color: #c62828; }
</style>
</head>
<body>
<h1>{{ project }}</h1>
<p>The production notebooks as they were last run.</p>
<ul>
{% for page in pages %}
<li><a href="html/{{ page.href }}">{{ page.title }}</a> <small>{{ page.name }}</small>
{%- if page.failed %} <strong class="failed">failed</strong>{% endif %}</li>
{% endfor %}
</ul>
</body>
</html>
"""


def build(root: Path) -> Path | None:
    """Write a page per executed copy and an index; return the index, None without executed copies.

    Pages that are newer than their executed copy are kept; pages without one are removed.
    """
    copies = sorted((root / EXECUTED).rglob("*.ipynb"))
    pages = {copy: root / PAGES / _name(root, copy, ".html") for copy in copies}
    for old in set((root / PAGES).rglob("*.html")) - set(pages.values()):
        old.unlink()
    outdated = {copy: page for copy, page in pages.items() if _is_older(page, copy)}
    if outdated:
        _convert(outdated)
    if not pages:
        return None
    _write_index(root, copies)
    return root / INDEX


def _name(root: Path, copy: Path, suffix: str = "") -> str:
    return copy.relative_to(root / EXECUTED).with_suffix(suffix).as_posix()


def _is_older(page: Path, copy: Path) -> bool:
    return not page.exists() or page.stat().st_mtime <= copy.stat().st_mtime


def _convert(pages: dict[Path, Path]) -> None:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(embed_images=True)
    for copy, page in pages.items():
        try:
            body, _ = exporter.from_filename(str(copy))
        except (OSError, ValueError) as error:
            raise NbError(f"{copy}: cannot be shown as HTML: {error}") from None
        page.parent.mkdir(parents=True, exist_ok=True)
        draft = page.with_suffix(".draft")
        draft.write_text(body, encoding="utf-8")
        draft.replace(page)


def _write_index(root: Path, copies: list[Path]) -> None:
    from jinja2 import Environment

    entries = [
        {"href": _name(root, copy, ".html"), "name": _name(root, copy), **_summary(copy)}
        for copy in copies
    ]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = environment.from_string(_INDEX_TEMPLATE).render(project=root.name, pages=entries)
    (root / INDEX).write_text(text + "\n", encoding="utf-8")


def _summary(copy: Path) -> dict[str, object]:
    """Return a notebook's title (its first Markdown heading) and whether a cell of it failed."""
    cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    texts = (source_text(cell) for cell in cells if cell["cell_type"] == "markdown")
    headings = (line for text in texts for line in text.splitlines() if line.startswith("#"))
    outputs = (output for cell in cells for output in cell.get("outputs", ()))
    return {
        "title": next(headings, copy.stem).lstrip("# "),
        "failed": any(output["output_type"] == "error" for output in outputs),
    }
