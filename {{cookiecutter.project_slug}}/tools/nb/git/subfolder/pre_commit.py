"""pre-commit's configuration for a project in a folder of a larger repository.

pre-commit matches paths from the top of the work tree, and starts hooks there. A project's own
configuration is written as seen from the project, so that the same file serves in both places.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from nb.project import NbError, write_whole

HOOKS_CONFIG = ".pre-commit-config.yaml"
MOVED_CONFIG = Path(".nb/pre-commit.json")
# The languages whose `entry` is a command of the machine.
COMMANDS = ("system", "unsupported")
SCRIPTS = ("script", "unsupported_script")
# Flags that hold for a whole regular expression, an escaped character, a set of characters.
TOKENS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\^", re.S)


def pre_commit_config(root: Path, prefix: str) -> Path:
    """Return the configuration for the hooks of a project, relative to its root.

    Args:
        prefix: the path of the project in the repository, with a slash; empty at the top.

    Raises:
        NbError: if the project's configuration cannot be read.
    """
    if not prefix:
        return Path(HOOKS_CONFIG)
    try:
        config = YAML(typ="safe").load((root / HOOKS_CONFIG).read_text(encoding="utf-8"))
        moved = config_below(config, prefix)
    except (YAMLError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise NbError(f"{HOOKS_CONFIG} is not a configuration of pre-commit: {error}") from None
    write_whole(root / MOVED_CONFIG, json.dumps(moved, indent=2))
    return MOVED_CONFIG


def config_below(config: dict[str, Any], prefix: str) -> dict[str, object]:
    """Return a configuration of pre-commit whose hooks see only the files below a prefix."""
    moved = {**config, "files": pattern_below(config.get("files", ""), prefix)}
    if "exclude" in config:
        moved["exclude"] = pattern_below(config["exclude"], prefix)
    moved["repos"] = [
        {**repo, "hooks": [_hook_below(hook, repo["repo"], prefix) for hook in repo["hooks"]]}
        for repo in config["repos"]
    ]
    return moved


def _hook_below(hook: dict[str, Any], repo: str, prefix: str) -> dict[str, object]:
    moved = dict(hook)
    for key in ("files", "exclude"):
        if hook.get(key):
            moved[key] = pattern_below(hook[key], prefix)
    language = hook.get("language")
    if repo == "local" and language in (*COMMANDS, *SCRIPTS):
        command = hook["entry"] if language in COMMANDS else f"./{hook['entry']}"
        start = shlex.join(["sh", f"{prefix}tools/in-env", "--below", prefix])
        moved |= {"language": "system", "entry": f"{start} {command}"}
    return moved


def folder_slug(prefix: str) -> str:
    """Return the path of a project in its repository as a name for files, jobs and branches."""
    return re.sub(r"\W+", "-", prefix).strip("-")


def pattern_below(pattern: str, prefix: str) -> str:
    """Return a regular expression that finds in `prefix + name` what `pattern` finds in `name`."""
    flags = re.match(r"\(\?[aiLmsux]+\)", pattern)
    start = rf"\A{re.escape(prefix)}"

    def anchor(token: re.Match[str]) -> str:
        return f"(?<={start})" if token[0] in ("^", r"\A") else token[0]

    rest = TOKENS.sub(anchor, pattern[flags.end() if flags else 0 :])
    # The line break ends a comment of a verbose expression.
    end = "\n)" if flags and "x" in flags[0] else ")"
    return f"{flags[0] if flags else ''}{start}[\\s\\S]*?(?:{rest}{end}"
