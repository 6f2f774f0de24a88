"""How much memory is available in a container."""

from __future__ import annotations

from pathlib import Path

from nb.processes.memory import left_in_groups


def group(folder: Path, limit: str, used: int, cached: int = 0, *, version: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current")
    names = names if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for name, value in zip(names, (limit, str(used)), strict=True):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


def test_the_tightest_limit_counts(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/pod/container\n")
    group(tmp_path / "pod", "1000", 400)
    group(tmp_path / "pod" / "container", "max", 300)
    assert min(left_in_groups(tmp_path, own)) == 600
    group(tmp_path / "pod" / "container", "500", 300, cached=100)
    assert min(left_in_groups(tmp_path, own)) == 300
    group(tmp_path / "pod" / "container", "200", 300)
    assert min(left_in_groups(tmp_path, own)) == 0


def test_the_first_version_of_control_groups(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("5:cpu:/x\n4:memory:/x\n")
    group(tmp_path / "memory" / "x", "1000", 400, version=1)
    assert min(left_in_groups(tmp_path, own)) == 600


def test_without_limits_there_are_none(tmp_path: Path) -> None:
    assert left_in_groups(tmp_path, tmp_path / "own") == []
    (tmp_path / "own").write_text("0::/x\n")
    group(tmp_path / "x", "max", 300)
    assert left_in_groups(tmp_path, tmp_path / "own") == []
