"""Check the answers and write them into files: the filters that the template uses.

A check runs as soon as its question is answered, before any folder exists, so a bad answer leaves
nothing behind. It raises cookiecutter's `FailedHookException`, which its command line prints as one
sentence and answers with exit code 1.
"""

import json
import keyword
import posixpath
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import NoReturn

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

FREE_TEXT = ("project_name", "description", "author", "email")
STORAGE_SCHEMES = ("s3", "gs", "azure", "ssh")
PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | PORTS
# What a generated project installs, by distribution and by module, with all that those need: a
# package of the same name would hide it, or make the installation fail.
INSTALLED = """
adlfs aiobotocore aiohappyeyeballs aiohttp aiohttp_retry aioitertools aiosignal altair amqp
annotated_types antlr4 antlr4_python3_runtime anyio appdirs argcomplete argon2 argon2_cffi
argon2_cffi_bindings arrow asttokens async_lru asyncssh atpublic attr attrs azure azure_core
azure_identity azure_storage_blob babel bcrypt beautifulsoup4 billiard bleach boto3 botocore bs4
celery certifi cffi cfgv charset_normalizer click click_didyoumean click_plugins click_repl
cloudpickle colorama comm configobj contourpy cryptography cycler dateutil db_dtypes debugpy
decorator defusedxml detect_secrets dictdiffer diskcache distlib distro dotenv dpath duckdb
dulwich dvc dvc_azure dvc_data dvc_gs dvc_http dvc_objects dvc_render dvc_s3 dvc_ssh
dvc_studio_client dvc_task entrypoints executing fastjsonschema filelock flatten_dict flufl
flufl_lock fonttools fqdn frozenlist fsspec funcy gcsfs git gitdb gitpython google google_api_core
google_auth google_auth_oauthlib google_cloud_bigquery google_cloud_bigquery_storage
google_cloud_core google_cloud_storage google_cloud_storage_control google_crc32c
google_resumable_media googleapis_common_protos grandalf grpc grpc_google_iam_v1 grpc_status
grpcio grpcio_status gto h11 httpcore httpx hydra hydra_core ibis ibis_framework identify idna
iniconfig ipykernel ipykernel_launcher ipython ipython_pygments_lexers ipywidgets isodate
isoduration iterative_telemetry itsdangerous jedi jinja2 jmespath joblib json5 jsonpointer
jsonschema jsonschema_specifications jupyter jupyter_builder jupyter_client jupyter_core
jupyter_events jupyter_lsp jupyter_server jupyter_server_terminals jupyterlab jupyterlab_pygments
jupyterlab_server jupyterlab_widgets jwt kiwisolver knack kombu lark libcst markdown_it
markdown_it_py markupsafe matplotlib matplotlib_inline mdurl mistune mpl_toolkits msal
msal_extensions multidict multipart narwhals nb_tools nbclient nbconvert nbformat
nbstripout nest_asyncio2 networkx nodeenv notebook_shim numpy oauthlib omegaconf opentelemetry
opentelemetry_api orjson overrides packaging pandas pandas_gbq pandocfilters papermill parso parsy
pathspec pexpect pil pillow platformdirs pluggy pre_commit pre_commit_hooks prometheus_client
prompt_toolkit propcache proto proto_plus protobuf psutil psycopg psycopg_binary ptyprocess public
pure_eval py py4j pyarrow pyarrow_hotfix pyasn1 pyasn1_modules pyathena pycparser pydantic
pydantic_core pydantic_settings pydata_google_auth pydeck pydevd_plugins pydot pygit2 pygments
pygtrie pyjwt pylab pyparsing pyspark pytest python_dateutil python_discovery python_dotenv
python_json_logger python_multipart pythonjsonlogger pyyaml pyzmq referencing requests
requests_oauthlib rfc3339_validator rfc3986_validator rfc3987_syntax rich rpds rpds_py ruamel
ruamel_yaml ruamel_yaml_clib ruff s3fs s3transfer scikit_learn scipy scmrepo semver send2trash
setuptools shortuuid shtab six sklearn smmap soupsieve sqlglot sqltrie sshfs stack_data starlette
streamlit tabulate tenacity terminado threadpoolctl tinycss2 tlz tomlkit toolz tornado tqdm
traitlets typing_extensions typing_inspection tzdata tzlocal uri_template urllib3 uvicorn validate
vine virtualenv voila voluptuous watchdog wcwidth webcolors webencodings websocket
websocket_client websockets widgetsnbextension wrapt yaml yarl zc zc_lockfile zmq
"""
# The same for the environment of a scheduler: uv locks it together with the project.
SCHEDULERS = """
a2wsgi aiosmtplib aiosqlite airflow alembic annotated_doc apache_airflow apache_airflow_core
apache_airflow_providers_common_compat apache_airflow_providers_common_io
apache_airflow_providers_common_sql apache_airflow_providers_smtp
apache_airflow_providers_standard apache_airflow_task_sdk asgiref backoff cachetools cadwyn
coloredlogs colorlog cron_descriptor croniter dagster dagster_graphql dagster_pipes dagster_shared
dagster_webserver deprecated dill dnspython docstring_parser email_validator fastapi fastapi_cli
gql graphene graphql_core graphql_relay greenback greenlet grpcio_health_checking httptools
humanfriendly importlib_metadata lazy_importer lazy_object_proxy linkify_it_py lockfile mako
methodtools more_itertools msgspec natsort opentelemetry_exporter_http_transport
opentelemetry_exporter_otlp opentelemetry_exporter_otlp_common
opentelemetry_exporter_otlp_proto_common opentelemetry_exporter_otlp_proto_grpc
opentelemetry_exporter_otlp_proto_http opentelemetry_proto opentelemetry_sdk
opentelemetry_semantic_conventions outcome pathlib_abc pendulum pydantic_extra_types python_daemon
python_slugify pytz requests_toolbelt rich_argparse rich_toolkit setproctitle shellingham sniffio
sqlalchemy sqlparse structlog svcs termcolor text_unidecode tomli toposort typer universal_pathlib
uuid6 uvloop watchfiles wirerope zipp
"""
OWN = (
    "nb nb_tools config data models notebooks orchestration project_package reports src tests tools"
)
TAKEN = frozenset(f"{INSTALLED} {SCHEDULERS} {OWN}".split())


def _reject(sentence: str) -> NoReturn:
    raise FailedHookException(sentence)


def valid_slug(slug: str) -> str:
    """Refuse a folder name that a file system, Git host or package index would not take."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,58}[A-Za-z0-9])?", slug):
        _reject(
            f"The project slug {slug!r} must be 1 to 60 letters, digits, '.', '-' or '_' "
            "(no blanks, no path separators) and begin and end with a letter or digit."
        )
    if slug.split(".")[0].lower() in WINDOWS_DEVICES:
        _reject(f"The project slug {slug!r} is a reserved device name on Windows; choose another.")
    if re.sub(r"[-_.]+", "_", slug).lower() in TAKEN:
        _reject(f"The project slug {slug!r} is the name of something it uses; choose another.")
    return ""


def package_name(slug: str) -> str:
    """Propose a package name for a slug: `2026-sales` becomes `project_2026_sales`."""
    name = re.sub(r"[^a-z0-9]+", "_", slug.lower())[:40].strip("_")
    return f"project_{name}"[:40] if name[:1].isdigit() else name


def valid_package(name: str) -> str:
    """Refuse a package name that cannot be imported or would hide another module."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        _reject(
            f"The package name {name!r} must be 1 to 40 lower-case letters, digits or '_' "
            "and begin with a letter."
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        _reject(f"The package name {name!r} is a Python keyword; choose another.")
    if name in sys.stdlib_module_names:
        _reject(f"The package name {name!r} would hide Python's own module; choose another.")
    if name in TAKEN:
        _reject(f"The package name {name!r} is the name of something it uses; choose another.")
    if name in WINDOWS_DEVICES:
        _reject(f"The package name {name!r} is a reserved device name on Windows; choose another.")
    return ""


def valid_text(answers: Mapping[str, object]) -> str:
    """Refuse line breaks and other control characters, which no one-line field can hold."""
    for question in FREE_TEXT:
        text = str(answers.get(question, ""))
        if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
            _reject(f"The answer to {question!r} holds a line break or another control character.")
    return ""


def valid_email(email: str) -> str:
    """Refuse what is neither empty nor shaped like an address."""
    if email.strip() and not re.fullmatch(r"[^@\s\"'<>\\]+@[^@\s\"'<>\\]+", email.strip()):
        _reject(f"The e-mail {email!r} must look like name@example.org, or stay empty.")
    return ""


def valid_storage(storage: str) -> str:
    """Refuse a storage place that DVC could not be given in its configuration file."""
    place = storage.strip()
    scheme, _, rest = place.partition("://") if "://" in place else ("", "", place)
    if not rest.strip("/"):
        _reject(f"The storage {storage!r} must name a folder or a bucket.")
    if set(place) & set("\"'`#%") or not place.isprintable():
        _reject(f"The storage {storage!r} must be a folder or URL without quotes, '`', '#', '%'.")
    if scheme and scheme not in STORAGE_SCHEMES:
        _reject(f"The storage {storage!r} must be a folder, s3://…, gs://…, azure://… or ssh://….")
    if place.startswith("~"):
        _reject(f"The storage {storage!r} must be written without '~', which DVC does not expand.")
    folder = posixpath.normpath(place.replace("\\", "/"))
    if not (scheme or _is_absolute(place) or folder.startswith("../")):
        _reject(f"The storage {storage!r} is in the project, where Git would see it: ../{rest}?")
    return ""


def storage_url(storage: str) -> str:
    """Express a storage place as DVC's configuration wants it: relative to the folder `.dvc`."""
    place = storage.strip()
    return place if "://" in place or _is_absolute(place) else f"../{place}"


def _is_absolute(place: str) -> bool:
    return place.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:", place))


def dvc_requirement(storage: str) -> str:
    """Name DVC with the extra that the storage needs: `s3://…` needs `dvc[s3]`."""
    scheme, separator, _ = storage.strip().partition("://")
    return f"dvc[{scheme}]" if separator else "dvc"


def ibis_requirement(warehouse: str) -> str:
    """Name Ibis with the extras that a warehouse needs, beside DuckDB, which every project has."""
    extras = {"Spark": "pyspark", "PostgreSQL": "postgres"}
    named = {"duckdb", extras.get(warehouse, warehouse.lower())} - {"none"}
    return f"ibis-framework[{','.join(sorted(named))}]"


def quoted(text: str) -> str:
    """Quote text so that it means the same in JSON, TOML, YAML and Python.

    JSON's own escapes are valid in all four; everything else stays readable as it was typed.
    """
    return json.dumps(text.strip(), ensure_ascii=False).replace("\x7f", "\\u007f")


def markdown(text: str) -> str:
    """Escape text so that Markdown shows it as it was typed (CommonMark, section 2.4)."""
    escaped = re.sub(r"[\\`*_\[\]<>~|$]|&(?=#?\w+;)", r"\\\g<0>", text.strip())
    return re.sub(r"^(\d*)([-+=#.)])", r"\1\\\2", escaped)


class Answers(Extension):
    """Make the functions of this module available to the templates as filters."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        checks = (valid_slug, valid_package, valid_text, valid_email, valid_storage)
        forms = (package_name, storage_url, dvc_requirement, ibis_requirement, quoted, markdown)
        environment.filters.update({function.__name__: function for function in (*checks, *forms)})
