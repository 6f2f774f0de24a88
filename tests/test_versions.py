"""The version of the template is one number, which the CHANGELOG and the tooling name, too."""

from __future__ import annotations

import re

from conftest import TEMPLATE
from nb import __version__
from nb.update.template import VERSION

TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"


def test_changelog_and_tooling_name_the_version_of_the_template() -> None:
    named = [
        VERSION.search((folder / "pyproject.toml").read_text()) for folder in (TEMPLATE, TOOLS)
    ]
    (newest, *_) = re.findall(r"^## (\S+)", (TEMPLATE / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert [__version__, *(found and found[1] for found in named)] == [newest] * 3
