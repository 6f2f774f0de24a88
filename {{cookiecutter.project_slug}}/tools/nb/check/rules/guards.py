"""NB5, in every notebook: secrets by the name of a variable, large kept outputs, the own size."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from nb.check.findings import EVERY, WHOLE_NOTEBOOK, Found, Place
from nb.check.registry import rule
from nb.secrets.names import is_secret_name

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document


@rule(
    "NB501",
    "no secret is written into a notebook or its config file",
    why="""Whoever may read the repository may use it, for ever: Git forgets nothing. A secret
    comes from the environment, and its value is masked wherever a cell shows it
    (`nb help parameters`).""",
    good='# %% tags=["parameters"]\napi_key: str = os.environ["API_KEY"]',
    bad='# %% tags=["parameters"]\napi_key: str = "hunter2"  # pragma: allowlist secret',
    scope=EVERY,
)
def secrets(document: Document, facts: Facts) -> Found:
    for cell, node in document.nodes(ast.Assign, ast.AnnAssign):
        for name in _texts_given_to(node):
            if is_secret_name(name):
                variable = name.upper()
                advice = f'write {name}: str = os.environ["{variable}"] and set {variable}'
                yield cell.at(node), f"{name} looks like a secret; {advice}"
    parsed = facts.parameters_cell(document)
    if not parsed.cell or not any(
        is_secret_name(p.name) and not p.secret for p in parsed.parameters
    ):
        return
    name, values = facts.config(document)
    for key, value in values.items():
        if is_secret_name(str(key)) and isinstance(value, str) and value:
            place = Place(parsed.cell.number, parsed.line_of(str(key)))
            yield place, f"{key} in {name} looks like a secret; remove it there"


def _texts_given_to(node: ast.AST) -> list[str]:
    """Return the names that a statement gives a text, if it does."""
    match node:
        case ast.Assign(targets=targets, value=ast.Constant(value=str(text))) if text.strip():
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
            return [name] if text.strip() else []
    return []


@rule(
    "NB502",
    "no large output is kept in Git",
    why="""Outputs are stripped, but for cells tagged `keep_output`. What these keep is copied by
    every clone, for ever, and anew with every run. The limit is `max-output-kb`.""",
    good='# %% tags=["keep_output"]\nsummary  # its output: 20 kB',
    bad='# %% tags=["keep_output"]\nfigure  # its output: 900 kB',
    scope=EVERY,
)
def kept_outputs(document: Document, facts: Facts) -> Found:
    limit = facts.settings.max_output_kb
    if len(document.data) < limit * 1000:
        return
    for number, count in enumerate(document.bytes_in_git[1], 1):
        size = count // 1000
        if size > limit:
            advice = "show less, or remove the tag keep_output"
            yield Place(number), f"Git keeps {size} kB of outputs, more than {limit}; {advice}"


@rule(
    "NB503",
    "the notebook is no large file",
    why="""What Git stores of it, pasted pictures above all, is copied by every clone, for ever.
    The limit is `max-file-kb`.""",
    good="# %% [markdown]\n# ![The plan](../../docs/plan.png)",
    bad="# %% [markdown]\n# ![The plan](attachment:plan.png), pasted: 1500 kB",
    scope=EVERY,
)
def file_size(document: Document, facts: Facts) -> Found:
    limit = facts.settings.max_file_kb
    if len(document.data) < limit * 1000:
        return
    size = document.bytes_in_git[0] // 1000
    if size > limit:
        yield (
            WHOLE_NOTEBOOK,
            f"Git stores {size} kB of it, more than {limit}; keep data and pictures in files",
        )
