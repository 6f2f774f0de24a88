"""Available memory: of the machine, or of the container with its limit."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def available_memory() -> int:
    """Return how many bytes of memory new processes can have."""
    import psutil

    free = int(psutil.virtual_memory().available)
    return min([free, *left_in_groups()])


def left_in_groups(cgroups: Path = CGROUPS, own: Path = OWN) -> list[int]:
    """Return how many bytes each control group with a limit leaves; none but on Linux.

    Args:
        cgroups: where the groups are; any of those above this process may have a limit.
        own: the file that says in which of them this process is.
    """
    found: list[int] = []
    for root, path, limit, usage in _groups(cgroups, own):
        for folder in (path, *path.parents):
            if folder.is_relative_to(root):
                left = _left(folder, limit, usage)
                found += [left] if left is not None else []
    return found


def _groups(cgroups: Path, own: Path) -> list[tuple[Path, Path, str, str]]:
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []
    groups: list[tuple[Path, Path, str, str]] = []
    for _, controllers, name in lines:
        if not controllers:
            folder = cgroups / name.lstrip("/")
            groups.append((cgroups, folder, "memory.max", "memory.current"))
        elif "memory" in controllers.split(","):
            root = cgroups / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            groups.append((root, root / name.lstrip("/"), *names))
    return groups


def _left(folder: Path, limit: str, usage: str) -> int | None:
    """Return the bytes a group leaves; cached files count as free."""
    try:
        most = int((folder / limit).read_text(encoding="ascii"))  # "max": no limit
        used = int((folder / usage).read_text(encoding="ascii"))
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    numbers = dict(line.split()[:2] for line in lines)
    return max(0, most - used + int(numbers.get("inactive_file", 0)))
