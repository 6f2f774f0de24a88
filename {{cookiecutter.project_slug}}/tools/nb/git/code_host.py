"""Addresses of commits and files on the code host, from the address of the remote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from nb.git.command import git
from nb.surroundings import find_repository, project_prefix

# The addresses of a commit and of a file on each host, after the address of the repository.
_PATTERNS = {
    "github": ("/commit/{commit}", "/blob/HEAD/{path}"),
    "gitlab": ("/-/commit/{commit}", "/-/blob/HEAD/{path}"),
    "bitbucket": ("/commits/{commit}", "/src/HEAD/{path}"),
    "azure": ("/commit/{commit}", "?path=/{path}"),
}
_SCP = re.compile(r"(?:[^@/:]+@)?(?P<host>[\w.-]+):(?P<path>[^/\\].*)")


@dataclass(frozen=True)
class CodeHost:
    """The web pages of a repository.

    Attributes:
        address: the address of the repository.
        kind: github, gitlab, bitbucket or azure.
        prefix: the folder of the project in the repository, with a slash at the end.
    """

    address: str
    kind: str
    prefix: str = ""

    def commit(self, commit: str) -> str:
        """Return the address of a commit."""
        return self.address + _PATTERNS[self.kind][0].format(commit=quote(commit))

    def file(self, path: str) -> str:
        """Return the address of a file of the project, as the default branch has it."""
        return self.address + _PATTERNS[self.kind][1].format(path=quote(self.prefix + path))


def parse_remote(remote: str, prefix: str = "") -> CodeHost | None:
    """Return the code host of a remote; None for a folder or a host of another kind.

    Names, passwords and ports of the remote do not become part of an address.
    """
    host, path = _place(remote.strip())
    host, path = host.lower(), path.strip("/").removesuffix(".git")
    if host == "ssh.dev.azure.com" or host.endswith("vs-ssh.visualstudio.com"):
        host, path = _azure(path)
    kind = _kind(host)
    if not kind or not path or not re.fullmatch(r"[\w.-]+", host):
        return None
    return CodeHost(f"https://{host}/{quote(path, errors='replace')}", kind, prefix)


def find_code_host(root: Path) -> CodeHost | None:
    """Return the code host of a project: that of the remote origin, or of the only remote."""
    if not find_repository(root):
        return None
    remotes = git(root, "remote", check=False).split()
    name = "origin" if "origin" in remotes else remotes[0] if len(remotes) == 1 else ""
    address = git(root, "remote", "get-url", name, check=False) if name else ""
    return parse_remote(address, project_prefix(root))


def _place(remote: str) -> tuple[str, str]:
    """Return host and path of a remote; both empty for a folder."""
    if "://" not in remote:
        scp = _SCP.fullmatch(remote)
        return (scp["host"], scp["path"]) if scp else ("", "")
    try:
        parts = urlsplit(remote)
        known = parts.scheme in ("http", "https", "ssh", "git")
        return (parts.hostname or "", unquote(parts.path)) if known else ("", "")
    except ValueError:
        return "", ""


def _azure(path: str) -> tuple[str, str]:
    """Return host and path of the web address for an address of SSH: v3/company/project/name."""
    parts = path.split("/")
    if len(parts) != 4:
        return "", ""
    return "dev.azure.com", f"{parts[1]}/{parts[2]}/_git/{parts[3]}"


def _kind(host: str) -> str:
    """Return the kind of a host, the company's own included: gitlab.example.org."""
    if host == "dev.azure.com" or host.endswith(".visualstudio.com"):
        return "azure"
    names = host.split(".")
    return next((kind for kind in _PATTERNS if kind in names), "")
