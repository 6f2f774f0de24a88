"""Files of the site: templates rendered, pages and artifacts written, and links between them."""

from __future__ import annotations

import posixpath
import re
import sys
from base64 import b64encode
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nb.project import SITE, write_whole
from nb.wording import byte_size, duration

from .about import read_about
from .rich.frames import library_file
from .rich.libraries import script_of, shipped_version

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment
    from markupsafe import Markup

# The records of the pages that exist.
NOTES = Path(".nb/report")
# Small artifacts that a browser shows without running anything are copied to the site. Nothing of
# data/ is: a person who sends a report does not mean to send the data.
PUBLISHED_FOLDER = "reports/"
PUBLISHED = (".csv", ".gif", ".jpeg", ".jpg", ".json", ".md", ".png", ".svg", ".txt", ".yaml")
PUBLISHED_BYTES = 1_000_000


class PageFiles:
    """The relative links of a page, and the list of files that the page consists of.

    Args:
        page: the page, relative to the site.
    """

    def __init__(self, root: Path, page: str) -> None:
        self.root = root
        self.page = page
        self.folder = posixpath.dirname(page)
        self.written: list[str] = []

    def relative(self, path: str) -> str:
        """Return the link to a file of the site."""
        return quote(posixpath.relpath(path, self.folder or "."))

    def save(self, path: str, content: bytes) -> str:
        """Write a file of the site and return the link to it."""
        target = self.root / SITE / path
        if not target.is_file() or target.read_bytes() != content:
            write_whole(target, content)
        self.written.append(path)
        return self.relative(path)

    def write_page(self, template: str, **values: object) -> None:
        """Write the page from a template."""
        about = read_about(self.root)
        text = filled_template(template, files=self, about=about, project=about.name, **values)
        self.save(self.page, text.encode("utf-8", "replace"))

    def is_current(self, key: str) -> bool:
        """Return whether the page is there and names the key in the first line."""
        try:
            with (self.root / SITE / self.page).open(encoding="utf-8") as file:
                return key in file.readline(200)
        except (OSError, ValueError):
            return False

    def save_library(self, name: str, page: str) -> str:
        """Write a JavaScript library, once per site, and return the link from a page of the site.

        Args:
            name: the name of the library.
            page: the page that loads the library, relative to the site.
        """
        path = f"libraries/{name}-{shipped_version(name)}.js"
        target = self.root / SITE / path
        if not target.is_file():
            write_whole(target, library_file(script_of(name)))
        self.written.append(path)
        return quote(posixpath.relpath(path, posixpath.dirname(page)))

    def link(self, path: str) -> str:
        """Return the link to a file of the project beside the site."""
        return quote(posixpath.relpath(path, (SITE / self.folder).as_posix()))

    def artifact(self, path: str) -> tuple[str, bool]:
        """Return the link to an artifact, and whether the site holds a copy of the artifact.

        The link is empty if the artifact is gone.
        """
        source = self.root / path
        if is_published(self.root, path):
            return self.relative(published_path(path)), True
        return (self.link(path), False) if source.exists() else ("", False)


def published_path(path: str) -> str:
    """Return the path of an artifact in the site."""
    return f"files/{path.removeprefix(PUBLISHED_FOLDER)}"


def is_published(root: Path, path: str) -> bool:
    """Return whether the site holds a copy of an artifact."""
    if not path.startswith(PUBLISHED_FOLDER) or not path.lower().endswith(PUBLISHED):
        return False
    source = root / path
    return source.is_file() and source.stat().st_size <= PUBLISHED_BYTES


def filled_template(template: str, **values: object) -> str:
    """Return a template of the report with the values in place."""
    return _environment().get_template(template).render(values)


def inline_script(name: str) -> dict[str, str]:
    """Return a script of the report for a page, and the hash by which the page allows it."""
    from markupsafe import Markup

    script = (Path(__file__).parent / name).read_text(encoding="utf-8")
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return {"script": Markup(script), "script_hash": digest}


@cache
def compiled_templates() -> BytecodeCache | None:
    """Return the store of compiled templates, beside the bytecode of this module.

    To compile the templates takes longer than to fill them. Jinja compiles a template anew if its
    source changed; so does a store that cannot be read or written. None where Python keeps no
    bytecode.
    """
    from jinja2.bccache import Bucket, FileSystemBytecodeCache

    class Store(FileSystemBytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            try:
                super().load_bytecode(bucket)
            except Exception:  # of a damaged file, any: Jinja reads it by pickle
                bucket.reset()

        def dump_bytecode(self, bucket: Bucket) -> None:
            with suppress(OSError):
                super().dump_bytecode(bucket)

    if sys.dont_write_bytecode:
        return None
    return Store(str(Path(cache_from_source(__file__)).parent), "jinja-%s.cache")


@cache
def _environment() -> Environment:
    """Return the Jinja environment of the templates, with every value escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from . import format

    folder = Path(__file__).parent
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        bytecode_cache=compiled_templates(),
    )
    style = (folder / "style.css").read_text(encoding="utf-8")
    made.globals.update(style=Markup(style), **inline_script("site.js"))
    made.filters.update(
        size=byte_size,
        duration=duration,
        moment=format.moment,
        number=format.number,
        value=format.value,
        html=Markup,
        breakable=_breakable,
        slug=slug,
    )
    return made


def _breakable(text: object) -> Markup:
    """Return a name as HTML, with optional line breaks after dots, underscores and slashes."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([._/])", r"\1<wbr>", str(escape(text))))


def slug(text: object) -> str:
    """Return a name as an HTML id, with a dash for each run of other than word characters."""
    return re.sub(r"[^\w]+", "-", str(text)).strip("-")
