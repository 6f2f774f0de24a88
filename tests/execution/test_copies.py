"""What a cell puts out, as its executed copy keeps it."""

from __future__ import annotations

import random
import tempfile
from typing import Any

import pytest
from nb.execution.copies import outputs
from nb.execution.copies.failure import INJECTED, error_marks, find_failure
from nb.execution.copies.normalisation import normalise
from nb.execution.copies.outputs import BoundedText, CellOutputs, without_overwritten
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_output


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("plain\ntext", "plain\ntext"),
        ("1 %\r2 %\r3 %\ndone\n", "3 %\ndone\n"),
        ("\r1 %\r2 %", "2 %"),
        ("1 %\r", "1 %\r"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
    ],
)
def test_what_overwrites_itself_leaves_its_end(text: str, kept: str) -> None:
    assert without_overwritten(text) == kept
    assert without_overwritten(text, is_whole=True) == kept.removesuffix("\r")


@pytest.mark.parametrize("size", [0, 1, 200_000, 200_050, 1_234_567])
def test_a_text_does_not_depend_on_the_pieces_it_came_in(size: int) -> None:
    whole = "".join(f"{n:09}\n" for n in range(size // 10 + 1))[:size]
    chance, at, pieces = random.Random(size), 0, BoundedText()
    while at < size:
        step = chance.randrange(1, 100_000)
        pieces.add(whole[at : at + step])
        at += step
    assert str(pieces) == str(BoundedText(whole))
    if size <= outputs.TEXT_LIMIT:
        assert str(pieces) == whole
        return
    head, _, rest = str(pieces).partition("\n[… ")
    left_out, _, tail = rest.partition(" characters left out …]\n")
    assert whole.startswith(head)
    assert whole.endswith(tail)
    assert head.endswith("\n")  # lines are whole
    assert len(head) + int(left_out.replace(",", "")) + len(tail) == size
    assert 190_000 <= len(head) + len(tail) <= outputs.TEXT_LIMIT


def test_a_line_without_end_is_cut_all_the_same() -> None:
    kept = str(BoundedText("x" * 1_000_000))
    assert kept == f"{'x' * 100_000}\n[… 800,000 characters left out …]\n{'x' * 100_000}"


def test_endless_text_takes_a_bounded_amount_of_memory() -> None:
    pieces = BoundedText()
    for number in range(500):
        pieces.add(f"{number:05}" * 1_000)
        assert sum(map(len, pieces._parts)) <= 2 * outputs.TEXT_LIMIT + 5_000


def collect(*made: Any, is_referred_to: bool = False) -> list[Any]:
    """Return what is kept of outputs that come one after another."""
    collected, kept = CellOutputs(), list[Any]()
    for output in made:
        kept.append(output)
        collected.add(kept, is_referred_to=is_referred_to)
    collected.settle()
    return kept


def stream(name: str, text: str) -> Any:
    return new_output("stream", name=name, text=text)


def shown(text: str) -> Any:
    return new_output("display_data", data={"text/plain": text})


def test_streams_are_merged_between_other_outputs() -> None:
    kept = collect(
        *(stream("stderr", "e"), stream("stdout", "a"), stream("stderr", "f"), shown("1")),
        *(stream("stdout", "b"), stream("stdout", "c")),
    )
    assert [output.get("text") for output in kept] == ["a", "ef", None, "bc"]


def test_endless_displays_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CELL_LIMIT", 10)
    kept = collect(*(shown("12345") for _ in range(5)), stream("stdout", "end"))
    texts = [output.data["text/plain"] for output in kept[:3]]
    assert texts == ["12345", "12345", "[… outputs left out: 3 …]"]
    referred = collect(*(shown("12345") for _ in range(3)), is_referred_to=True)
    assert [o.data["text/plain"] for o in referred][2] == "[… an output left out …]"


def test_text_after_the_limit_of_a_cell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CELL_LIMIT", 10)
    kept = collect(stream("stdout", "x" * 11), shown(""), stream("stderr", "y"), shown("z"))
    assert [output.get("text") for output in kept] == ["x" * 11, None]
    assert kept[1].data["text/plain"] == "[… outputs left out: 2 …]"


def test_each_cell_has_a_note_of_the_outputs_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "CELL_LIMIT", 1)
    collected = CellOutputs()
    for _ in range(2):
        kept = [shown("12")]
        collected.begin()
        collected.add(kept, is_referred_to=False)
        assert [o.data["text/plain"] for o in kept] == ["[… outputs left out: 1 …]"]


def test_an_endless_error_is_cut() -> None:
    long = "x" * 1_000_000
    made = new_output("error", ename="E", evalue=long, traceback=[long])
    (kept,) = collect(made)
    assert len(kept.evalue) < 201_000
    assert len(kept.traceback[0]) < 201_000


def executed(*cells: NotebookNode) -> NotebookNode:
    made: NotebookNode = new_notebook(cells=list(cells))
    made.metadata["papermill"] = {"parameters": {}, "start_time": "now"}
    return made


def code(**more: Any) -> NotebookNode:
    made: NotebookNode = new_code_cell("x", **more)
    return made


def test_widgets_are_numbered() -> None:
    def content(model: str) -> NotebookNode:
        view = {"application/vnd.jupyter.widget-view+json": {"model_id": model}}
        made = executed(code(outputs=[new_output("display_data", data=view)]))
        state = {model: {"state": {"layout": f"IPY_MODEL_{model}"}}}
        widgets = {"application/vnd.jupyter.widget-state+json": {"state": state}}
        made.metadata["widgets"] = widgets
        normalise(made, set())
        return made

    assert content("1f" * 16) == content("2e" * 16)
    assert "IPY_MODEL_widget-0" in str(content("1f" * 16))


def test_an_expected_error_is_no_failure() -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}
    expected, injected = code(outputs=[error]), code(metadata={"tags": ["injected-parameters"]})
    failed = code(outputs=[error | {"ename": "F"}], metadata={"papermill": {"exception": True}})
    assert find_failure(executed(expected)) is None
    found = find_failure(executed(expected, injected, failed))
    assert found is not None
    assert (found.index, found.cell, found.error) == (2, 2, "F: v")


def test_the_failure_is_the_last_error_of_the_marked_cell() -> None:
    errors = [
        {"output_type": "error", "ename": name, "evalue": "v", "traceback": []} for name in "AB"
    ]
    failed = code(outputs=errors, metadata={"papermill": {"exception": True}})
    found = find_failure(executed(failed))
    assert found and found.error == "B: v"


@pytest.mark.parametrize(
    ("printed", "error"),
    [
        ("a warning\nUsageError: Line magic function `%x` not found.\n", "UsageError: Line magic"),
        ("", "it failed without a message"),
    ],
)
def test_a_cell_that_failed_without_an_error_output_is_the_failure(
    printed: str, error: str
) -> None:
    outputs = [stream("stdout", "1"), *([stream("stderr", printed)] if printed else [])]
    failed = code(outputs=outputs, metadata={"papermill": {"exception": True}})
    found = find_failure(executed(code(), failed))
    assert found and found.cell == 2
    assert found.error.startswith(error)


def test_only_facts_that_equal_runs_share_stay_in_the_metadata() -> None:
    metadata = {"papermill": {"duration": 1.5, "exception": True, "status": "failed"}, "tags": []}
    injected = code(id="random", metadata={"tags": [INJECTED]})
    made = executed(code(id="known", metadata=metadata), code(id="other"), injected)
    made.metadata["papermill"] |= {"parameters": {"a": 1}, "exception": True, "duration": 2.0}
    normalise(made, {"known"})
    assert made.metadata["papermill"] == {"parameters": {"a": 1}, "exception": True}
    assert [cell.id for cell in made.cells] == ["known", "cell-1", INJECTED]
    assert made.cells[0].metadata == {"papermill": {"exception": True}}
    normalise(made, None)
    assert [cell.id for cell in made.cells] == ["known", "cell-1", INJECTED]
    succeeded = executed()
    normalise(succeeded, set())
    assert succeeded.metadata["papermill"] == {"parameters": {}}


def test_process_ids_and_addresses_are_replaced_in_every_text_of_a_cell() -> None:
    def text(number: int) -> str:
        return f"{tempfile.gettempdir()}/ipykernel_{number}/{number}.py:2: <A at 0x7f{number:010x}>"

    def made(number: int) -> NotebookNode:
        said = text(number)
        data = {"text/plain": said, "text/html": said, "text/latex": said}
        error = {"output_type": "error", "ename": "E", "evalue": said, "traceback": [said, said]}
        display = new_output("display_data", data=data)
        notebook = executed(code(outputs=[stream("stdout", said), display, error]))
        normalise(notebook, {notebook.cells[0].id})
        notebook.cells[0].id = "cell"
        return notebook

    assert made(1) == made(2)
    assert made(1).cells[0].outputs[0].text == "<cell>:2: <A at 0x…>"


def test_the_marks_of_a_failure_show_text_of_an_error_as_text() -> None:
    error = {"output_type": "error", "ename": "<b>", "evalue": "<script>", "traceback": []}
    failed = code(outputs=[error], metadata={"papermill": {"exception": True}})
    found = find_failure(executed(failed))
    assert found
    top, _ = error_marks(found)
    assert "&lt;b&gt;: &lt;script&gt;" in top and "<script" not in top
