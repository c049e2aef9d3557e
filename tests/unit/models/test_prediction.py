"""Predictions against the formula written out, and what every status means."""

import numpy as np
import pytest

import corated as cr
from corated.errors import IdTypeError, ParameterError
from corated.similarity import reference


def made(seed, users=30, items=20, ratings=260):
    rng = np.random.default_rng(seed)
    cells = rng.choice(users * items, ratings, replace=False)
    return cr.Ratings.from_arrays(
        cells // items + 1, cells % items + 1, rng.integers(1, 6, ratings).astype(float), scale=(1, 5, 1)
    )


def profiles(ratings, side):
    """The ratings as subject -> object -> rating."""
    found = {}
    for row in ratings.to_arrow().to_pylist():
        subject, thing = row["user_id"], row["item_id"]
        if side == "items":
            subject, thing = thing, subject
        found.setdefault(subject, {})[thing] = row["rating"]
    return found


def centers(given, center):
    """By subject: (center, spread)."""
    made = {}
    for subject, profile in given.items():
        values = np.array(list(profile.values()))
        spread = values.std() if center == "zscore" else 1.0
        made[subject] = (0.0, 1.0) if center is None else (values.mean(), spread)
    return made


def expected(ratings, side, subject, thing, *, measure, k, scope, center, least):
    """Sort everyone by (value, common, id), keep k of them or of the raters, and average."""
    given = profiles(ratings, side)
    around = centers(given, center)
    near = []
    for other in given:
        if other == subject:
            continue
        value, _ = reference.value(ratings, subject, other, measure=measure, of=side)
        if value is not None and value >= least:
            common = len(given[subject].keys() & given[other].keys())
            near.append((-value, -common, other))
    near.sort()
    if scope == "all":
        near = near[:k]
    raters = [(-value, other) for value, _, other in near if thing in given[other]][:k]
    weight = sum(abs(s) for s, _ in raters)
    if not weight:
        return None, len(raters)
    total = 0.0
    for s, other in raters:
        mean, spread = around[other]
        total += s * ((given[other][thing] - mean) / spread if spread > 0 else 0.0)
    mean, spread = around[subject]
    return mean + spread * total / weight, len(raters)


@pytest.mark.parametrize("side", ["users", "items"])
@pytest.mark.parametrize("scope", ["all", "raters"])
@pytest.mark.parametrize("center", [None, "mean", "zscore"])
@pytest.mark.parametrize("measure", ["msd", "pearson", "cosine"])
def test_the_formula(side, scope, center, measure):
    ratings = made(3)
    kind = cr.UserKNN if side == "users" else cr.ItemKNN
    least = -0.2
    model = kind(
        measure=measure, k=4, rule="mean", scope=scope, center=center, min_similarity=least, fallback=False
    ).fit(ratings)
    users = np.repeat(np.arange(1, 31), 20)
    items = np.tile(np.arange(1, 21), 30)
    rows = model.predict(users, items).to_pylist()
    answered = 0
    for row in rows[::7]:
        subject, thing = row["user_id"], row["item_id"]
        if side == "items":
            subject, thing = thing, subject
        value, support = expected(
            ratings, side, subject, thing, measure=measure, k=4, scope=scope, center=center, least=least
        )
        assert row["support"] == support
        if value is None:
            assert row["value"] is None
            assert row["status"] == "too_few"
        else:
            answered += 1
            assert row["value"] == pytest.approx(value, abs=1e-12)
            assert row["status"] == "ok"
    assert answered > 20


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_order_change_nothing(threads):
    ratings = made(4)
    model = cr.preset("surprise-knnbaseline").fit(ratings)
    users, items = np.repeat(np.arange(1, 31), 20), np.tile(np.arange(1, 21), 30)
    order = np.random.default_rng(0).permutation(len(users))
    whole = model.predict(users, items).to_arrow()["value"].to_numpy()
    mixed = model.predict(users[order], items[order], threads=threads).to_arrow()["value"].to_numpy()
    assert (mixed == whole[order]).all()


def test_statuses():
    ratings = cr.Ratings.from_arrays(
        [1, 1, 2, 2, 3], [10, 11, 10, 11, 12], [1.0, 5.0, 2.0, 4.0, 3.0], scale=(1, 5, 1)
    )
    model = cr.UserKNN(measure="msd", rule="mean", scope="raters", center="mean", k=2)
    asked = [1, 1, 9, 1, 9], [10, 12, 10, 99, 99]
    rows = model.fit(ratings).predict(*asked).to_pylist()
    assert [row["status"] for row in rows] == [
        "ok",
        "fallback",
        "unknown_user",
        "unknown_item",
        "unknown_user",
    ]
    # User 2 rated item 10 one below their mean; user 1's mean is 3, and so is that of all ratings.
    assert [row["value"] for row in rows] == [2.0, 3.0, 3.0, 3.0, 3.0]
    assert [row["support"] for row in rows] == [1, 0, 0, 0, 0]
    without = model.set_params(fallback=False).fit(ratings).predict(*asked)
    assert [row["status"] for row in without.to_pylist()] == [
        "ok",
        "too_few",
        "unknown_user",
        "unknown_item",
        "unknown_user",
    ]
    assert [row["value"] for row in without.to_pylist()] == [2.0, None, None, None, None]
    assert without.by_status == {"ok": 1, "fallback": 0, "unknown_user": 2, "unknown_item": 1, "too_few": 1}


def test_a_baseline_says_what_is_known_of_either():
    ratings = made(5)
    model = cr.preset("surprise-knnbaseline").fit(ratings)
    unknown_both, unknown_item, unknown_user = (
        row["value"] for row in model.predict([99, 1, 99], [99, 99, 1]).to_pylist()
    )
    assert unknown_both == pytest.approx(float(np.mean(ratings.values)), abs=1e-12)
    assert unknown_item != unknown_both
    assert unknown_user != unknown_both


def test_clipping_is_for_what_is_shown_only():
    ratings = cr.Ratings.from_arrays(
        [1, 1, 1, 2, 2, 2, 2], [1, 2, 3, 1, 2, 3, 4], [5.0, 5.0, 4.0, 2.0, 2.0, 1.0, 5.0], scale=(1, 5, 1)
    )
    options = {"measure": "msd", "rule": "mean", "center": "mean", "scope": "raters"}
    plain = cr.UserKNN(**options).fit(ratings)
    clipped = cr.UserKNN(clip=True, **options).fit(ratings)
    assert plain.predict([1], [4]).to_pylist()[0]["value"] == pytest.approx(14 / 3 + 2.5)
    assert clipped.predict([1], [4]).to_pylist()[0]["value"] == 5.0
    assert clipped.recommend([1]).to_pylist()[0]["score"] == pytest.approx(14 / 3 + 2.5)


@pytest.mark.parametrize("side", [cr.UserKNN, cr.ItemKNN])
@pytest.mark.parametrize("scope", ["all", "raters"])
def test_recommendations_are_the_best_predictions(side, scope):
    ratings = made(6)
    model = side(measure="msd", rule="mean", center="mean", scope=scope, k=3, min_support=2).fit(ratings)
    seen = {(row["user_id"], row["item_id"]) for row in ratings.to_arrow().to_pylist()}
    listed = model.recommend(n=4).to_pylist()
    for user in range(1, 31):
        open_ = [item for item in range(1, 21) if (user, item) not in seen]
        rows = [row for row in model.predict([user] * len(open_), open_).to_pylist() if row["status"] == "ok"]
        rows.sort(key=lambda row: (-row["value"], -row["support"], row["item_id"]))
        mine = [row for row in listed if row["user_id"] == user]
        assert [row["item_id"] for row in mine] == [row["item_id"] for row in rows[:4]]
        assert [row["score"] for row in mine] == [row["value"] for row in rows[:4]]
    assert model.recommend(n=4, threads=3).to_arrow().equals(model.recommend(n=4).to_arrow())


@pytest.mark.parametrize("rule", ["votes", "weighted_votes", "sum"])
@pytest.mark.parametrize("side", [cr.UserKNN, cr.ItemKNN])
def test_a_prediction_is_the_score_of_the_recommendation(rule, side):
    ratings = made(7)
    model = side(measure="cosine", rule=rule, k=5, like=4, min_similarity=0.3)
    if rule == "sum":
        model.set_params(like=None)
    model.fit(ratings)
    rows = model.recommend(n=20).to_pylist()
    assert len(rows) > 50
    found = model.predict([row["user_id"] for row in rows], [row["item_id"] for row in rows]).to_pylist()
    assert [row["support"] for row in found] == [row["support"] for row in rows]
    np.testing.assert_allclose([row["value"] for row in found], [row["score"] for row in rows], rtol=1e-12)


def test_every_option_changes_something():
    ratings = made(8)
    users, items = np.repeat(np.arange(1, 31), 20), np.tile(np.arange(1, 21), 30)

    def values(**options):
        model = cr.UserKNN(**({"measure": "msd", "rule": "mean", "k": 4} | options)).fit(ratings)
        return tuple(model.predict(users, items).to_arrow()["value"].to_pylist())

    plain = values()
    others = [
        {"scope": "raters"},
        {"direction": "reverse"},
        {"center": "mean"},
        {"center": "zscore"},
        {"center": "baseline"},
        {"center": "baseline(reg_u=1)"},
        {"min_similarity": 0.5},
        {"min_support": 2},
        {"fallback": False},
        {"k": 3},
        {"min_common": 3},
        {"rule": "sum"},
    ]
    found = [plain, *(values(**options) for options in others)]
    assert len(set(found)) == len(found)
    assert values(center="mean", clip=True) != values(center="mean")


def test_what_cannot_be_asked():
    ratings = made(9)
    model = cr.UserKNN(rule="mean").fit(ratings)
    with pytest.raises(ParameterError, match="2 users and 1 items"):
        model.predict([1, 2], [1])
    with pytest.raises(ParameterError, match="not a list of ids"):
        model.predict(1, [1])
    with pytest.raises(IdTypeError):
        model.predict(["1"], [1])
    with pytest.raises(ParameterError, match="predicts no ratings"):
        cr.Popularity().fit(ratings).predict([1], [1])
    with pytest.raises(ParameterError, match="without a score"):
        cr.UserKNN(rule="closest").fit(ratings).predict([1], [1])
    with pytest.raises(ParameterError, match="depend on how many"):
        cr.UserKNN(k="2n").fit(ratings).predict([1], [1])
    assert model.predict([], []).to_pylist() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"center": "mean"}, "no meaning with rule='weighted_votes'"),
        ({"rule": "mean", "center": "median"}, "Unknown centering 'median'"),
        ({"scope": "everyone"}, "Unknown scope 'everyone'"),
        ({"scope": "raters", "rule": "closest"}, 'scope="raters" cannot be used'),
        ({"scope": "raters", "k": "2n"}, 'scope="raters" cannot be used'),
        ({"min_similarity": "high"}, "min_similarity='high'"),
        ({"direction": "back"}, "Unknown direction 'back'"),
        ({"direction": "reverse", "scope": "raters"}, 'direction="reverse" cannot be used'),
        ({"direction": "reverse", "rule": "closest"}, 'direction="reverse" cannot be used'),
        ({"clip": 1}, "clip=1 cannot be used"),
        ({"rule": "mean", "center": "baseline(epochs=0)"}, "epochs=0"),
    ],
)
def test_settings_that_cannot_be_used(options, message):
    with pytest.raises(ParameterError, match=message.replace("(", r"\(").replace(")", r"\)")):
        cr.UserKNN(**options).fit(made(1))


@pytest.mark.parametrize("kind", [cr.UserKNN, cr.ItemKNN])
def test_reverse_neighbors_are_those_who_have_one_among_theirs(kind):
    ratings = made(10)
    model = kind(measure="cosine", k=3, rule="weighted_votes", like=4, direction="reverse").fit(ratings)
    side = "users" if kind is cr.UserKNN else "items"
    given, theirs = profiles(ratings, side), {}
    for row in model.graph.to_pylist():
        theirs.setdefault(row["neighbor"], {})[row["id"]] = row["value"]
    for user in range(1, 31):
        for item in range(1, 21):
            subject, thing = (user, item) if side == "users" else (item, user)
            likes = [s for other, s in theirs.get(subject, {}).items() if given[other].get(thing, 0) >= 4]
            (row,) = model.predict([user], [item]).to_pylist()
            assert row["support"] == len(likes)
            assert (row["value"] or 0.0) == pytest.approx(sum(likes), abs=1e-12)
    assert max(len(found) for found in theirs.values()) > 3
    listed = model.recommend(n=20).to_pylist()
    found = model.predict([row["user_id"] for row in listed], [row["item_id"] for row in listed]).to_pylist()
    np.testing.assert_allclose([row["value"] for row in found], [row["score"] for row in listed], rtol=1e-12)
