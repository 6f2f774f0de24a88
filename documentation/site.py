"""MkDocs' hooks: pages generated from the code, the version, and flowcharts as pictures."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.structure.files import File, Files

from documentation.commands import commands_page
from documentation.diagrams import draw_flowcharts
from documentation.facts import (
    TEMPLATE,
    environment_page,
    exit_codes_page,
    rules_page,
    settings_page,
)
from documentation.messages import messages_page
from documentation.questions import questions_page

PAGES = {
    "help/messages.md": messages_page,
    "reference/commands.md": commands_page,
    "reference/environment.md": environment_page,
    "reference/exit-codes.md": exit_codes_page,
    "reference/questions.md": questions_page,
    "reference/rules.md": rules_page,
    "reference/settings.md": settings_page,
}
_made: dict[str, str] = {}


def version() -> str:
    """Return the version of the template."""
    text = (TEMPLATE / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^version = "(.+)"', text, re.M)
    assert found
    return found[1]


def on_config(config: Any) -> Any:
    """Show the version, and publish it below an address of its own."""
    config["site_name"] = f"{config['site_name']} {version()}"
    config["site_url"] = f"{config['site_url'].rstrip('/')}/{version()}/"
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages; while the site is served, they are made once."""
    for name, page in PAGES.items():
        if name not in _made:
            _made[name] = page()
        files.append(File.generated(config, name, content=_made[name]))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Draw flowcharts."""
    return draw_flowcharts(markdown)
