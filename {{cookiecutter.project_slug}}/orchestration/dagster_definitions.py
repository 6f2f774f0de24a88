"""The pipeline as Dagster assets: one per stage of `dvc.yaml`, read when Dagster loads.

A new stage appears by itself. An asset is what `dvc.lock` says of its stage: materialising it runs
`nb task STAGE`, which runs the notebook only if it is stale. With other parameters in the run's
configuration the run takes place in a copy of the project, is observed and materialises nothing.
"""

import base64
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import dagster as dg
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import stages

# When the whole pipeline is brought up to date. Switch it on in the UI, under Automation.
SCHEDULE = "0 5 * * *"
# Pictures up to this size are shown, larger ones are named.
SHOWN_BYTES = 500_000
PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".svg": "svg+xml"}
# What became of a stage, in words.
WORDS = {
    "ran": "ran",
    "unchanged": "unchanged: the notebook was not run",
    "restored": "restored from the run cache: the notebook was not run",
}
SCALARS: dict[str, Any] = {
    "int": dg.Int,
    "float": dg.Float,
    "bool": dg.Bool,
    "str": dg.String,
    "Path": dg.String,
    "pathlib.Path": dg.String,
}

PIPELINE = {stage.name: stage for stage in stages.load()}


def key_of(name: str) -> dg.AssetKey:
    """Return a stage's key: `train@forest` is train__forest, `eda/dvc.yaml:clean` eda/clean."""
    folder, separator, stage = name.rpartition("/dvc.yaml:")
    parts = [*(folder.split("/") if separator else ()), stage.replace("@", "__")]
    return dg.AssetKey([re.sub(r"\W", "_", part) for part in parts])


STAGES = {key_of(name): stage for name, stage in PIPELINE.items()}
if len(STAGES) < len(PIPELINE):
    raise ValueError("dvc.yaml: two stages differ in punctuation only, so Dagster cannot name them")


@cache
def choice_of(name: str, choices: tuple[str, ...]) -> dg.Enum:
    """Return the type of a parameter with the given choices; Dagster wants each type once."""
    return dg.Enum("_".join([name, *choices]), [dg.EnumValue(choice) for choice in choices])


def field_of(parameter: Mapping[str, Any]) -> dg.Field:
    """Return a parameter as a field of the run's configuration, typed where Dagster has the type.

    `nb` checks the value against the notebook in any case.
    """
    bare = re.sub(r"\bOptional\[(.*)\]|\s*\|\s*None|None\s*\|\s*", r"\1", parameter["type"])
    choices = tuple(parameter["choices"])
    if choices and all(isinstance(c, str) and re.fullmatch(r"[A-Za-z_]\w*", c) for c in choices):
        kind: Any = choice_of(parameter["name"], choices)
    else:
        kind = SCALARS.get(bare, dg.Any)
    if bare != parameter["type"]:
        kind = dg.Noneable(kind)
    optional = dg.Field(kind, is_required=False, description=parameter["help"])
    if "value" not in parameter and parameter["required"]:
        return optional
    value = parameter.get("value", parameter["default"])
    try:
        return dg.Field(kind, default_value=value, description=parameter["help"])
    except dg.DagsterInvalidConfigError:  # a wrong value in config/ fails its stage, no other
        return optional


def config_of(stage: stages.Stage) -> dict[str, dg.Field]:
    """Return what can be given for a stage: its parameters but secrets and what dvc.yaml fixes."""
    free = [p for p in stage.parameters if not p["secret"] and p["name"] not in stage.fixed]
    return {parameter["name"]: field_of(parameter) for parameter in free}


def asset_of(key: dg.AssetKey, stage: stages.Stage) -> dg.AssetsDefinition:
    """Return the asset of a stage."""
    settings = stage.settings
    tags = {"dagster-celery/queue": settings.queue} if settings.queue else {}
    retry = dg.RetryPolicy(max_retries=settings.retries, delay=settings.retry_delay)

    @dg.asset(
        key=key,
        deps=[key_of(name) for name in stage.after],
        description=f"{stage.desc}\n\n    {stage.command}",
        group_name=group_of(stage),
        kinds={"jupyter", "dvc"} if stage.notebook else {"dvc"},
        metadata={"stage": stage.name, "notebook": stage.notebook},
        config_schema=config_of(stage),
        op_tags=tags,
        output_required=False,
        retry_policy=retry if settings.retries else None,
    )
    def materialise(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        changed = changed_in(context)
        apart = affected_by(changed, context.run.asset_selection or set(STAGES))
        if stage.name not in apart:
            result = call(stages.run, stage, context.log.info)
            context.log.info(f"{stage.name}: {WORDS.get(result['state'], result['state'])}")
            yield dg.MaterializeResult(
                metadata=metadata_of(context, stage, stages.ROOT, result),
                data_version=dg.DataVersion(version_of(stage.name)),
            )
        elif stage.name == next(iter(changed)):
            run_apart(context, changed, apart)
        else:
            context.log.info(f"{stage.name} runs apart, in the step of {next(iter(changed))}")

    return materialise


def group_of(stage: stages.Stage) -> str:
    """Return the group that a stage is shown in: one for each `dvc.yaml`."""
    folder, separator, _ = stage.name.rpartition("/dvc.yaml:")
    return re.sub(r"\W", "_", folder) if separator else "pipeline"


def call(function: Any, *arguments: Any) -> dict[str, Any]:
    """Call a function that runs a stage; its error fails the asset in one line."""
    try:
        return dict(function(*arguments))
    except stages.StageError as error:
        raise dg.Failure(str(error), allow_retries=not error.is_hopeless) from None


def metadata_of(
    context: dg.AssetExecutionContext, stage: stages.Stage, root: Path, result: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what Dagster shows of a stage: its state, executed notebook, metrics and plots."""
    found: dict[str, Any] = {"state": WORDS.get(result["state"], result["state"])}
    if stage.executed and (root / stage.executed).exists():
        path = str(root / stage.executed)
        found["executed notebook"] = dg.MetadataValue.notebook(path)
        if origin := context.run.remote_job_origin:  # started from the UI, which shows notebooks
            where = origin.repository_origin.code_location_origin.location_name
            page = urlencode({"path": path, "repoLocName": where})
            found["executed notebook, shown"] = dg.MetadataValue.url(f"/notebook?{page}")
    for path in stage.metrics:
        prefix = f"{Path(path).stem}." if len(stage.metrics) > 1 else ""
        numbers = result["metrics"].get(path, {})
        found |= {f"{prefix}{name}": number for name, number in numbers.items()}
    for path in stage.plots:
        found[path] = picture(root / path)
    return found


def version_of(name: str) -> str:
    """Return what tells the results of a stage from others: the hashes that `dvc.lock` holds.

    What comes after an unchanged stage is then not out of date to Dagster, either.
    """
    file, _, stage = name.rpartition(":")
    lock = (stages.ROOT / (file or "dvc.yaml")).with_name("dvc.lock")
    found = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"].get(stage, {})
    return hashlib.sha256(json.dumps(found.get("outs"), sort_keys=True).encode()).hexdigest()


def picture(path: Path) -> dg.MetadataValue:
    """Return a plot as Dagster can show it: the picture itself, or where its file is."""
    kind = PICTURES.get(path.suffix.lower())
    if kind is None or not path.exists() or path.stat().st_size > SHOWN_BYTES:
        return dg.MetadataValue.path(str(path))
    content = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.name}](data:image/{kind};base64,{content})")


def changed_in(context: dg.AssetExecutionContext) -> dict[str, dict[str, Any]]:
    """Return the parameters that the run's configuration changes, by stage."""
    config: Any = context.run.run_config
    ops = config.get("ops", {})
    changed: dict[str, dict[str, Any]] = {}
    for key, stage in STAGES.items():
        given = ops.get(key.to_python_identifier(), {}).get("config") or {}
        declared = {p["name"]: p.get("value", p["default"]) for p in stage.parameters}
        other = {name: value for name, value in given.items() if value != declared[name]}
        if other:
            changed[stage.name] = other
    return changed


def affected_by(changed: Iterable[str], selected: Set[dg.AssetKey]) -> list[str]:
    """Return the selected stages whose results other parameters may change, in order."""
    found = set(changed)
    for name, stage in PIPELINE.items():
        if found & set(stage.after):
            found.add(name)
    return [name for name in PIPELINE if name in found and key_of(name) in selected]


def run_apart(
    context: dg.AssetExecutionContext, changed: Mapping[str, Mapping[str, Any]], names: list[str]
) -> None:
    """Run stages with other parameters in a copy of the project, and note what they gave.

    The assets stay what they are, and so does `dvc.lock`.
    """
    lines: list[str] = []

    def tell(line: str) -> None:
        lines.append(line)
        context.log.info(line)

    values = {
        f"{stage}.{name}": value
        for stage, given in changed.items()
        for name, value in given.items()
    }
    settings = [f"--set={name}={json.dumps(value)}" for name, value in values.items()]
    result = call(stages.call, ["run", "--json", *settings, *names], tell, names[0])
    (copy,) = re.findall(r"^nb: the results are in (\S+);", "\n".join(lines), re.MULTILINE)
    for found in result["stages"]:
        if found["name"] in names:
            seen = found | {"metrics": result["metrics"]}
            metadata = metadata_of(context, PIPELINE[found["name"]], stages.ROOT / copy, seen)
            metadata |= {"run apart with": values, "folder": dg.MetadataValue.path(copy)}
            key = key_of(found["name"])
            context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))


everything = dg.define_asset_job("pipeline", description="Bring all stages up to date")
defs = dg.Definitions(
    assets=[asset_of(key, stage) for key, stage in STAGES.items()],
    jobs=[everything],
    schedules=[dg.ScheduleDefinition(job=everything, cron_schedule=SCHEDULE)],
)
