"""Every option of UserKNN and ItemKNN against a plain oracle, and that each of them changes something."""

import inspect
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import corated as cr
from corated.errors import CoratedNotice

from .oracle import DAY, Options, Oracle

SIDES = {"users": cr.UserKNN, "items": cr.ItemKNN}
MEASURES = ["euclidean", "msd", "cosine", "jaccard", "pearson", "conditional", "cosine(shrink=2)"]
TOLERANCE = 1e-9
START = 1_700_000_000_000_000


@st.composite
def small_ratings(draw):
    """A few ratings from 1 to 6 on days from 0 to 8."""
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    cell = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    cells = sorted(draw(st.sets(cell, min_size=1, max_size=24)))
    values = draw(st.lists(st.integers(1, 6), min_size=len(cells), max_size=len(cells)))
    days = draw(st.lists(st.integers(0, 8), min_size=len(cells), max_size=len(cells)))
    users, items = zip(*cells, strict=True)
    return cr.Ratings.from_arrays(
        users, [f"i{item}" for item in items], values, [START // 10**6 + 86_400 * day for day in days],
        scale=(1, 6, 1), time_unit="s",
    )  # fmt: skip


@st.composite
def options(draw):
    """Options that go together, as the page on recommendations says."""
    rule = draw(st.sampled_from(["closest", "votes", "weighted_votes", "sum", "mean"]))
    center = draw(st.sampled_from([None, "mean", "zscore", "baseline", "zeros"])) if rule == "mean" else None
    scope = draw(st.sampled_from(["all", "raters"])) if rule != "closest" and center != "zeros" else "all"
    can_reverse = rule != "closest" and scope == "all"
    direction = draw(st.sampled_from(["forward", "reverse"])) if can_reverse else "forward"
    many: list = [1, 2, 3, 9]
    many += ["all"] if direction == "forward" else []
    many += ["2n"] if scope == "all" and direction == "forward" and center != "zeros" else []
    may_shrink, may_add = rule == "mean" and center != "zeros", rule in ("votes", "weighted_votes", "sum")
    return Options(
        measure=draw(st.sampled_from(MEASURES)),
        k=draw(st.sampled_from(many)),
        min_common=draw(st.sampled_from([1, 1, 2])),
        rule=rule,
        like=draw(st.sampled_from([None, 3, 5.0, "mean"])),
        min_support=draw(st.sampled_from([1, 1, 2])) if center != "zeros" else 1,
        scope=scope,
        direction=direction,
        center=center,
        min_similarity=draw(st.sampled_from([None, 0.0, 0.4])),
        support_shrink=draw(st.sampled_from([0.0, 1.5])) if may_shrink else 0.0,
        half_life=draw(st.sampled_from([None, 2.0])),
        at=draw(st.sampled_from([None, START + 5 * DAY])),
        everyone=draw(st.sampled_from([0.0, 0.5])) if may_add else 0.0,
        clip=draw(st.booleans()),
        fallback=draw(st.booleans()),
    )  # fmt: skip


def made(side, chosen):
    """The model of some options."""
    given = asdict(chosen)
    if chosen.at is not None:
        given["at"] = np.datetime64(chosen.at, "us")
    return SIDES[side](**given)


def near(left, right):
    return abs(left - right) <= TOLERANCE * max(1.0, abs(left))


def assert_list(got, ranking, n):
    """The first n of a ranking; places may change where scores are equal but for rounding."""
    assert len(got) == min(n, len(ranking)) == len({row["item_id"] for row in got})
    assert [row["rank"] for row in got] == list(range(1, len(got) + 1))
    of = {row.item: row for row in ranking}
    for row, in_place in zip(got, ranking, strict=False):
        expected = of[row["item_id"]]
        assert (row["support"], row["source"]) == (expected.support, expected.source)
        if expected.score is None:
            assert (row["item_id"], row["score"]) == (in_place.item, None)
        else:
            assert near(row["score"], expected.score)
            assert near(row["score"], in_place.score)
    if all(row["score"] is not None for row in got):
        assert got == sorted(got, key=lambda row: (-row["score"], -row["support"], row["item_id"]))


@given(
    small_ratings(), st.sampled_from(["users", "items"]), options(), st.sampled_from([1, 2, 10]),
    st.booleans(), st.sampled_from([1, 2]),
)  # fmt: skip
@settings(max_examples=300)
@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_lists_equal_the_oracle(ratings, side, chosen, n, exclude_seen, threads):
    oracle = Oracle(ratings, side, chosen)
    model = made(side, chosen).fit(ratings, threads=threads)
    rows = model.recommend(n=n, exclude_seen=exclude_seen, threads=threads).to_pylist()
    assert {row["user_id"] for row in rows} <= set(oracle.users())
    for user in oracle.users():
        ranking = oracle.ranking(user, n, exclude_seen=exclude_seen)
        note(f"{user}: {ranking}")
        assert_list([row for row in rows if row["user_id"] == user], ranking, n)


@given(small_ratings(), st.sampled_from(["users", "items"]), options(), st.sampled_from([1, 2]))
@settings(max_examples=200)
@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
def test_predictions_equal_the_oracle(ratings, side, chosen, threads):
    assume(chosen.rule != "closest" and chosen.k != "2n")
    oracle = Oracle(ratings, side, chosen)
    unknown = [] if chosen.center == "zeros" else [None]  # of whom nothing can be said
    pairs = [(user, item) for user in oracle.users() + unknown for item in oracle.items() + unknown]
    users = [99 if user is None else user for user, _ in pairs]
    items = ["nothing" if item is None else item for _, item in pairs]
    rows = made(side, chosen).fit(ratings, threads=threads).predict(users, items, threads=threads).to_pylist()
    assert [(row["user_id"], row["item_id"]) for row in rows] == list(zip(users, items, strict=True))
    for pair, row in zip(pairs, rows, strict=True):
        value, support, status = oracle.predict(*pair)
        assert (row["support"], row["status"]) == (support, status)
        assert (row["value"] is None) == (value is None)
        assert value is None or near(row["value"], value)


# -- each option changes something ----------------------------------------------------------------


@pytest.fixture(scope="module")
def world():
    """Enough ratings, on ten levels and some hundred days, that no two settings agree by chance."""
    rng = np.random.default_rng(11)
    cells = np.sort(rng.choice(30 * 20, 260, replace=False))
    days = rng.integers(0, 100, 260)
    return cr.Ratings.from_arrays(
        cells // 20, cells % 20, rng.integers(1, 11, 260), 1_700_000_000 + 86_400 * days,
        scale=(1, 10, 1), time_unit="s",
    )  # fmt: skip


VOTES = {"measure": "msd", "k": 5, "rule": "weighted_votes", "like": 6}
MEANS = {"measure": "msd", "k": 5, "rule": "mean", "center": "mean"}
CHANGES = [
    (VOTES, {"measure": "cosine"}),
    (VOTES, {"k": 6}),
    (VOTES, {"k": "2n"}),
    (VOTES, {"k": "all"}),
    (VOTES, {"min_common": 3}),
    (VOTES, {"rule": "votes"}),
    (VOTES, {"rule": "closest"}),
    (VOTES, {"rule": "sum"}),
    (VOTES, {"rule": "mean"}),
    (VOTES, {"like": 8}),
    (VOTES, {"like": "mean"}),
    (VOTES, {"like": None}),
    (VOTES, {"min_support": 2}),
    (VOTES, {"scope": "raters"}),
    (VOTES, {"direction": "reverse"}),
    (VOTES, {"min_similarity": 0.2}),
    (VOTES, {"half_life": 30}),
    (VOTES, {"at": "2024-01-01"}),
    ({**VOTES, "half_life": 30}, {"at": "2024-01-01"}),
    (VOTES, {"everyone": 0.01}),
    ({**VOTES, "everyone": 0.01}, {"everyone": 0.02}),
    ({**VOTES, "everyone": 0.01}, {"min_support": 2}),
    (MEANS, {"center": None}),
    (MEANS, {"center": "zscore"}),
    (MEANS, {"center": "baseline"}),
    (MEANS, {"center": "zeros"}),
    (MEANS, {"support_shrink": 2.0}),
    (MEANS, {"scope": "raters"}),
    (MEANS, {"half_life": 30}),
]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("base", "change"), CHANGES, ids=[str(change) for _, change in CHANGES])
def test_each_option_changes_lists(world, side, base, change):
    def lists(**given):
        return SIDES[side](**given).fit(world).recommend(n=5).to_pylist()

    assert lists(**base) != lists(**(base | change))


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("change", [{"clip": True}, {"fallback": False}], ids=str)
def test_what_only_predictions_show(world, side, change):
    users, items = np.repeat(np.arange(30), 20), np.tile(np.arange(20), 30)
    plain, other = (
        SIDES[side](**(MEANS | {"k": 2} | more)).fit(world).predict(users, items).to_pylist()
        for more in ({}, change)
    )
    assert plain != other


def test_every_parameter_is_among_them():
    named = {name for _, change in CHANGES for name in change} | {"clip", "fallback"}
    for kind in SIDES.values():
        assert named == set(inspect.signature(kind).parameters)
    assert set(asdict(Options())) == named


# -- candidates, by hand --------------------------------------------------------------------------


def table(rows):
    return cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 5, 1))


def listed(model, ratings, user, **more):
    rows = model.fit(ratings).recommend([user], **more)
    return [(row["item_id"], row["score"], row["support"], row["source"]) for row in rows]


@pytest.fixture(scope="module")
def five():
    """Of the neighbors of u, two like a, one likes b, none likes c; a stranger likes c and d."""
    return table(
        [
            ("u", "x", 5), ("v", "x", 5), ("w", "x", 5), ("v", "a", 5), ("w", "a", 5), ("w", "b", 5),
            ("v", "c", 1), ("s", "c", 5), ("s", "d", 5), ("t", "d", 4), ("t", "e", 1),
        ]
    )  # fmt: skip


def test_candidates_have_a_supporter_or_a_prior(five):
    votes = cr.UserKNN(measure="jaccard", rule="votes", like=4)
    assert listed(votes, five, "u") == [("a", 2.0, 2, "neighbors"), ("b", 1.0, 1, "neighbors")]
    assert listed(votes.set_params(everyone=0.5), five, "u") == [
        ("a", 3.0, 2, "neighbors"),
        ("b", 1.5, 1, "neighbors"),
        ("d", 1.0, 0, "everyone"),
        ("c", 0.5, 0, "everyone"),
    ]  # nobody likes e


def test_too_few_supporters_leave_what_everyone_gives(five):
    votes = cr.UserKNN(measure="jaccard", rule="votes", like=4, min_support=2)
    assert listed(votes, five, "u") == [("a", 2.0, 2, "neighbors")]
    assert listed(votes.set_params(everyone=0.5), five, "u") == [
        ("a", 3.0, 2, "neighbors"),
        ("d", 1.0, 0, "everyone"),
        ("b", 0.5, 1, "everyone"),  # its one supporter breaks the tie, and adds nothing
        ("c", 0.5, 0, "everyone"),
    ]


@pytest.mark.parametrize("side", SIDES)
def test_a_users_own_likes_are_no_part_of_the_prior(side):
    """Shown where seen items may come back: x is liked by its user alone, y by one more."""
    ratings = table([(1, "x", 5), (1, "y", 5), (2, "y", 5), (3, "z", 5)])
    model = SIDES[side](measure="pearson", rule="votes", like=4, everyone=1.0)  # nobody is similar
    assert listed(model, ratings, 1, exclude_seen=False) == [
        ("y", 1.0, 0, "everyone"),
        ("z", 1.0, 0, "everyone"),
    ]
    assert listed(model, ratings, 2, exclude_seen=False) == [
        ("x", 1.0, 0, "everyone"),
        ("y", 1.0, 0, "everyone"),
        ("z", 1.0, 0, "everyone"),
    ]


def test_nobody_is_their_own_neighbor(world):
    """Not even where seen items may come back: an item that only its user rated has nobody behind it."""
    ratings = table([(1, "x", 5), (1, "own", 5), (2, "x", 5), (2, "y", 5)])
    rows = listed(cr.UserKNN(measure="jaccard", rule="votes"), ratings, 1, exclude_seen=False)
    assert [row[0] for row in rows] == ["x", "y"]


def test_the_closest_raters_who_do_not_like_it_take_up_places():
    """Scope "raters": of the k closest who *rated* the item, those who like it count."""
    near, far = [("near", "x", 5), ("near", "a", 1)], [("far", "x", 4), ("far", "a", 5), ("far", "b", 5)]
    ratings = table([("u", "x", 5), *near, *far])
    model = cr.UserKNN(measure="euclidean", rule="votes", scope="raters", k=1, like=4)
    assert listed(model, ratings, "u") == [("b", 1.0, 1, "neighbors")]
    assert listed(model.set_params(k=2), ratings, "u") == [
        ("a", 1.0, 1, "neighbors"),
        ("b", 1.0, 1, "neighbors"),
    ]


def test_likes_above_the_scale_bring_nothing():
    ratings = table([(1, "x", 5), (2, "x", 5), (2, "y", 5)])
    with pytest.warns(CoratedNotice, match="Nobody likes anything"):
        assert listed(cr.UserKNN(measure="jaccard", like=7), ratings, 1) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert listed(cr.UserKNN(measure="jaccard", like=5), ratings, 1) != []


def test_options_stand_as_the_models_have_them():
    """The oracle's options are those of the models, by name and value."""
    for kind in SIDES.values():
        assert kind().get_params() == asdict(replace(Options()))
