"""`nb run`: DVC's semantics, side by side; clean ends; true records. On small pipelines."""

from __future__ import annotations

import json
import os
import pty
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import Project

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands of stages are for sh")
SLEEPER = "import subprocess\nsubprocess.Popen(['sleep', '601'])\nsubprocess.run(['sleep', '602'])"


@dataclass
class Pipeline(Project):
    """A project with a pipeline of scripts, in the environment of the shared project."""

    mark: str = ""

    def declare(self, **stages: dict[str, Any]) -> None:
        """Write dvc.yaml; JSON is YAML."""
        self.write("dvc.yaml", json.dumps({"stages": stages}, indent=1))

    def nb(self, *arguments: str, **options: Any) -> str:
        return self.run("nb", *arguments, **options)

    def states(self, *arguments: str, code: int = 0) -> dict[str, str]:
        """Run `nb run` and return the state of each stage, from the record."""
        self.nb("run", *arguments, code=code)
        return {stage["name"]: stage["state"] for stage in self.record()["stages"]}

    def record(self) -> dict[str, Any]:
        """Return the newest record."""
        newest = max((self.path / "reports" / "runs").glob("*.json"))
        content: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
        return content

    def stage(self, name: str) -> dict[str, Any]:
        (found,) = [stage for stage in self.record()["stages"] if stage["name"] == name]
        return dict(found)

    def is_settled(self) -> None:
        """DVC agrees: nothing is stale, and nothing runs."""
        assert "Data and pipelines are up to date" in self.run("dvc", "status")
        assert "Running stage" not in self.run("dvc", "repro")

    def begin(self, *command: str) -> subprocess.Popen[str]:
        """Start a command; `is_gone` tells whether a process of it is left."""
        path = f"{self.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            command,
            cwd=self.path,
            env={**os.environ, "PATH": path, "TERM": "dumb", "NB_TEST": self.mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def alive(self) -> list[str]:
        """Return the commands of the processes that a command of `begin` left."""
        return list(self.processes().values())

    def processes(self) -> dict[int, str]:
        """Return the processes of a command of `begin`, by id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"NB_TEST={self.mark}".encode() in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = command.decode(errors="replace")
            except OSError:
                continue
        return {pid: command for pid, command in found.items() if command}

    def wait_for(self, name: str, seconds: float = 30) -> None:
        """Wait until a file is there."""
        wait(lambda: self.has(name), seconds, f"{name} was not written")

    def is_gone(self) -> None:
        """No process is left, after five seconds at the latest."""
        wait(lambda: not self.alive(), 5, f"left: {self.alive()}")


def wait(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, problem
        time.sleep(0.02)


@pytest.fixture
def pipeline(ready: Project, tmp_path: Path) -> Iterator[Pipeline]:
    """An empty project that shares the environment of `ready`."""
    made = Pipeline(tmp_path / "project", mark=f"{os.getpid()}-{time.monotonic_ns()}")
    (made.path / "tools" / "nb").mkdir(parents=True)
    (made.path / ".dvc").mkdir()
    (made.path / ".venv").symlink_to(ready.path / ".venv")
    made.write("pyproject.toml", "")
    made.write(".dvcignore", ".venv\n")
    made.write(".dvc/config", "[core]\n analytics = false\n no_scm = true\n")
    yield made
    for process in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"NB_TEST={made.mark}".encode() in process.read_bytes():
                os.kill(int(process.parent.name), signal.SIGKILL)
        except OSError:
            continue


def step(command: str, *needs: str, out: str, **more: Any) -> dict[str, Any]:
    return {"cmd": command, "deps": list(needs), "outs": [out], **more}


def copy(out: str, *needs: str, before: str = "true") -> dict[str, Any]:
    """A stage that writes what it reads, and its own name."""
    return step(f"{before} && cat {' '.join(needs)} /dev/null > {out} && echo {out} >> {out}",
                *needs, out=out)  # fmt: skip


def meeting(name: str, count: int) -> str:
    """A command that succeeds only while as many stages as `count` run at the same time."""
    met = f"[ $(ls met | wc -l) -ge {count} ]"
    wait = f"for i in $(seq 600); do {met} && break; sleep 0.1; done"
    return f"mkdir -p met && touch met/{name} && {wait}; {met}"


def diamond() -> dict[str, dict[str, Any]]:
    return {
        "top": copy("top.txt", "in.txt"),
        "left": copy("left.txt", "top.txt"),
        "right": copy("right.txt", "top.txt"),
        "end": copy("end.txt", "left.txt", "right.txt"),
    }


# Side by side ------------------------------------------------------------------------------------


def test_stages_run_side_by_side(pipeline: Pipeline) -> None:
    pipeline.declare(**{name: copy(f"{name}.txt", before=meeting(name, 2)) for name in "ab"})
    assert set(pipeline.states("-j2").values()) == {"ran"}


def test_the_longest_way_to_the_end_comes_first(pipeline: Pipeline) -> None:
    stages = {f"s{n}": copy(f"s{n}.txt", before=f"echo {n} >> order") for n in range(3)}
    pipeline.declare(**stages, z=copy("z.txt", before="echo z >> order && sleep 1"))
    pipeline.nb("run", "-j1")
    (pipeline.path / "order").unlink()
    pipeline.nb("run", "-j1", "--force")
    assert pipeline.read("order").split()[0] == "z"


def test_no_more_stages_run_than_were_asked_for(pipeline: Pipeline) -> None:
    count = "mkdir running && sleep 0.2 && rmdir running"
    pipeline.declare(**{f"s{n}": copy(f"s{n}.txt", before=count) for n in range(4)})
    assert set(pipeline.states("-j1").values()) == {"ran"}
    assert "failed" in pipeline.states("-j3", "--force", code=1).values()


def test_what_needs_all_memory_runs_alone(pipeline: Pipeline) -> None:
    alone = copy("a", before="mkdir running && sleep 0.5 && rmdir running")
    beside = copy("b", before="test ! -e running")
    pipeline.declare(a={**alone, "meta": {"nb": {"memory": "900TB"}}}, b=beside, c=copy("c"))
    assert set(pipeline.states("-j3").values()) == {"ran"}
    pipeline.edit("dvc.yaml", "900TB", "lots")
    output = pipeline.nb("run", code=2)
    assert "dvc.yaml: stage a needs 'lots' of memory" in output


def test_cores_are_shared_out_among_stages(pipeline: Pipeline) -> None:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    show = f"printenv {' '.join(names)} > a; true"
    pipeline.declare(a=step(show, out="a"), b=step("echo > b", out="b"))
    each = max(1, (os.cpu_count() or 1) // 2)
    pipeline.nb("run", "-j2")
    assert pipeline.read("a").split() == [str(each)] * 2
    pipeline.nb("run", "-f", "-j2", OMP_NUM_THREADS="7")
    assert pipeline.read("a").split() == ["7"]
    pipeline.nb("run", "-f", "-j1")
    assert pipeline.read("a") == ""


# As DVC does it ----------------------------------------------------------------------------------


def test_a_diamond_is_what_dvc_makes_of_it(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    shutil.copytree(pipeline.path, tmp_path / "sequential", symlinks=True)
    sequential = Pipeline(tmp_path / "sequential")
    assert set(pipeline.states("-j4").values()) == {"ran"}
    sequential.run("dvc", "repro")
    assert pipeline.read("dvc.lock") == sequential.read("dvc.lock")
    pipeline.is_settled()
    assert set(pipeline.states().values()) == {"unchanged"}
    # The other way round.
    pipeline.write("in.txt", "2\n")
    pipeline.run("dvc", "repro")
    assert "Nothing to run" in pipeline.nb("run")


ODD_NAMES = ("null", "yes", "0123", "1e3", "über", "x" * 130)


def test_the_lock_file_has_the_bytes_of_dvc_repro(pipeline: Pipeline, tmp_path: Path) -> None:
    long = " ".join(f"--option-{n}='a: b # {n}'" for n in range(12))
    stages = {
        "long": {
            **step(f"true {long}\ncat p.yaml > long.txt", out="long.txt"),
            "params": [{"p.yaml": None}],
        },
        "odd": {
            "foreach": ["1.0", "on", "ü"],
            "do": step("echo ${item} > 'odd ${item}'", out="odd ${item}"),
        },
        **{name: copy(f"out{n}") for n, name in enumerate(ODD_NAMES)},
    }
    pipeline.declare(**stages)
    pipeline.write("p.yaml", "a: 1\nb: {c: [1, 'x: y', null]}\ne: |\n  two\n\n  lines\n")
    sequential = Pipeline(shutil.copytree(pipeline.path, tmp_path / "sequential", symlinks=True))

    def both_run() -> str:
        pipeline.nb("run", "-j1")
        sequential.run("dvc", "repro", "--quiet")
        assert pipeline.read("dvc.lock") == sequential.read("dvc.lock")
        return pipeline.read("dvc.lock")

    lock = both_run()
    # What others wrote into it, by hand or of another kind, is treated as DVC treats it.
    edited = lock.replace("stages:\n", "stages:\n# a remark\n") + "datasets: []\n"
    for n, text in enumerate(
        (edited, lock + "datasets: []\n", lock.replace("  über:", "  'über':"))
    ):
        for project in (pipeline, sequential):
            project.write("dvc.lock", text)
            project.write("p.yaml", f"a: {n}\n")
            project.declare(**stages | {"über": copy(f"new{n}")})
        both_run()


def test_the_record_of_a_run_without_work_has_the_metrics(pipeline: Pipeline) -> None:
    measured = step("echo '{\"score\": 0.5}' > m.json", out="rest")
    measured["cmd"] += " && touch rest"
    pipeline.declare(a={**measured, "metrics": ["m.json"]})
    pipeline.nb("run")
    first = pipeline.record()
    assert first["metrics"] == {"m.json": {"score": 0.5}}
    assert "Nothing to run" in pipeline.nb("run")
    again = pipeline.record()
    assert again["id"] != first["id"] and again["metrics"] == first["metrics"]


def test_what_comes_out_the_same_ends_the_work(pipeline: Pipeline) -> None:
    pipeline.declare(
        first=step("head -c1 in.txt > first.txt", "in.txt", out="first.txt"),
        second=copy("second.txt", "first.txt"),
    )
    pipeline.write("in.txt", "1 and")
    pipeline.nb("run")
    pipeline.write("in.txt", "1 or")
    assert pipeline.states() == {"first": "ran", "second": "unchanged"}
    pipeline.is_settled()


def test_force_target_and_downstream_choose_stages(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    assert set(pipeline.states("--force").values()) == {"ran"}
    assert pipeline.states("left", "--force") == {"top": "ran", "left": "ran"}
    assert pipeline.states("left", "--force", "--downstream") == {"left": "ran", "end": "ran"}
    pipeline.write("in.txt", "2\n")
    assert pipeline.states("right") == {"top": "ran", "right": "ran"}
    assert pipeline.states("left", "--downstream") == {"left": "ran", "end": "ran"}
    pipeline.is_settled()


def test_a_dry_run_says_why_and_runs_nothing(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    pipeline.write("in.txt", "2\n")
    shown = pipeline.nb("run", "--dry-run")
    assert "top    stale  in.txt changed" in shown
    assert "runs if the results of top change" in shown
    assert pipeline.read("top.txt") == "1\ntop.txt\n"
    states = json.loads(pipeline.nb("run", "--dry-run", "--json", "left"))
    assert [state["name"] for state in states] == ["top", "left"]
    assert len(list((pipeline.path / "reports" / "runs").iterdir())) == 1
    pipeline.nb("run")
    assert "Nothing would run" in pipeline.nb("run", "-n")
    assert pipeline.nb("run", "-n", "-f").count("forced") == 4


def test_a_frozen_stage_stays_as_it_is(pipeline: Pipeline) -> None:
    stages = diamond()
    pipeline.declare(**stages)
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    pipeline.run("dvc", "freeze", "left")
    pipeline.write("in.txt", "2\n")
    states = pipeline.states("-j4")
    assert states == {"top": "ran", "left": "unchanged", "right": "ran", "end": "ran"}
    assert pipeline.read("left.txt").startswith("1")


def test_status_names_the_commands_that_bring_stages_up_to_date(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    (pipeline.path / "sub").mkdir()
    sub = {"apart": copy("apart.txt", "../top.txt")}
    pipeline.write("sub/dvc.yaml", json.dumps({"stages": sub}))
    said = pipeline.nb("status").splitlines()
    assert said[-1] == "stale: 1 of 5 stages; bring them up to date: nb run sub/dvc.yaml"
    pipeline.run("dvc", "freeze", "left")
    pipeline.write("in.txt", "2\n")
    said = pipeline.nb("status").splitlines()
    wanted = "stale: 2 of 5 stages; bring them up to date: nb run && nb run sub/dvc.yaml"
    assert said[-1] == wanted
    assert [line.split() for line in said if line.startswith("left")] == [["left", "fresh"]]
    for command in wanted.partition(": nb")[2].replace("nb ", "").split(" && "):
        pipeline.nb(*command.split())
    assert pipeline.nb("status").endswith("\nNothing to run.\n")
    pipeline.is_settled()
    pipeline.write("left.txt", "by hand\n")
    *_, before, last = pipeline.nb("status").splitlines()
    assert before == "stale: 1 of 5 stages"
    assert last == "left is frozen, nb run leaves it as it is: dvc unfreeze left"


def test_a_pipeline_without_notebooks_has_an_index_and_is_settled(pipeline: Pipeline) -> None:
    for name in ("notebooks/production", "src"):
        (pipeline.path / name).mkdir(parents=True, exist_ok=True)
    pipeline.write("notebooks/production/README.md", "none yet\n")
    fingerprints = {
        "cmd": "nb fingerprint",
        "wdir": "..",
        "deps": ["notebooks/production", "src"],
        "outs": [{".nb/fingerprints": {"cache": False, "persist": True}}],
    }
    pipeline.write("notebooks/dvc.yaml", json.dumps({"stages": {"fingerprints": fingerprints}}))
    pipeline.declare(top=copy("top.txt", "in.txt"))
    pipeline.write("in.txt", "1\n")
    for arguments in ((), ("--force",), ()):
        output = pipeline.nb("run", *arguments)
        assert "Report: reports/site/index.html" in output
        assert "--force" not in output
        assert "Data and pipelines are up to date" in pipeline.run("dvc", "status")
        assert [stage["name"] for stage in pipeline.record()["stages"]] == ["top"]


def test_a_callback_stage_runs_each_time(pipeline: Pipeline) -> None:
    pipeline.declare(
        now=step("echo once more >> log && echo 1 > now", out="now", always_changed=True),
        bare={"cmd": "echo bare >> log"},
        after=copy("after.txt", "now"),
    )
    pipeline.nb("run")
    assert pipeline.states() == {"now": "ran", "bare": "ran", "after": "unchanged"}
    assert sorted(pipeline.read("log").splitlines()) == ["bare"] * 2 + ["once more"] * 2


def test_a_matrix_runs_as_a_whole_or_in_parts(pipeline: Pipeline) -> None:
    pipeline.declare(
        train={
            "matrix": {"model": ["big", "small"]},
            "cmd": "echo ${item.model} > ${item.model}.txt",
            "outs": ["${item.model}.txt"],
        },
        other=copy("other.txt"),
    )
    assert pipeline.states("train@big") == {"train@big": "ran"}
    assert pipeline.states("train") == {"train@big": "unchanged", "train@small": "ran"}


def test_the_run_cache_restores_what_was_run_before(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    for content in ("1\n", "2\n"):
        pipeline.write("in.txt", content)
        pipeline.nb("run")
    pipeline.write("in.txt", "1\n")
    assert set(pipeline.states("-j2").values()) == {"restored"}
    assert pipeline.read("end.txt").startswith("1")
    (pipeline.path / "end.txt").unlink()
    assert pipeline.states()["end"] == "restored"
    pipeline.is_settled()


def test_tracked_data_is_an_input_like_any_other(pipeline: Pipeline) -> None:
    pipeline.declare(use=copy("use.txt", "raw.txt"))
    pipeline.write("raw.txt", "1\n")
    pipeline.run("dvc", "add", "raw.txt")
    assert pipeline.states() == {"use": "ran"}
    assert "Nothing to run: the stage is unchanged." in pipeline.nb("run")
    (pipeline.path / "raw.txt").write_text("2\n")
    assert pipeline.states() == {"raw.txt.dvc": "ran", "use": "ran"}
    pipeline.is_settled()


def test_missing_data_is_pulled_on_request(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.nb("run")
    pipeline.run("dvc", "push", "--run-cache")
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    (pipeline.path / "end.txt").unlink()
    assert "ran" not in pipeline.states("--pull").values()
    assert pipeline.read("end.txt").startswith("1")


def entries(pipeline: Pipeline) -> list[Path]:
    """Return the entries of the run cache."""
    runs = pipeline.path / ".dvc" / "cache" / "runs"
    return [path for path in runs.rglob("*") if path.is_file()]


def with_storage(pipeline: Pipeline, tmp_path: Path) -> Path:
    """Run a diamond in a project with a folder as its storage; return the folder."""
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.nb("run")
    return tmp_path / "store"


def test_a_push_of_what_is_nowhere_fails_and_says_so(pipeline: Pipeline, tmp_path: Path) -> None:
    store = with_storage(pipeline, tmp_path)
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    (line,) = pipeline.nb("push", code=1).splitlines()
    said = "sent 0 files; 4 files of dvc.lock are neither here nor in the storage: nb run here"
    assert line.startswith(f"nb: {said}")
    pipeline.nb("run", "--force", "top")
    line = pipeline.nb("push", code=1).splitlines()[-1]
    assert line.startswith("nb: sent 2 files; 3 files of dvc.lock are neither here")
    pipeline.nb("run")
    assert "Sent " in pipeline.nb("push")
    assert "Everything is in the storage already." in pipeline.nb("push")
    assert store.is_dir()


def test_a_folder_that_is_nowhere_is_missed_by_a_push(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.declare(top=step("mkdir -p out && echo 1 > out/a", out="out"))
    pipeline.nb("run")
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    assert "1 file of dvc.lock is neither here" in pipeline.nb("push", code=1)


def test_torn_entries_of_the_storage_come_to_nobody_and_a_push_mends_them(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    store = with_storage(pipeline, tmp_path)
    pipeline.nb("push")
    shared = [path for path in store.rglob("*") if "runs" in path.parts and path.is_file()]
    assert len(shared) == 4
    shared[0].write_text("cmd: half\n")
    shared[0].with_name(".draft.tmp").write_text("cmd: half\n")
    kept = tmp_path / "kept"
    (pipeline.path / ".dvc" / "cache").rename(kept)
    told = "left out entries of the storage's run cache that are torn or were changed: 1"
    assert told in pipeline.nb("pull")
    assert len(entries(pipeline)) == 3
    assert told in pipeline.nb("run", "--pull")
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    kept.rename(pipeline.path / ".dvc" / "cache")
    assert "Sent 1 files." in pipeline.nb("push")
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    assert told not in pipeline.nb("pull")
    assert len(entries(pipeline)) == 4


def test_a_stage_whose_data_is_nowhere_runs_and_is_said_to_have_run(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    pipeline.nb("run")
    shutil.rmtree(pipeline.path / ".dvc" / "cache")
    (pipeline.path / "end.txt").unlink()
    assert pipeline.states("--pull")["end"] == "ran"


def tear(path: Path) -> None:
    path.write_text(path.read_text().partition("deps:")[0])


def tear_anywhere(path: Path) -> None:
    path.write_text(path.read_text()[:-30])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def name_another_object(path: Path) -> None:
    """Have the entry of `top` name an object of another stage, which is in the cache."""
    text = path.read_text()
    other = path.parents[3] / "files" / "md5"
    objects = ["".join(found.parts[-2:]) for found in other.rglob("*") if found.is_file()]
    ours = text.rpartition("md5: ")[2].split()[0]
    path.write_text(text.replace(ours, next(found for found in objects if found not in text)))


@pytest.mark.parametrize("spoil", [tear, tear_anywhere, empty, name_another_object])
def test_only_sound_entries_of_the_run_cache_are_used(
    pipeline: Pipeline, spoil: Callable[[Path], None]
) -> None:
    pipeline.declare(top=copy("top.txt", "in.txt"), other=copy("other.txt"))
    for content in ("1\n", "2\n"):
        pipeline.write("in.txt", content)
        pipeline.nb("run")
    for path in entries(pipeline):
        if "top.txt" in path.read_text():
            spoil(path)
    draft = entries(pipeline)[0].with_name(".draft.tmp")
    draft.write_text("cmd: x\n")  # as a killed process leaves it
    pipeline.write("in.txt", "1\n")
    said = pipeline.nb("run", "top")
    assert "an entry of the run cache that is torn or was changed" in said
    assert pipeline.read("top.txt") == "1\ntop.txt\n"
    pipeline.write("in.txt", "3\n")
    pipeline.nb("run", "top")
    pipeline.write("in.txt", "1\n")
    assert pipeline.states("top") == {"top": "restored"}  # the sound entry that the run wrote
    assert draft.exists()


def test_an_entry_in_the_folder_of_another_stage_is_not_used(pipeline: Pipeline) -> None:
    pipeline.declare(top=copy("top.txt", "in.txt"), other=copy("other.txt", "in.txt"))
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    (top,) = [path for path in entries(pipeline) if "top.txt" in path.read_text()]
    (other,) = [path for path in entries(pipeline) if path != top]
    top.replace(other.with_name(top.name))
    other.unlink()
    shutil.copy(pipeline.path / "dvc.lock", pipeline.path / "kept")
    (pipeline.path / "dvc.lock").unlink()
    assert pipeline.states("other") == {"other": "ran"}
    assert pipeline.read("other.txt") == "1\nother.txt\n"


def test_parameters_of_any_name_tell_results_apart(pipeline: Pipeline) -> None:
    """DVC leaves `size` and `nfiles` out of the hash of an entry, those of parameters too."""
    command = "grep size params.yaml > top.txt"
    pipeline.declare(top=step(command, out="top.txt", params=["size", "deep.nfiles"]))
    for size in (1, 2, 1):
        pipeline.write("params.yaml", f"size: {size}\ndeep: {{nfiles: 1}}\n")
        pipeline.nb("run")
        assert pipeline.read("top.txt") == f"size: {size}\n"
    assert pipeline.stage("top")["state"] == "restored"


# Nothing to do -----------------------------------------------------------------------------------


WITHOUT_DVC = """
import sys

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "dvc":
            raise ImportError("DVC was imported")

sys.meta_path.insert(0, Finder)
"""


def without_dvc(pipeline: Pipeline, *arguments: str, code: int | None = 0) -> str:
    """Run nb where DVC cannot be imported."""
    broken = pipeline.path.parent / "broken"
    broken.mkdir(exist_ok=True)
    (broken / "sitecustomize.py").write_text(WITHOUT_DVC)
    return pipeline.nb(*arguments, code=code, PYTHONPATH=str(broken))


def test_nothing_to_do_is_known_without_dvc(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    pipeline.nb("run")
    known = without_dvc(pipeline, "run")
    assert known.startswith("Nothing to run: 4 stages are unchanged.")
    assert {stage["state"] for stage in pipeline.record()["stages"]} == {"unchanged"}
    assert "Nothing would run" in without_dvc(pipeline, "run", "--dry-run")
    shown = without_dvc(pipeline, "status")
    (pipeline.path / ".nb" / "stamp.json").unlink()
    assert shown == pipeline.nb("status")
    assert known == pipeline.nb("run")
    # What DVC has to be asked for.
    for arguments in (["--force"], ["end"], ["--downstream", "left"]):
        assert "DVC was imported" in without_dvc(pipeline, "run", *arguments, code=None)


def test_a_run_that_ran_stages_leaves_nothing_to_ask_dvc(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    for content in "123":  # without dvc.lock, with one, with one that changes in places
        pipeline.write("in.txt", content)
        pipeline.nb("run")
        assert "Nothing to run" in without_dvc(pipeline, "run")


def test_another_lock_during_a_run_is_noticed(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a", "in.txt"), b=copy("b", before="touch began && sleep 2"))
    pipeline.write("in.txt", "1\n")
    running = pipeline.begin("nb", "run", "-j2")
    pipeline.wait_for("began")
    pipeline.wait_for("dvc.lock")
    pipeline.edit("dvc.lock", "md5: b0", "md5: 00")  # as `git switch` would bring another one
    assert running.wait() == 0
    assert not pipeline.has(".nb/stamp.json")
    assert "Nothing" not in pipeline.nb("run", "-n")


TOUCHES: dict[str, Callable[[Pipeline], object]] = {
    "an input": lambda p: p.write("in.txt", "2\n"),
    "an output": lambda p: p.write("left.txt", "2\n"),
    "an output that went": lambda p: (p.path / "end.txt").unlink(),
    "the declaration": lambda p: p.edit("dvc.yaml", "echo left", "echo LEFT"),
    "the lock": lambda p: (p.path / "dvc.lock").unlink(),
    "the cache": lambda p: shutil.rmtree(p.path / ".dvc" / "cache"),
    "a parameter": lambda p: p.write("params.yaml", "seed: 2\n"),
    "a variable": lambda p: p.write("variables.yaml", "word: other\n"),
    "tracked data": lambda p: p.write("raw.txt", "2\n"),
    "a file in a folder": lambda p: p.write("folder/deep/b.txt", "2\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_whatever_dvc_runs_for_is_noticed(
    pipeline: Pipeline, touch: Callable[[Pipeline], object]
) -> None:
    everything(pipeline)
    pipeline.nb("run")
    assert "Nothing would run" in without_dvc(pipeline, "run", "-n")
    touch(pipeline)
    seen = pipeline.nb("run", "-n")
    (pipeline.path / ".nb" / "stamp.json").unlink()
    assert seen == pipeline.nb("run", "-n") != "Nothing would run.\n"


def everything(pipeline: Pipeline) -> None:
    """Declare a pipeline that reads what a pipeline can read, next to where DVC is not."""
    (pipeline.path / "folder" / "deep").mkdir(parents=True)
    pipeline.write("folder/deep/b.txt", "1\n")
    pipeline.write("in.txt", "1\n")
    pipeline.write("raw.txt", "1\n")
    pipeline.write("params.yaml", "seed: 1\n")
    pipeline.write("variables.yaml", "word: one\n")
    pipeline.run("dvc", "add", "raw.txt")
    stages = diamond()
    stages["left"]["params"] = ["seed"]
    stages["right"]["cmd"] += " && echo ${word}"
    stages["raw"] = copy("of-raw.txt", "raw.txt")
    stages["folder"] = step("cat folder/deep/* > of-folder.txt", "folder", out="of-folder.txt")
    content = {"vars": ["variables.yaml"], "stages": stages}
    pipeline.write("dvc.yaml", json.dumps(content, indent=1))


def test_all_that_a_pipeline_reads_and_writes_is_watched(pipeline: Pipeline) -> None:
    everything(pipeline)
    pipeline.nb("run")
    content = json.loads(pipeline.read(".nb/stamp.json"))
    watched = {os.path.relpath(path, pipeline.path) for path in content["paths"]}
    assert watched >= {"dvc.yaml", "dvc.lock", "raw.txt", "raw.txt.dvc", "in.txt", "folder"}
    assert watched >= {"params.yaml", "variables.yaml", ".dvc/config", ".dvc/config.local"}
    assert watched >= {"top.txt", "left.txt", "right.txt", "end.txt", "of-raw.txt"}
    pipeline.write("variables.yaml", "word: other\n")
    assert "right  stale  its command in dvc.yaml changed" in pipeline.nb("run", "-n")


def test_a_stage_that_dvc_always_runs_always_runs(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a"), now={"cmd": "echo once more >> log"})
    pipeline.nb("run")
    pipeline.nb("run")
    assert pipeline.read("log") == "once more\n" * 2


def test_what_was_edited_during_a_run_is_run_again(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a", "in.txt"), b=copy("b", before="touch began && sleep 1"))
    pipeline.write("in.txt", "1\n")
    running = pipeline.begin("nb", "run", "-j2")
    pipeline.wait_for("a")
    pipeline.wait_for("began")
    time.sleep(0.5)
    pipeline.write("in.txt", "2\n")
    assert running.wait(timeout=30) == 0
    assert pipeline.states() == {"a": "ran", "b": "unchanged"}


def test_a_report_that_went_is_made_again(pipeline: Pipeline) -> None:
    pipeline.declare(a=notebook(pipeline, "print('hello')"))
    pipeline.nb("run")
    (pipeline.path / "reports" / "site" / "index.html").unlink()
    assert "Report: reports/site/index.html" in pipeline.nb("run")
    assert pipeline.has("reports/site/index.html")


@pytest.mark.slow
def test_an_output_of_ten_thousand_files(pipeline: Pipeline) -> None:
    command = "mkdir many && cd many && seq 10000 | split -l1 -a4"
    pipeline.declare(many=step(command, out="many"), count=copy("n", before="ls many | wc -l"))
    pipeline.nb("run")
    assert "Nothing to run: 2 stages" in without_dvc(pipeline, "run")
    (pipeline.path / "many" / "xaaaa").write_text("other")
    assert "many is not what the last run wrote" in pipeline.nb("run", "-n")
    assert pipeline.states()["many"] == "ran"
    pipeline.is_settled()


# Failures ----------------------------------------------------------------------------------------


def broken_diamond(pipeline: Pipeline, command: str = "exit 3") -> None:
    stages = diamond()
    stages["left"]["cmd"] = command
    stages["alone"] = copy("alone.txt", before="sleep 0.5")
    stages["later"] = copy("later.txt", "alone.txt")
    pipeline.declare(**stages)
    pipeline.write("in.txt", "1\n")


def test_after_a_failure_what_runs_ends_and_nothing_starts(pipeline: Pipeline) -> None:
    broken_diamond(pipeline)
    output = pipeline.nb("run", "-j2", code=1)
    assert pipeline.stage("left")["cause"] == "its command exited with 3"
    assert pipeline.stage("alone")["state"] == "ran"
    assert pipeline.stage("later")["state"] == "not run"
    assert pipeline.stage("end")["cause"] == "left failed"
    assert "left · its command exited with 3" in output
    assert "nb: a stage failed" in output.splitlines()[-1]
    assert "Traceback" not in output


def test_keep_going_runs_what_does_not_depend_on_a_failure(pipeline: Pipeline) -> None:
    broken_diamond(pipeline)
    states = pipeline.states("-j2", "--keep-going", code=1)
    assert states.pop("left") == "failed"
    assert states.pop("end") == "not run"
    assert set(states.values()) == {"ran"}
    broken_diamond(pipeline, "cat top.txt > left.txt")
    assert pipeline.states()["end"] == "ran"
    pipeline.is_settled()


@pytest.mark.parametrize(
    ("first", "later", "code"), [("3", "2", 1), ("2", "3", 2), ("9", "3", 137)]
)
def test_the_exit_code_is_that_of_the_first_failure(
    pipeline: Pipeline, first: str, later: str, code: int
) -> None:
    wrong_use = notebook(pipeline, "x")["cmd"] + " --no-such-option"
    commands = {"2": wrong_use, "3": "exit 3", "9": "kill -9 $$"}
    failed = "grep -qE 'state.: .(failed|killed)' reports/runs/*.json"
    until_one_has_failed = f"for i in $(seq 600); do {failed} && break; sleep 0.1; done"
    pipeline.declare(
        first=step(commands[first], out="first.txt"),
        between=copy("between.txt", before=until_one_has_failed),
        later=step(commands[later], "between.txt", out="later.txt"),
    )
    states = pipeline.states("-j2", "--keep-going", code=code)
    assert states.pop("between") == "ran"
    assert len(states) == 2
    assert "ran" not in states.values()


def test_a_stage_of_the_machinery_shows_up_when_it_fails(pipeline: Pipeline) -> None:
    pipeline.declare(a=notebook(pipeline, "x"))
    broken = {"cmd": "echo why it broke && exit 3", "always_changed": True}
    pipeline.write("notebooks/dvc.yaml", json.dumps({"stages": {"fingerprints": broken}}))
    output = pipeline.nb("run", code=1)
    assert "why it broke" in output
    assert "notebooks/dvc.yaml:fingerprints · its command exited with 3" in output
    assert pipeline.stage("notebooks/dvc.yaml:fingerprints")["state"] == "failed"


def test_an_error_is_told_in_one_line(pipeline: Pipeline) -> None:
    broken_diamond(pipeline, "python -c 'print(nothing)'")
    output = pipeline.nb("run", code=1)
    assert "left · NameError: name 'nothing' is not defined" in output
    assert "left  | NameError: name 'nothing'" in output  # the traceback itself is the stage's


def notebook(pipeline: Pipeline, *cells: str, name: str = "10-a") -> dict[str, Any]:
    """Write a production notebook and return its stage."""
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    made.insert(0, nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]}))
    made.insert(0, nbformat.v4.new_markdown_cell("# A title"))
    for folder in ("reports/notebooks", "notebooks/production"):
        (pipeline.path / folder).mkdir(parents=True, exist_ok=True)
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": ""}}
    content = nbformat.v4.new_notebook(cells=made, metadata=kernel)
    source, copy = f"notebooks/production/{name}.ipynb", f"reports/notebooks/{name}.ipynb"
    nbformat.write(content, pipeline.path / source)
    command = f"papermill {source} {copy} --engine nb -k python3 -p x 2"
    return {"cmd": command, "deps": [source]}


def test_a_failing_cell_is_named(pipeline: Pipeline) -> None:
    pipeline.declare(a=notebook(pipeline, "print('hello', x)", "y = 1\nmissing + 1", "z = 1"))
    output = pipeline.nb("run", code=1)
    assert "a · 10-a · code cell 3 · NameError: name 'missing' is not defined" in output
    assert "reports/notebooks/10-a.ipynb" in output
    assert "a | hello 2" in output
    assert "cell/s" not in output and "\r" not in output
    assert (pipeline.stage("a")["cell"], pipeline.stage("a")["state"]) == (3, "failed")


def test_a_dead_kernel_is_not_a_failed_cell(pipeline: Pipeline) -> None:
    pipeline.declare(a=notebook(pipeline, "import os\nos.kill(os.getpid(), 9)"))
    pipeline.nb("run", code=137)
    assert pipeline.stage("a")["state"] in ("killed", "out of memory")


def test_no_memory_is_told_from_a_failure(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("ulimit -v 500000; python -c 'x = bytes(10**9)' > a", out="a"))
    assert pipeline.states(code=137) == {"a": "out of memory"}


def test_a_kernel_that_allocates_up_to_its_limit_is_out_of_memory(pipeline: Pipeline) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))"
    pipeline.declare(
        a=notebook(pipeline, limit, "held = []\nwhile True: held.append(bytes(2**26))")
    )
    output = pipeline.nb("run", code=137)
    assert "a · 10-a · code cell 3 · MemoryError" in output
    assert pipeline.stage("a")["state"] == "out of memory"


def test_a_refused_command_of_a_notebook_is_wrong_usage(pipeline: Pipeline) -> None:
    stage = notebook(pipeline, "x")
    pipeline.declare(a={**stage, "cmd": f"{stage['cmd']} --no-such-option"})
    pipeline.nb("run", code=2)
    pipeline.declare(a={**stage, "cmd": f"{stage['cmd']} && exit 2"})
    pipeline.nb("run", code=1)


WRONG_VALUES = {
    "x: 1\nxx: 2\n": "config/a.yaml: unknown parameter xx; did you mean x?",
    "x: one\n": 'config/a.yaml: parameter x: given "one", expected int',
    "x:\t2\n": "config/a.yaml cannot be read: line 1: found character '\\t'",
    "just text\n": "config/a.yaml holds no",
}


def test_wrong_parameters_are_refused_before_anything_is_removed(pipeline: Pipeline) -> None:
    (pipeline.path / "config").mkdir(exist_ok=True)
    pipeline.write("config/a.yaml", "x: 1\n")
    stage = notebook(pipeline, "open('a.txt', 'w').write(f'{x}')")
    command = stage["cmd"].replace("-p x 2", "-f config/a.yaml")
    params = [{"config/a.yaml": None}]
    pipeline.declare(a={**stage, "cmd": command, "params": params, "outs": ["a.txt"]})
    pipeline.nb("run")
    for text, says in WRONG_VALUES.items():
        pipeline.write("config/a.yaml", text)
        (line,) = pipeline.nb("run", code=2).splitlines()
        assert line.startswith(f"nb: {says}")
        assert pipeline.read("a.txt") == "1"
    assert "config/a.yaml holds no" in pipeline.nb("status", code=2)


WRONG_DECLARATIONS = {
    "stages:\n  a: !!bool x\n": 'dvc.yaml is not valid YAML: line 2: "x" is no !!bool',
    "stages:\n  a: !!timestamp x\n": 'dvc.yaml is not valid YAML: line 2: "x" is no !!timestamp',
    f"a: {'9' * 5_000}\n": 'dvc.yaml is not valid YAML: line 1: "999',
    "stages:\n\ta: 1\n": "dvc.yaml is not valid YAML: line 2: found",
    "stages:\n  a:\n    cmd: echo\n    params:\n    - b.yaml: 5\n": "DVC: stage a: Expected list",
    "stages:\n  a:\n    matrix: {b: ['']}\n    cmd: echo\n": "DVC: stage a@: AssertionError; dvc",
    "stages: {a: {cmd: x}, a: {cmd: y}}\n": "dvc.yaml, line 1: a is given twice",
}


def test_a_declaration_that_is_no_yaml_is_refused_with_the_line(pipeline: Pipeline) -> None:
    for text, says in WRONG_DECLARATIONS.items():
        pipeline.write("dvc.yaml", text)
        (line,) = pipeline.nb("stages", code=2).splitlines()
        assert line.startswith(f"nb: {says}")


@pytest.mark.parametrize(
    "entry",
    [
        '"../precious.csv"',
        '"data/../../precious.csv"',
        '{"../precious.csv": {"cache": false}}',
        '{"../precious.csv": {"persist": true}}',
        '"ABSOLUTE/precious.csv"',
        '"linked/precious.csv"',
        '"src"',
        '{"src/": {"cache": false}}',
    ],
)
def test_no_output_outside_the_project_is_touched(pipeline: Pipeline, entry: str) -> None:
    outside = pipeline.path.parent
    (pipeline.path / "src").mkdir(exist_ok=True)
    (pipeline.path / "linked").symlink_to(outside)
    precious = [outside / "precious.csv", pipeline.path / "src" / "module.py"]
    for path in precious:
        path.write_text("mine\n")
    pipeline.write("in.txt", "1\n")
    entry = entry.replace("ABSOLUTE", outside.as_posix())
    pipeline.write(
        "dvc.yaml",
        f'{{"stages": {{"a": {{"cmd": "echo hi", "deps": ["in.txt"], "outs": [{entry}]}}}}}}',
    )
    for command in (["run", "-n"], ["run"], ["run", "-f"], ["status"], ["task", "a"]):
        (line,) = pipeline.nb(*command, code=2).splitlines()
        assert line.startswith("nb: dvc.yaml: stage a declares the output ")
        assert "nothing was run or removed" in line
    assert "NB107" in pipeline.nb("check", code=1)
    assert [path.read_text() for path in precious] == ["mine\n"] * 2


def test_outputs_of_every_value_are_looked_at_where_they_are(pipeline: Pipeline) -> None:
    each = {"wdir": "sub", "cmd": "echo ${item}", "outs": ["../../${item}"]}
    (pipeline.path / "sub").mkdir()
    pipeline.declare(a={"foreach": ["precious.csv"], "do": each})
    assert "stage a@precious.csv declares the output" in pipeline.nb("run", code=2)


def test_a_file_of_parameters_that_a_stage_makes_is_judged_when_it_is_made(
    pipeline: Pipeline,
) -> None:
    stage = notebook(pipeline, "x")
    command = stage["cmd"].replace("-p x 2", "-f made.yaml")
    use = {"cmd": command, "deps": [*stage["deps"], "made.yaml"]}
    for value, code in (("one", 2), ("1", 0)):
        pipeline.declare(make=step(f"echo 'x: {value}' > made.yaml", out="made.yaml"), use=use)
        pipeline.nb("run", code=code)
    assert pipeline.stage("use")["state"] == "ran"


def test_a_prompt_in_the_environment_keeps_no_stage_from_being_forked(pipeline: Pipeline) -> None:
    # As an activated environment exports it; a shell that is not interactive drops it.
    pipeline.declare(a=notebook(pipeline, "x"))
    assert "anew" not in pipeline.nb("run", PS1="> ", SHELL=str(shutil.which("bash")))


def test_a_missing_notebook_is_named(pipeline: Pipeline) -> None:
    stage = notebook(pipeline, "x")
    pipeline.declare(a={**stage, "deps": [".nb/fingerprints/10-a.txt"]})
    assert "it has not been run yet" in pipeline.nb("status")
    pipeline.nb("run")
    (pipeline.path / "notebooks/production/10-a.ipynb").unlink()
    says = "notebooks/production/10-a.ipynb is missing"
    (pipeline.path / ".nb/fingerprints/10-a.txt").unlink()
    assert f"a · 10-a · {says}" in pipeline.nb("run", code=1)
    assert says in pipeline.nb("status")


def test_a_stage_that_takes_too_long_is_ended(pipeline: Pipeline) -> None:
    pipeline.declare(slow=step("sleep 60; echo > slow", out="slow"), quick=copy("quick.txt"))
    output = pipeline.nb("run", "-j2", "--timeout", "1.5", code=124)
    assert not pipeline.has("slow")  # its command did not get to the end
    assert "slow · ran longer than 1.5 s" in output
    assert pipeline.stage("slow")["state"] == "timed out"
    assert pipeline.stage("quick")["state"] == "ran"


def test_a_notebook_that_takes_too_long_tells_at_which_cell(pipeline: Pipeline) -> None:
    pipeline.declare(a=notebook(pipeline, "import time", "time.sleep(60)"))
    output = pipeline.nb("run", "--timeout", "4", code=124)
    assert "code cell 3 · ran longer than 4 s" in output
    assert pipeline.stage("a")["cell"] == 3


MISTAKES = {
    "circular": (
        {n: step("true", f"{m}.txt", out=f"{n}.txt") for n, m in ("ab", "bc", "ca")},
        "both a dependency and an output in stages: ",
    ),
    "same output": ({"a": copy("a.txt"), "b": copy("a.txt")}, "a.txt"),
    "broken": ("stages: [", "dvc.yaml"),
    "wrong": ({"a": {"comand": "x"}}, "dvc.yaml"),
}


@pytest.mark.parametrize("content, says", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_pipeline_is_one_line(pipeline: Pipeline, content: Any, says: str) -> None:
    if isinstance(content, dict):
        pipeline.declare(**content)
    else:
        pipeline.write("dvc.yaml", content)
    output = pipeline.nb("run", code=2)
    assert says in output
    assert len(output.splitlines()) == 1


def test_a_misspelt_stage_is_one_line(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    output = pipeline.nb("run", "rigth", code=2)
    assert output == "nb: there is no stage rigth; did you mean right?\n"


# Ends --------------------------------------------------------------------------------------------


def stubborn(out: str) -> dict[str, Any]:
    """A stage with a detached process and one that heeds no signal but the last."""
    command = (
        f"trap '' INT TERM HUP; (setsid sleep 603 &); (touch {out}.began; sleep 604); echo > {out}"
    )
    return step(command, out=out)


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_good_order(pipeline: Pipeline, number: int, code: int) -> None:
    work = "trap 'echo tidied > tidied; exit 1' INT; touch began; sleep 60 & wait; echo > a"
    pipeline.declare(a=step(work, out="a"), b=copy("b.txt", "a"))
    process = pipeline.begin("nb", "run", "-j2")
    pipeline.wait_for("began")
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == code
    pipeline.is_gone()
    assert "Traceback" not in output
    assert pipeline.has("tidied")
    assert pipeline.record()["state"] == "interrupted"
    assert (pipeline.stage("a")["state"], pipeline.stage("a")["cause"]) == ("killed", "interrupted")
    assert pipeline.stage("b")["state"] == "not run"
    pipeline.declare(a=step("echo > a", out="a"), b=copy("b.txt", "a"))
    assert set(pipeline.states().values()) == {"ran"}
    pipeline.is_settled()


def test_a_second_interrupt_kills(pipeline: Pipeline) -> None:
    pipeline.declare(a=stubborn("a"))
    process = pipeline.begin("nb", "run")
    pipeline.wait_for("a.began")
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    pipeline.is_gone()
    assert not pipeline.has("a")


def test_a_killed_runner_leaves_no_process_and_a_true_record(pipeline: Pipeline) -> None:
    pipeline.declare(a=stubborn("a"), b=stubborn("b"), c=copy("c.txt", "a", "b"))
    process = pipeline.begin("nb", "run", "-j2")
    pipeline.wait_for("a.began")
    pipeline.wait_for("b.began")
    process.kill()
    process.wait()
    pipeline.is_gone()
    assert pipeline.record()["state"] == "running"
    dead = pipeline.record()["id"]
    pipeline.declare(a=step("echo > a", out="a"), b=copy("b"), c=copy("c.txt", "a", "b"))
    assert set(pipeline.states().values()) == {"ran"}
    pipeline.is_settled()
    record = json.loads(pipeline.read(f"reports/runs/{dead}.json"))
    assert (record["state"], record["exit_code"]) == ("killed", 137)
    assert [stage["state"] for stage in record["stages"]] == ["killed", "killed", "not run"]


def test_a_killed_stage_is_told_from_a_failed_one(pipeline: Pipeline) -> None:
    pipeline.declare(
        a=step("sleep 605 & echo $! > pid; kill -9 $PPID; sleep 606", out="a"),
        # What it had started is gone at once, not at the end of the run.
        b=step("sleep 3; ! grep -qs sleep /proc/$(cat pid)/cmdline && echo > b", out="b"),
    )
    process = pipeline.begin("nb", "run", "-j2", "--keep-going")
    process.communicate(timeout=30)
    assert process.returncode == 137
    pipeline.is_gone()
    assert pipeline.stage("a")["state"] == "killed"
    assert pipeline.stage("b")["state"] == "ran"


def test_what_a_stage_leaves_behind_ends_with_it(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("setsid sleep 607 & echo > a", out="a"))
    process = pipeline.begin("nb", "run")
    process.communicate(timeout=20)
    assert process.returncode == 0
    pipeline.is_gone()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_kernel_and_what_it_started_end_with_the_run(pipeline: Pipeline, number: int) -> None:
    began = "open('began', 'w').close()"
    pipeline.declare(a=notebook(pipeline, f"{began}\n{SLEEPER}"))
    process = pipeline.begin("nb", "run")
    pipeline.wait_for("began")
    process.send_signal(number)
    process.communicate(timeout=20)
    pipeline.is_gone()
    if number != signal.SIGKILL:
        assert "KeyboardInterrupt" in pipeline.read("reports/notebooks/10-a.ipynb")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_kernel_ends_with_papermill(pipeline: Pipeline, number: int) -> None:
    began = "open('began', 'w').close()"
    stage = notebook(pipeline, f"{began}\n{SLEEPER}")
    process = pipeline.begin(*stage["cmd"].split())
    pipeline.wait_for("began")
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode
    pipeline.is_gone()
    assert "KeyboardInterrupt" in pipeline.read("reports/notebooks/10-a.ipynb")


def test_half_a_lock_file_is_put_back(pipeline: Pipeline) -> None:
    stages = {"a": copy("a"), "b": copy("b.txt", "a")}
    pipeline.declare(**stages)
    pipeline.nb("run")
    stages["b"]["cmd"] = "printf '{\"' > dvc.lock; kill -9 $PPID"
    pipeline.declare(**stages)
    assert pipeline.states(code=137) == {"a": "unchanged", "b": "killed"}
    pipeline.declare(a=copy("a"), b=copy("b.txt", "a"))
    assert pipeline.states()["a"] == "unchanged"
    pipeline.is_settled()


def test_half_of_dvcs_list_of_paths_is_no_obstacle(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a"))
    pipeline.nb("run")
    pipeline.write(".dvc/tmp/rwlock", '{"write": {"')
    assert pipeline.states("--force") == {"a": "ran"}


# Together with others ----------------------------------------------------------------------------


def test_whoever_looks_during_a_run_is_told_of_it(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a"))
    pipeline.nb("run")
    pipeline.declare(a=copy("a"), b=copy("b", "a"))
    holder = {"pid": os.getpid(), "cmd": "a run"}
    holders = {"write": {str(pipeline.path / "a"): holder, str(pipeline.path / "b"): holder}}
    pipeline.write(".dvc/tmp/rwlock", json.dumps(holders))
    told = f"nb: another run is at work (process {os.getpid()}); try again when it has ended\n"
    assert pipeline.nb("status", code=2) == told


def test_two_runs_at_once_take_turns(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a", before="touch began && sleep 1"), b=copy("b", "a"))
    first = pipeline.begin("nb", "run")
    pipeline.wait_for("began")
    second = pipeline.begin("nb", "run")
    outputs = [process.communicate(timeout=30)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"waiting for another nb run, process {first.pid}" in outputs[1]
    assert "Nothing to run" in outputs[1]


def test_a_run_beside_dvc_waits_for_what_dvc_works_on(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a", before="touch began && sleep 5"), b=copy("b", "a"))
    other = pipeline.begin("dvc", "repro", "a")
    pipeline.wait_for("began")
    output = pipeline.nb("run")
    assert other.wait(timeout=30) == 0
    assert f"(PID {other.pid})" in output
    assert pipeline.stage("a")["state"] == "unchanged"
    assert pipeline.stage("b")["state"] == "ran"
    pipeline.is_settled()


# Records -----------------------------------------------------------------------------------------


def test_secrets_that_a_command_prints_are_masked(pipeline: Pipeline) -> None:
    password = "".join(["q7Zt", "Wm2x", "Lp9K"])
    pipeline.declare(a=step('echo "sent $DB_PASSWORD" && false', out="a"))
    output = pipeline.nb("run", code=1, DB_PASSWORD=password)
    assert "sent [DB_PASSWORD removed]" in output
    assert password not in output + json.dumps(pipeline.record())


def test_the_record_tells_what_was_run_and_on_what(ready: Project, pipeline: Pipeline) -> None:
    busy = "import time; t = time.process_time()\nwhile time.process_time() < t + 0.5: pass"
    pipeline.write("busy.py", f"{busy}\nx = bytearray(300_000_000)")
    pipeline.write("params.yaml", "seed: 7\n")
    pipeline.write("uv.lock", "")
    pipeline.declare(
        a=step("python busy.py && echo > a", "busy.py", out="a", params=["seed"]), b=copy("b")
    )
    pipeline.git("init", "--quiet")
    pipeline.git("add", "dvc.yaml")
    pipeline.git("commit", "--quiet", "--message", "One")
    shown = json.loads(pipeline.run("sh", "-c", "nb run -j2 -k --json 2>/dev/null"))
    record = pipeline.record()
    assert shown == record
    assert record["schema"] == 1
    assert record["commit"] == pipeline.git("rev-parse", "HEAD").strip()
    assert record["dirty"] is False
    assert record["environment"].startswith("uv.lock sha256:e3b0c442")
    assert (record["state"], record["exit_code"], record["jobs"]) == ("done", 0, 2)
    assert record["arguments"]["keep_going"] is True
    stage = pipeline.stage("a")
    assert stage["parameters"] == {"seed": 7}
    assert 0.5 <= stage["cpu_seconds"] <= stage["seconds"] + 1
    assert stage["peak_memory"] > 300_000_000
    assert record["started"] <= stage["started"] <= stage["ended"] <= record["ended"]


def test_the_newest_fifty_records_are_kept(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a"))
    pipeline.nb("run")
    newest = pipeline.record()["id"]
    for number in range(70):
        pipeline.write(f"reports/runs/2000{number:04}.json", "{}")
    pipeline.nb("run")
    names = sorted(path.stem for path in (pipeline.path / "reports" / "runs").iterdir())
    assert len(names) == 50
    assert names[-2] == newest


# Other parameters --------------------------------------------------------------------------------


def configured(pipeline: Pipeline) -> None:
    """Declare a notebook that writes a parameter, which two stages read from one file."""
    (source,) = notebook(pipeline, "from pathlib import Path", "Path(out).write_text(str(x))")[
        "deps"
    ]
    pipeline.edit(source, "x = 1", "x: int = 1\\nout: str = ...")
    (pipeline.path / "config").mkdir()
    pipeline.write("config/a.yaml", "x: 2  # two\n")
    run = (
        f"papermill {source} reports/notebooks/{{0}}.ipynb --engine nb -k python3 -f config/a.yaml"
    )
    train = {
        "matrix": {"model": ["big", "small"]},
        "cmd": run.format("${item.model}") + " -p out ${item.model}.txt",
        "deps": [source, "first.txt"],
        "params": [{"config/a.yaml": None}],
        "outs": [{"${item.model}.txt": {"cache": False}}],
    }
    pipeline.declare(first=copy("first.txt", "in.txt"), train=train, last=copy("end", "big.txt"))
    pipeline.write("in.txt", "1\n")


def test_other_parameters_run_in_a_folder_of_their_own(pipeline: Pipeline) -> None:
    configured(pipeline)
    pipeline.nb("run", "-j2")
    names = ("dvc.lock", "big.txt", "end", "config/a.yaml", "reports/notebooks/big.ipynb")
    before = [pipeline.read(name) for name in names]
    output = pipeline.nb("run", "-j2", "--set", "train@big.x=7")
    assert "x is set for train@small, too: config/a.yaml is shared" in output
    assert [pipeline.read(name) for name in names] == before
    (folder,) = (pipeline.path / ".nb" / "what-if").iterdir()
    apart = Pipeline(folder)
    assert f"the results are in {folder.relative_to(pipeline.path)}" in output
    assert [apart.read(name) for name in ("big.txt", "small.txt")] == ["7", "7"]
    assert apart.read("end") == "7end\n"
    assert apart.stage("first")["state"] == "unchanged"
    assert apart.stage("train@big")["state"] == "ran"
    assert apart.record()["arguments"]["settings"] == ["train@big.x=7"]
    assert apart.has("reports/site/index.html")
    assert "Nothing to run" in pipeline.nb("run")
    pipeline.nb("clean")
    assert not folder.exists()


def test_a_run_apart_writes_through_no_link(pipeline: Pipeline) -> None:
    make = notebook(pipeline, "open('results/deep/a.txt', 'w').write(str(x))")
    command = make["cmd"].replace("-p x 2", "-f config/a.yaml")
    make["cmd"] = f"mkdir -p results/deep && {command}"
    make |= {"params": [{"config/a.yaml": None}], "outs": ["results/deep/a.txt"]}
    pipeline.declare(
        make=make, all=step("cat results/deep/* results/b > all", "results", out="all")
    )
    pipeline.write(".gitignore", "/results\n/raw\n")
    for folder in ("results", "config"):
        (pipeline.path / folder).mkdir()
    pipeline.write("results/b", "b")
    pipeline.write("config/a.yaml", "x: 1\n")
    pipeline.nb("run")
    pipeline.nb("run", "--set", "make.x=7")
    (folder,) = (pipeline.path / ".nb" / "what-if").iterdir()
    assert pipeline.read("results/deep/a.txt") == "1"
    assert (folder / "all").read_text() == "7b"
    pipeline.edit("dvc.yaml", "cat results", "false && cat results")
    assert "the record is .nb/what-if/" in pipeline.nb("run", "--set", "make.x=7", code=1)


SETTINGS = {
    "train.x": "write it as stage.parameter=value",
    "trian.x=1": "there is no stage trian; did you mean train?",
    "train.xx=1": "unknown parameter xx; did you mean x?",
    "train.x=much": 'parameter x: given "much", expected int',
    "train.x=[": "--set train.x=[ cannot be read",
    "train.out=a": "in dvc.yaml gives it; change it there",
    "first.x=1": "stage first runs no notebook",
}


def test_a_wrong_setting_is_one_line_and_runs_nothing(pipeline: Pipeline) -> None:
    configured(pipeline)
    for setting, says in SETTINGS.items():
        output = pipeline.nb("run", "--set", setting, code=2)
        assert says in output
        assert len(output.splitlines()) == 1
    for option, other, says in (
        ("-f config/a.yaml", "-f ../a.yaml", "reads ../a.yaml; write it relative to the project"),
        ("-p out", "--parameters x 1 -p out", "in dvc.yaml gives it; change it there"),
    ):
        pipeline.edit("dvc.yaml", option, other)
        assert says in pipeline.nb("run", "--set", "train.x=1", code=2)
        pipeline.edit("dvc.yaml", other, option)
    output = pipeline.nb("run", "--set", "train@big.x=1", "--set", "train@small.x=2", code=2)
    assert "x cannot have two values; both are read from config/a.yaml" in output
    assert "train@big" in pipeline.nb("run", "-n", "--set", "train.x=7")
    assert not list((pipeline.path / ".nb" / "what-if").iterdir())
    assert not pipeline.has("dvc.lock")


# What is wrong from outside ----------------------------------------------------------------------


def test_a_run_goes_on_when_nobody_reads_what_it_says(pipeline: Pipeline) -> None:
    pipeline.declare(a=copy("a", before="touch began && sleep 1 && seq 1000"), b=copy("b", "a"))
    for arguments in (["nb", "run"], ["nb", "run", "--force"]):
        (pipeline.path / "began").unlink(missing_ok=True)
        main, other = pty.openpty()
        output = {"stdout": subprocess.PIPE} if "--force" not in arguments else {"stdout": other}
        path = f"{pipeline.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "TERM": "xterm"}
        running = subprocess.Popen(
            arguments, cwd=pipeline.path, env=environment, stderr=other, **output
        )
        os.close(other)
        pipeline.wait_for("began")
        os.close(main)
        if running.stdout:
            running.stdout.close()
        assert running.wait(timeout=30) == 0
        record = pipeline.record()
        assert record["state"] == "done"
        assert [stage["state"] for stage in record["stages"]] == ["ran", "ran"]


def test_what_is_wrong_in_files_is_one_line(pipeline: Pipeline) -> None:
    wrong = copy("a") | {"meta": {"nb": "8GB"}}
    pipeline.declare(a=wrong)
    assert "dvc.yaml: meta: {nb: 8GB} of stage a" in pipeline.nb("run", code=2)
    pipeline.declare(a=copy("a") | {"params": [{"a.yaml": None}]}, b=copy("b"))
    pipeline.write("a.yaml", "- 1\n")
    for arguments in (["run"], ["run", "-n"]):
        (line,) = pipeline.nb(*arguments, code=2).splitlines()
        assert "a.yaml" in line
    pipeline.write("a.yaml", "x: 1\n")
    for name in ("dvc.yaml", "notebooks/dvc.yaml:fingerprints"):
        assert name in pipeline.nb("task", name, code=None).splitlines()[-1]
        assert not pipeline.has("b")


# The machinery -----------------------------------------------------------------------------------


def check_in_environment(pipeline: Pipeline, code: str) -> str:
    return pipeline.run("python", "-c", code)


def test_dvc_still_has_every_undocumented_name(pipeline: Pipeline) -> None:
    code = "from nb.pipeline import missing_names; print(missing_names())"
    assert check_in_environment(pipeline, code) == "[]\n"


MEMBERS_THAT_DVC_LACKS = """
from pathlib import Path
from nb.pipeline import open_project, protocols
with open_project(Path.cwd()) as repo:
    stage = repo.index.stages[0]
    (out,), (params,) = stage.outs, stage.params
    objects = {
        "CacheManager": repo.cache, "Comparer": repo.metrics, "Config": repo.config,
        "DataCloud": repo.cloud, "DvcIgnore": repo.dvcignore, "FileSystem": repo.fs,
        "Graph": repo.index.graph, "HashInfo": out.hash_info, "Index": repo.index,
        "Item": out, "ObjectStore": repo.cache.local, "Output": out, "Parameters": params,
        "Remote": repo.cloud.get_remote(), "Repo": repo, "SourceControl": repo.scm,
        "SourceControlContext": repo.scm_context, "DvcStage": stage, "StageCache": repo.stage_cache,
        "StageLoader": repo.stage,
    }
    for name, thing in objects.items():
        protocol = getattr(protocols, name)
        members = {*vars(protocol).get("__annotations__", {}), *vars(protocol)}
        own = [m for m in members if not m.startswith(("__", "_abc", "_is_"))]
        print(*(f"{name}.{m}" for m in own if not hasattr(thing, m)), end="")
"""


def test_protocols_describe_the_installed_dvc(pipeline: Pipeline) -> None:
    pipeline.git("init", "--quiet")
    pipeline.write(".dvc/config", "[core]\n analytics = false\n")
    pipeline.write("p.yaml", "x: 1\n")
    pipeline.declare(a={"cmd": "echo > a", "outs": ["a"], "params": [{"p.yaml": ["x"]}]})
    pipeline.run("dvc", "remote", "add", "--default", "there", "storage")
    assert check_in_environment(pipeline, MEMBERS_THAT_DVC_LACKS) == ""


JUDGE_DEFINITIONS = """
import random
from dvc.dvcfile import ProjectFile
from nb.pipeline.shortcuts import compile_schemas

VALUES = {
    "cmd": ["echo", ["a", "b"], {}, 3, None],
    "deps": [["x"], "x", [{"x": 1}], []],
    "outs": [["y"], [{"y": {"cache": False}}], [{"y": {"bogus": 1}}], [1]],
    "metrics": [["m"], [{"m": {"cache": False}}], [{"m": 1}]],
    "params": [["a"], [{"p.yaml": None}], [{"p.yaml": ["a"]}], 1],
    "wdir": ["w", 1],
    "frozen": [True, "yes"],
    "always_changed": [False, 2],
    "desc": ["d", 1],
    "meta": [{"a": 1}, "any"],
    "foreach": [["a"], {"k": 1}, "${xs}", 1],
    "do": [{"cmd": "echo"}, {"cmd": 1}, {}],
    "matrix": [{"m": ["a"]}, {"m": 1}, []],
    "bogus": [1],
}
DRAW = random.Random(1)


def judged(definition):
    try:
        return ProjectFile.SCHEMA(definition)
    except Exception as error:
        return type(error).__name__


def stage():
    names = DRAW.sample(sorted(VALUES), DRAW.randint(1, 4))
    return {name: DRAW.choice(VALUES[name]) for name in {*names, DRAW.choice(["cmd", "foreach"])}}


cases = [{"stages": {"a": stage(), "b": {"cmd": "echo"}}} for _ in range(2_000)]
cases += [{"stages": 1}, {"bogus": {}}, {"stages": {}, "vars": [{"a": 1}]}, {}]
before = [judged(case) for case in cases]
compile_schemas()
for case, expected in zip(cases, before):
    if judged(case) != expected:
        print(case, expected, judged(case))
kinds = {type(each) for each in before}
print("" if kinds == {str, dict} else kinds, end="")
"""


def test_schemas_that_are_compiled_once_judge_as_those_of_dvc(pipeline: Pipeline) -> None:
    assert check_in_environment(pipeline, JUDGE_DEFINITIONS) == ""


HASH_OUTPUTS = """
from dvc.repo import Repo
from nb.pipeline.shortcuts import known_hashes

repo = Repo(".")
for out in repo.index.outs:
    if out.exists:
        with known_hashes():
            known = out.get_hash()
        own = out.get_hash()
        print(out.def_path, (known.name, known.value) == (own.name, own.value))
"""


def test_hashes_from_the_database_are_those_of_the_files(pipeline: Pipeline) -> None:
    outs = ["same", "changed", "of equal size", "folder", "replaced", "gone"]
    make = "echo 1 > same; echo 1 > changed; echo 1 > 'of equal size'; echo 1 > replaced"
    make = f"{make}; echo 1 > gone; mkdir -p folder; echo 1 > folder/a"
    pipeline.declare(a={"cmd": make, "outs": outs})
    pipeline.nb("run")
    pipeline.run("dvc", "unprotect", *outs)
    pipeline.write("changed", "another text\n")
    pipeline.write("of equal size", "2\n")
    pipeline.write("folder/b", "new\n")
    (pipeline.path / "replaced").unlink()
    (pipeline.path / "replaced").mkdir()
    pipeline.write("replaced/a", "a folder\n")
    (pipeline.path / "gone").unlink()
    checked = check_in_environment(pipeline, HASH_OUTPUTS).splitlines()
    assert sorted(checked) == sorted(f"{name} True" for name in outs if name != "gone")


RUN_WITH_ANOTHER_DVC = """
import sys, dvc.repo.reproduce, nb.cli
del dvc.repo.reproduce.plan_repro
sys.argv = ["nb", "run"]
nb.cli.main()
"""


def test_without_such_a_name_dvc_repro_does_the_work(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    output = check_in_environment(pipeline, RUN_WITH_ANOTHER_DVC)
    assert "no dvc.repo.reproduce:plan_repro" in output
    assert "Running stage 'end'" in output
    assert pipeline.record()["engine"] == "dvc repro"
    pipeline.is_settled()


def test_what_terminates_such_a_run_ends_dvc_repro(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("touch began; sleep 60; echo > a", out="a"))
    process = pipeline.begin("python", "-c", RUN_WITH_ANOTHER_DVC)
    pipeline.wait_for("began")
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 143
    pipeline.is_gone()
    assert pipeline.record()["state"] == "interrupted"


@pytest.mark.parametrize("seed", range(2))
def test_random_graphs_with_random_failures(pipeline: Pipeline, tmp_path: Path, seed: int) -> None:
    run_random_graph(pipeline, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_hundred_random_graphs(pipeline: Pipeline, tmp_path: Path, seed: int) -> None:
    run_random_graph(pipeline, tmp_path, seed)


def run_random_graph(pipeline: Pipeline, tmp_path: Path, seed: int) -> None:
    """Run twenty stages, some of which fail; mend these; then all is as `dvc repro` makes it."""
    chance = random.Random(seed)
    needs = {n: chance.sample(range(n), min(n, chance.randrange(4))) for n in range(20)}
    fails = set(chance.sample(range(20), 3))
    test = "test ! -e bad/{0} && sleep 0.0{1}"
    pipeline.declare(
        **{
            f"s{n}": copy(f"s{n}", *(f"s{m}" for m in before),
                          before=test.format(n, chance.randrange(10)))
            for n, before in needs.items()
        }
    )  # fmt: skip
    shutil.copytree(pipeline.path, tmp_path / "sequential", symlinks=True)
    (pipeline.path / "bad").mkdir()
    expected: dict[str, str] = {}
    for n, before in needs.items():
        stops = any(expected[f"s{m}"] != "ran" for m in before)
        expected[f"s{n}"] = "not run" if stops else "failed" if n in fails else "ran"
    for n in fails:
        pipeline.write(f"bad/{n}", "")
    assert pipeline.states("-j4", "--keep-going", code=1) == expected
    shutil.rmtree(pipeline.path / "bad")
    states = pipeline.states("-j4")
    assert states == {n: "unchanged" if s == "ran" else "ran" for n, s in expected.items()}
    pipeline.is_settled()
    sequential = Pipeline(tmp_path / "sequential")
    sequential.run("dvc", "repro", "--quiet")
    assert pipeline.read("dvc.lock") == sequential.read("dvc.lock")
