"""The warehouse that notebooks compute in: DuckDB, Spark or another engine that Ibis speaks to.

`config/warehouse.yaml` says which one; a notebook's expressions are the same for all.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path
from urllib.parse import parse_qsl

import ibis
import yaml
from ibis.backends import BaseBackend

from . import paths

CONFIG = "config/warehouse.yaml"
LOCAL = "duckdb://.nb/warehouse.duckdb"
VARIABLE = re.compile(r"\$\{(\w+)\}")
# A password after the user's name, or a key among the settings, unless a ${VARIABLE} stands for it.
SECRET = re.compile(
    r"://[^:@/]*:(?!\$\{)[^@]+@|[?&]\w*(password|secret|token|access_key)\w*=(?!\$\{)", re.I
)
SPARK_MASTER = re.compile(r"local(\[.+\])?$|yarn$|(spark|k8s)://")
# Where the drivers look for credentials by themselves.
CREDENTIALS = {
    "athena": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "bigquery": "GOOGLE_APPLICATION_CREDENTIALS",
    "postgres": "PGPASSWORD",
    "postgresql": "PGPASSWORD",
}
# How many seconds to wait for a DuckDB file that another process, such as a stage, has open.
PATIENCE = 600.0


class WarehouseError(RuntimeError):
    """The warehouse cannot be used; the message says why, and which value to change."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in the place of a traceback, most of which would be the driver's.
        return [f"{type(self).__name__}: {self}"]


def connect() -> BaseBackend:
    """Connect to the warehouse that `url` in `config/warehouse.yaml` names.

    Raises:
        WarehouseError: if the URL is wrong or holds a secret, if its driver is not installed, or if
            the warehouse does not answer or refuses the user.
    """
    configured = configured_url()
    url = _with_variables(configured)
    try:
        return _connect(url)
    except WarehouseError:
        raise
    except ImportError as error:
        named = re.search(r"ibis-framework\[\w+\]", str(error))
        raise WarehouseError(
            f"url in {CONFIG} needs a driver that is not installed: add "
            f"{named[0] if named else error} to dependencies in pyproject.toml, then make setup"
        ) from None
    except Exception as error:  # each driver has errors of its own
        reason = " ".join(str(error).replace(url, configured).split())
        variables = CREDENTIALS.get(configured.partition("://")[0])
        or_these = f" or {variables}" if variables else ""
        raise WarehouseError(f"url in {CONFIG}{or_these}: {reason}") from None


def configured_url() -> str:
    """Read the URL; refuse one that holds a secret."""
    content = yaml.safe_load((paths.ROOT / CONFIG).read_text(encoding="utf-8"))
    url = content.get("url") if isinstance(content, dict) else None
    if not isinstance(url, str):
        raise WarehouseError(f"{CONFIG} has to name a warehouse, as in url: {LOCAL}")
    if SECRET.search(url):
        raise WarehouseError(
            f"url in {CONFIG} holds a password or key, which Git would never forget: write "
            "${NAME} in its place and set the environment variable NAME"
        )
    return url


def _with_variables(url: str) -> str:
    """Replace each ${NAME} by the environment variable of that name."""
    for name in VARIABLE.findall(url):
        if not os.environ.get(name):
            raise WarehouseError(f"url in {CONFIG} needs the environment variable {name}: set it")
    return VARIABLE.sub(lambda match: os.environ[match[1]], url)


def _connect(url: str) -> BaseBackend:
    if SPARK_MASTER.match(url):
        return _spark(url)
    if url.startswith("duckdb://"):
        return _duckdb(url.removeprefix("duckdb://"))
    return ibis.connect(url)


def _duckdb(place: str) -> BaseBackend:
    """Open a file, given relative to the project's root, once no other process has it open."""
    name, _, settings = place.partition("?")
    is_file = name and not name.startswith((":memory:", "md:"))
    database = paths.output(name) if is_file else name or ":memory:"
    last = time.monotonic() + PATIENCE
    while True:
        try:
            return ibis.duckdb.connect(database, **dict(parse_qsl(settings)))
        except Exception as error:
            taken = re.search("conflicting lock|used by another process", str(error), re.I)
            if not taken or time.monotonic() > last:
                raise
        time.sleep(0.2)


def _spark(master: str) -> BaseBackend:
    """Begin a Spark session, which ends with this process."""
    backend = ibis.pyspark  # says what to install if PySpark is not
    home = os.environ.get("JAVA_HOME")
    if not shutil.which(Path(home, "bin", "java") if home else "java"):
        raise WarehouseError(
            f"url in {CONFIG} needs Java, which is not {'in JAVA_HOME' if home else 'on PATH'}: "
            f"install Java 17, or change it, for example to {LOCAL}"
        )
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName(paths.ROOT.name)
    builder = builder.config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if master.startswith("local"):  # open to nobody else, and nothing left beside the notebooks
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        builder = builder.config("spark.ui.enabled", "false")
        folder = paths.ROOT / ".nb" / "spark-warehouse"
        builder = builder.config("spark.sql.warehouse.dir", str(folder))
    return backend.connect(builder.getOrCreate())
