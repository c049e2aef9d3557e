"""What all tests share: where real data lies, and what is skipped without compiled kernels."""

import os
from pathlib import Path

import numba
import pytest
from hypothesis import settings

DATA = Path(os.environ.get("CORATED_DATA", Path(__file__).parents[1] / "../shared/data"))


# The same examples in every run, so that a run tells about the code; `make soak` looks for new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("CORATED_EXAMPLES", "fixed"))


@pytest.fixture(scope="session")
def data():
    """A function from the name of a real data set to its folder; skips where that is absent."""

    def folder(name):
        path = DATA / name
        if not path.is_dir():
            pytest.skip(f"real data: {path} is absent (CORATED_DATA names the folder of data sets)")
        return path

    return folder


def pytest_collection_modifyitems(items):
    if numba.config.DISABLE_JIT:
        skip = pytest.mark.skip(reason="needs compiled kernels, and NUMBA_DISABLE_JIT is set")
        for item in items:
            if item.get_closest_marker("jit"):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def rows_of():
    """A function from neighbors (the engine's or the oracle's) to plain rows that show every bit.

    {subject: [(neighbor, value in hexadecimal, n_common)]} for the subjects named, or for all; a subject
    without neighbors has an empty list.
    """

    def rows(found, subjects=None):
        if isinstance(found, dict):
            return {
                subject: [(r.neighbor, r.value.hex(), r.n_common) for r in found[subject]]
                for subject in (found if subjects is None else subjects)
            }
        ids = found.ids.ids.to_pylist()
        names, values, counts = found.neighbor, found.value.tolist(), found.n_common.tolist()
        rows = {}
        for code in found.subjects.tolist() if subjects is None else found.ids.codes(subjects).tolist():
            span = range(*found.of_code(code).indices(len(names)))
            rows[ids[code]] = [(ids[names[at]], values[at].hex(), counts[at]) for at in span]
        return rows

    return rows
