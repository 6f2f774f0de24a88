"""Dependencies of adopted code: from files, cells and imports, named by lists from the registry.

A name that no list knows is never guessed: somebody else may own the name in the registry.
"""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.distributions import normalized
from nb.grouping import grouped
from nb.notebook.content import python_source
from nb.notebook.magics import mask
from nb.notebook.modules import imported_names
from nb.programs import uv_programs
from nb.project import parse_toml, toml_table, warn

# Lists of import names with their distributions: conda-forge's, in depfinder, and that of pipreqs.
# Both are read, not run, so their own dependencies are not installed.
NAME_LISTS = ("depfinder==2.10.0", "pipreqs==0.5.0")
# Packages that the project has already, by other means, or that are no Python packages.
NEVER_ADDED = {
    *("ipykernel", "ipython", "jupyter", "jupyterlab", "nbconvert", "nbstripout", "notebook"),
    *("papermill", "pip", "pip-tools", "python", "setuptools", "wheel", "nodejs", "dvc"),
}
# Modules that only a host has.
HOSTS = ("google.colab", "kaggle_secrets", "dbutils")
CONDA = "a package of conda; no list knows a name for it in the registry"
_RELATIVE = re.compile(
    r"^(\s*)from\s*\.[\w.]*\s+import\s+(?:\([^)]*\)|[^\\\n]*(?:\\\n[^\\\n]*)*)", re.M
)
_INSTALL = re.compile(r"^\s*[!%]?\s*(?:\w+\s+-m\s+)?(?:pip3?|conda|mamba)\s+install\s+(.*)$")


@dataclass
class Requested:
    """The requirements found in an adopted folder.

    Attributes:
        requirements: the requirement by the name of the distribution.
        unknown: the imports whose distribution no list knows, with the files that import them.
        left_out: the entries that are no plain requirements, each with the reason.
    """

    requirements: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def declared_requirements(path: Path) -> list[str]:
    """Return the entries of a file that lists dependencies, in the order of the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.name == "setup.py":
            return _of_setup(text)
        if path.name in ("Pipfile", "pyproject.toml"):
            return _of_toml(text)
        if path.suffix in (".yml", ".yaml"):
            return _of_environment(text)
    except (OSError, ValueError, SyntaxError, AttributeError, TypeError) as error:
        warn(f"{path.name} is not read: {str(error).splitlines()[0]}")
        return []
    lines = re.sub(r"\\\r?\n", " ", text).splitlines()
    entries = (re.split(r"\s#|\s--hash", line)[0].strip() for line in lines)
    return [entry for entry in entries if entry and not entry.startswith(("#", "-r", "-c", "--"))]


def _of_setup(text: str) -> list[str]:
    lists = [
        word.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        for word in node.keywords
        if word.arg == "install_requires"
    ]
    return [
        str(ast.literal_eval(e)) for one in lists if isinstance(one, ast.List) for e in one.elts
    ]


def _of_toml(text: str) -> list[str]:
    content = parse_toml(text)
    listed = toml_table(content, "project").get("dependencies", [])
    tables = toml_table(content, "packages"), toml_table(content, "tool", "poetry", "dependencies")
    entries = map(str, listed) if isinstance(listed, list) else ()
    return [*entries] + [_pinned(name, value) for table in tables for name, value in table.items()]


def _pinned(name: str, version: object) -> str:
    version = version if isinstance(version, str) else ""
    return name + version if re.match(r"[<>=!~]=?", version) else name


def _of_environment(text: str) -> list[str]:
    import yaml

    try:
        entries = (yaml.safe_load(text) or {}).get("dependencies", [])
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    plain = [entry for entry in entries if isinstance(entry, str)]
    names = [re.split(r"[=<>!~ \[]", entry.rpartition("::")[2])[0] for entry in plain]
    by_pip = [e for part in entries if isinstance(part, dict) for e in part.get("pip", [])]
    return [*(f"conda:{name}" for name in names), *map(str, by_pip)]


def installed_by_cells(sources: Iterable[str]) -> Iterator[str]:
    """Yield the packages of lines such as `%pip install lightgbm`."""
    for source in sources:
        masked = mask(source)
        lines = [e.text for e in masked.escapes()] if masked else source.splitlines()
        for line in lines:
            found = _INSTALL.match(line)
            if found:
                try:
                    words = shlex.split(found[1].partition(";")[0], comments=True)
                except ValueError:
                    continue
                yield from (word for word in words if re.match(r"[A-Za-z]", word))


def all_imports(source: str) -> set[str]:
    """Return the dotted names that a source imports."""
    return set(imported_names(python_source(source)) or ()) - {""}


def imports_in(sources: Iterable[str]) -> set[str]:
    """Return the dotted names of other packages that sources import; none of the library.

    Relative imports are of the folder itself, also of compiled modules that are not there.
    """
    found: set[str] = set()
    for source in sources:
        names = all_imports(_RELATIVE.sub(r"\1pass", source))
        found |= {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
    return found


def resolve(
    entries: Iterable[str],
    imports: Mapping[str, list[str]],
    known: Mapping[str, str],
    installed: Mapping[str, list[str]],
) -> Requested:
    """Return the requirements for entries of dependency files and for imports.

    Args:
        entries: the entries; those of conda begin with `conda:`.
        imports: the files by the dotted name that they import.
        known: the distribution by import name, and by `conda:` and the name in conda.
        installed: the installed distributions by top-level module.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    found = Requested()
    here = {normalized(one) for distributions in installed.values() for one in distributions}
    for entry in entries:
        conda = entry.removeprefix("conda:") if entry.startswith("conda:") else ""
        if conda in NEVER_ADDED:
            continue
        if conda:
            is_named = conda in imports or normalized(conda) in here
            entry = known.get(entry, conda if is_named else entry)
        try:
            requirement = Requirement(entry)
        except InvalidRequirement:
            found.left_out[conda or entry] = CONDA if conda else "no requirement of the registry"
            continue
        key = normalized(requirement.name)
        if requirement.url:
            found.left_out[entry] = "a URL; add it by hand if it shall stay"
        elif key not in NEVER_ADDED:
            found.requirements.setdefault(key, str(requirement))
    for name in sorted(_tops(imports)):
        distribution = _distribution(name, known, installed, found.requirements)
        if distribution:
            key = normalized(distribution)
            if key not in NEVER_ADDED:
                found.requirements.setdefault(key, distribution)
        elif not any(_is_below(name, host) for host in HOSTS):
            files = sorted({f for i, fs in imports.items() if _is_below(i, name) for f in fs})
            found.unknown[name] = files
    return found


def _is_below(name: str, top: str) -> bool:
    return name == top or name.startswith(f"{top}.")


def _tops(imports: Iterable[str]) -> set[str]:
    """Return the names that stand for distributions: of `google`, a namespace, the longer names."""
    names = {name for name in imports if name != "google"}
    google = {".".join(n.split(".")[:3]) for n in names if n.startswith("google.")}
    google -= {name for name in google if any(o.startswith(f"{name}.") for o in google)}
    return google | {name.split(".")[0] for name in names if not name.startswith("google.")}


def _distribution(
    name: str, known: Mapping[str, str], installed: Mapping[str, list[str]], declared: Iterable[str]
) -> str:
    """Return the distribution of an import name; empty if no list, file or installation knows."""
    longer = known.get(name) or known.get(".".join(name.split(".")[:2]), "")
    if name.startswith("google."):
        return longer or (f"google-cloud-{name.split('.')[2]}" if _is_cloud(name, known) else "")
    here = installed.get(name, [])
    candidates = [longer, *here, name]
    for candidate in candidates:  # a requirement of the folder itself comes first
        if candidate and normalized(candidate) in set(declared):
            return candidate
    return here[0] if len(here) == 1 else longer


def _is_cloud(name: str, known: Mapping[str, str]) -> bool:
    """Return whether a module of `google.cloud` has a distribution that a list knows by name."""
    parts = name.split(".")
    wanted = f"google-cloud-{parts[2]}" if parts[:2] == ["google", "cloud"] and parts[2:] else ""
    return bool(wanted) and wanted in {normalized(each) for each in known.values()}


@cache
def known_distributions(root: Path) -> dict[str, str]:
    """Return the distribution of each import name of the lists; empty without the registry."""
    with TemporaryDirectory(prefix="nb-names-") as folder:
        if not any(_fetch(command, folder) for command in _installers(root)):
            warn("the lists of package names cannot be had from the registry: add them by hand")
            return {}
        return _read_lists(Path(folder))


def _installers(root: Path) -> Iterator[list[str]]:
    for uv in uv_programs(root):
        yield [uv, "pip", "install", "--quiet", "--python", sys.executable]
    for python in dict.fromkeys((sys.executable, getattr(sys, "_base_executable", ""))):
        if python:
            yield [python, "-I", "-m", "pip", "install", "--quiet", "--no-input"]


def _fetch(command: list[str], folder: str) -> bool:
    words = [*command, "--no-deps", "--only-binary", ":all:", "--target", folder, *NAME_LISTS]
    return subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def _read_lists(folder: Path) -> dict[str, str]:
    import yaml

    found: dict[str, str] = {}
    mapping = (folder / "pipreqs" / "mapping").read_text(encoding="utf-8")
    for line in mapping.splitlines():
        name, _, distribution = line.strip().partition(":")
        found[name] = normalized(distribution)
    text = (folder / "depfinder" / "pkg_data" / "name_mapping.yml").read_text(encoding="utf-8")
    entries = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    for entry in entries:
        found.setdefault(f"conda:{entry['conda_name']}", entry["pypi_name"])
    for name, several in grouped((entry["import_name"], entry) for entry in entries).items():
        chosen = _likeliest(name, several, found.get(name, ""))
        if chosen:
            found[name] = chosen
    return found


def _likeliest(name: str, entries: list[dict[str, str]], other: str) -> str:
    """Return the distribution of an import name that several recipes claim, or nothing."""
    names = list(dict.fromkeys(normalized(entry["pypi_name"]) for entry in entries))
    if len(names) == 1:
        return names[0]
    static = [normalized(e["pypi_name"]) for e in entries if e["mapping_source"] == "static"]
    for candidate in (normalized(name), other, *static[:1]):
        if candidate in names:
            return candidate
    return ""
