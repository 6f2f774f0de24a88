"""The DVC storage, with real servers on this machine: push, clone elsewhere, pull; what goes wrong.

The servers live in an environment of their own and are stopped by the fixtures that start them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Project
from cookiecutter.main import cookiecutter

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="servers of POSIX")]

# Of the project: what DVC needs for each kind; and the servers, with the newest that Node 20 runs.
EXTRAS = "dvc[s3,gs,azure,ssh]"
SERVERS = ("moto[server,s3,iam]", "gcp-storage-emulator", "boto3")
AZURITE = "azurite@3.35.0"
# Azurite's own, printed in its documentation.
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
KINDS = ("folder", "s3", "azure", "gs", "ssh")
REMOTE = tuple(kind for kind in KINDS if kind != "folder")


@dataclass
class Place:
    """A storage that a server keeps on this machine.

    Attributes:
        url: what DVC calls it.
        port: where the server listens.
        settings: what `dvc remote modify --local` is given.
        environment: variables, credentials among them.
        nowhere: the address of a bucket that is not there.
    """

    url: str
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    nowhere: str = ""

    def through(self, port: int) -> Place:
        """The same place, reached by another port."""
        old, new = f":{self.port}", f":{port}"
        settings, environment = (
            {key: value.replace(old, new) for key, value in values.items()}
            for values in (self.settings, self.environment)
        )
        return Place(self.url.replace(old, new), port, settings, environment)


@dataclass
class Clone(Project):
    """A clone of a project that borrows its environment and nothing else."""

    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, **options: Any) -> str:
        return super().run(*command, **{**self.environment, **options})

    def store(self, place: Place) -> None:
        """Name the place in `.dvc/config.local`, credentials and all."""
        (self.path / ".dvc" / "config.local").unlink(missing_ok=True)
        for name, value in {"url": place.url, **place.settings}.items():
            self.run("dvc", "remote", "modify", "--local", "storage", name, value)
        self.environment = place.environment

    def line(self, *command: str) -> str:
        """Run a command that is to fail with one sentence; return that."""
        said = self.run(*command, code=2 if command[0] == "make" else 1)
        lines = [line for line in said.splitlines() if not line.startswith("make: ***")]
        assert len(lines) == (2 if command[0] == "make" else 1), said
        assert lines[-1].startswith("nb: "), said
        return lines[-1]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None, f"{process.args} ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError(f"{process.args} does not answer")


@contextmanager
def serving(port: int, *command: str, **environment: str) -> Iterator[None]:
    """Run a server while the block runs."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the servers, from PyPI and npm."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: Azurite comes from it")
    folder = tmp_path_factory.mktemp("servers")
    uv = str(Path(sys.prefix) / "bin" / "uv")
    subprocess.run([uv, "venv", "--quiet", str(folder / "py")], check=True)
    python = f"--python={folder}/py/bin/python"
    subprocess.run([uv, "pip", "install", "--quiet", python, *SERVERS], check=True)
    npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", AZURITE]
    subprocess.run(npm, cwd=folder, check=True, stdin=subprocess.DEVNULL)
    return folder


MAKE_BUCKET = """
import json, sys, urllib.request, boto3
where = dict(endpoint_url=sys.argv[1], region_name="us-east-1",
             aws_access_key_id="x", aws_secret_access_key="y")
boto3.client("s3", **where).create_bucket(Bucket="data")
iam = boto3.client("iam", **where)
iam.create_user(UserName="member")
policy = {"Version": "2012-10-17",
          "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="member", PolicyName="p", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="member")["AccessKey"]
reset = f"{sys.argv[1]}/moto-api/reset-auth"  # from here on keys count
urllib.request.urlopen(urllib.request.Request(reset, b"0", {"Content-Type": "text/plain"}))
print(key["AccessKeyId"], key["SecretAccessKey"])
"""


@contextmanager
def s3(servers: Path, folder: Path) -> Iterator[Place]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(port, f"{servers}/py/bin/moto_server", "-H", "127.0.0.1", "-p", str(port)):
        command = [f"{servers}/py/bin/python", "-c", MAKE_BUCKET, url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        key, secret = done.stdout.split()
        environment = {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        yield Place("s3://data/store", port, {"endpointurl": url}, environment, "s3://none/store")


@contextmanager
def gs(servers: Path, folder: Path) -> Iterator[Place]:
    port = free_port()
    command = (f"{servers}/py/bin/gcp-storage-emulator", "start", "--host=127.0.0.1")
    with serving(port, *command, f"--port={port}", "--in-memory", "--default-bucket=data"):
        settings = {"endpointurl": f"http://127.0.0.1:{port}", "allow_anonymous_login": "true"}
        # Else gcsfs asks for a kind of bucket that the emulator does not know, by gRPC.
        environment = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false"}
        yield Place("gs://data/store", port, settings, environment, "gs://none/store")


@contextmanager
def azure(servers: Path, folder: Path) -> Iterator[Place]:
    port = free_port()
    command = (f"{servers}/node_modules/.bin/azurite-blob", "--silent", "--disableTelemetry")
    more = ("--skipApiVersionCheck", "--blobHost=127.0.0.1", f"--blobPort={port}")
    with serving(port, *command, *more, f"--location={folder}"):
        text = (
            "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
            f"AccountKey={AZURE_KEY};BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
        )
        environment = {"AZURE_STORAGE_CONNECTION_STRING": text}
        yield Place("azure://data/store", port, {}, environment, "azure://none/store")


@contextmanager
def ssh(servers: Path, folder: Path) -> Iterator[Place]:
    if not Path("/usr/sbin/sshd").exists():
        pytest.skip("sshd is not installed (openssh-server)")
    port = free_port()
    for name in ("host", "id", "stranger"):
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(keygen, check=True)
    shutil.copy(folder / "id.pub", folder / "authorized")
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "conf").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nPidFile {folder}/pid\n"
        "PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    user = os.environ.get("USER") or subprocess.check_output(["id", "-un"], text=True).strip()
    with serving(port, "/usr/sbin/sshd", "-D", "-f", str(folder / "conf")):
        settings = {"keyfile": str(folder / "id"), "allow_agent": "false"}
        yield Place(f"ssh://{user}@127.0.0.1:{port}{folder}/store", port, settings)


@contextmanager
def folder(servers: Path, folder: Path) -> Iterator[Place]:
    yield Place(str(folder / "store"))


STARTS: dict[str, Callable[[Path, Path], Any]] = {
    "folder": folder, "s3": s3, "gs": gs, "azure": azure, "ssh": ssh,
}  # fmt: skip
MAKE_CONTAINER = (
    "import sys; from azure.storage.blob import BlobServiceClient as Client; "
    "Client.from_connection_string(sys.argv[1]).create_container('data')"
)


@pytest.fixture(scope="session")
def places(
    servers: Path, stored: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Place]]:
    """Start the server of a kind of storage when it is first asked for."""
    started: dict[str, Place] = {}
    with ExitStack() as running:

        def start(kind: str) -> Place:
            if kind not in started:
                begun = STARTS[kind](servers, tmp_path_factory.mktemp(kind))
                started[kind] = place = running.enter_context(begun)
                if kind == "azure":
                    text = place.environment["AZURE_STORAGE_CONNECTION_STRING"]
                    stored.run("python", "-c", MAKE_CONTAINER, text)
            return started[kind]

        yield start


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, run and committed, with the packages for all kinds of storage."""
    answers = {
        "project_name": "Stored",
        "python_version": PYTHON_VERSION,
        "storage": "s3://data/store",
    }
    made = cookiecutter(
        str(TEMPLATE),
        no_input=True,
        extra_context=answers,
        output_dir=str(tmp_path_factory.mktemp("stored")),
    )
    project = Project(Path(made))
    project.make("run-notebooks")
    assert project.run("python", "-c", "import dvc_s3") == ""
    uv = str(Path(sys.prefix) / "bin" / "uv")
    project.run(uv, "pip", "install", "--quiet", "--python=.venv/bin/python", EXTRAS)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    return project


Cloning = Callable[..., Clone]


@pytest.fixture
def clone(stored: Project, tmp_path: Path) -> Cloning:
    """Return a function that clones the project; without results if so wished."""

    def make(name: str, place: Place, *, results: bool = True) -> Clone:
        made = Clone(tmp_path / name)
        stored.git("clone", "--quiet", str(stored.path), str(made.path))
        (made.path / ".venv").mkdir()
        for part in ("bin", "lib", "pyvenv.cfg"):  # without them, it is the base Python
            (made.path / ".venv" / part).symlink_to(stored.path / ".venv" / part)
        (made.path / ".venv" / ".ready").write_text(str(made.path.resolve()))
        made.run("nb", "setup")
        made.store(place)
        if not results:
            made.git("rm", "--quiet", "dvc.lock", "reports/metrics/*.json")
        return made

    return make


@pytest.fixture
def owner(stored: Project, clone: Cloning) -> Callable[[Place], Clone]:
    """Return a function that makes a clone which has all results, as if it had run."""

    def make(place: Place) -> Clone:
        made = clone("owner", place)
        shutil.copytree(stored.path / ".dvc" / "cache", made.path / ".dvc" / "cache")
        made.run("dvc", "checkout", "--quiet")
        return made

    return make


def notebooks_run(said: str) -> int:
    return said.count("runs notebooks/")


def site_of(project: Path) -> dict[str, bytes]:
    """Return the files of a site by path."""
    site = project / "reports" / "site"
    files = [path for path in site.rglob("*") if path.is_file()]
    return {path.relative_to(site).as_posix(): path.read_bytes() for path in files}


# What is shared ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_push_clone_pull_and_there_is_nothing_to_run(
    places: Callable[[str], Place],
    owner: Callable[[Place], Clone],
    clone: Cloning,
    stored: Project,
    kind: str,
) -> None:
    place = places(kind)
    first = owner(place)
    assert "Sent " in first.make("push")
    assert "Everything is in the storage already." in first.make("push")
    assert first.run("dvc", "status", "--cloud").startswith("Cache and remote 'storage' are in")
    second = clone("second", place)
    assert "Fetched " in second.make("pull")
    assert "Everything is here already." in second.make("pull")
    assert notebooks_run(second.make("run-notebooks")) == 0
    assert second.read("dvc.lock") == stored.read("dvc.lock")
    assert second.git("status", "--short") == ""
    assert f"✓ DVC storage       {place.url}" in second.run("nb", "doctor", code=None)


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_results_of_others_are_restored_instead_of_computed(
    places: Callable[[str], Place], owner: Callable[[Place], Clone], clone: Cloning, kind: str
) -> None:
    place = places(kind)
    first = owner(place)
    first.edit("config/40-evaluate.yaml", "min_recall: 0.97", "min_recall: 0.91")
    assert notebooks_run(first.run("nb", "run")) == 1
    first.make("push")
    second = clone("second", place, results=False)
    second.edit("config/40-evaluate.yaml", "min_recall: 0.97", "min_recall: 0.91")
    said = second.run("nb", "run", "--pull")
    assert notebooks_run(said) == 0
    assert said.count("restored") >= 5
    assert second.read("dvc.lock") == first.read("dvc.lock")
    assert second.read("reports/metrics/evaluate.json") == first.read(
        "reports/metrics/evaluate.json"
    )


def test_workers_that_share_nothing_but_a_bucket(
    places: Callable[[str], Place], clone: Cloning, stored: Project
) -> None:
    """Disjoint halves on two machines; a third one assembles the lock file of a single run."""
    place = places("s3")
    empty = place_in(place, "s3://data/workers")
    one = clone("one", empty, results=False)
    two = clone("two", empty, results=False)
    flags = ("--pull", "--push")
    assert "ingest has not been computed and pushed" in two.line("nb", "task", "features", *flags)
    for worker, stage in (
        (one, "ingest"), (two, "features"), (one, "train@logistic"), (two, "train@forest"),
        (one, "evaluate"),
    ):  # fmt: skip
        said = worker.run("nb", "task", stage, *flags)
        assert notebooks_run(said) == 1, said
        assert said.splitlines()[-1].startswith(f"{stage}  ran; see reports/notebooks/")
    assert "restored from the run cache" in two.run("nb", "task", "evaluate", *flags)
    third = clone("third", empty, results=False)
    said = third.run("nb", "assemble", "--pull")
    assert notebooks_run(said) == 0
    assert third.read("dvc.lock") == stored.read("dvc.lock")
    third.git("add", "--all")
    assert third.git("diff", "--cached", "--stat", "HEAD") == ""
    assert notebooks_run(third.run("nb", "run")) == 0


def place_in(place: Place, url: str) -> Place:
    return Place(url, place.port, place.settings, place.environment, place.nowhere)


# What goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_clone_shows_the_same_site_without_a_run(
    places: Callable[[str], Place],
    owner: Callable[[Place], Clone],
    clone: Cloning,
    stored: Project,
    kind: str,
) -> None:
    place = places(kind)
    first = owner(place)
    for folder in ("reports/notebooks", "reports/runs", ".nb/executed"):
        shutil.copytree(stored.path / folder, first.path / folder, dirs_exist_ok=True)
    first.run("nb", "push")
    first.run("nb", "report")
    second = clone("elsewhere/owner", place)
    second.run("nb", "pull")
    second.run("nb", "report")
    ours, theirs = (site_of(made.path) for made in (second, first))
    assert len([name for name in ours if name.startswith("notebooks/")]) == 5
    assert ours == theirs
    assert notebooks_run(second.run("nb", "run")) == 0


SLOW_IMPORT = """
import sys, time
from importlib.abc import MetaPathFinder

class Slow(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "s3fs":
            sys.meta_path.remove(self)
            time.sleep(12)

sys.meta_path.insert(0, Slow())
"""


def test_the_import_of_a_library_is_no_part_of_the_answer(
    places: Callable[[str], Place], owner: Callable[[Place], Clone], tmp_path: Path
) -> None:
    """A busy machine takes long to import the library of a storage that answers at once."""
    project = owner(places("s3"))
    (tmp_path / "sitecustomize.py").write_text(SLOW_IMPORT)
    said = project.run("nb", "push", PYTHONPATH=str(tmp_path), NB_STORAGE_TIMEOUT="10")
    assert "Sent " in said or "Everything is in the storage already." in said


@pytest.mark.parametrize("kind", REMOTE)
def test_a_server_that_is_not_there(
    places: Callable[[str], Place], owner: Callable[[Place], Clone], kind: str
) -> None:
    project = owner(places(kind).through(free_port()))
    began = time.monotonic()
    for command in (("make", "push"), ("nb", "pull")):
        assert "cannot be reached: " in project.line(*command)
    assert time.monotonic() - began < 60
    assert "cannot be reached: " in project.run("nb", "doctor", code=1)


@pytest.mark.parametrize("kind", ["s3", "azure", "gs"])
def test_a_bucket_that_is_not_there(
    places: Callable[[str], Place], owner: Callable[[Place], Clone], kind: str
) -> None:
    place = places(kind)
    project = owner(place_in(place, place.nowhere))
    for command in (("make", "push"), ("make", "pull"), ("nb", "run", "--pull", "--force")):
        assert f"{place.nowhere}: there is no " in project.line(*command)
    assert "there is no " in project.run("nb", "doctor", code=1)


def wrong_s3(place: Place, folder: Path) -> Place:
    wrong = {**place.environment, "AWS_SECRET_ACCESS_KEY": "wrong"}
    return Place(place.url, place.port, place.settings, wrong)


def wrong_azure(place: Place, folder: Path) -> Place:
    text = place.environment["AZURE_STORAGE_CONNECTION_STRING"].replace("Eby8", "AAAA")
    return Place(place.url, place.port, {"connection_string": text})  # the other way to give it


def wrong_ssh(place: Place, folder: Path) -> Place:
    key = place.settings["keyfile"].replace("/id", "/stranger")
    return Place(place.url, place.port, {**place.settings, "keyfile": key})


@pytest.mark.parametrize(
    ("kind", "spoil"), [("s3", wrong_s3), ("azure", wrong_azure), ("ssh", wrong_ssh)]
)
def test_wrong_credentials(
    places: Callable[[str], Place],
    owner: Callable[[Place], Clone],
    tmp_path: Path,
    kind: str,
    spoil: Callable[[Place, Path], Place],
) -> None:
    project = owner(spoil(places(kind), tmp_path))
    for command in (("make", "push"), ("nb", "pull")):
        assert " refuses these credentials (" in project.line(*command)
    assert " refuses these credentials (" in project.run("nb", "doctor", code=1)


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_no_credentials(
    places: Callable[[str], Place],
    owner: Callable[[Place], Clone],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    place = places(kind)
    project = owner(Place(place.url, place.port, place.settings))
    assert "no credentials were found; set A" in project.line("make", "push")
    assert "no credentials were found" in project.run("nb", "doctor", code=1)


class Wire:
    """A wire to a server that breaks after some bytes have gone to it."""

    def __init__(self, port: int, most: float) -> None:
        self.target = port
        self.left = most
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.ends += [near, far]
                for a, b, counts in ((near, far, True), (far, near, False)):
                    threading.Thread(target=self._pass, args=(a, b, counts), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while content := source.recv(16_384):
                self.left -= len(content) if counts else 0
                if self.left < 0:
                    self.cut()
                    return
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.mark.parametrize("kind", REMOTE)
def test_a_server_that_goes_in_the_middle_of_a_push(
    places: Callable[[str], Place], owner: Callable[[Place], Clone], clone: Cloning, kind: str
) -> None:
    place = places(kind)
    project = owner(place)
    data = project.path / "data" / "raw" / "scans"
    data.mkdir()
    for number in range(20):
        (data / f"{number}.bin").write_bytes(os.urandom(400_000))
    project.run("dvc", "add", "data/raw/scans")
    before = content(data)
    wire = Wire(place.port, 3_000_000)
    project.store(place.through(wire.port))
    said = project.line("make", "push")
    assert wire.left < 0 and "cannot be reached" in said, said
    assert content(data) == before
    assert "Data and pipelines are up to date" in project.run("dvc", "status", "data/raw/scans.dvc")
    project.store(place)
    assert "Sent " in project.make("push")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Scans", "--no-verify")
    other = clone("other", place)
    other.git("pull", "--quiet", str(project.path))
    other.make("pull")
    assert content(other.path / "data" / "raw" / "scans") == before
    assert "Data and pipelines are up to date" in other.run("dvc", "status", "data/raw/scans.dvc")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_that_cannot_be_written(owner: Callable[[Place], Clone], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    project = owner(Place(str(tmp_path / "file" / "store")))
    assert "is not a folder that can be written to" in project.line("make", "push")


def test_what_nobody_pushed_is_named(
    places: Callable[[str], Place], clone: Cloning, tmp_path: Path
) -> None:
    project = clone("lonely", Place(str(tmp_path / "empty")))
    said = project.line("make", "pull")
    assert "of dvc.lock is not in the storage: make push where it was computed" in said
    lonely = clone("nothing", Place(str(tmp_path / "empty")), results=False)
    said = lonely.line("nb", "assemble", "--pull")
    assert "ingest has not been computed and pushed" in said
