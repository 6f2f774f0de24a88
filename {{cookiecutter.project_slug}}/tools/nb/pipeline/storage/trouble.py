"""Trouble with a storage in words: errors of client libraries, each with the next step."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nb.project import one_line, unwritable


@dataclass(frozen=True)
class StorageKind:
    """A kind of storage.

    Attributes:
        container: the noun for the first part of an address.
        credentials: the way to provide credentials.
    """

    container: str
    credentials: str


KINDS = {
    "s3": StorageKind("bucket", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    "gs": StorageKind(
        "bucket",
        "set GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
    ),
    "azure": StorageKind(
        "container",
        "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY",
    ),
    "ssh": StorageKind("folder", "dvc remote modify --local storage keyfile ~/.ssh/id_ed25519"),
}
# Errors by type name: each library has its own types, and most libraries are not installed.
NOT_GIVEN = {
    "AzureAuthError",
    "CredentialRetrievalError",
    "DefaultCredentialsError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
}
REFUSALS = {"ClientAuthenticationError", "PermissionDenied", "PermissionError", "RefreshError"}
REFUSED_CODES = (401, 403)
NO_CONTAINER = {"FileNotFoundError", "NoSuchBucket", "ResourceNotFoundError"}
NO_ANSWER = {
    "ChannelOpenError",
    "ClientConnectorError",
    "ConnectTimeoutError",
    "ConnectionClosedError",
    "ConnectionLost",
    "EndpointConnectionError",
    "HTTPClientError",
    "ReadTimeoutError",
    "SFTPConnectionLost",
    "SFTPNoConnection",
    "ServerDisconnectedError",
    "ServiceRequestError",
    "ServiceResponseError",
}


@dataclass(frozen=True)
class Trouble:
    """A reason that makes the storage unusable, with the next step.

    Attributes:
        what: the problem.
        repair: the next step.
        is_passing: a second attempt may succeed.
    """

    what: str
    repair: str
    is_passing: bool = False

    def __str__(self) -> str:
        return f"{self.what}; {self.repair}"


def explain_failure(url: str, error: BaseException) -> Trouble:
    """Return the trouble behind an error: no credentials, no bucket, no network, or the text."""
    scheme, _, rest = url.partition("://")
    kind = KINDS.get(scheme, StorageKind("folder", "give yourself access to it"))
    causes = list(_causes(error))
    names = {cls.__name__ for cause in causes for cls in type(cause).__mro__}
    text = one_line(causes[-1]).partition(". ")[0][:200]
    if names & NOT_GIVEN:
        return Trouble(f"{url}: no credentials were found", kind.credentials)
    refused = names & REFUSALS or {_status(cause) for cause in causes} & set(REFUSED_CODES)
    if refused and scheme in KINDS:
        return Trouble(f"{url} refuses these credentials ({text})", kind.credentials)
    if names & NO_ANSWER or any(
        isinstance(cause, ConnectionError | socket.gaierror | TimeoutError) for cause in causes
    ):
        return no_answer(url, text)
    if names & NO_CONTAINER and scheme in KINDS:
        container = rest.partition("/")[0]
        what = f"{url}: there is no {kind.container} {container}"
        return Trouble(what, "make it, or correct the address: dvc remote modify storage url URL")
    if "RemoteMissingDepsError" in names:
        repair = f"write dvc[{scheme}] instead of dvc in pyproject.toml, then make setup"
        return Trouble(f"{url}: DVC needs more packages for it", repair)
    return Trouble(
        f"{url} cannot be reached: {one_line(error)[:200]}", "check the address: dvc remote list"
    )


def explain_own_file(root: Path, url: str, error: BaseException) -> str:
    """Return the trouble with a file of the project, not of the storage; empty if there is none.

    Args:
        root: the project's root, also the working directory.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and isinstance(cause.filename, str):
            path = Path(cause.filename).absolute()
            if path.is_relative_to(root.absolute()) and not path.is_relative_to(url):
                return unwritable(cause)
    return ""


def no_answer(url: str, text: str) -> Trouble:
    what = f"{url} cannot be reached: {text}"
    return Trouble(what, "check the network and the address: dvc remote list", is_passing=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in an error of any library; None if there is none."""
    for name in ("status_code", "code", "status"):
        with suppress(AttributeError, TypeError, ValueError):
            return int(getattr(error, name))
    return None
