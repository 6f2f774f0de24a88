"""The fast path of the Git filter gives nbstripout's bytes, or refuses."""

from __future__ import annotations

import copy
import io
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nb.notebook.strip import (
    EXTRA_KEYS,
    NBSTRIPOUT_KEYS,
    NotJsonError,
    RefusedError,
    load,
    settle,
    strip,
)
from nbstripout import strip_output

logging.getLogger("traitlets").setLevel(logging.CRITICAL)

Json = Any


def nbstripout(data: bytes, extra_keys: Iterable[str], keep_id: bool) -> bytes | None:
    """What nbstripout's command line writes for a file; None if it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            notebook = nbformat.read(io.StringIO(data.decode("utf-8")), nbformat.NO_CONVERT)
            strip_output(
                notebook,
                keep_output=None,
                keep_count=False,
                keep_id=keep_id,
                extra_keys=list(extra_keys),
            )
            sink = io.StringIO()
            nbformat.write(notebook, sink)
            return sink.getvalue().encode("utf-8")
        except Exception:  # a crash of nbstripout, whatever its cause, fails the Git filter
            return None


def settled(data: bytes) -> bytes:
    notebook = load(data)
    settle(notebook)
    return json.dumps(notebook).encode()


def code(source: Json = "x = 1", **fields: Json) -> dict[str, Json]:
    cell: dict[str, Json] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    return {**cell, "source": source, **fields}


def stream(text: Json = "hello\n") -> dict[str, Json]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def notebook_of(*cells: Json, minor: int = 4, **metadata: Json) -> dict[str, Json]:
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": minor}


def encoded(notebook: Json) -> bytes:
    return json.dumps(notebook, indent=1).encode()


def only_cell(data: bytes) -> dict[str, Json]:
    [cell] = json.loads(data)["cells"]
    assert isinstance(cell, dict)
    return cell


# ------------------------------------------------------------------ notebooks by the thousand

TEXT = st.text(
    st.one_of(
        st.sampled_from('ab"\\/ #=\t\n\r\v\f\x1c\x85\u2028\u2029\x00\x7f'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)
LINES = TEXT | st.lists(TEXT, max_size=4)
KEYS = st.sampled_from(["a", "b", "c.d", "name", "text/plain", "id"]) | st.text(max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
MIMES = st.sampled_from(
    [
        "application/javascript",
        "application/json",
        "application/vnd.plotly.v1+json",
        "image/png",
        "image/svg+xml",
        "text/html",
        "text/plain",
        "x/y",
    ]
)
BUNDLES = st.dictionaries(MIMES, LINES | JSON, max_size=4)
COUNTS = st.none() | st.integers(0, 10**6)
OUTPUTS = st.one_of(
    st.builds(stream, LINES),
    st.builds(stream, st.integers(10_000, 200_000).map(lambda size: "0123456789\n" * (size // 11))),
    st.fixed_dictionaries(
        {"output_type": st.just("display_data"), "data": BUNDLES, "metadata": st.just({})}
    ),
    st.fixed_dictionaries(
        {
            "output_type": st.just("execute_result"),
            "data": BUNDLES,
            "metadata": st.dictionaries(KEYS, JSON, max_size=2),
            "execution_count": COUNTS,
        }
    ),
    st.fixed_dictionaries(
        {
            "output_type": st.just("error"),
            "ename": TEXT,
            "evalue": TEXT,
            "traceback": st.lists(TEXT, max_size=3),
        }
    ),
)
TAGS = st.lists(
    st.sampled_from(["parameters", "keep_output", "hide", ""]) | TEXT, unique=True, max_size=3
)
STRIPPED_BY_CELL = [key.partition("metadata.")[2] for key in EXTRA_KEYS if key.startswith("cell.")]
STRIPPED = [key.partition("metadata.")[2] for key in EXTRA_KEYS if key.startswith("metadata.")]


def metadata_with(keys: list[str]) -> st.SearchStrategy[dict[str, Json]]:
    """Metadata that holds some of the keys to be stripped, nested or under their dotted name."""
    dotted = st.dictionaries(st.sampled_from(keys), JSON, max_size=3)
    heads = [key.partition(".")[0] for key in keys]
    tails = [key.partition(".")[2] or "x" for key in keys]
    inner = st.dictionaries(st.sampled_from(tails), SCALARS, max_size=3) | JSON
    nested = st.dictionaries(st.sampled_from(heads), inner, max_size=3)
    free = st.dictionaries(KEYS, JSON, max_size=2)
    return st.tuples(dotted, nested, free).map(lambda parts: parts[0] | parts[1] | parts[2])


CELL_METADATA: st.SearchStrategy[dict[str, Json]] = st.just({}) | st.tuples(
    metadata_with(STRIPPED_BY_CELL),
    st.fixed_dictionaries(
        {},
        optional={
            "tags": TAGS,
            "trusted": st.booleans(),
            "keep_output": st.booleans(),
            "init_cell": st.booleans(),
        },
    ),
).map(lambda parts: parts[0] | parts[1])
IDS = st.text("abcXYZ019-_", min_size=1, max_size=8) | st.sampled_from(["0", "1", "same"])
ATTACHMENTS = st.dictionaries(TEXT, BUNDLES, max_size=2)


@st.composite
def cells(draw: st.DrawFn, minor: int) -> dict[str, Json]:
    cell: dict[str, Json] = {"metadata": draw(CELL_METADATA), "source": draw(LINES)}
    cell["cell_type"] = draw(st.sampled_from(["code", "code", "markdown", "raw"]))
    if cell["cell_type"] == "code":
        cell["outputs"] = draw(st.lists(OUTPUTS, max_size=3))
        cell["execution_count"] = draw(COUNTS)
    elif draw(st.booleans()):
        cell["attachments"] = draw(ATTACHMENTS)
    if minor >= 5 and draw(st.integers(0, 9)):
        cell["id"] = draw(IDS)
    return cell


@st.composite
def notebooks(draw: st.DrawFn) -> dict[str, Json]:
    minor = draw(st.integers(0, 6))
    metadata = draw(st.just({}) | metadata_with(STRIPPED))
    if draw(st.booleans()):
        metadata["kernelspec"] = {"display_name": draw(TEXT), "name": draw(TEXT)}
        metadata["language_info"] = {"name": "python", "version": "3.11.7"}
    if draw(st.integers(0, 9)) == 0:
        metadata["keep_output"] = draw(st.booleans())
    notebook = notebook_of(*draw(st.lists(cells(minor), max_size=4)), minor=minor)
    return {**notebook, "metadata": metadata}


def places(tree: Json) -> list[tuple[Json, Json]]:
    """Every (container, key) of a JSON tree."""
    found: list[tuple[Json, Json]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys if isinstance(node[key], dict | list)]
    return found


@st.composite
def odd_notebooks(draw: st.DrawFn) -> Json:
    """Notebooks in which something is missing, of another type, or added."""
    notebook = copy.deepcopy(draw(notebooks()))
    for _ in range(draw(st.integers(0, 3))):
        spots = places(notebook)
        if not spots:
            break
        container, key = draw(st.sampled_from(spots))
        action = draw(st.sampled_from(["drop", "replace", "add"]))
        if action == "drop":
            del container[key]
        elif action == "replace" or isinstance(container, list):
            container[key] = draw(JSON)
        else:
            container[draw(KEYS)] = draw(JSON)
    return notebook


@st.composite
def files(draw: st.DrawFn, notebook: st.SearchStrategy[Json]) -> bytes:
    text = json.dumps(
        draw(notebook), indent=draw(st.sampled_from([None, 1, 4])), ensure_ascii=draw(st.booleans())
    )
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8", "surrogatepass")


# -------------------------------------------------------------------------- the two properties


def agrees_with_nbstripout(data: bytes) -> None:
    # A refusal is allowed for odd notebooks; for ordinary ones it has a test of its own.
    with suppress(RefusedError):
        ours = strip(data, extra_keys=NBSTRIPOUT_KEYS, keep_id=False, settled=False)
        assert ours == nbstripout(data, NBSTRIPOUT_KEYS, keep_id=False)
    with suppress(RefusedError):
        assert strip(data) == nbstripout(settled(data), EXTRA_KEYS, keep_id=True)


def is_stripped_by_the_fast_path(data: bytes) -> None:
    try:
        strip(data)
    except RefusedError as reason:
        assert "disagree on keep_output" in str(reason)
        assert nbstripout(data, EXTRA_KEYS, keep_id=True) is None


QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(QUICK, max_examples=5_000)


@QUICK
@given(files(odd_notebooks()))
def test_equals_nbstripout_or_refuses(data: bytes) -> None:
    agrees_with_nbstripout(data)


@QUICK
@given(files(notebooks()))
def test_takes_every_ordinary_notebook(data: bytes) -> None:
    agrees_with_nbstripout(data)
    is_stripped_by_the_fast_path(data)


@pytest.mark.slow
@THOROUGH
@given(files(odd_notebooks()))
def test_equals_nbstripout_or_refuses_for_thousands(data: bytes) -> None:
    agrees_with_nbstripout(data)


@pytest.mark.slow
@THOROUGH
@given(files(notebooks()))
def test_takes_thousands_of_ordinary_notebooks(data: bytes) -> None:
    agrees_with_nbstripout(data)
    is_stripped_by_the_fast_path(data)


# ----------------------------------------------------------------------------------- by example


@pytest.mark.parametrize(
    "metadata",
    [{"tags": ["keep_output"]}, {"keep_output": True}, {"init_cell": True, "keep_output": False}],
)
def test_keeps_the_output_of_marked_cells(metadata: Json) -> None:
    cell = code(outputs=[stream(["a", "b\n"])], execution_count=7, metadata=metadata)
    stripped = only_cell(strip(encoded(notebook_of(cell))))
    assert stripped["outputs"] == [stream(["ab\n"])]
    assert stripped["execution_count"] is None


@pytest.mark.parametrize(
    "metadata",
    [{}, {"tags": ["parameters"]}, {"keep_output": False}, {"init_cell": False, "tags": ["a"]}],
)
def test_drops_the_output_of_other_cells(metadata: Json) -> None:
    cell = code(outputs=[stream()], execution_count=7, metadata=metadata)
    stripped = only_cell(strip(encoded(notebook_of(cell))))
    assert stripped["outputs"] == []
    assert stripped["execution_count"] is None


def test_keeps_ids_tags_and_the_users_own_metadata() -> None:
    cell = code(id="my-id", metadata={"tags": ["parameters"], "owner": "me"})
    notebook = notebook_of(cell, minor=5, title="Report")
    stripped = strip(encoded(notebook))
    assert only_cell(stripped) == {**cell, "source": ["x = 1"]}
    assert json.loads(stripped)["metadata"] == {"title": "Report"}


def test_drops_what_running_and_opening_a_notebook_changes() -> None:
    papermill = {"start_time": "2026-01-01", "parameters": {"password": "secret"}}
    run = code(
        metadata={
            "papermill": papermill,
            "execution": {"iopub.status.busy": "2026-01-01"},
            "executionInfo": {"user": {"displayName": "Ann"}},
        }
    )
    kernel = {"display_name": "Python 3.11 (.venv)", "language": "python", "name": "python3"}
    language = {"name": "python", "version": "3.11.7", "file_extension": ".py"}
    vscode = {"interpreter": {"hash": "0123"}}
    before = notebook_of(
        run, kernelspec=kernel, language_info=language, papermill=papermill, vscode=vscode
    )
    after = json.loads(strip(encoded(before)))
    assert after["cells"][0]["metadata"] == {}
    assert after["metadata"] == {
        "kernelspec": {"display_name": "python3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py"},
    }
    nbformat.validate(after)


@pytest.mark.parametrize(("saved", "stored"), [("nb-my-data", "python3"), ("spark", "spark")])
def test_the_kernel_that_is_offered_elsewhere_is_python3(saved: str, stored: str) -> None:
    kernel = {"display_name": "Any", "language": "python", "name": saved}
    after = json.loads(strip(encoded(notebook_of(code(), kernelspec=kernel))))
    assert after["metadata"]["kernelspec"] == {**kernel, "name": stored, "display_name": stored}


def test_names_cells_without_an_id_by_position_and_keeps_the_others() -> None:
    absent, twice = code(), code(id="twice")
    notebook = notebook_of(absent, twice, code(id="0"), twice, code(id=3), minor=5)
    stripped = strip(encoded(notebook))
    ids = [cell["id"] for cell in json.loads(stripped)["cells"]]
    assert ids == ["0-", "twice", "0", "3", "4"]
    nbformat.validate(json.loads(stripped))
    assert strip(stripped) == stripped


def test_leaves_ids_alone_where_the_format_has_none() -> None:
    assert "id" not in only_cell(strip(encoded(notebook_of(code(), minor=4))))


@pytest.mark.parametrize("anything", [None, 1, "x", [], {}, [1], {"cells": 1}, {"cells": [1]}])
def test_settle_leaves_alone_what_is_no_notebook(anything: Json) -> None:
    for tree in (anything, {"nbformat": 4, "nbformat_minor": 5, "metadata": 1, "cells": anything}):
        before = copy.deepcopy(tree)
        settle(tree)
        assert tree == before


def test_stores_the_same_bytes_whatever_the_line_endings() -> None:
    data = encoded(notebook_of(code(["a\n", "b"]), code("c")))
    assert strip(data.replace(b"\n", b"\r\n")) == strip(data)
    assert b"\r" not in strip(data.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"<<<<<<< ours\n{}", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"\x00"]
)
def test_says_that_it_is_no_json(data: bytes) -> None:
    with pytest.raises(NotJsonError):
        strip(data)


ODD = {
    "no notebook": [],
    "nbformat 3": {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []},
    "a version that is no integer": {**notebook_of(), "nbformat": 4.0},
    "an unknown cell type": notebook_of({"cell_type": "sql", "metadata": {}, "source": ""}),
    "a field of another format": notebook_of(code(prompt_number=1)),
    "outputs in a Markdown cell": notebook_of(code(cell_type="markdown")),
    "an empty output": notebook_of(code(outputs=[{}])),
    "an unknown output": notebook_of(code(outputs=[{"output_type": "video"}])),
    "tags that are text": notebook_of(code(metadata={"tags": "keep_output"})),
    "a contradiction": notebook_of(code(metadata={"tags": ["keep_output"], "keep_output": False})),
    "source of another type": notebook_of(code({"a": "b"})),
    "half a surrogate pair": notebook_of(code("\ud800")),
}


@pytest.mark.parametrize("notebook", ODD.values(), ids=ODD.keys())
def test_refuses_what_only_nbstripout_may_decide(notebook: Json) -> None:
    with pytest.raises(RefusedError):
        strip(encoded(notebook))


@pytest.mark.parametrize("value", [b"[" * 200_000 + b"]" * 200_000, b"9" * 5_000])
def test_refuses_what_python_cannot_parse(value: bytes) -> None:
    notebook = encoded(notebook_of(code(metadata={"key": "HERE"})))
    with pytest.raises(RefusedError):
        strip(notebook.replace(b'"HERE"', value))


def test_refuses_what_python_can_parse_but_not_write(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*_: Json, **__: Json) -> str:
        raise RecursionError

    data = encoded(notebook_of())
    monkeypatch.setattr(json, "dumps", overflow)
    with pytest.raises(RefusedError):
        strip(data)


def test_refuses_keys_that_are_no_metadata() -> None:
    with pytest.raises(RefusedError):
        strip(encoded(notebook_of()), extra_keys=["cell.outputs"])


def test_the_oracle_is_what_the_command_line_does() -> None:
    cell = code(["a\n"], id="x", outputs=[stream()], metadata={"papermill": 1, "tags": ["b"]})
    data = encoded(notebook_of(cell, code("é\u2028x", id="y"), minor=5, papermill={"a": 1}))
    command = [sys.executable, "-m", "nbstripout", "--keep-id", "--extra-keys"]
    command.append(" ".join(EXTRA_KEYS))
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True)
    assert done.stdout.replace(b"\r\n", b"\n") == nbstripout(data, EXTRA_KEYS, keep_id=True)
    assert done.stdout.replace(b"\r\n", b"\n") == strip(data)
