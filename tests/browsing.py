"""Look at pages as people do, in Chromium: are they quiet, accessible, and do they fit the screen?

The fixture `browser` of conftest.py is the browser; screenshots go to build/screenshots.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SCREENSHOTS = Path(__file__).parent.parent / "build" / "screenshots"
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
GRAVE = ("serious", "critical")
LOCAL_SCHEMES = ("file", "data", "blob", "about")
LOCAL_HOSTS = ("127.0.0.1", "localhost")


def find_chromium() -> str | None:
    """Return the system's Chromium; None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright: Any) -> Any:
    """Start the system's Chromium, which must be there."""
    # Chromium refuses its sandbox to root, as in containers.
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return playwright.chromium.launch(
        executable_path=find_chromium(), args=["--no-sandbox"] if is_root else []
    )


@dataclass
class Visit:
    """A page that is open.

    Attributes:
        page: the page, of Playwright.
        events: what it should not do: errors on its console, dialogs, requests to other machines.
    """

    page: Any
    events: list[str] = field(default_factory=list)


def is_local(url: str) -> bool:
    """Whether a request stays on this machine."""
    parts = urlsplit(url)
    return parts.scheme in LOCAL_SCHEMES or parts.hostname in LOCAL_HOSTS


def visit(context: Any, where: Path | str) -> Visit:
    """Open a file or an address in a new page of a browser's context, or of a browser."""
    page = context.new_page()
    seen = Visit(page)
    note = seen.events.append

    def request(url: str) -> None:
        if not is_local(url):
            note(f"request {url}")

    def dialog(shown: Any) -> None:
        note(f"dialog {shown.message}")
        shown.dismiss()

    page.on("request", lambda found: request(found.url))
    page.on("websocket", lambda found: request(found.url))
    page.on("dialog", dialog)
    page.on("pageerror", lambda error: note(f"error {error}"))
    page.on("console", lambda said: note(f"console {said.text}") if said.type == "error" else None)
    page.goto(where.resolve().as_uri() if isinstance(where, Path) else where)
    return seen


def fits(page: Any) -> bool:
    """Whether a page is no wider than its window; a phone would make `innerWidth` fit."""
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    return not page.evaluate(wide)


def violations(page: Any, *, allowed: Sequence[str] = ()) -> list[str]:
    """Return the serious and critical violations that axe-core finds, each with an element.

    Args:
        page: the page, of Playwright.
        allowed: rules that are not the page's own to keep.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['nodes'][0]['html']}"
        for rule in found
        if rule["impact"] in GRAVE and rule["id"] not in allowed
    ]


def screenshot(page: Any, name: str, *, full_page: bool = False) -> Path:
    """Save a picture of a page as build/screenshots/<name>.png and return its path."""
    path = SCREENSHOTS / f"{name}.png"
    if full_page:
        page.evaluate("scrollTo(0, 0)")  # else a header that stays in view is in the middle
    page.screenshot(path=path, full_page=full_page)
    return path
