"""Run the example notebooks on the invented sample, and keep what they put out.

    python examples/refresh.py

The notebooks themselves are the source: edit them, then run this. Nothing of the machine is kept: no times of
execution, no versions. A test looks for paths.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def refresh(path: Path) -> None:
    """Execute one notebook in an empty folder and write it back with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=300, kernel_name="python3", record_timing=False, coalesce_streams=True
        )
        client.execute(cwd=folder)
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
    nbformat.write(notebook, path)


if __name__ == "__main__":
    os.environ.pop("CORATED_DATA", None)  # what is committed comes from the sample
    for path in sorted(Path(__file__).parent.glob("*.ipynb")):
        refresh(path)
        print(path.name)
