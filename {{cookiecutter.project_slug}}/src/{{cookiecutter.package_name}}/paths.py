"""Where the project's files are, from a notebook, a test or a script alike."""

from pathlib import Path


def find_root(start: Path | None = None) -> Path:
    """Find the project's root: the first folder with a `dvc.yaml` and a `pyproject.toml`.

    Args:
        start: the folder to begin with, going upwards. By default the working directory (Jupyter
            starts a notebook in the notebook's folder, papermill and pytest in the root), then the
            folder of this file, for a script that is started from elsewhere.

    Raises:
        FileNotFoundError: if no such folder is found.
    """
    begin = [start] if start else [Path.cwd(), Path(__file__).parent]
    for path in map(Path.resolve, begin):
        for folder in (path, *path.parents):
            if (folder / "dvc.yaml").is_file() and (folder / "pyproject.toml").is_file():
                return folder
    raise FileNotFoundError(f"No folder above {begin[0]} holds a dvc.yaml and a pyproject.toml.")


ROOT = find_root()


def output(path: str) -> Path:
    """Return the absolute path of an output, given relative to the root, and make its folder."""
    target = ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    return target
