"""Commands for notebooks: make, open, check, show and edit them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from nb.exit_codes import ExitCode
from nb.git.command import git_list
from nb.project import NbError, write_whole
from nb.terminal import colored, echo, is_colored
from nb.wording import count

from . import complete_notebooks, note


@click.command("new")
@click.argument("name")
@click.option("--production", is_flag=True, help="With its parameters and its stage in dvc.yaml.")
@click.pass_obj
def new_command(root: Path, name: str, production: bool) -> None:
    """Make a notebook from a short skeleton, named by the convention.

    NAME is in words. An exploratory notebook gets the next number and your initials (of Git's
    user.name); a production notebook the next ten, or two digits that NAME begins with.

    \b
    Examples:
      nb new "outliers in sales"         notebooks/exploratory/02-dm-outliers-in-sales.ipynb
      nb new sales --production          notebooks/production/50-sales.ipynb
      nb new 25-weather --production     notebooks/production/25-weather.ipynb
    """
    from nb.authoring.new import new_exploratory, new_production

    made = new_production(root, name) if production else new_exploratory(root, name)
    echo(f"Made {made.notebook.as_posix()}")
    for file, purpose in made.others:
        echo(f"     {file}: {purpose}")
    if production:
        echo("It runs as it is: nb run. Then name its inputs and outputs in the cell below")
        echo("*Files* and as `deps` and `outs` of its stage in dvc.yaml; nb check compares them.")
    else:
        echo("Open it: make lab")


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--select", metavar="CODES", help="Only these rules: NB301, or NB3 for all of NB3.")
@click.option("--ignore", metavar="CODES", help="Not these rules; several with commas.")
@click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text")
@click.option("--json", "style", flag_value="json", help="The same as --format json.")
@click.option("--explain", metavar="CODE", help="Explain a rule, with examples.")
@click.option("--rules", "listed", is_flag=True, help="List the rules.")
@click.pass_obj
def check_command(
    root: Path,
    paths: tuple[Path, ...],
    select: str | None,
    ignore: str | None,
    style: str,
    explain: str | None,
    listed: bool,
) -> None:
    """Check notebooks against the rules; change nothing.

    PATHS are notebooks (a name will do), folders, or other files of the project, which concern all
    production notebooks; without any, all notebooks and dvc.yaml are checked. Exploratory notebooks
    get only the rules that protect others. Exit codes: 0 nothing found, 1 findings, 2 wrong usage.

    \b
    Examples:
      nb check
      nb check --select NB1,NB301 notebooks/production
      nb check --explain NB301
    """
    from nb.check import formats
    from nb.check.registry import RULES, codes_with_prefixes
    from nb.check.runner import check_paths  # also loads the rules

    if explain is not None:
        texts = [
            RULES[code].explanation()
            for code in sorted(codes_with_prefixes((explain,), "--explain"))
        ]
        echo("\n\n\n".join(texts))
        return
    if listed:
        echo(formats.rule_table())
        return
    result = check_paths(root, paths, _codes(select), _codes(ignore))
    if result.findings or style == "json":
        echo(formats.findings_text(result.findings, style))
    for name, language in result.skipped.items():
        note(f"{name} is left out: its language is {language}", err=True)
    if not result.findings:
        echo(f"Nothing found in {count(result.notebooks, 'notebook')}.", err=True)
        return
    hint = f"nb check --explain {result.findings[0].code} explains the rule"
    echo(f"{count(len(result.findings), 'finding')}; {hint}.", err=True)
    raise click.exceptions.Exit(ExitCode.FAILED)


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",")) if text is not None else ()


@click.command("show")
@click.argument("notebook", shell_complete=complete_notebooks)
@click.pass_obj
def show_command(root: Path, notebook: str) -> None:
    """Print a notebook as text, without outputs.

    NOTEBOOK is a path or a name.

    \b
    Examples:
      nb show 20-features
      nb show notebooks/exploratory/01-dm-first-look.ipynb | less
    """
    from nb.authoring.editing import notebook_as_text
    from nb.notebook.content import find_notebook

    path = find_notebook(root, notebook)
    echo(colored(notebook_as_text(path, color=is_colored(sys.stdout))), nl=False)


@click.command("edit")
@click.argument("notebook", shell_complete=complete_notebooks)
@click.pass_obj
def edit_command(root: Path, notebook: str) -> None:
    """Edit a notebook as a Python script in your editor.

    The editor is that of $VISUAL or $EDITOR; jupytext is needed. Cells begin with `# %%`. Cells
    that you leave alone keep their outputs; all keep their ids. NOTEBOOK is a path or a name.

    \b
    Examples:
      nb edit 20-features
      EDITOR="code --wait" nb edit 20-features
    """
    from nb.authoring.editing import merge_script, notebook_as_script
    from nb.notebook.content import find_notebook

    path = find_notebook(root, notebook)
    before = path.read_bytes()
    edited = click.edit(notebook_as_script(path), extension=".py")
    if edited is None:
        echo("Nothing was changed.")
        return
    if path.read_bytes() != before:
        aside = root / ".nb" / f"{path.stem}.py"
        write_whole(aside, edited)
        where = aside.relative_to(root).as_posix()
        raise NbError(f"{path} was saved by another program; your text is in {where}")
    content = merge_script(before.decode("utf-8"), edited).encode("utf-8", "surrogatepass")
    write_whole(path, content)
    echo(f"Wrote {path}.")


@click.command("lab")
@click.argument("notebook", default="", shell_complete=complete_notebooks)
@click.pass_obj
def lab_command(root: Path, notebook: str) -> None:
    """Open JupyterLab with the notebook changed last, or another.

    Without NOTEBOOK, JupyterLab opens the notebook that was changed last of those that the last
    commit does not have as they are; if there is none, JupyterLab opens as it was left.

    \b
    Examples:
      nb lab
      nb lab notebooks/exploratory/01-dm-first-look.ipynb
      nb lab 20-features
    """
    from nb.notebook.content import find_notebook

    opened = find_notebook(root, notebook) if notebook else notebook_at_work(root)
    program = Path(sys.executable).with_name("jupyter.exe" if os.name == "nt" else "jupyter")
    if not program.exists():
        raise NbError("JupyterLab is not installed here; make setup installs it")
    command = [str(program), "lab", f"--ServerApp.root_dir={root}"]
    command += [str(opened.absolute())] if opened else []
    if os.name == "nt":  # there, a program cannot take the place of another
        import subprocess

        raise click.exceptions.Exit(subprocess.call(command))
    os.execv(program, command)


def notebook_at_work(root: Path) -> Path | None:
    """Return the notebook that was changed last and is not committed as it is, if there is one."""
    options = ("-z", "--modified", "--others", "--exclude-standard")
    changed = git_list(root, "ls-files", *options, "--", "notebooks", check=False)
    there = [root / name for name in changed if name.endswith(".ipynb") and (root / name).is_file()]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)
