"""Check the answers and write them into files: the Jinja extension of the template.

A check runs as soon as its question is answered, before any folder exists, so a bad answer leaves
nothing behind. It raises cookiecutter's `FailedHookException`, which its command line prints as one
sentence and answers with exit code 1.
"""

from __future__ import annotations  # older versions of Python come as far as the check of versions

import hashlib
import json
import keyword
import os
import posixpath
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Collection, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

import cookiecutter
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.runtime import Context

# Found while the template is loaded: cookiecutter changes the working directory later.
FOLDER = Path(__file__).resolve().parent
# An address of a template that is not a folder: a URL, `git@host:…`, or an abbreviation as `gh:`.
ELSEWHERE = r"\w[\w+.-]+:|[\w.-]+@[\w.-]+:"
OLDEST_COOKIECUTTER = (2, 1)
OLDEST_PYTHON = (3, 10)
# Copied as they are: braces mean something else in them. cookiecutter's `_copy_without_render`
# would delete a folder that is there already, and overwrite files even when told to skip them.
VERBATIM = ("*.ipynb*", "*.j2*", "*.github/workflows/*", "tools/*")
# The files of the tooling that are made, not copied, and files that the manifest leaves out.
MANIFEST = "tools/manifest.json"
GUIDE = "tools/nb/guide.md"
# Folders of the documentation whose pages a project has, too.
GUIDE_FOLDERS = ("how-to", "reference", "help")
UNLISTED = re.compile(r"__pycache__|\{%|\.py[cod]$")
# The package that notebooks import in the template.
PLACEHOLDER = "project_package"
# The questions of the template with their defaults.
QUESTIONS = {
    question: default
    for question, default in json.loads(
        (FOLDER / "cookiecutter.json").read_text(encoding="utf-8")
    ).items()
    if not question.startswith("_")
}
# Folders that were searched for files in the way of the project's.
EXAMINED: set[Path] = set()
FREE_TEXT = ("project_name", "description", "author", "email")
STORAGE_SCHEMES = ("s3", "gs", "azure", "ssh")
PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
WINDOWS_DEVICES = {"con", "prn", "aux", "nul"} | PORTS
# What a generated project installs, by distribution and by module, with all that those need: a
# package of the same name would hide it, or make the installation fail.
INSTALLED = """
adlfs aiobotocore aiohappyeyeballs aiohttp aiohttp_retry aioitertools aiosignal altair amqp
annotated_types antlr4 antlr4_python3_runtime anyio appdirs appnope argcomplete argon2 argon2_cffi
argon2_cffi_bindings arrow asttokens async_lru asyncssh atpublic attr attrs azure azure_core
azure_identity azure_storage_blob babel bcrypt beautifulsoup4 billiard bleach boto3 botocore bs4
celery certifi cffi cfgv charset_normalizer click click_didyoumean click_plugins click_repl
cloudpickle colorama comm configobj contourpy cryptography cycler dateutil db_dtypes debugpy
decorator defusedxml detect_secrets dictdiffer diskcache distlib distro dotenv dpath duckdb dulwich
dvc dvc_azure dvc_data dvc_gs dvc_http dvc_objects dvc_render dvc_s3 dvc_ssh dvc_studio_client
dvc_task entrypoints executing fastjsonschema filelock flatten_dict flufl flufl_lock fonttools fqdn
frozenlist fsspec funcy gcsfs ghp_import git gitdb gitpython google google_api_core google_auth
google_auth_oauthlib google_cloud_bigquery google_cloud_bigquery_storage google_cloud_core
google_cloud_storage google_cloud_storage_control google_crc32c google_resumable_media
googleapis_common_protos grandalf griffe griffelib grpc grpc_google_iam_v1 grpc_status grpcio
grpcio_status gto h11 httpcore httpx hydra hydra_core ibis ibis_framework identify idna iniconfig
ipykernel ipykernel_launcher ipython ipython_pygments_lexers ipywidgets isodate isoduration
iterative_telemetry itsdangerous jedi jinja2 jmespath joblib json5 jsonpointer jsonschema
jsonschema_specifications jupyter jupyter_builder jupyter_client jupyter_core jupyter_events
jupyter_lsp jupyter_server jupyter_server_terminals jupyterlab jupyterlab_pygments jupyterlab_server
jupyterlab_widgets jupytext jwt kiwisolver knack kombu lark latex2mathml libcst markdown markdown_it
markdown_it_py markupsafe matplotlib matplotlib_inline mdit_py_plugins mdurl mergedeep mistune
mkdocs mkdocs_autorefs mkdocs_get_deps mkdocstrings mkdocstrings_python mpl_toolkits msal
msal_extensions multidict multipart narwhals nb_tools nbclient nbconvert nbformat nbstripout
nest_asyncio2 networkx nodeenv notebook_shim numpy oauthlib omegaconf opentelemetry
opentelemetry_api orjson overrides packaging pandas pandas_gbq pandocfilters papermill parso parsy
pathspec pexpect pil pillow pip platformdirs pluggy pre_commit pre_commit_hooks prometheus_client
prompt_toolkit propcache proto proto_plus protobuf psutil psycopg psycopg_binary ptyprocess public
pure_eval py py4j pyarrow pyarrow_hotfix pyasn1 pyasn1_modules pyathena pycparser pydantic
pydantic_core pydantic_settings pydata_google_auth pydeck pydevd_plugins pydot pygit2 pygments
pygtrie pyjwt pylab pymdown_extensions pymdownx pyparsing pyreadline3 pyspark pytest python_dateutil
python_discovery python_dotenv python_json_logger python_multipart pythonjsonlogger pywin32 pywinpty
pyyaml pyyaml_env_tag pyyaml_ft pyzmq referencing requests requests_oauthlib rfc3339_validator
rfc3986_validator rfc3987_syntax rich rpds rpds_py ruamel ruamel_yaml ruamel_yaml_clib ruff s3fs
s3transfer scikit_learn scipy scmrepo semver send2trash setuptools shortuuid shtab six sklearn smmap
soupsieve sqlglot sqltrie sshfs stack_data starlette streamlit tabulate tenacity terminado
threadpoolctl tinycss2 tlz tomlkit toolz tornado tqdm traitlets typing_extensions typing_inspection
tzdata tzlocal uri_template urllib3 uvicorn validate vine virtualenv voila voluptuous watchdog
wcwidth webcolors webencodings websocket websocket_client websockets widgetsnbextension wrapt yaml
yaml_env_tag yarl zc zc_lockfile zmq
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
    """Refuse an e-mail that is neither empty nor shaped like an address."""
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
    """Express a storage place for DVC's configuration: relative to the folder `.dvc`."""
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
    """Escape text so that Markdown shows the characters as typed (CommonMark, section 2.4)."""
    escaped = re.sub(r"[\\`*_\[\]<>~|$]|&(?=#?\w+;)", r"\\\g<0>", text.strip())
    return re.sub(r"^(\d*)([-+=#.)])", r"\1\\\2", escaped)


def template_folder(_: str) -> str:
    """Return the folder of the template, for the hook, which is started from a copy elsewhere."""
    return str(FOLDER)


def manifest(_: str) -> str:
    """Return the manifest of the bundled tooling: the template's version, and a hash of each file.

    Written whenever a project is generated, so it cannot be stale. Files of options are left out.
    """
    text = (FOLDER / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', text, re.M)
    tools = FOLDER / "{{cookiecutter.project_slug}}" / "tools"
    found = sorted(tools.rglob("*"), key=lambda path: path.parts)  # Windows ignores case in paths
    paths = {path.relative_to(tools.parent).as_posix(): path for path in found}
    contents = {
        name: f"{guide('')}\n".encode() if name == GUIDE else path.read_bytes()
        for name, path in paths.items()
        if path.is_file() and name != MANIFEST and not UNLISTED.search(str(path))
    }
    files = {
        name.removeprefix("tools/"): hashlib.sha256(content).hexdigest()
        for name, content in contents.items()
    }
    content = {"schema": 1, "version": version[1] if version else "", "files": files}
    return json.dumps(content, indent=2)


def record(answers: Mapping[str, Any]) -> str:
    """Return the record of a project's template and answers, in cruft's format.

    Entries that name folders of this machine are left out, as cruft does.
    """
    place = str(answers["_template"])
    # A template that was unpacked inside somebody's repository is not part of that.
    is_tracked = bool(_git("ls-files", "--error-unmatch", "--", "cookiecutter.json"))
    commit = _git("rev-parse", "HEAD") if is_tracked else ""
    template = _address(place) if commit else _without_secrets(_last_part(place))
    here = ("_output_dir", "_repo_dir", "_checkout")
    kept = {key: value for key, value in answers.items() if key not in here}
    kept |= {"_template": template, "_commit": commit or None}
    content = {
        "template": template,
        "commit": commit or None,
        "checkout": answers.get("_checkout"),
        # Sorted: the hook, which compares, gets the answers in another order.
        "context": {"cookiecutter": dict(sorted(kept.items()))},
        "directory": (commit and _git("rev-parse", "--show-prefix").rstrip("/")) or None,
    }
    return json.dumps(content, ensure_ascii=False, indent=2)


def _git(*arguments: str) -> str:
    """Return the output of Git in the template's folder; empty if Git fails or is not there."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(FOLDER), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    except (OSError, UnicodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _address(place: str) -> str:
    """Return where others find the template: the origin of a clone, if it has this commit."""
    origin = _git("remote", "get-url", "origin")
    if re.match(ELSEWHERE, place):
        return _without_secrets(origin or place)
    is_shared = re.match(ELSEWHERE, origin) and not origin.startswith("file:")
    if is_shared and _git("branch", "--remotes", "--contains", "HEAD"):
        return _without_secrets(origin)
    return _git("rev-parse", "--show-toplevel")


def _last_part(place: str) -> str:
    """Return the name of a folder or archive, which no other machine has in the same place."""
    return place if re.match(ELSEWHERE, place) else Path(FOLDER.parent, place).resolve().name


def _without_secrets(address: str) -> str:
    """Drop user, password and query of a web address; `git@` of SSH is no secret."""
    if re.match(r"https?://", address):
        return re.sub(r"^(https?://)[^/]*@", r"\1", re.split(r"[?#]", address)[0])
    return re.sub(r"^(\w+://[^/@:]*):[^/@]*@", r"\1@", address)


def guide(_: str) -> str:
    """Return the pages that `nb help` shows: those of the documentation that users need."""
    docs = FOLDER / "docs"
    pages = [page for folder in GUIDE_FOLDERS for page in sorted((docs / folder).glob("*.md"))]
    texts = (page.read_text(encoding="utf-8").strip() for page in pages)
    names = (page.relative_to(docs).as_posix() for page in pages)
    return "\n\n".join(f"<!-- {name} -->\n{text}" for name, text in zip(names, texts, strict=True))


YES = ("1", "true", "t", "yes", "y", "on")
NO = ("0", "false", "f", "no", "n", "off")
CHECKS = {
    "project_slug": valid_slug,
    "package_name": valid_package,
    "email": valid_email,
    "storage": valid_storage,
}


def checked(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers given so far; refuse the first wrong answer, from any source.

    cookiecutter takes what a replay file says as it is, and before 2.7 leaves `cloud=yes` a text.
    """
    answers = dict(answers)
    for question, default in QUESTIONS.items():
        if question not in answers:
            continue
        answer = answers[question]
        if isinstance(default, bool):
            answers[question] = yes_or_no(question, answer)
        elif not isinstance(answer, str):
            _reject(f"The answer to {question!r} must be a text, not {answer!r}.")
        elif isinstance(default, list) and answer not in default:
            _reject(f"The answer to {question!r} must be one of {', '.join(default)}.")
        CHECKS.get(question, str)(answer)
    valid_text(answers)
    return answers


def way_on(answers: Mapping[str, Any]) -> str:
    """Return how to keep the answers given so far: the command that asks for the last one again.

    Empty where nobody is asked. A replay file would not do: cookiecutter renders no default with
    the answers of one.
    """
    is_asked = sys.stdin is not None and sys.stdin.isatty() and "--no-input" not in sys.argv
    good = [*answers.items()][:-1]
    if not (is_asked and good) or QUESTIONS.keys() <= answers.keys():
        return ""
    given = [f"{name}={answer}" for name, answer in good if name in QUESTIONS]
    words = ["cookiecutter", *sys.argv[1:], *given]
    command = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f"\nTo go on from there (Enter takes what you have answered):\n\n    {command}"


def yes_or_no(question: str, answer: object) -> bool:
    """Read the answer to a question for yes or no, in the words that cookiecutter takes for it."""
    word = str(answer).strip().lower()
    if word not in (*YES, *NO):
        _reject(f"The answer to {question!r} must be yes or no, not {answer!r}.")
    return word in YES


def chosen(answers: Mapping[str, Any]) -> dict[str, bool]:
    """Tell which optional parts the answers choose: the names of files and folders ask for them."""
    dashboard, scheduler = answers["dashboard"], answers["scheduler"]
    example, warehouse = answers["example"], answers["warehouse"] != "none"
    return {
        "airflow": scheduler == "Airflow",
        "citation": bool(answers["author"].strip()),
        "cloud": answers["cloud"],
        "config": example or warehouse,
        "dagster": scheduler == "Dagster",
        "dashboard": dashboard != "none",
        "decision": dashboard != "none" and example,
        "docs": answers["cloud"] or answers["docs"] == "MkDocs",
        "example": example,
        "github": answers["ci"] == "GitHub",
        "gitlab": answers["ci"] == "GitLab",
        "mkdocs": answers["docs"] == "MkDocs",
        "scheduler": scheduler != "none",
        "sizes": example and warehouse,
        "streamlit": dashboard == "Streamlit",
        "voila": dashboard == "Voila",
        "voila_decision": dashboard == "Voila" and example,
        "voila_results": dashboard == "Voila" and not example,
        "warehouse": warehouse,
    }


def refuse_obstacles(environment: Environment, answers: Mapping[str, Any]) -> None:
    """Refuse a folder in which somebody's file or link is in the way, before anything is written.

    cookiecutter would stop half-way, or write through a link to wherever the link leads.
    """
    project = Path(answers.get("_output_dir", ""), answers["project_slug"])
    if "_output_dir" not in answers or project in EXAMINED:
        return
    EXAMINED.add(project)
    top = FOLDER / "{{cookiecutter.project_slug}}"
    for path in sorted(top.rglob("*")) if project.is_dir() else ():
        names = [
            environment.from_string(part).render(cookiecutter=answers) if "{" in part else part
            for part in path.relative_to(top).parts
        ]
        reason = obstacle(project.joinpath(*names), path.is_dir())
        if reason and all(names) and not any(name.startswith(".not-chosen-") for name in names):
            _reject(f"{'/'.join(names)} {reason}. Rename yours first; nothing was changed.")


def obstacle(path: Path, is_folder: bool) -> str:
    """Tell why a path of the project cannot be written; empty if nothing is in the way."""
    if path.is_symlink() and is_folder:
        return "is a link, and Git does not look beyond links; the project needs a folder there"
    if path.is_symlink() and not path.exists():
        return "is a link that leads nowhere; the project needs a file there"
    if path.exists() and is_folder != path.is_dir():
        found, needed = ("file", "folder") if is_folder else ("folder", "file")
        return f"is a {found}; the project needs a {needed} there"
    return ""


class CheckedContext(Context):
    """The variables of a template; the answers among them are checked before anything is rendered.

    Nothing that follows from answers is an answer, so a replay file cannot hold an old value of it.
    """

    def __init__(
        self, environment: Environment, parent: dict[str, Any], *rest: Any, **options: Any
    ) -> None:
        given = parent.get("cookiecutter", {})
        # A replay file of an older template may hold it still.
        given.pop("_copy_without_render", None)
        try:
            answers = checked(given)
        except FailedHookException as refusal:
            _reject(f"{refusal}{way_on(given)}")
        parent = {**parent, "cookiecutter": answers}
        if QUESTIONS.keys() <= answers.keys():
            parent["chosen"] = chosen(answers)
            refuse_obstacles(environment, answers)
        super().__init__(environment, parent, *rest, **options)


def is_template(text: str, filters: Collection[str]) -> bool:
    """Tell whether an answer with braces names another answer; else, it is meant as it stands."""
    try:
        tree = Environment().parse(text)
    except TemplateSyntaxError:
        return False
    names = {node.name for node in tree.find_all(nodes.Name)}
    known = all(node.name in filters for node in tree.find_all(nodes.Filter))
    return (bool(names) and names <= {"cookiecutter", "chosen"} and known) or "{% raw %}" in text


def literal(text: str) -> str:
    """Express text as a template that renders to it."""
    return f"{{{{ {text!a} }}}}"


def refuse_old_versions(version: str, python: tuple[int, ...]) -> None:
    """Refuse a cookiecutter or a Python with which generated files would be wrong."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_COOKIECUTTER or python < OLDEST_PYTHON:
        _reject(
            "This template needs cookiecutter {}.{} or newer, run by Python {}.{} or newer; this "
            "is cookiecutter {} run by Python {}.{}. Try: uvx cookiecutter …".format(
                *OLDEST_COOKIECUTTER, *OLDEST_PYTHON, version, *python[:2]
            )
        )


class Answers(Extension):
    """The template's filters, its checks, and the files that are copied as they are."""

    def __init__(self, environment: Environment) -> None:
        # Another version of the template may be rendered next in this process, by its own rules.
        sys.modules.pop(__name__, None)
        refuse_old_versions(cookiecutter.__version__, sys.version_info[:3])
        super().__init__(environment)
        forms = (package_name, storage_url, dvc_requirement, ibis_requirement, quoted, markdown)
        functions = (*forms, guide, manifest, record, template_folder)
        environment.filters.update({function.__name__: function for function in functions})
        environment.trim_blocks = environment.lstrip_blocks = True
        environment.context_class = CheckedContext

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Keep a file of the template, or an answer, from being rendered where braces are text."""
        if name is None:  # an answer, a path of the template or its hook
            return source if is_template(source, self.environment.filters) else literal(source)
        if name in (GUIDE, MANIFEST) or not any(fnmatch(name, pattern) for pattern in VERBATIM):
            return source
        if ".ipynb" in name:
            parts = map(literal, source.split(PLACEHOLDER))
            return "{{ cookiecutter.package_name }}".join(parts)
        return literal(source)
