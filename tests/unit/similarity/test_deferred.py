"""Lists that a query puts off: equal lengths at the cut, the limits of putting off, looked up or walked."""

import numpy as np
import pytest

import corated as cr
from corated.neighborhood.engine import Engine
from corated.similarity import reference
from corated.similarity.tasks import MAX_DEFERRED

pytestmark = pytest.mark.jit


def crowd(users, items, share, levels, seed):
    """Few items with many raters each, several of them with equally many."""
    rng = np.random.default_rng(seed)
    rated = rng.random((users, items)) < share
    rated[:, :4] = rng.random((users, 1)) < 0.9  # four lists of the same length
    who, what = np.nonzero(rated)
    values = rng.integers(0, levels, len(who))
    return cr.Ratings.from_arrays(who, what, values, scale=(0, levels - 1, 1))


@pytest.mark.parametrize("of", ["users", "items"])
@pytest.mark.parametrize("least", [2, 3, 5, MAX_DEFERRED + 1, MAX_DEFERRED + 2])
@pytest.mark.parametrize("levels", [5, 255, 256])
def test_equal_to_the_oracle(of, least, levels):
    ratings = crowd(150, 60, 0.4, levels, least)
    engine = Engine.build(ratings, of=of, measure="pearson", min_common=least)
    assert engine.deferred == (least - 1 if least <= MAX_DEFERRED + 1 and levels < 256 else 0)
    for measure in ("pearson", "euclidean", "cosine"):
        found = cr.neighbors(ratings, of=of, measure=measure, k=7, min_common=least, threads=2)
        chosen = engine.ids.ids.to_pylist()[::7]
        expected = reference.neighbors(
            ratings, of=of, measure=measure, k=7, min_common=least, subjects=chosen
        )
        for subject in chosen:
            got = [(r["neighbor"], r["value"], r["n_common"]) for r in found.of(subject)]
            assert got == [(r.neighbor, r.value, r.n_common) for r in expected[subject]]
        some = cr.neighbors(ratings, of=of, measure=measure, k=7, min_common=least, subjects=chosen)
        assert [r for subject in chosen for r in found.of(subject)] == some.to_pylist()


def test_some_are_looked_up_and_some_walked(monkeypatch):
    """With room for one popular item only, the rest of the late lists is walked; nothing else changes."""
    from corated.neighborhood import engine as engine_module
    from corated.similarity.profiles import popular

    whole = cr.neighbors(crowd(300, 40, 0.3, 10, 1), min_common=4, k=9)
    for limit in (0, 300, 1200):
        monkeypatch.setattr(engine_module, "popular", lambda profiles, limit=limit: popular(profiles, limit))
        part = cr.neighbors(crowd(300, 40, 0.3, 10, 1), min_common=4, k=9)
        assert part.to_arrow().equals(whole.to_arrow())


def test_popular_spreads_the_most_rated():
    from corated.similarity.profiles import MISSING, popular

    ratings = crowd(300, 40, 0.3, 10, 1)
    profiles = Engine.build(ratings, of="users", measure="pearson", min_common=1).profiles
    spread = popular(profiles, limit=3 * 300)
    assert sorted(spread.slot)[-4:] == [-1, 0, 1, 2]
    counts = np.diff(profiles.rater_ptr)
    assert counts[spread.slot >= 0].min() >= counts[spread.slot < 0].max()
    for column in np.flatnonzero(spread.slot >= 0):
        row = spread.codes[spread.slot[column] * 300 :][:300]
        assert (row != MISSING).sum() == counts[column]
        code = dict(zip(ratings.users.ids.to_pylist(), row[profiles.label], strict=True))
        for user in (0, 7, 100):
            given = ratings.profile(user).get(int(column))
            assert code[user] == (MISSING if given is None else given)
