"""The ladders of benchmarks/quality: what they hold out, how they judge, and the tables they become."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODULES = ("alone", "record", "data", "ladder", "tools", "gowalla", "tables")


@pytest.fixture
def module(monkeypatch):
    """What imports a module of the ladders, and forgets it afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(FOLDER / "quality"))
    before = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.modules.update(before)


def test_a_fifth_of_each_users_items_is_held_out(module):
    rng = np.random.default_rng(4)
    some = (rng.random((40, 60)) < 0.3).astype(float)
    some[:2] = 0
    some[1, 7] = 1
    likes = sp.csr_matrix(some)
    first, second = module("gowalla").held_out(likes)
    assert ((first + second) != likes).nnz == 0
    many, out = np.diff(likes.indptr), np.diff(second.indptr)
    assert out[:2].tolist() == [0, 0]
    assert out[2:].tolist() == [max(1, round(0.2 * one)) for one in many[2:].tolist()]


def test_recall_is_over_all_and_the_ideal_is_cut_at_20(module):
    wanted = sp.csr_matrix((np.ones(26), (np.r_[np.zeros(25, int), 2], np.r_[np.arange(25), 3])))
    recall, ndcg = module("gowalla").measured(wanted, np.array([0, 2]), [[*range(19), 90], [80, 3]])
    gain = 1 / np.log2(np.arange(2, 22))
    assert recall == pytest.approx((19 / 25 + 1) / 2)
    assert ndcg == pytest.approx((gain[:19].sum() / gain.sum() + gain[1]) / 2)


def test_a_table_of_figures_has_the_best_first_and_says_why_a_method_cannot(module):
    rows = [
        {"name": "one", "ndcg": 0.1, "when": "2026-01-01", "commit": "a"},
        {"name": "two", "ndcg": 0.2, "when": "2026-01-02", "commit": "b", "note": "as it comes"},
        {"name": "three", "cannot": "too large"},
    ]
    lines = module("tables").figures(kept(rows=rows)).splitlines()
    assert lines[:4] == ["| method | NDCG |", "| --- | --- |", "| two | 0.2000 |", "| one | 0.1000 |"]
    assert lines[5:7] == ["- two: as it comes", "- three: cannot: too large"]
    assert lines[-1].startswith("`python x.py`; 2 cores of P, 4 GiB; numpy 2;")


def test_a_table_of_a_played_log_has_the_second_stretch_beside(module):
    def row(model, ndcg, difference):
        low_high = dict.fromkeys(("low", "high"), difference)
        figures = {"hit_rate": 0.5, "events": 10, "answer_seconds": 0.02}
        return {"model": model, "ndcg": ndcg, "difference": difference, **low_high, **figures}

    test, second = (
        [row("popular", 0.1, None), row("near", 0.2, 0.1)],
        [row("near", 0.3, 0.1), row("popular", 0.4, None)],
    )
    made = module("tables").played(kept(test={"rows": test}, second={"rows": second})).splitlines()
    assert made[2] == "| near | 0.2000 | 0.5000 | +0.1000 (+0.1000 to +0.1000) | 0.3000 | 2.00 |"
    assert made[3] == "| popular | 0.1000 | 0.5000 |  | 0.4000 | 2.00 |"


def kept(**found):
    machine = {"cores": 2, "processor": "P", "memory_gib": 4}
    told = {"machine": machine, "versions": {"numpy": "2", "implicit": "absent"}, "command": "python x.py"}
    return {**told, "commit": "c", "when": "2026-01-03T00:00:00", **found}
