"""The example notebooks run, on real ratings where there are any, and what is committed is fit to be seen."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
# A folder of some machine: a Unix or Windows path from the root, or this checkout by name.
MACHINE = re.compile(
    r"(?<![\w.:/<])/(?:home|root|tmp|usr|opt|var|mnt|work|Users)\b|\b[A-Z]:\\|site-packages|\.venv"
)


@pytest.fixture(params=NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(notebook):
    """Everything that the cells put out as text."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "\n".join(
        output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in outputs
    )


def pictures_of(notebook):
    return sum(
        "image/png" in output.get("data", {}) for cell in code_cells(notebook) for output in cell.outputs
    )


@pytest.mark.jit
def test_movietweetings_runs(monkeypatch, tmp_path, data):
    notebook = nbformat.read(EXAMPLES / "movietweetings.ipynb", as_version=4)
    try:
        folder, is_real = data("movietweetings-100k").resolve().parent, True
    except pytest.skip.Exception:
        folder, is_real = tmp_path, False
    monkeypatch.setenv("CORATED_DATA", str(folder))
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    text = text_of(notebook)
    assert ("Real ratings" if is_real else "Invented ratings") in text
    assert ("16,554 users × 10,506 movies" in text) == is_real
    assert "the same as one by one: True" in text
    assert pictures_of(notebook) == 3
    assert [
        output for cell in code_cells(notebook) for output in cell.outputs if output.get("name") == "stderr"
    ] == []
    found = {name: int(count) for count, name in re.findall(r"^ +(\d+)  (.+)$", text, re.MULTILINE)}
    assert found['preset("best")'] > 2 * found["the closest by distance, as above"]


def test_committed_outputs_are_whole(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds <= {"stream", "display_data", "execute_result"}
    assert "Invented ratings" in text_of(notebook) and pictures_of(notebook) == 3


def test_committed_outputs_tell_nothing_of_the_machine(notebook):
    committed = nbformat.writes(notebook)
    pictureless = re.sub(r'"image/png": "[^"]*"', "", committed)
    assert MACHINE.findall(pictureless) == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in notebook.cells)
    assert len(committed) < 400_000


@pytest.mark.parametrize(
    "text", ["/home/ann/x.py", "in /root/x", '"/tmp/ipykernel_1/2.py"', r"C:\Users\ann", "a/.venv/b"]
)
def test_a_machine_path_would_be_noticed(text):
    assert MACHINE.search(text)
