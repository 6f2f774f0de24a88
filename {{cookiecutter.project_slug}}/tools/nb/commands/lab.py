"""Command `nb lab`: opens JupyterLab with the notebook that somebody works on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from nb.git.wiring import git
from nb.project import NbError


@click.command("lab")
@click.argument("notebook", default="")
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
        raise click.exceptions.Exit(subprocess.call(command))
    os.execv(program, command)


def notebook_at_work(root: Path) -> Path | None:
    """Return the notebook that was changed last and is not committed as it is, if there is one."""
    options = ("-z", "--modified", "--others", "--exclude-standard")
    found = git(root, "ls-files", *options, "--", "notebooks/*.ipynb", check=False)
    changed = [root / name for name in found.split("\0") if name]
    there = [path for path in changed if path.is_file()]
    return max(there, key=lambda path: path.stat().st_mtime_ns, default=None)
