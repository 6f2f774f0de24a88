"""Point the README's badges and the notebook for the cloud at this repository: `make badges`.

Standard library only. Where the repository is, Git knows: it is the remote `origin`.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
START = Path("notebooks/start.ipynb")
BEGIN, END = "<!-- badges -->", "<!-- end of badges -->"
COLAB = "https://colab.research.google.com"
BINDER = "https://mybinder.org"
# Binder's own names for hosts.
BINDER_HOSTS = {"github.com": "gh", "gitlab.com": "gl"}


def fail(sentence: str) -> NoReturn:
    """End with one sentence on standard error."""
    raise SystemExit(f"badges: {sentence}")


def git(*arguments: str) -> str:
    """Return what Git prints; nothing if it fails."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        fail("git was not found; install it, then run this again.")
    return done.stdout.strip() if done.returncode == 0 else ""


def public_address(remote: str) -> str:
    """Return the address that everybody can clone: HTTPS, and without a user or a token in it.

    Args:
        remote: as Git has it, such as `git@github.com:org/name.git`.
    """
    if "://" not in remote:
        remote = re.sub(r"^(?:[^@/]+@)?([\w.-]{2,}):(?!\\)", r"ssh://\1/", remote)
    found = re.match(
        r"(?:https?|ssh|git)://(?:[^@/]+@)?([^/:]+)(?::\d+)?/(.+?)(?:\.git)?/?$", remote
    )
    return f"https://{found[1]}/{found[2]}" if found else remote


def badges(address: str, branch: str) -> dict[str, str]:
    """Return the badge in Markdown of every service that can open a repository of this host.

    Args:
        address: the repository's HTTPS address.
        branch: what to open.
    """
    host, _, name = address.partition("://")[2].partition("/")
    at, start = quote(branch, safe=""), START.as_posix()
    made = {}
    if host == "github.com":
        made["Colab"] = (
            f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]"
            f"({COLAB}/github/{name}/blob/{quote(branch)}/{start})"
        )
    if host in BINDER_HOSTS:
        which = f"{BINDER_HOSTS[host]}/{name if host == 'github.com' else quote(name, safe='')}"
        made["Binder"] = (
            f"[![Open in Binder]({BINDER}/badge_logo.svg)]"
            f"({BINDER}/v2/{which}/{at}?urlpath=lab/tree/{start})"
        )
    if host == "github.com":
        made["Codespaces"] = (
            "[![Open in Codespaces](https://github.com/codespaces/badge.svg)]"
            f"(https://codespaces.new/{name}/tree/{quote(branch)})"
        )
    return made


def write_readme(text: str) -> None:
    """Put text between the two marks of the README."""
    readme = README.read_text(encoding="utf-8")
    if BEGIN not in readme or END not in readme.partition(BEGIN)[2]:
        fail(f"README.md has no lines {BEGIN} and {END}; write them where the badges belong.")
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8", newline="\n")


def write_notebook(address: str) -> None:
    """Put the repository's address into the first code cell of the notebook for the cloud."""
    path = ROOT / START
    if not path.exists():
        fail(f"{START} is missing; bring it back with: git checkout HEAD -- {START}")
    text = path.read_text(encoding="utf-8")
    line = json.dumps(f"REPOSITORY = {json.dumps(address)}")[1:-1]
    changed, count = re.subn(r'REPOSITORY = \\".*?\\"', lambda _: line, text, count=1)
    if not count:
        fail(f'{START} has no line REPOSITORY = ""; write it into its first code cell.')
    path.write_text(changed, encoding="utf-8", newline="\n")


def main() -> None:
    """Write badges and address, and say which services are left out."""
    remote = git("remote", "get-url", "origin")
    if not remote:
        fail("this repository has no remote yet; run: git remote add origin ADDRESS")
    address = public_address(remote)
    default = git("symbolic-ref", "--short", "refs/remotes/origin/HEAD").partition("/")[2]
    branch = default or git("symbolic-ref", "--short", "HEAD") or "main"
    made = badges(address, branch)
    write_notebook(address)
    print(f"badges: {START} clones {address}")
    if made:
        write_readme("\n".join(made.values()))
        print(f"badges: README.md opens branch {branch} in {', '.join(made)}; commit both")
    else:
        print(f"badges: no service opens {address} by a link, so README.md stays as it is")


if __name__ == "__main__":
    main()
