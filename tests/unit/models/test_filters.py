"""What may be listed: every filter against the plain list, filters together, and every refusal."""

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
from corated.errors import IdTypeError, ParameterError, UnknownIdError

ROWS = [
    (1, "a", 9), (1, "b", 8),
    (2, "a", 9), (2, "c", 9), (2, "d", 8), (2, "e", 10),
    (3, "b", 8), (3, "c", 9), (3, "e", 9), (3, "f", 7),
    (4, "a", 7), (4, "d", 9), (4, "e", 7), (4, "g", 9),
    (5, "b", 9), (5, "c", 8), (5, "f", 9), (5, "g", 2),
]  # fmt: skip
GENRES = {"a": "war", "b": "war|sea", "c": "sea", "d": "sea|sky", "e": "sky", "f": "war|sky", "g": ""}
YEARS = {"a": 1990, "b": 1995, "c": 1999, "d": 2000, "e": 2001, "f": 2010, "g": None}


@pytest.fixture(scope="module")
def ratings():
    return cr.Ratings.from_arrays(*zip(*ROWS, strict=True), scale=(1, 10, 1))


@pytest.fixture(scope="module")
def catalog(ratings):
    columns = {
        "item_id": list(GENRES),
        "title": [id.upper() for id in GENRES],
        "genres": list(GENRES.values()),
    }
    years = pa.array(list(YEARS.values()), pa.int32())
    return cr.read_catalog(pa.table(columns | {"year": years}), ids=ratings)


@pytest.fixture(
    scope="module", params=["users", "items", "popularity", "closest", "ease", "raters", "everyone"]
)
def model(request, ratings, catalog):
    kinds = {
        "users": cr.UserKNN(measure="jaccard"),
        "items": cr.ItemKNN(measure="jaccard"),
        "popularity": cr.Popularity(),
        "closest": cr.UserKNN(measure="euclidean", rule="closest"),
        "ease": cr.EASE(reg=1.0),
        "raters": cr.UserKNN(measure="jaccard", rule="mean", scope="raters", k=2),
        "everyone": cr.UserKNN(measure="jaccard", k="all", everyone=0.1),
    }
    return kinds[request.param].fit(ratings, catalog=catalog)


def items_of(rows):
    found = {}
    for row in rows:
        found.setdefault(row["user_id"], []).append(row["item_id"])
    return found


def kept(model, keeps, **more):
    """The plain lists without the rows that a filter leaves out."""
    rows = [row for row in model.recommend(n=10, **more).to_pylist() if keeps(row["user_id"], row["item_id"])]
    return items_of(rows)


FILTERS = {
    "items": ({"items": ["c", "e", "b"]}, lambda user, item: item in "ceb"),
    "one item": ({"items": "c"}, lambda user, item: item == "c"),
    "items in Arrow": ({"items": pa.array(["c", "e"])}, lambda user, item: item in "ce"),
    "no items": ({"items": []}, lambda user, item: False),
    "exclude": ({"exclude": ["c", "e"]}, lambda user, item: item not in "ce"),
    "exclude nothing": ({"exclude": []}, lambda user, item: True),
    "exclude by user": (
        {"exclude": {1: ["c"], 4: {"b", "c"}, 5: "a"}},
        lambda user, item: item not in {1: "c", 4: "bc", 5: "a"}.get(user, ""),
    ),
    "items less some": (
        {"items": ["c", "e", "d"], "exclude": ["e"]},
        lambda user, item: item in "cd",
    ),
    "genre": ({"genres": "sky"}, lambda user, item: "sky" in GENRES[item].split("|")),
    "genres": ({"genres": ["sea", "sky"]}, lambda user, item: item in "bcdef"),
    "years": ({"years": (1995, 2000)}, lambda user, item: 1995 <= (YEARS[item] or 0) <= 2000),
    "from a year": ({"years": (2000, None)}, lambda user, item: (YEARS[item] or 0) >= 2000),
    "to a year": ({"years": (None, 1999)}, lambda user, item: (YEARS[item] or 9999) <= 1999),
    "any year": ({"years": (None, None)}, lambda user, item: YEARS[item] is not None),
    "genre and years": ({"genres": ["sky"], "years": (2001, 2010)}, lambda user, item: item in "ef"),
    "nothing": ({}, lambda user, item: True),
    "none of them": (
        {"items": None, "exclude": None, "genres": None, "years": None, "min_support": 0, "diversity": 0},
        lambda user, item: True,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_what_is_left_out_is_left_out_before_ranking(model, name):
    given, keeps = FILTERS[name]
    for exclude_seen in (True, False):
        expected = kept(model, keeps, exclude_seen=exclude_seen)
        for n in (10, 2, 1):
            cut = {user: items[:n] for user, items in expected.items()}
            for threads in (1, 3):
                found = model.recommend(n=n, threads=threads, exclude_seen=exclude_seen, **given)
                assert items_of(found) == cut
            blocks = model.recommend_blocks(n=n, block=2, exclude_seen=exclude_seen, **given)
            assert items_of(row for block in blocks for row in block) == cut


@pytest.mark.parametrize("name", FILTERS)
def test_some_users_in_any_order(model, name):
    given, keeps = FILTERS[name]
    expected = kept(model, keeps)
    found = model.recommend([4, 1, 4, 2], n=10, **given).to_pylist()
    users = [user for user in (4, 1, 4, 2) for _ in expected.get(user, [])]
    assert [row["user_id"] for row in found] == users
    assert [row["item_id"] for row in found] == [i for user in (4, 1, 4, 2) for i in expected.get(user, [])]


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "exclude by user"])
def test_histories_are_filtered_too(model, name):
    given, keeps = FILTERS[name]
    history = {"a": 9, "c": 8}
    plain = [row["item_id"] for row in model.recommend(history=history)]
    found = [row["item_id"] for row in model.recommend(history=history, **given)]
    assert found == [item for item in plain if keeps(None, item)]


def test_what_one_has_seen_stays_out_for_the_next(ratings):
    """User 1 has seen what is left out, and comes before those who have not."""
    model = cr.Popularity().fit(ratings)
    found = model.recommend([1, 2, 3, 5], exclude=["a", "b"], threads=1)
    assert {"a", "b"}.isdisjoint(row["item_id"] for row in found)
    found = model.recommend([1, 2, 3, 5], exclude={1: ["c"], 2: ["a"]}, items=["c", "f"], threads=1)
    assert items_of(found) == {1: ["f"], 2: ["f"]}


def test_support(model):
    rows = model.recommend(n=10).to_pylist()
    for least in (0, 1, 2, 3, 50):
        expected = [(r["user_id"], r["item_id"]) for r in rows if r["support"] >= least]
        found = model.recommend(n=10, min_support=least)
        assert [(row["user_id"], row["item_id"]) for row in found] == expected


def test_iterators_are_read_once(ratings):
    """Lists may be asked for in parts, and what iterates once must last for all of them."""
    model = cr.Popularity().fit(ratings)
    expected = model.recommend(items=["c", "e"]).to_pylist()
    assert model.recommend(items=iter(["c", "e"])).to_pylist() == expected
    blocks = model.recommend_blocks(items=iter(["c", "e"]), block=1)
    assert [row for block in blocks for row in block] == expected
    blocks = model.recommend_blocks(exclude=(item for item in "abdfg"), block=1)
    assert [row for block in blocks for row in block] == expected
    blocks = model.recommend_blocks(exclude={1: iter("c"), 2: iter("a")}, block=1)
    assert items_of(row for block in blocks for row in block)[1][0] == "e"
    found = model.recommend([1, 99], items=iter(["c", "e"]), on_unknown="fallback").to_pylist()
    assert items_of(found) == {1: ["c", "e"], 99: ["c", "e"]}


def test_the_unknown_are_filtered_too(ratings, catalog):
    model = cr.UserKNN(measure="jaccard").fit(ratings, catalog=catalog)
    found = model.recommend([99], on_unknown="fallback", genres="sky", exclude=["e"]).to_pylist()
    assert [(row["item_id"], row["source"]) for row in found] == [("d", "popularity"), ("f", "popularity")]
    found = model.recommend([1, 99], on_unknown="fallback", exclude={1: ["c", "e", "f", "g"]}, n=2)
    assert items_of(found) == {1: ["d"], 99: ["a", "b"]}


# -- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"exclude_sen": True},
            ParameterError,
            "There is no option 'exclude_sen'.*one of exclude_seen, items",
        ),
        ({"exclude_seen": 1}, ParameterError, "exclude_seen=1 cannot be used.*True or False"),
        ({"exclude_seen": None}, ParameterError, "exclude_seen=None"),
        ({"items": ["zz"]}, UnknownIdError, '"zz"'),
        ({"items": [1]}, IdTypeError, "1"),
        ({"exclude": ["zz"]}, UnknownIdError, '"zz"'),
        ({"exclude": {9: ["a"]}}, UnknownIdError, "9"),
        ({"exclude": {"1": ["a"]}}, IdTypeError, '"1".*Did you mean the integer 1'),
        ({"exclude": {1: ["zz"]}}, UnknownIdError, '"zz"'),
        ({"genres": "drama"}, ParameterError, "No item has the genre 'drama'.*some of sea, sky, war"),
        (
            {"genres": ["sea", "Sky"]},
            ParameterError,
            "No item has the genre 'Sky'.*written as in the catalog",
        ),
        ({"genres": []}, ParameterError, r"genres=\[\] allows nothing"),
        ({"years": 1999}, ParameterError, "years=1999 cannot be used.*two years"),
        ({"years": (1, 2, 3)}, ParameterError, r"years=\(1, 2, 3\)"),
        ({"years": ("1990", "1999")}, ParameterError, "years="),
        ({"years": (True, 1999)}, ParameterError, "years="),
        ({"years": (1990.5, None)}, ParameterError, "years="),
        ({"years": (2000, 1990)}, ParameterError, "allows nothing: it ends before it begins"),
        ({"min_support": -1}, ParameterError, "min_support=-1 cannot be used.*at least 0"),
        ({"min_support": 1.5}, ParameterError, "min_support=1.5"),
        ({"min_support": True}, ParameterError, "min_support=True"),
        ({"diversity": -0.1}, ParameterError, "diversity=-0.1 cannot be used.*from 0 to 1"),
        ({"diversity": 1.5}, ParameterError, "diversity=1.5 cannot be used.*from 0 to 1"),
        ({"diversity": float("nan")}, ParameterError, "diversity=nan"),
        ({"diversity": "much"}, ParameterError, "diversity='much'"),
        ({"diversity": True}, ParameterError, "diversity=True"),
    ],
    ids=str,
)
def test_refusals(ratings, catalog, given, error, message):
    model = cr.Popularity().fit(ratings, catalog=catalog)
    pattern = "(?s)" + message
    with pytest.raises(error, match=pattern):
        model.recommend([1], **given)
    with pytest.raises(error, match=pattern):  # at once, and not with the first block
        model.recommend_blocks(**given)
    if not isinstance(given.get("exclude"), dict):
        with pytest.raises(error, match=pattern):
            model.recommend(history={"a": 9}, **given)


@pytest.mark.parametrize("given", [{"genres": "sea"}, {"years": (1990, None)}, {"diversity": 0.5}], ids=str)
def test_what_needs_a_catalog(ratings, given):
    model = cr.Popularity().fit(ratings)
    (name,) = given
    with pytest.raises(
        ParameterError, match=f"(?s){name}= needs a catalog.*fit\\(ratings, catalog=catalog\\)"
    ):
        model.recommend(**given)


def test_users_lists_do_not_go_with_a_history(ratings):
    model = cr.Popularity().fit(ratings)
    with pytest.raises(ParameterError, match="exclude names users, and a history is one user's"):
        model.recommend(history={"a": 9}, exclude={1: ["c"]})


def test_a_catalog_that_knows_few_items(ratings):
    few = cr.read_catalog(
        {"item_id": ["c", "zz"], "title": ["C", "Z"], "genres": ["sea", "war"]}, ids=ratings
    )
    model = cr.Popularity().fit(ratings, catalog=few)
    assert items_of(model.recommend([1], genres="sea")) == {1: ["c"]}
    with pytest.raises(ParameterError, match="No item has the genre 'war'"):  # of the items in the data
        model.recommend([1], genres="war")
    assert len(model.recommend([1], years=(None, None))) == 0  # no year is known


def test_numbers_of_numpy_are_numbers(ratings, catalog):
    model = cr.Popularity().fit(ratings, catalog=catalog)
    plain = model.recommend(years=(1995, 2001), min_support=2, exclude_seen=False).to_pylist()
    found = model.recommend(
        years=(np.int32(1995), np.int64(2001)), min_support=np.int8(2), exclude_seen=np.bool_(False)
    )
    assert found.to_pylist() == plain
