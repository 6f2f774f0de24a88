"""Pages of facts that the code holds: rules, exit codes, environment variables, settings."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any

from nb.check import runner
from nb.check.findings import EVERY, IN_COMPARISON, IN_PIPELINE, IN_PRODUCTION
from nb.check.registry import RULES
from nb.check.settings import CheckSettings
from nb.exit_codes import ExitCode

from .commands import in_cell, in_text

TEMPLATE = Path(__file__).resolve().parent.parent
TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
assert runner  # loads the rules

# Variables that a person sets, with the sentence of the page. A test finds those that are missing.
VARIABLES = {
    "CI": "If set, `nb run` prints plain lines, and groups them on GitHub.",
    "FORCE_COLOR": "If `1`, colors also where the output is no terminal.",
    "NB_COLD": "If `1`, every kernel starts anew, as with `nb run --cold`.",
    "NB_SITE_URL": "The address of `reports/site`, to which tasks of Airflow link.",
    "NB_START_METHOD": "How stages start: `fork`, the default on Linux, or `spawn`, elsewhere.",
    "NB_STORAGE_TIMEOUT": "Seconds that the storage has to answer; 10 if not set.",
    "NB_STRICT": "If `0`, failures of threads and shell commands do not fail a notebook.",
    "NB_TASK_OPTIONS": "Options of every `nb task` that a scheduler starts: `--pull --push`.",
    "NB_TIMEOUT": "Seconds that a notebook may run.",
    "NB_TRACE_VIEW": "How `nb trace` looks on: `strace`, `events` or `arguments`.",
    "NO_COLOR": "If set, no colors.",
    "SKIP": "Hooks that a commit leaves out, with commas: `SKIP=check git commit`.",
    "UV_LOCKED": "If `1`, `make setup` refuses a lock file that does not fit `pyproject.toml`.",
    "UV_PYTHON": "The interpreter that `make setup` makes the environment from.",
}
# Variables that one process of the tooling sets for another; nobody else should.
INTERNAL = {
    *("NB_CALLS_FOLDER", "NB_CALLS_MODULE", "NB_FORK_SERVER", "NB_PYTHON", "NB_STREAM"),
    *("NB_TRACE_ARGUMENTS", "NB_TRACE_FORBIDDEN", "NB_TRACE_LOG", "NB_TRACE_ROOT"),
    "NB_VERIFY_SHELL",
}


def rules_page() -> str:
    """Return the page of the rules of `nb check`, with an example that passes and another."""
    lines = ["# Rules with examples\n", "`nb check --explain CODE` prints a section of this page;"]
    lines.append("[Rules for notebooks](check.md) says how rules are chosen.\n")
    for code, rule in sorted(RULES.items()):
        lines.append(f"## {code}: {in_text(rule.summary)}\n\n{in_text(rule.why)}\n")
        for word, example in (("Passes", rule.good), ("Fails", rule.bad)):
            text = example.strip("\n").replace("  # pragma: allowlist secret", "")
            lines.append(f"{word}:\n\n```python\n{text}\n```\n")
    return "\n".join(lines)


def rules_table() -> str:
    """Return the table of the rules of `nb check`, with their reasons below: a part of check.md."""
    scopes = {IN_PRODUCTION: "production", EVERY: "all notebooks", IN_PIPELINE: "`dvc.yaml`"}
    scopes[IN_COMPARISON] = scopes[IN_PRODUCTION]
    rules = [rule for _, rule in sorted(RULES.items())]
    rows = [f"| {rule.code} | {scopes[rule.scope]} | {rule.summary} |" for rule in rules]
    table = ["| rule | looks at | what holds |", "|---|---|---|", *rows]
    texts = (f"**{rule.code}: {rule.summary}.** {rule.why}" for rule in rules)
    parts = [textwrap.fill(text, 118, break_on_hyphens=False) for text in texts]
    return "\n\n".join(["\n".join(table), *parts]) + "\n"


def exit_codes_page() -> str:
    """Return the page of exit codes."""
    rows = [f"| {code.value} | {code.meaning} |" for code in ExitCode]
    head = "# Exit codes\n\nOf `nb run`, `nb task`, and papermill with the engine `nb`. "
    rest = "Other commands end with 0, 1 if something was found or failed, or 2 for wrong usage.\n"
    return "\n".join([f"{head}{rest}", "| code | |", "|---|---|", *rows, ""])


def environment_page() -> str:
    """Return the page of environment variables."""
    rows = [f"| `{name}` | {said} |" for name, said in sorted(VARIABLES.items())]
    more = "Credentials of the storage: [The storage](../how-to/storage.md); of a warehouse: "
    lines = ["# Environment variables\n", "| variable | |", "|---|---|", *rows, ""]
    return "\n".join([*lines, f"{more}[Warehouses](../how-to/warehouse.md).\n"])


def settings_page() -> str:
    """Return the page of the settings in `pyproject.toml`."""
    said = _attributes(CheckSettings)
    rows = []
    for field in fields(CheckSettings):
        setting, default = field.name.replace("_", "-"), _toml(field.default)
        rows.append(f"| `{setting}` | `{default}` | {in_cell(said[field.name])} |")
    head = "# Settings\n\n`nb check` reads the table `[tool.nb.check]` of `pyproject.toml`:\n"
    more = """
Settings of single notebooks are in their metadata, under `nb`: `strict` and `timeout`
([Running the pipeline](run.md#limits-of-time)). Settings of stages are in `dvc.yaml`, under
`meta`: `nb.memory` ([Running the pipeline](run.md)) and `scheduler`
([Dagster and Airflow](../how-to/schedulers.md#metadata-of-a-stage-for-a-scheduler)).
"""
    return "\n".join([head, "| setting | default | |", "|---|---|---|", *rows, more])


def _attributes(kind: type) -> dict[str, str]:
    """Return the sentences of a docstring's section `Attributes`, by attribute."""
    lines = str(kind.__doc__).partition("Attributes:")[2].splitlines()
    pairs = (line.strip().partition(": ") for line in lines if ": " in line)
    return {name: said for name, _, said in pairs}


def _toml(value: Any) -> str:
    return "[]" if value == () else json.dumps(value)


def named_variables() -> set[str]:
    """Return the tooling's own variables, by the names that generated code holds."""
    # The names of optional files end with a condition.
    files = [path for path in TOOLS.parent.rglob("*.py*") if path.suffix != ".pyc"]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return {name for text in texts for name in re.findall(r'"(NB_[A-Z_]+)"', text)}
