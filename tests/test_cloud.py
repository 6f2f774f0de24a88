"""The question `cloud`: container image, dev container, Binder, Colab, JupyterHub.

What the quick ring sees is the files; the slow tests hand each to the program that it is for.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import nbformat
import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Bake, Project, literal
from cookiecutter.main import cookiecutter

WORDS = r"docker|container|binder|colab|jupyterhub|make (image|kernel|badges)"
START = "notebooks/start.ipynb"
HOSTILE = "say \"hello\" \\ 'there' <b>{{ x }}</b> 👩‍🔬"


# The files.


def test_nothing_of_it_is_there_unless_chosen(bake: Bake) -> None:
    project = bake()
    for name in ("README.md", "Makefile", "pyproject.toml", ".gitignore"):
        assert not re.search(WORDS, project.read(name), re.I), name


def test_any_name_gives_valid_files(bake: Bake) -> None:
    project = bake(
        project_name=literal(HOSTILE), project_slug="A_b.c", package_name="named", cloud=True
    )
    assert json.loads(project.read(".devcontainer/devcontainer.json"))["name"] == HOSTILE
    # A tag may have no capitals, and no `._` or `_.`.
    assert "IMAGE := a-b-c\n" in project.read("Makefile")
    assert "docker build --tag a-b-c ." in project.make("--dry-run", "image")


def test_what_is_added_is_clean(bake: Bake) -> None:
    project = bake(cloud=True, package_name="a")
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command, "--no-cache")
        # In the template, its name is not that of a Python file.
        rules = ("--config", str(TEMPLATE / "pyproject.toml"), "tools/badges.py", "--no-cache")
        project.run(sys.executable, "-m", "ruff", *command, *rules)
    assert os.access(project.path / ".binder" / "postBuild", os.X_OK)


@pytest.mark.parametrize(
    ("manager", "lock"), [("uv", "uv"), ("pip", "requirements"), ("conda", "requirements")]
)
def test_the_image_is_built_from_the_lock_file_and_not_run_as_root(
    bake: Bake, manager: str, lock: str
) -> None:
    steps = bake(cloud=True, environment=manager).read("Dockerfile").splitlines()
    assert any(step.startswith("COPY") and f" {lock}.lock " in step for step in steps)
    assert len([step for step in steps if step.startswith("FROM ")]) == 2
    (user,) = [step for step in steps if step.startswith("USER ")]
    assert user == "USER 1000"
    assert not [step for step in steps[steps.index(user) :] if "root" in step]


# The badges.


def address(project: Project) -> str:
    """Return what the notebook for the cloud clones."""
    notebook = nbformat.reads(project.read(START), as_version=4)
    nbformat.validate(notebook)
    (found,) = re.findall(r'^REPOSITORY = "(.*?)"', notebook.cells[1].source, re.M)
    return found


def test_badges_open_the_repository_that_git_knows(bake: Bake) -> None:
    project = bake(cloud=True)
    untouched = project.read("README.md")

    def badges(remote: str, code: int = 0) -> str:
        project.git("remote", "set-url", "origin", remote)
        return project.run(sys.executable, "tools/badges.py", code=code)

    project.git("init", "--quiet", "--initial-branch=trunk")
    said = project.run(sys.executable, "tools/badges.py", code=1)
    assert said == (
        "badges: this repository has no remote yet; run: git remote add origin ADDRESS\n"
    )
    project.git("remote", "add", "origin", "x")

    badges("/srv/git/data.git")
    assert address(project) == "/srv/git/data.git"
    assert project.read("README.md") == untouched

    github = {}
    for remote in (
        *("git@github.com:org/data.git", "https://github.com/org/data"),
        *("https://someone:secret@github.com/org/data.git", "ssh://git@github.com:22/org/data.git"),
    ):
        said = badges(remote)
        assert "Colab, Binder, Codespaces" in said
        assert address(project) == "https://github.com/org/data"
        github[project.read("README.md")] = remote
        assert "secret" not in project.read("README.md") + project.read(START) + said
    (readme,) = github
    assert f"colab.research.google.com/github/org/data/blob/trunk/{START})" in readme
    assert f"mybinder.org/v2/gh/org/data/trunk?urlpath=lab/tree/{START})" in readme
    assert "(https://codespaces.new/org/data/tree/trunk)" in readme
    outside = re.compile(r"(<!-- badges -->).*(<!-- end of badges -->)", re.S)
    assert outside.sub("", readme) == outside.sub("", untouched)

    # The repository moves, to a host that Colab does not open.
    badges("git@gitlab.com:group/sub/data.git")
    moved = project.read("README.md")
    assert "mybinder.org/v2/gl/group%2Fsub%2Fdata/trunk?" in moved
    assert "colab.research" not in moved and "github.com" not in moved

    project.write("README.md", "# Mine\n")
    assert "README.md has no lines <!-- badges -->" in badges("git@github.com:o/d.git", code=1)


# What the files are for. Everything below starts real programs.


def on_path(*programs: str) -> None:
    """Skip the test if a program of the system is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (apt-get install {program})")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that makes an environment and returns the folder of its programs."""

    def make(*packages: str) -> Path:
        folder = tmp_path_factory.mktemp("environment") / "venv"
        uv = str(Path(sys.prefix) / "bin" / "uv")
        subprocess.run([uv, "venv", "--quiet", f"--python={sys.executable}", folder], check=True)
        python = f"--python={folder}/bin/python"
        subprocess.run([uv, "pip", "install", "--quiet", python, *packages], check=True)
        return folder / "bin"

    return make


@pytest.fixture(scope="session")
def readers(environment: Callable[..., Path]) -> Path:
    """The programs that read the files of Binder and of CI."""
    return environment("jupyter-repo2docker", "check-jsonschema")


@pytest.fixture(scope="session")
def node_programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs that are written in JavaScript."""
    on_path("npm")
    folder = tmp_path_factory.mktemp("node")
    packages = ("@devcontainers/cli", "configurable-http-proxy")
    command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), *packages]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return folder / "node_modules" / ".bin"


@pytest.fixture(scope="session")
def cloudy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the files for the cloud, set up, run, committed and pushed to its storage."""
    home = tmp_path_factory.mktemp("home") / "alice"
    answers = {
        "project_name": "Cloudy",
        "package_name": "biopsies",
        "python_version": PYTHON_VERSION,
        "storage": str(home.parent / "storage"),
        "cloud": True,
    }
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(home))
    project = Project(Path(made))
    project.make("run-notebooks")
    project.git("remote", "add", "origin", (project.path / ".git").as_uri())
    project.make("badges")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    project.make("push")
    return project


DETECT = """
from repo2docker.app import Repo2Docker
packs = [pack(base_image="any") for pack in Repo2Docker().buildpacks]
print(next(type(pack).__name__ for pack in packs if pack.detect()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["uv", "pip", "conda"])
def test_binder_takes_the_configuration(bake: Bake, readers: Path, manager: str) -> None:
    project = bake(cloud=True, environment=manager, python_version="3.12")
    # A Dockerfile or environment.yml at the root would be taken if .binder/ did not come first.
    assert project.run(f"{readers}/python", "-c", DETECT).split() == ["PythonBuildPack"]
    recipe = project.run(f"{readers}/repo2docker", "--no-build", "--debug", ".")
    assert "Building conda environment for python=3.12" in recipe
    assert "RUN ./.binder/postBuild" in recipe
    project.write(".binder/runtime.txt", "python-1.0\n")
    project.run(f"{readers}/repo2docker", "--no-build", "--debug", ".", code=1)


@pytest.mark.slow
@pytest.mark.parametrize("manager", ["uv", "conda"])
def test_the_dev_container_is_read_by_its_reference_program(
    bake: Bake, node_programs: Path, manager: str
) -> None:
    project = bake(cloud=True, environment=manager)
    command = (f"{node_programs}/devcontainer", "read-configuration", "--docker-path", "true")
    said = project.run(*command, "--workspace-folder", ".").splitlines()
    (found,) = [json.loads(line) for line in said if line.startswith("{")]
    written = json.loads(project.read(".devcontainer/devcontainer.json"))
    vscode = written["customizations"]["vscode"]["settings"]
    assert vscode["python.defaultInterpreterPath"].endswith("/.venv/bin/python")
    read = found["configuration"]
    assert {name: read[name] for name in ("name", "image", "postCreateCommand")} == {
        name: written[name] for name in ("name", "image", "postCreateCommand")
    }
    folder = f"/workspaces/{project.path.name}"
    assert found["workspace"]["workspaceFolder"] == folder
    # Variables are resolved, so the interpreter is the one that `make setup` makes.
    settings = read["customizations"]["vscode"]["settings"]
    assert settings == {"python.defaultInterpreterPath": f"{folder}/.venv/bin/python"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ci", "name", "schema"),
    [
        ("GitHub", ".github/workflows/ci.yml", "vendor.github-workflows"),
        ("GitLab", ".gitlab-ci.yml", "vendor.gitlab-ci"),
    ],
)
def test_the_ci_files_fit_their_schemas(
    bake: Bake, readers: Path, ci: str, name: str, schema: str
) -> None:
    project = bake(ci=ci)
    command = (f"{readers}/check-jsonschema", "--builtin-schema", schema, name)
    project.run(*command)
    text = project.read(name)
    project.write(name, re.sub(r"^( *)(timeout\S*: ).*", r"\1\2[never]", text, flags=re.M))
    project.run(*command, code=1)


# Colab opens the notebook alone, in an environment that is not the project's.


def run_start(project: Project, programs: Path, folder: Path, code: int = 0) -> str:
    """Run the notebook for the cloud from a folder, as Colab would; return all its outputs."""
    copy = folder / "start.ipynb"
    shutil.copy(project.path / START, copy)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(programs), os.environ["PATH"]])
    # What Colab's kernels set, and the project's environment does not have.
    environment["MPLBACKEND"] = "module://ipykernel.pylab.backend_inline"
    command = [f"{programs}/jupyter", "execute", "--inplace", "--allow-errors", str(copy)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    outputs = [
        output for cell in nbformat.read(copy, 4).cells for output in cell.get("outputs", ())
    ]
    failed = [output.evalue for output in outputs if output.output_type == "error"]
    assert bool(failed) == bool(code), outputs
    return "".join([*failed[:1], *(output.get("text", "") for output in outputs)])


@pytest.fixture(scope="session")
def plain_jupyter(environment: Callable[..., Path]) -> Path:
    """An environment with a kernel and nothing of the project."""
    return environment("ipykernel", "nbclient")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_first_cell_clones_installs_and_pulls_and_is_skipped_elsewhere(
    cloudy: Project, plain_jupyter: Path, tmp_path: Path
) -> None:
    first = run_start(cloudy, plain_jupyter, tmp_path)
    assert "setup: installed the pre-commit and pre-push hooks" in first
    clone = Project(tmp_path / "project")
    assert (clone.path / "models" / "forest.joblib").is_file()
    # All was pulled, so nothing was computed.
    assert "Nothing to run: 5 stages are unchanged." in first
    assert "reports/metrics/evaluate.json" in first
    # In a clone that is set up the first cell does nothing; the pipeline has nothing to do.
    began = time.monotonic()
    again = run_start(cloudy, plain_jupyter, clone.path / "notebooks")
    assert time.monotonic() - began < 60
    assert "setup:" not in again and "pulled" not in again and "fetched" not in again
    assert clone.git("diff", "--stat") == ""


@pytest.mark.slow
def test_the_first_cell_says_what_it_lacks(
    bake: Bake, plain_jupyter: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = bake(cloud=True)
    folder = tmp_path_factory.mktemp("colab")
    said = run_start(project, plain_jupyter, folder, code=1)
    assert said.startswith("REPOSITORY is empty: write what `git clone` takes into this cell.")
    project.edit(START, r"REPOSITORY = \"\"", r"REPOSITORY = \"file:///nowhere\"")
    said = run_start(project, plain_jupyter, folder, code=1)
    assert said.startswith("git clone --quiet file:///nowhere project failed; its message is above")
    assert "'/nowhere' does not appear to be a git repository" in said


# JupyterHub: its server has an environment of its own, and runs the project's kernel.

HUB = """
c.JupyterHub.bind_url = "http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = ["{proxy}"]
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "only-on-loopback"
c.Authenticator.allowed_users = {{"alice"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{homes}/{{username}}"
c.Spawner.args = ["--allow-root"]
c.JupyterHub.services = [{{"name": "tester", "api_token": "{token}"}}]
scopes = ["admin:users", "admin:servers", "access:servers"]
c.JupyterHub.load_roles = [{{"name": "tester", "scopes": scopes, "services": ["tester"]}}]
"""
TOKEN = "a-token-for-the-test-alone"


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def answers(request: Request | str) -> bool:
    """Tell whether a server answers a request with success."""
    try:
        with closing(urlopen(request, timeout=5)) as answer:
            return bool(answer.status < 300)
    except (URLError, OSError):
        return False


def wait_for(request: Request | str, seconds: int = 90) -> None:
    end = time.monotonic() + seconds
    while not answers(request):
        assert time.monotonic() < end, f"{request} did not answer in {seconds} s"
        time.sleep(0.5)


@contextmanager
def hub(programs: Path, proxy: Path, homes: Path, folder: Path) -> Iterator[str]:
    """Run a JupyterHub on loopback; yield the address of the server of the user alice."""
    ports = free_ports(3)
    configuration = folder / "jupyterhub_config.py"
    text = HUB.format(ports=ports, proxy=proxy, homes=homes, token=TOKEN)
    configuration.write_text(text, encoding="utf-8")
    address = f"http://127.0.0.1:{ports[0]}"
    header = {"Authorization": f"token {TOKEN}"}
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    with (
        (folder / "hub.log").open("w") as log,
        subprocess.Popen(
            [f"{programs}/jupyterhub", "--config", str(configuration)],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            wait_for(f"{address}/hub/health")
            server = f"{address}/hub/api/users/alice/server"
            urlopen(Request(server, b"", header), timeout=60).close()
            wait_for(Request(f"{address}/user/alice/api/status", headers=header))
            yield f"{address}/user/alice"
        finally:
            process.terminate()  # the hub ends its proxy and its servers
            process.wait(timeout=60)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_jupyterhub_runs_the_notebooks_with_the_projects_kernel(
    cloudy: Project,
    environment: Callable[..., Path],
    node_programs: Path,
    tmp_path: Path,
) -> None:
    home = cloudy.path.parent
    programs = environment("jupyterhub", "jupyterlab")
    cloudy.make("kernel", HOME=str(home))
    proxy = node_programs / "configurable-http-proxy"
    client = [f"{programs}/python", str(TEMPLATE / "tests" / "hub.py")]
    with hub(programs, proxy, home.parent, tmp_path) as server:
        for name in ("10-ingest", "20-features"):
            path = f"{cloudy.path.name}/notebooks/production/{name}.ipynb"
            said = cloudy.run(*client, server, TOKEN, path, "nb-cloudy")
            assert f"kernel: {cloudy.path}/.venv\n" in said
        # The server's own environment has nothing of the project.
        own = cloudy.run(*client, server, TOKEN, path, "python3", code=1)
        assert "ModuleNotFoundError" in own
    saved = json.loads(cloudy.read("notebooks/production/10-ingest.ipynb"))
    assert saved["metadata"]["kernelspec"]["name"] == "nb-cloudy"
    # For Git and the pipeline these are the notebooks that they were.
    assert cloudy.git("diff", "--stat") == ""
    assert "Nothing to run." in cloudy.make("status")
    assert cloudy.make("doctor", HOME=str(home), CI="1")


# The image, with no registry at hand: Debian takes the place of what the Dockerfile names.


@dataclass
class Images:
    """A store of container images, and buildah to work on it without a daemon."""

    folder: Path

    def buildah(self, *command: str) -> str:
        store = [f"--root={self.folder}/store", f"--runroot={self.folder}/run"]
        done = subprocess.run(
            ["buildah", *store, "--storage-driver=vfs", *command],
            cwd=self.folder,
            env={**os.environ, "CONTAINERS_REGISTRIES_CONF": f"{self.folder}/registries.conf"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{command} -> {done.returncode}\n{done.stdout}"
        return done.stdout

    def run(self, image: str, *command: str, storage: Path) -> str:
        """Run a command in a new container, with a folder that stands for the bucket."""
        container = self.buildah("from", "--pull-never", *POLICY, image).split()[-1]
        options = ["--isolation=chroot", f"--volume={storage}:/storage", container, "--"]
        try:
            return self.buildah("run", *options, *command)
        finally:
            self.buildah("rm", container)


POLICY = ("--signature-policy=policy.json",)
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# What only the context has, and must not reach the image.
PRIVATE = (".env", ".dvc/config.local", "data/raw/private.csv", "models/private.joblib")
POINTER = "data/raw/kept.csv.dvc"
MARK = "not-for-the-image"
LOOK = f"""
grep -rl {MARK} .
ls -d .git .venv 2>/dev/null
for program in git jupyter-lab ruff uv; do command -v $program; done
true
"""
STAGES = ["ingest", "features", "train@logistic", "train@forest", "evaluate"]
JOB = "nb run --pull && nb push"


def like_the_official_image(root: Path) -> None:
    """Let Debian's Python be called as in the image that the Dockerfile names."""
    (root / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    if Path(CERTIFICATES).exists():
        shutil.copy(CERTIFICATES, f"{root}{CERTIFICATES}")


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """A store that holds the base image, made of Debian's packages."""
    on_path("debootstrap", "buildah")
    if os.geteuid():
        pytest.skip("debootstrap makes a system's files only as root")
    images = Images(tmp_path_factory.mktemp("images"))
    root = images.folder / "root"
    debootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root]
    subprocess.run(debootstrap, check=True, stdout=subprocess.DEVNULL)
    like_the_official_image(root)
    write = {"policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}'}
    write["registries.conf"] = 'unqualified-search-registries = ["docker.io"]'
    for name, text in write.items():
        (images.folder / name).write_text(text, encoding="utf-8")
    container = images.buildah("from", "scratch").split()[-1]
    images.buildah("copy", "--quiet", container, str(root), "/")
    path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    variables = (path, f"PIP_CERT={CERTIFICATES}", f"SSL_CERT_FILE={CERTIFICATES}")
    images.buildah("config", *(f"--env={variable}" for variable in variables), container)
    tag = "docker.io/library/python:3.11-slim-bookworm"
    images.buildah("commit", *POLICY, "--quiet", "--rm", container, tag)
    shutil.rmtree(root)
    yield images
    shutil.rmtree(images.folder)  # gigabytes


def lock(bake: Bake, manager: str) -> Project:
    """Return a project with the lock file of its manager, without an environment."""
    answers = {"python_version": "3.11", "cloud": True, "storage": "/storage"}
    uv = str(Path(sys.prefix) / "bin" / "uv")
    project = bake(project_slug="locked", package_name="biopsies", **answers)
    project.run(uv, "lock", "--quiet")
    if manager == "uv":
        return project
    options = ("--quiet", "--frozen", "--no-header", "--no-annotate")
    left_out = ("--no-emit-project", "--no-emit-package=nb-tools")
    exported = project.run(uv, "export", *options, *left_out)
    shutil.rmtree(project.path)
    project = bake(project_slug="locked", package_name="biopsies", environment=manager, **answers)
    project.write("requirements.lock", exported)
    return project


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("manager", ["uv", "pip"])
def test_the_image_builds_and_runs_the_pipeline(
    bake: Bake, images: Images, tmp_path: Path, manager: str
) -> None:
    project = lock(bake, manager)
    for name in (*PRIVATE, POINTER):
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        project.write(name, MARK)
    options = ("--isolation=chroot", "--pull-never", "--layers=false", f"--tag={manager}")
    images.buildah("bud", *options, *POLICY, str(project.path))
    storage = tmp_path / "storage"
    storage.mkdir()
    storage.chmod(0o777)

    def inside(*command: str) -> str:
        return images.run(f"localhost/{manager}", *command, storage=storage)

    # Who runs it, how large it is, and that neither private files nor development tools came along.
    user, size, *unwanted = inside("sh", "-c", f"id -u; du -sm /opt/venv; {LOOK}").splitlines()
    assert unwanted == [f"./{POINTER}"]  # what DVC needs to know, and nothing else
    print(f"{manager}: {size.split()[0]} MB")
    assert user == "1000"
    assert int(size.split()[0]) < 1100, size  # MB
    job = f"rm {POINTER}; {JOB}"
    first = inside("sh", "-c", job)
    assert re.findall(r"^(\S+) +ran ", first, re.M) == STAGES
    # Another container of the same commit takes all of it from the storage.
    second = inside("sh", "-c", f"{job}; touch /opt/venv/x || ls models")
    assert re.findall(r"^(\S+) +restored ", second, re.M) == STAGES
    assert "forest.joblib" in second
    assert "cannot touch '/opt/venv/x': Permission denied" in second
