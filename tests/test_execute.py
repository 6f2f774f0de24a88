"""One notebook run: executed copies, failures, limits of time and text, the output contract."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
import test_run
from test_run import Pipeline, copy, notebook, step

pytestmark = pytest.mark.skipif(os.name == "nt", reason="ends of processes are POSIX's here")
pipeline = test_run.pipeline
SOURCE = "notebooks/production/10-a.ipynb"
COPY = "reports/notebooks/10-a.ipynb"


def papermill(pipeline: Pipeline, *cells: str, options: str = "", **more: Any) -> str:
    """Write a notebook and type its stage's command; return what was printed."""
    command = notebook(pipeline, *cells)["cmd"]
    return type_in(pipeline, f"{command} --no-progress-bar {options}", **more)


def type_in(pipeline: Pipeline, command: str, **more: Any) -> str:
    return pipeline.run("sh", "-c", command, **more)


def executed(pipeline: Pipeline) -> Any:
    return nbformat.read(pipeline.path / COPY, as_version=4)


# Copies ------------------------------------------------------------------------------------------

NOISY = """\
import sys, time, warnings
for n in range(3):
    print("out", n, end=" ", flush=True)
    print("err", n, file=sys.stderr, flush=True)
    time.sleep(id(object()) % 7 / 50)
print("\\n10 %\\r100 %")
warnings.warn("careful")
display(object())
print("end")"""


def test_equal_results_give_equal_bytes(pipeline: Pipeline) -> None:
    notebook(pipeline, NOISY)
    source = json.loads(pipeline.read(SOURCE))
    source["nbformat_minor"] = 4  # as older versions of Jupyter save: cells without ids
    for cell in source["cells"]:
        del cell["id"]
    pipeline.write(SOURCE, json.dumps(source))
    for name in ("one.ipynb", "two.ipynb"):
        type_in(pipeline, f"papermill {SOURCE} {name} --engine nb -p x 2")
    assert pipeline.read("one.ipynb") == pipeline.read("two.ipynb")
    content = nbformat.reads(pipeline.read("one.ipynb"), as_version=4)
    nbformat.validate(content)
    assert content.metadata.papermill == {"parameters": {"x": 2}}
    before, errors, shown, after = content.cells[-1].outputs
    assert before.text == "out 0 out 1 out 2 \n100 %\n"
    assert errors.text.startswith("err 0\nerr 1\nerr 2\n<cell>:7: UserWarning: careful")
    assert shown.data["text/plain"] == "<object at 0x…>"
    assert after.text == "end\n"


def test_a_failure_is_told_in_words_and_marked_in_the_copy(pipeline: Pipeline) -> None:
    cells = ("print('hello')", "x.missing <b>", "z = 1")
    output = papermill(pipeline, *cells, code=1, DVC_STAGE="train")
    last = "nb: train · 10-a · code cell 3 · SyntaxError: invalid syntax"
    assert output.splitlines()[-1].startswith(last)
    assert f"; see {COPY}" in output.splitlines()[-1]
    assert "papermill/" not in output  # no traceback of papermill's own
    content = executed(pipeline)
    assert content.metadata.papermill.exception
    (marked,) = [cell for cell in content.cells if cell.metadata.get("papermill")]
    assert marked.source == cells[1]
    assert "The run failed in" in content.cells[0].source


@pytest.mark.slow
def test_a_copy_that_is_run_again_keeps_no_mark_of_a_failure(pipeline: Pipeline) -> None:
    papermill(pipeline, "1 / 0", code=1)
    copied = pipeline.read(COPY)
    assert "failed" in copied
    pipeline.write("again.ipynb", copied.replace("1 / 0", "1 / 1"))
    type_in(pipeline, "papermill again.ipynb out.ipynb --engine nb -p x 3")
    assert "failed" not in pipeline.read("out.ipynb")


def test_a_full_disk_leaves_the_copy_of_the_last_run(pipeline: Pipeline) -> None:
    command = notebook(pipeline, "print('x' * 100_000)")["cmd"]
    pipeline.write(COPY, "the last one")
    limited = f"ulimit -f 40 && {command}"
    output = type_in(pipeline, limited, code=1, PYTHONDONTWRITEBYTECODE="1")
    assert output.splitlines()[-1] == (
        f"nb: {COPY}: cannot be written: File too large; the copy of the last run is as it was"
    )
    assert "Traceback" not in output
    assert pipeline.read(COPY) == "the last one"
    assert [path.name for path in (pipeline.path / COPY).parent.iterdir()] == ["10-a.ipynb"]


@pytest.mark.parametrize("size", [5_000_000, pytest.param(200_000_000, marks=pytest.mark.slow)])
def test_much_text_is_kept_in_part(pipeline: Pipeline, size: int) -> None:
    lines = size // 10
    papermill(pipeline, f"import sys\nfor n in range({lines}): sys.stdout.write(f'{{n:09}}\\n')")
    assert (pipeline.path / COPY).stat().st_size < 500_000
    text = executed(pipeline).cells[-1].outputs[0].text
    assert text.startswith("000000000\n000000001\n")
    assert text.endswith(f"{lines - 1:09}\n")
    assert f"[… {size - 200_000:,} characters left out …]" in text


def test_outputs_that_come_faster_than_they_are_read_are_all_kept(pipeline: Pipeline) -> None:
    papermill(pipeline, "for number in range(20_000): display(number)")
    shown = [output.data["text/plain"] for output in executed(pipeline).cells[-1].outputs]
    assert shown == [str(number) for number in range(20_000)]


def test_a_cell_that_clears_its_outputs_twice_keeps_the_last(pipeline: Pipeline) -> None:
    clear = "from IPython.display import clear_output"
    papermill(pipeline, f"{clear}\nfor text in 'abc':\n    clear_output()\n    print(text)")
    (shown,) = executed(pipeline).cells[-1].outputs
    assert shown.text == "c\n"


# Strict ------------------------------------------------------------------------------------------

LATE = """\
import threading, time
def work():
    time.sleep(0.2)
    raise ValueError("boom")
thread = threading.Thread(target=work, name="worker")
thread.start()"""
NAMES = "print([name for name in globals() if 'nb' in name or 'strict' in name], len(In))"


def test_a_failing_thread_fails_the_cell_at_whose_end_it_is_found(pipeline: Pipeline) -> None:
    output = papermill(pipeline, NAMES, LATE, "thread.join()", "z = 1", code=1)
    assert "code cell 4 · RuntimeError: worker failed: ValueError: boom" in output
    content = executed(pipeline)
    assert content.cells[4].outputs[0].text == "[] 4\n"  # nothing was left in the namespace
    assert content.cells[-1].execution_count is None  # what comes after did not run


@pytest.mark.slow
def test_a_thread_that_fails_after_the_last_cell_counts(pipeline: Pipeline) -> None:
    now = LATE.replace("0.2", "0")
    # The cell has ended when the thread fails, and the notebook has not.
    hook = "get_ipython().events.register('post_run_cell', lambda _: thread.join())"
    output = papermill(pipeline, f"{hook}\n{now}", code=1)
    assert "worker failed: ValueError: boom" in output


def test_a_failing_shell_command_fails_its_cell(pipeline: Pipeline) -> None:
    output = papermill(pipeline, "!false || true\n!yes | head -1", "!exit 3\ny = 1", "z", code=1)
    assert "code cell 3 · CalledProcessError: Command 'exit 3' returned non-zero exit" in output


def test_strict_mode_can_be_switched_off(pipeline: Pipeline) -> None:
    papermill(pipeline, LATE, "thread.join()\n!false", NB_STRICT="0")


@pytest.mark.slow
def test_a_notebook_can_switch_strict_mode_off(pipeline: Pipeline) -> None:
    notebook(pipeline, LATE, "thread.join()\n!false")
    content = nbformat.read(pipeline.path / SOURCE, as_version=4)
    content.metadata["nb"] = {"strict": False}
    nbformat.write(content, pipeline.path / SOURCE)
    type_in(pipeline, f"papermill {SOURCE} {COPY} --engine nb -k python3")


# Time --------------------------------------------------------------------------------------------

STUBBORN = """\
import subprocess, time
subprocess.run("setsid sleep 608 & sleep 609 &", shell=True)  # orphans at once
while True:
    try:
        time.sleep(100)
    except KeyboardInterrupt:
        pass"""


def test_a_cell_that_takes_too_long_ends_the_run(pipeline: Pipeline) -> None:
    stage = notebook(pipeline, "y = 1", test_run.SLEEPER, "z = 1")
    stage["cmd"] += " --execution-timeout 1"
    pipeline.declare(a=stage)
    process = pipeline.begin("nb", "run")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 124
    assert "a · 10-a · code cell 3 · TimeoutError: the cell took longer than 1 s" in output
    assert (pipeline.stage("a")["state"], pipeline.stage("a")["cell"]) == ("timed out", 3)
    assert "KeyboardInterrupt" in pipeline.read(COPY)  # it shows where the cell was
    pipeline.is_gone()


@pytest.mark.slow
def test_a_cell_that_heeds_no_interrupt_is_killed(pipeline: Pipeline) -> None:
    command = notebook(pipeline, STUBBORN)["cmd"]
    process = pipeline.begin(*command.split(), "--execution-timeout", "1")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 124
    assert "the cell took longer than 1 s" in output
    pipeline.is_gone()


@pytest.mark.slow
def test_a_notebook_that_takes_too_long_ends(pipeline: Pipeline) -> None:
    began = time.monotonic()
    output = papermill(pipeline, "import time\ntime.sleep(100)", code=124, NB_TIMEOUT="4")
    assert "code cell 2 · TimeoutError: the notebook took longer than 4 s" in output
    assert time.monotonic() - began < 30


@pytest.mark.slow
@pytest.mark.parametrize("leave", ["quit()", "exit", "import sys; sys.exit()"])
def test_a_notebook_may_leave_before_its_last_cell(pipeline: Pipeline, leave: str) -> None:
    papermill(pipeline, "print('before')", leave, "import time; time.sleep(0.5)\nprint('after')")
    cells = executed(pipeline).cells
    assert "before" in json.dumps([cell.get("outputs") for cell in cells])
    assert cells[-1].outputs == []
    papermill(pipeline, "print('before')", leave)
    assert executed(pipeline).cells[-2].outputs[0].text == "before\n"


def test_an_error_that_jupyter_expects_fails_the_notebook_in_the_end(pipeline: Pipeline) -> None:
    command = notebook(pipeline, "1 / 0", "print('after')")["cmd"]
    path = pipeline.path / "notebooks/production/10-a.ipynb"
    content = nbformat.read(path, as_version=4)
    content.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(content, path)
    output = type_in(pipeline, f"{command} --no-progress-bar", code=1)
    assert "code cell 2 · ZeroDivisionError: division by zero" in output
    assert executed(pipeline).cells[-1].outputs[0].text == "after\n"


@pytest.mark.parametrize(
    ("leave", "says"), [("sys.exit(3)", "3"), ("sys.exit('no data')", "no data")]
)
def test_a_notebook_that_leaves_with_an_error_fails(
    pipeline: Pipeline, leave: str, says: str
) -> None:
    output = papermill(pipeline, f"import sys\n{leave}", "print('after')", code=1)
    assert f"code cell 2 · SystemExit: {says}" in output
    assert executed(pipeline).cells[-1].outputs == []


def test_a_dead_kernel_leaves_a_copy_that_says_where(pipeline: Pipeline) -> None:
    output = papermill(pipeline, "print(1)", "import os\nos.kill(os.getpid(), 9)", code=138)
    assert "code cell 3 · DeadKernelError: the kernel died" in output
    assert executed(pipeline).cells[-3].outputs[0].text == "1\n"


@pytest.mark.parametrize("moment", ["before the first cell", "after the last cell"])
def test_a_kernel_that_dies_outside_of_cells_is_no_success(
    pipeline: Pipeline, tmp_path: Path, moment: str
) -> None:
    dies = 'import os\nget_ipython().events.register("pre_execute", lambda: os._exit(1))\n'
    cell = "print(1)"
    if moment == "before the first cell":
        startup = tmp_path / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "00-dies.py").write_text(dies, encoding="utf-8")
    else:
        cell += "\n" + dies
    output = papermill(pipeline, cell, code=138, IPYTHONDIR=str(tmp_path / "ipython"))
    assert "the kernel was lost outside of the cells" in output
    assert not pipeline.has(COPY)


@pytest.mark.slow
def test_a_kernel_that_forgets_to_reply_is_not_waited_for(pipeline: Pipeline) -> None:
    """ipykernel does when it is interrupted between the end of a cell and its reply."""
    forget = "def forget(*_):\n    raise KeyboardInterrupt\n"
    cell = f"{forget}get_ipython().kernel.finish_metadata = forget"
    output = papermill(pipeline, cell, "print(1)", code=1)
    assert "code cell 2 · KeyboardInterrupt" in output
    assert executed(pipeline).cells[-1].outputs == []


TORN = """\
kernel = get_ipython().kernel
kernel.iopub_socket.send_multipart([b"<IDS|MSG>", b"cut off"])
kernel.iopub_socket.send_multipart([b"<IDS|MSG>", b"forged", b"{}", b"{}", b"{}", b"{}"])
print("after")"""


def test_a_message_that_the_kernel_was_interrupted_in_sending_is_skipped(
    pipeline: Pipeline,
) -> None:
    output = papermill(pipeline, TORN)
    assert "nb: an incomplete message of the kernel was skipped" in output
    assert "Signature" not in output
    assert executed(pipeline).cells[-1].outputs[0].text == "after\n"


# The output contract -----------------------------------------------------------------------------


def test_an_output_that_was_not_written_breaks_the_contract(pipeline: Pipeline) -> None:
    pipeline.declare(a=step("true", out="a.txt"), b=copy("b.txt", "a.txt"))
    output = pipeline.nb("run", code=3)
    assert "a · output 'a.txt' does not exist after its command ran" in output
    assert pipeline.stage("a")["state"] == "broken contract"
    assert pipeline.stage("b")["state"] == "not run"


def test_an_output_that_persisted_has_to_be_written_again(pipeline: Pipeline) -> None:
    def declare(command: str) -> None:
        outs = [{"kept.txt": {"persist": True}}, {"kept": {"persist": True}}]
        pipeline.declare(a={"cmd": command, "outs": outs, "deps": ["in.txt"]})

    declare("mkdir -p kept && echo 1 >> kept.txt && echo 1 >> kept/part")
    pipeline.write("in.txt", "1")
    assert pipeline.states() == {"a": "ran"}
    pipeline.is_settled()
    assert pipeline.states("--force") == {"a": "ran"}
    pipeline.is_settled()
    declare("echo 2 >> kept/part")
    output = pipeline.nb("run", code=3)
    assert "a · kept.txt persisted from an earlier run, and its command did not" in output
    # It is stale until it keeps its contract, with nothing else changed.
    assert pipeline.states(code=3) == {"a": "broken contract"}
    declare("touch kept.txt && echo 2 >> kept/part")
    assert pipeline.states() == {"a": "ran"}
    pipeline.is_settled()


# Large and odd -----------------------------------------------------------------------------------


def odd(path: Path, *sources: str, **metadata: Any) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)


def test_a_notebook_without_a_kernels_name_runs_in_the_projects(pipeline: Pipeline) -> None:
    odd(pipeline.path / "odd.ipynb", "x = 1", "input('your name?')")
    output = type_in(pipeline, "papermill odd.ipynb out.ipynb --engine nb", code=1)
    assert "odd · code cell 2 · StdinNotImplementedError" in output
    type_in(pipeline, "papermill odd.ipynb out.ipynb --engine nb -p y 2", code=2)


@pytest.mark.slow
def test_a_notebook_without_cells_runs(pipeline: Pipeline) -> None:
    odd(pipeline.path / "odd.ipynb")
    type_in(pipeline, "papermill odd.ipynb out.ipynb --engine nb")
    assert nbformat.read(pipeline.path / "out.ipynb", as_version=4).cells == []


@pytest.mark.slow
def test_an_unknown_kernel_is_wrong_usage(pipeline: Pipeline) -> None:
    odd(pipeline.path / "odd.ipynb")
    output = type_in(pipeline, "papermill odd.ipynb out.ipynb --engine nb -k none", code=2)
    assert "nb: there is no kernel none; give another with -k" in output
    assert "Traceback" not in output


@pytest.mark.slow
def test_thousands_of_cells_and_megabytes_of_source_run(pipeline: Pipeline) -> None:
    numbers = [f"v{n} = {n}" for n in range(5_000)]
    odd(pipeline.path / "odd.ipynb", *numbers, f"text = '{'x' * 10_000_000}'", "len(text) + v4999")
    began = time.monotonic()
    type_in(pipeline, "papermill odd.ipynb out.ipynb --engine nb --no-progress-bar")
    assert time.monotonic() - began < 300
    last = nbformat.read(pipeline.path / "out.ipynb", as_version=4).cells[-1]
    assert last.outputs[0].data["text/plain"] == "10004999"
