"""Presets of peers on real data: their figures, and their rules worked out independently in NumPy."""

import numpy as np
import pytest

import corated as cr

pytestmark = pytest.mark.jit


# -- Surprise -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folds(data):
    """The five folds of Surprise's README: of ml-100k's rows shuffled by its seed."""
    table = np.loadtxt(data("ml-100k") / "u.data", dtype=np.int64)
    order = np.arange(len(table))
    np.random.RandomState(0).shuffle(order)
    made = []
    for test in np.split(order, 5):
        train = np.setdiff1d(order, test)
        users, items, values = table[train, 0], table[train, 1], table[train, 2].astype(float)
        made.append((cr.Ratings.from_arrays(users, items, values, scale=(1, 5, 1)), table[test]))
    return made


@pytest.mark.parametrize(
    ("name", "theirs"), [("surprise-knnwithmeans", 0.9511), ("surprise-knnbaseline", 0.9306)]
)
def test_surprise_on_five_folds(folds, name, theirs):
    """What Surprise 1.1.5 itself comes to on these folds, in one run of benchmarks/models.py beside ours."""
    found = []
    for ratings, test in folds:
        predicted = cr.preset(name).fit(ratings).predict(test[:, 0], test[:, 1])
        error = predicted.to_arrow()["value"].to_numpy() - test[:, 2]
        found.append(np.sqrt(np.mean(error**2)))
    assert np.mean(found) == pytest.approx(theirs, abs=0.0005)


# -- LensKit's item-item ------------------------------------------------------------------------------


def lenskit_item(x, seen, user, item):
    """Prediction and its support from dense ratings, None where the 20th place is a tie of floats.

    x : centered ratings, 0 where there are none, columns of length 1 in ``x / norms``
    """
    centered, norms, means = x
    mine = np.flatnonzero(seen[user])
    mine = mine[mine != item]
    unit = centered[:, mine] / norms[mine]
    similarity = unit.T @ (centered[:, item] / norms[item])
    close = similarity >= 1e-6
    mine, similarity = mine[close], similarity[close]
    if not len(mine):
        return np.nan, 0
    order = np.argsort(-similarity, kind="stable")
    if len(order) > 20 and similarity[order[19]] - similarity[order[20]] < 1e-12:
        return None
    best = order[:20]
    weights, deviations = similarity[best], centered[user, mine[best]]
    return means[item] + weights @ deviations / weights.sum(), len(best)


def test_lenskit_item_on_ml_latest_small(data):
    table = np.loadtxt(data("ml-latest-small") / "ratings.csv", delimiter=",", skiprows=1)
    users, u = np.unique(table[:, 0].astype(np.int64), return_inverse=True)
    items, i = np.unique(table[:, 1].astype(np.int64), return_inverse=True)
    seen, dense = np.zeros((len(users), len(items)), bool), np.zeros((len(users), len(items)))
    seen[u, i], dense[u, i] = True, table[:, 2]
    means = dense.sum(axis=0) / seen.sum(axis=0)
    centered = np.where(seen, dense - means, 0.0)
    norms = np.sqrt((centered**2).sum(axis=0))
    norms[norms == 0.0] = np.inf  # a flat column is near nothing
    rng = np.random.default_rng(4)
    rated = rng.choice(len(table), 120, replace=False)  # a rated item is predicted as if it were not
    pairs = [*zip(u[rated], i[rated], strict=True)]
    pairs += [*zip(rng.integers(len(users), size=120), rng.integers(len(items), size=120), strict=True)]
    expected = [lenskit_item((centered, norms, means), seen, *pair) for pair in pairs]
    settled = [at for at, row in enumerate(expected) if row is not None]
    assert len(settled) >= 200
    ratings = cr.Ratings.from_arrays(users[u], items[i], table[:, 2], scale=(0.5, 5, 0.5))
    model = cr.preset("lenskit-item").fit(ratings)
    found = model.predict(
        [int(users[pairs[at][0]]) for at in settled], [int(items[pairs[at][1]]) for at in settled]
    ).to_arrow()
    value = np.array(found["value"].to_pylist(), dtype=float)  # null where there is none
    wanted = np.array([expected[at][0] for at in settled])
    assert found["support"].to_pylist() == [expected[at][1] for at in settled]
    np.testing.assert_allclose(value, wanted, rtol=0, atol=1e-9, equal_nan=True)
    assert np.isfinite(wanted).sum() >= 150
    assert wanted[np.isfinite(wanted)].max() > 5.0  # values are not cut to the scale


# -- the notebook -------------------------------------------------------------------------------------


def notebook(profiles, user, n):
    """The lists of the notebook's rule: of those with one item in common, the 2n closest, and their likes."""
    mine = profiles[user]
    near = []
    for other, theirs in profiles.items():
        common = mine.keys() & theirs.keys()
        if other != user and common:
            near.append((sum((mine[item] - theirs[item]) ** 2 for item in common), -len(common), other))
    listed = []
    for _, _, other in sorted(near)[: 2 * n]:
        likes = sorted((-rating, item) for item, rating in profiles[other].items() if rating >= 7)
        listed += [item for _, item in likes if item not in mine and item not in listed]
    return listed[:n]


@pytest.mark.parametrize("n", [3, 10])
def test_notebook_on_movietweetings(data, n):
    path = data("movietweetings-100k") / "ratings.dat"
    profiles = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        user, item, rating, _ = line.split("::")
        profiles.setdefault(int(user), {})[item] = int(rating)
    asked = sorted(int(user) for user in np.random.default_rng(6).choice(sorted(profiles), 30, replace=False))
    rows = cr.preset("notebook").fit(cr.read_ratings(path)).recommend(asked, n=n).to_pylist()
    found = {user: [row["item_id"] for row in rows if row["user_id"] == user] for user in asked}
    expected = {user: notebook(profiles, user, n) for user in asked}
    width = max(len(item) for profile in profiles.values() for item in profile)
    assert sum(map(len, expected.values())) > 10 * n and width == 7  # text ids sort as their numbers do
    assert found == expected
