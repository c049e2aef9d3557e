"""What all tests share: where real data lies, and what is skipped without compiled kernels."""

import gc
import os
from pathlib import Path

import numba
import pytest
from hypothesis import settings

from corated.measures import LowerBound, get_measure

DATA = Path(os.environ.get("CORATED_DATA", Path(__file__).parents[1] / "../shared/data"))


# The same examples in every run, so that a run tells about the code; `make soak` looks for new ones. None has
# a time to keep, which would tell about the machine.
settings.register_profile("fixed", derandomize=True, deadline=None)
settings.register_profile("random", print_blob=True, deadline=None)
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


def pytest_collection_finish():
    """Thousands of tests stay to the end: looking for garbage among them, again and again, takes minutes."""
    gc.collect()
    gc.freeze()


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


TOLERANCE = 1e-12
"""What is promised of values with logarithms and powers in them, and of sums of floats."""
_OF_SETS = {"jaccard", "dice", "overlap", "tversky", "conditional"}
_OF_INTEGERS = {"pearson", "euclidean", "msd", "manhattan", "constrained_pearson"}


@pytest.fixture(scope="session")
def is_exact():
    """A function of ratings and a measure: whether its values are promised to the last bit."""

    def exact(ratings, measure):
        measure = get_measure(measure)
        if isinstance(measure.adjustment, LowerBound):
            return False
        if measure.name in _OF_SETS | {"spearman"}:
            return True
        in_parts = measure.name in ("cosine", "cosine_common")
        if measure.given_weight is not None:
            return measure.given_weight.name == "binary" and (in_parts or measure.name in _OF_INTEGERS)
        if ratings.scale is None:
            return False
        units = ratings.scale.low / ratings.scale.step
        whole = any(
            abs(units * p - round(units * p)) <= 1e-9 * max(1, abs(units * p)) for p in range(1, 1001)
        )
        return measure.name in _OF_INTEGERS or (in_parts and whole)

    return exact


@pytest.fixture(scope="session")
def assert_lists(rows_of, is_exact):
    """A function that compares lists of k with the oracle's of everybody, subject by subject.

    Where bits are promised, they must be the same. Elsewhere values may differ by `TOLERANCE`, and neighbors
    whose values are that close may change places; the order must be that of the values given.
    """

    def check(ratings, measure, found, everybody, k):
        measure = get_measure(measure)
        if is_exact(ratings, measure):
            expected = rows_of({subject: rows[:k] for subject, rows in everybody.items()})
            assert {subject: found[subject] for subject in everybody} == expected
            return
        for subject, rows in everybody.items():
            got = [(id, float.fromhex(value), n) for id, value, n in found[subject]]
            assert len(got) == min(k, len(rows)) == len({id for id, _, _ in got})
            assert got == sorted(got, key=lambda row: (-measure.sign * row[1], -row[2], row[0]))
            of = {row.neighbor: row for row in rows}
            for (id, value, n), in_place in zip(got, rows, strict=False):
                near = TOLERANCE * max(1.0, abs(value))
                assert n == of[id].n_common
                assert abs(value - of[id].value) <= near
                assert abs(value - in_place.value) <= near

    return check
