"""NB1: the contract of a production notebook, with parameters, stage and outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nb.check.findings import IN_PIPELINE, WHOLE_NOTEBOOK, Found, Place
from nb.check.paths import is_named, named_paths
from nb.check.registry import rule
from nb.declaration.templates import as_glob
from nb.notebook.parameters import TAG, check_values
from nb.pipeline import misplaced
from nb.project import PRODUCTION, NbError

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document


@rule(
    "NB101",
    "exactly one cell is tagged `parameters`",
    why="""papermill puts the values of a run into a cell after it. Without one they come first
    and the notebook's own values win; with two nobody knows which one counts.""",
    good='# %% tags=["parameters"]\nseed: int = 42',
    bad="# %%\nseed: int = 42",
)
def parameters_cell(document: Document, facts: Facts) -> Found:
    tagged = [cell.number for cell in document.code if TAG in cell.tags]
    if not tagged:
        yield (
            WHOLE_NOTEBOOK,
            f"no code cell is tagged {TAG}; tag one, even if it is empty",
        )
    for number in tagged[1:]:
        yield (
            Place(number),
            f"code cell {tagged[0]} is tagged {TAG}, too; keep the tag on one of them",
        )


@rule(
    "NB102",
    "the parameters cell holds annotated literals only",
    why="""The cell is read without running it: names, types and defaults are checked before a
    kernel starts. What is computed there would not follow the value that a run gives.""",
    good='# %% tags=["parameters"]\n# Share of rows for the test.\ntest_share: float = 0.2',
    bad='# %% tags=["parameters"]\ntest_share = 0.2\ntrain_share: float = 1 - test_share',
)
def annotated_literals(document: Document, facts: Facts) -> Found:
    parsed = facts.parameters_cell(document)
    if not parsed.cell:
        return
    is_parsed = all(c.tree for c in document.code if c.number == parsed.cell.number)
    if parsed.problem and is_parsed:  # else the syntax error is a finding already
        yield Place(parsed.cell.number, parsed.line), parsed.problem
    for parameter in parsed.parameters:
        if not parameter.annotation:
            line = parsed.line_of(parameter.name)
            written = f"{parameter.name}: {parameter.kind.text} = {parameter.source}"
            yield Place(parsed.cell.number, line), f"annotate {parameter.name}: {written}"


@rule(
    "NB103",
    "the values of `config/*.yaml` are what the notebook takes",
    why="""A name that the notebook does not know, a value of another type or a missing one stops
    the run: better before the commit than at night. A parameter with a default may be left out,
    and one that the stage's command gives (`-p`, `-r`, `-y`, `-b`) is not looked for.""",
    good="""\
# %% tags=["parameters"]
seed: int = 42
=== config/10-example.yaml
seed: 7""",
    bad="""\
# %% tags=["parameters"]
seed: int = 42
=== config/10-example.yaml
sede: 7""",
)
def config_agrees(document: Document, facts: Facts) -> Found:
    parsed = facts.parameters_cell(document)
    if not parsed.cell or parsed.problem:
        return
    try:
        name, values = facts.config(document)
        passed = {
            given
            for stage in facts.stages_of(document)
            for call in stage.papermill
            if fnmatchcase(document.name, as_glob(call.notebook))
            for given in call.given
        }
        # Only a run knows whether a secret's variable is set.
        absent = {p.name for p in parsed.parameters if p.secret and p.name not in values} | passed
        known = [p for p in parsed.parameters if p.name not in absent]
        check_values(known, {k: v for k, v in values.items() if k not in passed}, name)
    except NbError as error:
        for message in str(error).splitlines():
            found = re.search(r"parameter (\w+)", message)
            line = parsed.line_of(found[1]) if found else 1
            yield Place(parsed.cell.number, line), message


@rule(
    "NB104",
    "every production notebook has a stage",
    why="""What `dvc.yaml` does not declare is never run by `nb run`, and breaks without a
    word.""",
    good="# %%\nprint(1)",
    bad="""\
# %%
print(1)
=== dvc.yaml
stages: {}""",
)
def has_a_stage(document: Document, facts: Facts) -> Found:
    if not facts.stages_of(document):
        yield WHOLE_NOTEBOOK, "no stage of dvc.yaml runs this notebook; declare one (README)"


@rule(
    "NB105",
    "every stage has its notebook and its files of parameters",
    why="""A stage whose notebook, or what it passes with `-f`, was renamed or removed fails as
    soon as it is stale.""",
    good="# %%\nprint(1)",
    bad="""\
# %%
print(1)
=== dvc.yaml
stages:
  example:
    cmd: papermill notebooks/production/10-exmaple.ipynb reports/notebooks/10-example.ipynb""",
    scope=IN_PIPELINE,
)
def has_its_notebook(document: Document, facts: Facts) -> Found:
    for stage in facts.stages:
        for notebook in stage.notebooks:
            inside = notebook.startswith(f"{PRODUCTION.as_posix()}/")
            if inside and not any(facts.root.glob(as_glob(notebook))):
                message = f"stage {stage.name} runs {notebook}, which does not exist"
                yield Place(None, stage.line), message
        for config in (file for call in stage.papermill for file in call.files):
            if not facts.is_there(config):
                message = f"stage {stage.name} passes -f {config}, which does not exist"
                yield Place(None, stage.line), message


@rule(
    "NB106",
    "every declared output is written",
    why="""DVC looks for the output after the run and fails the stage if it is not there. The
    path, or its last part, has to be seen in the notebook, in a value of its config file or in
    the module that writes it; `{model}` and the like may stand for anything.""",
    good="""\
# %%
table_csv = paths.output("data/interim/table.csv")
=== dvc.yaml
stages:
  example:
    cmd: papermill notebooks/production/10-example.ipynb reports/notebooks/10-example.ipynb
    outs:
      - data/interim/table.csv""",
    bad="""\
# %%
table_csv = paths.output("data/interim/tables.csv")
=== dvc.yaml
stages:
  example:
    cmd: papermill notebooks/production/10-example.ipynb reports/notebooks/10-example.ipynb
    outs:
      - data/interim/table.csv""",
)
def outputs_are_written(document: Document, facts: Facts) -> Found:
    if any(cell.tree is None for cell in document.code):
        return
    declared = {
        path: stage
        for stage in facts.stages_of(document)
        for path in stage.outputs
        if path not in stage.command and path not in [call.executed for call in stage.papermill]
    }
    if not declared:
        return
    texts = named_paths(document, _values(document, facts))
    foreign = "\n".join(f"{escape.text}\n{escape.body}" for _, escape in document.escapes())
    lost = {path: s for path, s in declared.items() if not is_named(path, texts, foreign)}
    modules = list(_module_texts(document, facts)) if lost else []
    for path, stage in lost.items():
        if not is_named(path, modules, ""):
            message = (
                f"stage {stage.name} declares {path}, which no cell names; write it or remove it"
            )
            yield WHOLE_NOTEBOOK, message


@rule(
    "NB107",
    "no stage declares an output outside the project, nor a folder of sources",
    why="""DVC removes the outputs of a stage before the stage runs, also where they are outside
    the project, behind a link, or the folder with the code. `nb run` refuses them; `dvc repro` does
    not, and the files are gone.""",
    good="""\
# %%
print(1)
=== dvc.yaml
stages:
  example:
    cmd: papermill notebooks/production/10-example.ipynb reports/notebooks/10-example.ipynb
    outs:
      - reports/notebooks/10-example.ipynb""",
    bad="""\
# %%
print(1)
=== dvc.yaml
stages:
  example:
    cmd: papermill notebooks/production/10-example.ipynb reports/notebooks/10-example.ipynb
    outs:
      - reports/notebooks/10-example.ipynb
  publish:
    cmd: cp -r reports/notebooks ../published
    outs:
      - ../published""",
    scope=IN_PIPELINE,
)
def outputs_are_in_place(document: Document, facts: Facts) -> Found:
    for stage in facts.stages:
        for path in stage.outputs:
            why = "" if "://" in path else misplaced(facts.root, path)
            if why:
                yield Place(None, stage.line), f"stage {stage.name} declares {path}, {why}"


def _values(document: Document, facts: Facts) -> list[object]:
    try:
        given = list(facts.config(document)[1].values())
    except NbError:
        given = []
    declared = facts.parameters_cell(document).parameters
    return [*given, *(p.default for p in declared if not p.required)]


def _module_texts(document: Document, facts: Facts) -> Iterator[str]:
    """Yield all quoted texts of the modules that a notebook imports: they may write for it."""
    for module in sorted(facts.sources.used_by(document.notebook)):
        source = facts.sources.modules[module].read_text(encoding="utf-8", errors="replace")
        for text in re.findall(r"""["']([^"'\n]*\w[^"'\n]*)["']""", source):
            yield re.sub(r"\{[^{}]*\}", "\0", text)
