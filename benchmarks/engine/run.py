"""Measure in rounds: each scenario with each contestant in turn, so that load meets all alike."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..harness import MEASURE, machine, say
from .contestants import OURS, REFERENCE, Contestant
from .environments import (
    BASE,
    PROJECT,
    BenchError,
    last_line,
    make_environment,
    programs,
    run,
    variables,
    versions,
)
from .pipelines import Pipeline

LATE = "took longer than"
COLD, CHANGED, UNCHANGED = "cold", "changed", "unchanged"
SCENARIOS = {
    COLD: "everything to be run",
    UNCHANGED: "nothing changed",
    CHANGED: "one notebook changed",
}
WORTH_NAMING = {"calkit-python", "dvc", "ipykernel", "matplotlib", "nbconvert", "nbmake", "pandas"}
WORTH_NAMING |= {"papermill", "ploomber", "pytest-xdist", "snakemake", "dagster", "dagstermill"}
WORTH_NAMING |= {"apache-airflow", "apache-airflow-providers-papermill"}


@dataclass(frozen=True)
class Measurement:
    """What one run took, or why there are no figures.

    Attributes:
        pipeline, contestant, scenario: their keys.
        round: counted from 1.
        wall, cpu: in seconds; user and system time of all processes.
        memory: the peak of all processes together, in bytes.
        left: how many processes were still there two seconds after the command ended.
        results: a hash of all files that the notebooks wrote.
        problem: why it failed; empty if it did not.
    """

    pipeline: str
    contestant: str
    scenario: str
    round: int
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    left: int = 0
    results: str = ""
    problem: str = ""


@dataclass
class Results:
    """All that was measured, and where and with what.

    Attributes:
        about: the machine.
        versions: the packages of each environment that are worth naming.
        missing: why a contestant could not be installed.
        titles: of the pipelines, by key.
        measurements: in the order they were taken.
        broken: promises that `nb run` did not keep, one sentence each.
    """

    about: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def checked(self) -> int:
        """How many runs of `nb run` were held to its promises."""
        return sum(one.contestant == OURS and not one.problem for one in self.measurements)

    def forget(self, pipelines: Iterable[str]) -> None:
        """Leave out what was measured on some pipelines."""
        gone = set(pipelines)
        self.measurements = [one for one in self.measurements if one.pipeline not in gone]
        self.broken = [one for one in self.broken if one.split(",")[0] not in gone]

    def save(self, path: Path) -> None:
        """Write everything as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what was saved."""
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        taken = [Measurement(**one) for one in tree.pop("measurements")]
        return cls(**tree, measurements=taken)


@dataclass(frozen=True)
class Plan:
    """What to measure, how often, on how many cores, and when to give up on a command."""

    pipelines: list[Pipeline]
    contestants: list[Contestant]
    scenarios: list[str]
    repeats: int
    jobs: int
    timeout: float


class Benchmark:
    """Prepares folders, measures, checks what `nb run` promises, saves after each measurement."""

    def __init__(self, plan: Plan, path: Path, *, keep: bool = False) -> None:
        """Prepare for a plan; with `keep`, results of other pipelines stay in the file."""
        self.plan = plan
        self.path = path
        self.results = Results.load(path) if keep and path.exists() else Results()
        self.results.about = machine()
        titles = {pipeline.key: pipeline.title for pipeline in plan.pipelines}
        self.results.forget(titles)
        self.results.titles.update(titles)
        self.ready: list[Contestant] = []

    def install(self) -> None:
        """Make the environments; a contestant whose environment fails is reported and left out."""
        failed: dict[str, str] = {}
        made: set[str] = set()
        for contestant in self.plan.contestants:
            name = contestant.environment
            if name not in made | failed.keys():
                say(f"installing {contestant.title}")
                try:
                    make_environment(name, contestant.packages)
                    kept = [v for v in versions(name) if v.split("==")[0] in WORTH_NAMING]
                    self.results.versions[name] = kept
                    made.add(name)
                except BenchError as error:
                    failed[name] = str(error)
            if name in failed:
                self.results.missing[contestant.key] = failed[name]
                say(f"  not measured: {failed[name]}")
            else:
                self.results.missing.pop(contestant.key, None)
                self.ready.append(contestant)

    def measure(self) -> None:
        """Measure all rounds; what is measured is saved, whatever ends this."""
        for number in range(1, self.plan.repeats + 1):
            # Who comes first differs from round to round: the first finds a colder disk cache.
            turn = (number - 1) % max(len(self.ready), 1)
            order = [*self.ready[turn:], *self.ready[:turn]]
            for pipeline in self.plan.pipelines:
                self._measure_pipeline(pipeline, order, number)

    def _measure_pipeline(self, pipeline: Pipeline, order: list[Contestant], number: int) -> None:
        running = [c for c in order if not pipeline.prepared or c.key in (OURS, REFERENCE)]
        reference = ""
        for scenario in SCENARIOS:
            if scenario != COLD and scenario not in self.plan.scenarios:
                continue
            taken = []
            for contestant in running if not pipeline.prepared or scenario == UNCHANGED else []:
                if scenario == COLD or contestant.incremental:
                    taken.append(self._take(pipeline, contestant, scenario, number))
            reference = self._compare(taken, reference)
            failed = {one.contestant for one in taken if one.problem}
            running = [contestant for contestant in running if contestant.key not in failed]

    def _take(
        self, pipeline: Pipeline, contestant: Contestant, scenario: str, number: int
    ) -> Measurement:
        """Measure a contestant once, say so, keep it, and check our promises."""
        key = (pipeline.key, contestant.key, scenario, number)
        folder = BASE / "work" / pipeline.key / contestant.key
        try:
            self._make_ready(folder, pipeline, contestant, scenario, number)
            one = self._run(folder, pipeline, contestant, key)
        except BenchError as error:
            one = Measurement(*key, problem=str(error))
        figures = one.problem or f"{one.wall:7.2f} s  CPU {one.cpu:7.2f} s  {one.memory >> 20:5} MB"
        say(f"round {number}  {pipeline.key:8} {scenario:9} {contestant.key:14} {figures}")
        if scenario in self.plan.scenarios:
            self.results.measurements.append(one)
        if contestant.key == OURS and not one.problem:
            self._check(folder, one)
        self.results.save(self.path)
        return one

    def _make_ready(
        self,
        folder: Path,
        pipeline: Pipeline,
        contestant: Contestant,
        scenario: str,
        number: int,
    ) -> None:
        if scenario == CHANGED:
            contestant.write_step(folder, pipeline.changing, number + 1)
        elif scenario == COLD:
            contestant.prepare(folder, pipeline, self.plan.jobs)
        elif pipeline.prepared and number == 1:
            contestant.prepare(folder, pipeline, self.plan.jobs)
            # The first look at results that others made hashes them; a user's second does not.
            self._run(folder, pipeline, contestant, ("", "", "", 0))

    def _run(
        self,
        folder: Path,
        pipeline: Pipeline,
        contestant: Contestant,
        key: tuple[str, str, str, int],
    ) -> Measurement:
        """Run a contestant's command and return its figures; the command's failure is in them."""
        report = folder.with_suffix(".json")
        log = BASE / "logs" / ("-".join(map(str, key)) + "-" + contestant.key + ".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        words = [sys.executable, MEASURE, report, log, self.plan.timeout, "bash", "run.sh"]
        environment = variables(contestant.environment)
        with subprocess.Popen(list(map(str, words)), cwd=folder, env=environment) as process:
            try:
                process.wait()
            except BaseException:
                process.send_signal(signal.SIGINT)  # it ends all that it started
                raise
        figures = json.loads(report.read_text(encoding="utf-8"))
        problem = ""
        if figures["late"]:
            problem = f"{LATE} {self.plan.timeout:g} s"
        elif figures["code"]:
            said = last_line(log.read_text(encoding="utf-8", errors="replace"))
            problem = f"exit code {figures['code']}: {said}"
        missing = [step for step in pipeline.steps if not (folder / step.output).exists()]
        if missing and not problem:
            problem = f"{len(missing)} results are missing, {missing[0].output} among them"
        taken = {name: figures[name] for name in ("wall", "cpu", "memory", "left")}
        results = "" if problem else digest(folder, pipeline)
        return Measurement(*key, **taken, results=results, problem=problem)

    def _check(self, folder: Path, one: Measurement) -> None:
        """Hold `nb run` to its word: `dvc status` is clean, `dvc repro` runs nothing."""
        where = f"{one.pipeline}, {SCENARIOS[one.scenario]}, round {one.round}"
        lock = (folder / "dvc.lock").read_bytes()
        try:
            status = run(programs(PROJECT) / "dvc", "status", "--json", name=PROJECT, cwd=folder)
            said = run(programs(PROJECT) / "dvc", "repro", name=PROJECT, cwd=folder)
        except BenchError as error:
            self.results.broken.append(f"{where}: {error}")
            return
        if json.loads(last_line(status)):
            self.results.broken.append(f"{where}: `dvc status` is not clean: {last_line(status)}")
        if "Running stage" in said or (folder / "dvc.lock").read_bytes() != lock:
            self.results.broken.append(f"{where}: `dvc repro` had something to do")
        if one.left:
            self.results.broken.append(f"{where}: {one.left} processes were left behind")

    def _compare(self, taken: list[Measurement], before: str) -> str:
        """Check that all made the same results, as `dvc repro` if it runs; return their hash."""
        right = [one for one in taken if not one.problem]
        if not right:
            return before
        reference = next((one for one in right if one.contestant == REFERENCE), right[0])
        for one in right:
            where = f"{one.pipeline}, {SCENARIOS[one.scenario]}, round {one.round}"
            if one.results != reference.results:
                what = f"{one.contestant} made other results than {reference.contestant}"
                self.results.broken.append(f"{where}: {what}")
            elif one.scenario == CHANGED and one.results == before:
                self.results.broken.append(f"{where}: {one.contestant} did not see the change")
        self.results.save(self.path)
        return reference.results


def digest(folder: Path, pipeline: Pipeline) -> str:
    """Return a hash of all files that the notebooks of a pipeline wrote."""
    content = b"".join((folder / step.output).read_bytes() for step in pipeline.steps)
    return hashlib.sha256(content).hexdigest()
