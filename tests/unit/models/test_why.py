"""Why an item is not on a list, for each reason; and which rating put one there, against fits without it."""

import json
import threading

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
from corated.errors import Cancelled, IdTypeError, ParameterError, UnknownIdError
from corated.models.account import Account

ROWS = [
    ("ann", "a", 9), ("ann", "b", 8),
    ("bob", "a", 9), ("bob", "b", 8), ("bob", "c", 10), ("bob", "d", 7), ("bob", "e", 3),
    ("cat", "a", 9), ("cat", "b", 7), ("cat", "d", 9), ("cat", "f", 7),
    ("dan", "a", 2), ("dan", "g", 10), ("dan", "h", 1),
]  # fmt: skip


@pytest.fixture(scope="module")
def taste():
    return cr.Ratings.from_arrays(*zip(*ROWS, strict=True), scale=(1, 10, 1))


@pytest.fixture(scope="module")
def catalog(taste):
    table = {
        "item_id": list("abcdefgh"),
        "title": [f"Title {id}" for id in "abcdefgh"],
        "year": [1990, 1991, 1992, 1993, 1994, 1995, None, 1997],
        "genres": ["Drama", "Drama", "Crime", "Drama|Crime", "Drama", "Drama|Comedy", "Crime", ""],
    }
    return cr.read_catalog(pa.table(table), ids=taste)


@pytest.fixture(scope="module")
def model(taste, catalog):
    """Ann's list: d (1.5), c (1.0), f (0.5)."""
    return cr.UserKNN(measure="euclidean", k=2).fit(taste, catalog=catalog)


def brief(found):
    return found.status, found.rank, found.score, found.last_score, found.lacks


def test_listed(model):
    found = model.why_not("ann", "c", n=2)
    assert brief(found) == ("listed", 2, 1.0, 1.0, 0.0)
    assert found.sentence == '“Title c” is recommended to user "ann", as number 2 of 2.'
    assert str(found) == repr(found) == found.sentence


def test_below(model):
    found = model.why_not("ann", "f", n=2)
    assert brief(found) == ("below", 3, 0.5, 1.0, 0.5)
    assert found.sentence == (
        '“Title f” is number 3 in the list of user "ann": its score is 0.5, and number 2 has 1, 0.5 more.'
    )


def test_seen(model):
    found = model.why_not("ann", "a")
    assert brief(found) == ("seen", None, 1.5, 0.5, -1.0)
    assert found.sentence == 'User "ann" has rated “Title a” already. Otherwise its score would be 1.5.'
    assert model.why_not("ann", "a", exclude_seen=False).status == "listed"


def test_no_score(model):
    found = model.why_not("ann", "g")
    assert brief(found) == ("no_score", None, None, 0.5, None)
    assert found.sentence == (
        '“Title g” is no candidate for user "ann". None of the user\'s neighbors like it; at least 1 must.'
    )


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"items": ["d", "f"]}, ("items",)),
        ({"exclude": ["c"]}, ("exclude",)),
        ({"exclude": {"ann": ["c"], "bob": []}}, ("exclude",)),
        ({"genres": "Drama"}, ("genres",)),
        ({"genres": ["Drama"]}, ("genres",)),
        ({"years": (1993, None)}, ("years",)),
        ({"min_support": 2}, ("min_support",)),
        ({"exclude": ["c"], "genres": "Drama", "years": (None, 2000)}, ("exclude", "genres")),
        ({"exclude": iter(["c"]), "items": iter(["d"])}, ("items", "exclude")),
        ({"exclude": {"ann": iter(["c"])}}, ("exclude",)),
        ({"genres": iter(["Drama"]), "min_support": 2}, ("genres",)),
    ],
)
def test_filtered(model, filters, names):
    found = model.why_not("ann", "c", **filters)
    assert (found.status, found.filters, found.rank, found.score) == ("filtered", names, None, 1.0)
    assert found.sentence == f"“Title c” is left out by {' and '.join(f'{name}=' for name in names)}."
    # Without the filters that are named it is listed.
    left = {name: value for name, value in filters.items() if name not in (*names, "min_support")}
    assert model.why_not("ann", "c", **left).status == "listed"


def test_filters_that_let_it_through_are_not_named(model):
    found = model.why_not(
        "ann", "f", n=1, genres="Drama", years=(1990, 1999), exclude=["c"], items=["f", "d", "c"]
    )
    assert brief(found) == ("below", 2, 0.5, 1.5, 1.0)
    assert found.filters == ()
    assert model.why_not("ann", "f", exclude={"bob": ["f"]}).status == "listed"


def test_filtered_before_no_score_and_seen_before_filtered(model):
    assert model.why_not("ann", "g", exclude=["g"]).status == "filtered"
    assert model.why_not("ann", "a", exclude=["a"]).status == "seen"
    assert model.why_not("ann", "a", exclude=["a"], exclude_seen=False).status == "filtered"


def test_without_a_score(taste):
    model = cr.UserKNN(measure="euclidean", k=3, rule="closest").fit(taste)
    found = model.why_not("ann", "g", n=2)
    assert brief(found) == ("below", 4, None, None, None)
    assert found.sentence == 'Item "g" is number 4 in the list of user "ann", and 2 are recommended.'


def test_a_tie(taste):
    model = cr.UserKNN(measure="euclidean", k=2, rule="votes").fit(taste)
    found = model.why_not("ann", "f", n=2)
    assert brief(found) == ("below", 3, 1.0, 1.0, 0.0)
    assert "with the same score as number 2, 1: more support and smaller ids come first." in found.sentence


def test_scores_of_other_sources_are_not_compared(taste):
    parts = [cr.UserKNN(measure="euclidean", k=1), cr.Popularity()]
    found = cr.Fallback(models=parts).fit(taste).why_not("ann", "f", n=2)
    assert (found.status, found.rank, found.lacks) == ("below", 3, None)
    assert found.sentence.endswith("it comes from popularity, and all 2 from what is preferred to that.")


def test_variety_puts_others_before_it(model):
    plain = [row["item_id"] for row in model.recommend(["ann"], n=2)]
    varied = [row["item_id"] for row in model.recommend(["ann"], n=2, diversity=0.9)]
    assert (plain, varied) == (["d", "c"], ["d", "f"])
    found = model.why_not("ann", "c", n=2, diversity=0.9)
    assert (found.status, found.rank, found.score) == ("below", 2, 1.0)
    assert "diversity= put others before it" in found.sentence
    assert model.why_not("ann", "f", n=2, diversity=0.9).rank == 2


def test_nothing_is_recommended(taste):
    model = cr.UserKNN(measure="pearson", min_common=9).fit(taste)
    found = model.why_not("ann", "c")
    assert brief(found) == ("no_score", None, None, None, None)


def test_of_a_history(model):
    found = model.why_not(None, "f", history={"a": 9, "b": 8}, user_id="ann", n=2)
    assert brief(found) == ("below", 3, 0.5, 1.0, 0.5)
    assert model.why_not(None, "a", history={"a": 9, "b": 8}).status == "seen"
    with pytest.raises(ParameterError, match="exclude names users"):
        model.why_not(None, "f", history={"a": 9}, exclude={"ann": ["f"]})


def test_wrong_filters_are_refused(model):
    with pytest.raises(ParameterError, match="no option 'genre'"):
        model.why_not("ann", "c", genre="Drama")
    with pytest.raises(ParameterError, match="No item has the genre"):
        model.why_not("ann", "c", genres="Western")
    with pytest.raises(UnknownIdError):
        model.why_not("ann", "c", exclude=["zzz"])
    with pytest.raises(IdTypeError):
        model.why_not("ann", "c", exclude=[3])


def test_dictionary(model):
    made = json.loads(json.dumps(model.why_not("ann", "c", exclude=["c"]).to_dict(), allow_nan=False))
    assert made == {
        "user_id": "ann",
        "item_id": "c",
        "title": "Title c",
        "n": 10,
        "status": "filtered",
        "filters": ["exclude"],
        "rank": None,
        "score": 1.0,
        "last_score": 0.5,
        "lacks": -0.5,
        "sentence": "“Title c” is left out by exclude=.",
    }


def crowd(seed, n_users=24, n_items=18):
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item), int(rng.integers(1, 11)), 1_500_000_000 + int(rng.integers(0, 3 * 10**7)))
        for user in range(n_users)
        for item in rng.choice(n_items, rng.integers(1, 12), replace=False)
    ]
    return cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 10, 1))


MODELS = [
    cr.UserKNN(measure="cosine", k=5),
    cr.UserKNN(measure="pearson", min_common=2, k=6, rule="mean", center="mean", scope="raters"),
    cr.UserKNN(measure="jaccard", k="2n", rule="votes"),
    cr.UserKNN(measure="jaccard", k=4, rule="closest"),
    cr.UserKNN(measure="jaccard", k=4, half_life=90.0, everyone=0.1, min_support=2),
    cr.UserKNN(measure="cosine", k=4, direction="reverse"),
    cr.ItemKNN(measure="jaccard", k=5),
    cr.ItemKNN(measure="cosine", k=5, rule="closest"),
    cr.Popularity(half_life=90.0),
    cr.Bias(),
    cr.preset("best"),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_every_item_has_a_reason_that_agrees_with_the_list(model):
    ratings = crowd(1)
    model = model.clone().fit(ratings)
    for user in list(ratings.users)[:8]:
        rows = {row["item_id"]: row for row in model.recommend([user], n=4)}
        last = max(rows.values(), key=lambda row: row["rank"])["score"] if rows else None
        reasons = [model.why_not(user, item, n=4) for item in ratings.items]
        for found in reasons:
            listed = rows.get(found.item_id)
            assert (found.status == "listed") == (listed is not None)
            assert found.last_score == last
            if listed:
                assert (found.rank, found.score) == (listed["rank"], listed["score"])
            assert (found.status == "seen") == (found.item_id in ratings.profile(user))
        below = sorted(found.rank for found in reasons if found.status == "below")
        assert below == list(range(5, 5 + len(below)))
        assert all(found.lacks is None or found.lacks >= 0 for found in reasons if found.status == "below")


# -- what if ----------------------------------------------------------------------------------------


def without(ratings, user, items):
    """The same ratings but for some of one user's, made anew."""
    table = ratings.to_arrow().to_pylist()
    rows = [row for row in table if row["user_id"] != user or row["item_id"] not in items]
    return cr.Ratings.from_arrays(
        [row["user_id"] for row in rows],
        [row["item_id"] for row in rows],
        [row["rating"] for row in rows],
        [row["timestamp"] for row in rows],
        scale=(1, 10, 1),
    )


def place_without(model, user, item, removed, n):
    """The item's row in the list of a model that is fitted without some ratings; None where it has none."""
    ratings = without(model.ratings, user, removed)
    if user not in ratings.users:
        return None
    fitted = model.clone().fit(ratings)
    many = n if model.get_params().get("k") == "2n" else model.ratings.n_items
    rows = fitted.recommend([user], n=many, exclude=[i for i in removed if i in ratings.items])
    return next((row for row in rows if row["item_id"] == item), None)


USER_BASED = [model for model in MODELS if isinstance(model, cr.UserKNN)]


@pytest.mark.jit
@pytest.mark.parametrize("model", USER_BASED, ids=repr)
def test_what_if_is_what_a_fit_without_the_rating_says(model):
    ratings, n, moved, off = crowd(2), 3, 0, 0
    model = model.clone().fit(ratings)
    for user in list(ratings.users)[::3]:
        for row in model.recommend([user], n=n).to_pylist():
            found = model.what_if(user, row["item_id"], n=n)
            profile = ratings.profile(user)
            assert [r["item_id"] for r in found.ratings] == sorted(profile)
            assert [r["rating"] for r in found.ratings] == [profile[i] for i in sorted(profile)]
            for told in found.ratings if len(profile) > 1 else ():
                want = place_without(model, user, row["item_id"], [told["item_id"]], n)
                is_2n = model.k == "2n"
                assert told["listed"] == (want is not None and want["rank"] <= n)
                if want is not None:
                    assert told["rank"] == want["rank"]
                    assert told["score"] == (
                        None if want["score"] is None else pytest.approx(want["score"], abs=1e-12)
                    )
                elif not is_2n:
                    assert (told["rank"], told["score"]) == (None, None)
                moved += told["rank"] != row["rank"]
            off += len(found.removes)
            assert list(found.removes) == [r["item_id"] for r in found.ratings if not r["listed"]]
            assert found.rank == row["rank"]
            json.dumps(found.to_dict(), allow_nan=False)
    assert moved > 10
    assert off > 0


@pytest.mark.jit
def test_together_is_what_a_fit_without_them_says():
    model, found = cr.UserKNN(measure="jaccard", k=12).fit(crowd(3)), 0
    for user in model.ratings.users:
        for row in model.recommend([user], n=6).to_pylist():
            one, more = (model.what_if(user, row["item_id"], n=6, most=most) for most in (1, 4))
            assert one.together == ()
            assert one.ratings.to_pylist() == more.ratings.to_pylist()
            assert one.removes == more.removes
            if one.removes:
                assert more.together == ()
            else:
                said = ("None of the", "No single rating changes", "Nothing that user")
                assert one.sentence.startswith(said)
            if more.together:
                found += 1
                assert 2 <= len(more.together) <= 4
                assert list(more.together) == sorted(more.together)
                want = place_without(model, user, row["item_id"], list(more.together), 6)
                assert want is None or want["rank"] > 6
                assert "together" in more.sentence
    assert found > 3


@pytest.mark.parametrize("options", [{}, {"half_life": 60.0}, {"half_life": 60.0, "at": "2018-01-01"}])
def test_items_lose_the_share_of_the_rating(options):
    ratings = crowd(4)
    model, changed = cr.ItemKNN(measure="jaccard", k=6, **options).fit(ratings), 0
    for user in ratings.users:
        for row in model.recommend([user], n=3).to_pylist():
            share = {r["item_id"]: r["share"] for r in model.explain(user, row["item_id"]).contributions}
            for told in model.what_if(user, row["item_id"], n=3).ratings:
                left = row["score"] - share.get(told["item_id"], 0.0)
                if set(share) == {told["item_id"]}:
                    assert told["score"] is None
                else:
                    assert told["score"] == pytest.approx(left, abs=1e-12)
                changed += told["item_id"] in share
    assert changed > 20


def test_what_if_of_a_history():
    ratings = crowd(5)
    model = cr.UserKNN(measure="cosine", k=5).fit(ratings)
    item = model.recommend([3], n=1).to_pylist()[0]["item_id"]
    known = model.what_if(3, item, n=3)
    told = model.what_if(None, item, history=ratings.profile(3), user_id=3, n=3)
    assert told.to_dict() == known.to_dict()
    stranger = {1: 9, 2: 10, 5: 8}
    top = model.recommend(history=stranger, n=1).to_pylist()[0]["item_id"]
    for row in model.what_if(None, top, history=stranger, n=1).ratings:
        left = {i: r for i, r in stranger.items() if i != row["item_id"]}
        want = model.recommend(history=left, exclude=[row["item_id"]], n=99).to_pylist()
        assert row["rank"] == next((r["rank"] for r in want if r["item_id"] == top), None)


def test_nothing_of_the_users_plays_a_part():
    ratings = crowd(6)
    for model in (cr.Popularity(), cr.Bias()):
        model.fit(ratings)
        item = model.recommend([2], n=3).to_pylist()[2]["item_id"]
        found = model.what_if(2, item, n=3)
        assert found.removes == found.together == ()
        assert {row["rank"] for row in found.ratings} == {3}
        assert len(found.ratings) == len(ratings.profile(2))
        assert f"Nothing that user 2 rated plays a part in item {item} being number 3" in found.sentence
        assert "ranks for everyone alike" in found.sentence
        assert "Nothing" in str(found)


def test_sentences_of_what_if(model):
    assert model.what_if("ann", "d", n=1).sentence == (
        'No single rating changes that “Title d” is number 1 in the list of user "ann".'
    )
    alone = cr.UserKNN(measure="cosine_common", min_common=2, k=2).fit(model.ratings, catalog=model.catalog)
    assert alone.what_if("ann", "d", n=1).sentence == (
        "Without the rating of “Title a” or “Title b”, “Title d” would not be among the 1 recommended to "
        'user "ann".'
    )
    found = model.what_if("ann", "f", n=3)
    assert (found.rank, found.title) == (3, "Title f")
    assert found.ratings.column_names == ["item_id", "title", "rating", "rank", "score", "listed"]


def test_what_is_not_listed_is_refused(model):
    for item, n in (("f", 2), ("g", 10), ("a", 10)):
        with pytest.raises(ParameterError, match="is not among the") as caught:
            model.what_if("ann", item, n=n)
        assert "why_not" in caught.value.hint
    for most in (0, "all", 1.0):
        with pytest.raises(ParameterError, match="most="):
            model.what_if("ann", "d", most=most)


@pytest.mark.parametrize(
    "model", [cr.UserKNN(k=9), cr.ItemKNN(k=9), cr.EASE(reg=5.0), cr.Popularity()], ids=repr
)
def test_progress_and_cancel(model):
    ratings = crowd(7)
    model = model.clone().fit(ratings)
    user = max(ratings.users, key=lambda user: len(ratings.profile(user)))
    item, many = model.recommend([user], n=1).to_pylist()[0]["item_id"], len(ratings.profile(user))
    told = []
    model.what_if(user, item, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, many), *((at, many) for at in range(1, many + 1)), (many, many)]
    stop = threading.Event()

    def report(done, total):
        if done == 2:
            stop.set()

    with pytest.raises(Cancelled):
        model.what_if(user, item, progress=report, cancel=stop)

    class Enough(Exception):
        pass

    def refuse(done, total):
        raise Enough

    with pytest.raises(Enough):
        model.what_if(user, item, progress=refuse)
    more = []
    model.what_if(user, item, most=3, n=10, progress=lambda *told: more.append(told))
    assert more[-1][0] == more[-1][1]


def test_the_only_rating_of_a_user_can_go():
    ratings = crowd(8)
    user = min(ratings.users, key=lambda user: len(ratings.profile(user)))
    assert len(ratings.profile(user)) == 1
    for model in (cr.UserKNN(k=30), cr.ItemKNN(k=30), cr.UserKNN(k=30, rule="mean", center="zscore"),
                  cr.UserKNN(k=30, rule="mean", center="baseline"), cr.UserKNN(k=30, like="mean"),
                  cr.UserKNN(k="all", everyone=0.1), cr.EASE(reg=1.0), cr.ItemKNN(k=30, like="mean"),
                  cr.P3Alpha(like=1), cr.Bias(), cr.preset("best")):  # fmt: skip
        rows = model.fit(ratings).recommend([user], n=2).to_pylist()
        for row in rows:
            told = model.what_if(user, row["item_id"], n=2).ratings.to_pylist()
            assert len(told) == 1
            if isinstance(model, cr.ItemKNN | cr.EASE | cr.P3Alpha):
                assert (told[0]["rank"], told[0]["listed"]) == (None, False)


def test_what_is_given_back_holds_what_the_part_says():
    # An account by hand: what is shown is what the part told, in order of share.
    account = Account("own", 3.0, (("start", 1.0),), "items", np.array([2, 0, 1]), np.array([0.1, 0.2, 0.3]),
                      np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, 2.5]), np.array([4, 5, 6]))  # fmt: skip
    model = cr.Bias().fit(crowd(9))

    class Part:
        def __getattr__(self, name):
            return getattr(model._fit.part, name)

        def account(self, user, item, n, run):
            return account

    from dataclasses import replace

    other = model.clone()
    other._fit = replace(model._fit, part=Part())
    rows = other.explain(1, 3).contributions.to_pylist()
    assert [(r["item_id"], r["share"], r["n_common"]) for r in rows] == [
        (1, 2.5, 6),
        (0, -1.0, 5),
        (2, 0.5, 4),
    ]


def test_the_only_rating_there_is():
    rows = [("eve", "a", 9), ("bob", "a", 9), ("bob", "c", 10), ("cat", "a", 8), ("cat", "c", 9),
            ("dan", "d", 10), ("fay", "d", 9), ("gus", "d", 9), ("gus", "e", 9)]  # fmt: skip
    ratings = cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 10, 1))
    made = cr.Fallback(models=[cr.UserKNN(measure="jaccard"), cr.Popularity()]).fit(ratings)
    assert made.what_if("eve", "c", n=3).sentence == (
        'Without the only rating, that of item "a", item "c" would still be in the list of user "eve", '
        "as number 2 instead of 1."
    )
