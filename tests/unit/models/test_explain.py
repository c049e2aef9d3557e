"""Explanations: shares that add up to the score that `recommend` gives, its rank, evidence, nobody named."""

import json
import math
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

import corated as cr
from corated.errors import IdTypeError, NotFittedError, ParameterError, UnknownIdError
from corated.models.als import ALS
from corated.models.biased_mf import BiasedMF
from corated.models.blend import Blend
from corated.models.rules import default_like
from corated.neighborhood.pair import pair

USERS, ITEMS = cr.UserKNN, cr.ItemKNN
LONG = {"half_life": 200.0}


def invented(seed, *, n_users=50, n_items=40, text=False, most=25):
    """Ratings at random, with times; users differ in how many they rate."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, int(item), int(rng.integers(1, 11)), 1_500_000_000 + int(rng.integers(0, 3 * 10**7)))
        for user in range(1, n_users + 1)
        for item in rng.choice(n_items, rng.integers(1, most), replace=False)
    ]
    users, items, values, times = zip(*rows, strict=True)
    if text:
        users, items = [f"person-{u:04}" for u in users], [f"thing-{i:04}" for i in items]
    return cr.Ratings.from_arrays(list(users), list(items), values, times, scale=(1, 10, 1))


@pytest.fixture(scope="module")
def ratings():
    return invented(1)


@pytest.fixture(scope="module")
def named():
    return invented(2, text=True)


@pytest.fixture(scope="module")
def catalog(named):
    titles = [f"The {id}" if id != "thing-0003" else None for id in named.items]
    table = pa.table(
        {
            "item_id": named.items.ids,
            "title": titles,
            "year": [1980 + at for at in range(len(titles))],
            "genres": ["Drama" if at % 2 else "Comedy|Crime" for at in range(len(titles))],
        }
    )
    return cr.read_catalog(table, ids=named)


SETTINGS = {
    "votes": {"rule": "votes"},
    "weighted": {"rule": "weighted_votes"},
    "weighted, a distance": {"rule": "weighted_votes", "measure": "euclidean"},
    "weighted, negative too": {"rule": "weighted_votes", "measure": "pearson", "min_common": 2},
    "sum": {"rule": "sum"},
    "mean": {"rule": "mean"},
    "mean, mean": {"rule": "mean", "center": "mean", "measure": "pearson", "min_common": 2},
    "mean, zscore": {"rule": "mean", "center": "zscore"},
    "mean, baseline": {"rule": "mean", "center": "baseline"},
    "mean, zeros": {"rule": "mean", "center": "zeros"},
    "mean, held back": {"rule": "mean", "center": "mean", "support_shrink": 3.0},
    "mean, plain, held back": {"rule": "mean", "support_shrink": 3.0, "min_similarity": 0.2},
    "closest": {"rule": "closest"},
    "closest, at least 2": {"rule": "closest", "min_support": 2},
    "raters, votes": {"rule": "votes", "scope": "raters", "k": 5},
    "raters, weighted": {"scope": "raters", "k": 5, "min_support": 2},
    "raters, mean": {"rule": "mean", "scope": "raters", "k": 5, "center": "mean"},
    "raters, zscore": {"rule": "mean", "scope": "raters", "k": 5, "center": "zscore", **LONG},
    "raters, everyone": {"scope": "raters", "k": 3, "everyone": 0.1, "min_support": 3},
    "reverse": {"direction": "reverse"},
    "reverse, not symmetric": {"direction": "reverse", "measure": "conditional"},
    "reverse, mean": {"direction": "reverse", "rule": "mean", "center": "mean"},
    "forward, not symmetric": {"measure": "conditional"},
    "all": {"k": "all"},
    "all, mean": {"k": "all", "rule": "mean", "center": "mean", "support_shrink": 2.0},
    "all, closest": {"k": "all", "rule": "closest"},
    "2n": {"k": "2n"},
    "2n, closest": {"k": "2n", "rule": "closest"},
    "half-life": {**LONG},
    "half-life, votes": {"rule": "votes", **LONG, "at": "2018-01-01"},
    "half-life, mean": {"rule": "mean", "center": "mean", **LONG},
    "everyone": {"everyone": 0.3, "min_support": 2, "k": 5},
    "everyone, all": {"everyone": 0.05, "k": "all", **LONG},
    "at least 4": {"min_support": 4},
    "like": {"like": 9},
    "like, mean": {"like": "mean"},
}


def knn(kind, name):
    return kind(**({"measure": "cosine", "k": 12} | SETTINGS[name]))


def als():
    pytest.importorskip("implicit", reason="ALS needs the extra als")
    return ALS(factors=4, iterations=3)


OTHERS = {
    "EASE": lambda: cr.EASE(reg=20.0),
    "P3Alpha": lambda: cr.P3Alpha(k=10),
    "RP3Beta": lambda: cr.RP3Beta(alpha=0.8, beta=0.4, k=10),
    "Popularity": cr.Popularity,
    "Popularity, aged": lambda: cr.Popularity(**LONG),
    "Bias": cr.Bias,
    "ALS": als,
    "BiasedMF": lambda: BiasedMF(factors=3, epochs=3),
    "GraphFilter": lambda: cr.GraphFilter(factors=4),
    "Kriging": lambda: cr.Kriging(steps=8),
    "Fallback": lambda: cr.Fallback(models=[USERS(k=3, min_support=2), cr.Popularity()]),
    "Fallback, 2n": lambda: cr.Fallback(models=[USERS(k="2n", rule="votes"), ITEMS(k="2n"), cr.Bias()]),
    "Blend": lambda: Blend(models=[USERS(k=10), ITEMS(k="2n"), cr.Popularity()], by="rank"),
    "best": lambda: cr.preset("best"),
    "notebook": lambda: cr.preset("notebook"),
}
MODELS = {
    **{f"UserKNN, {name}": (lambda name=name: knn(USERS, name)) for name in SETTINGS},
    **{f"ItemKNN, {name}": (lambda name=name: knn(ITEMS, name)) for name in SETTINGS},
    **OTHERS,
}


def whole_list(model, user, n, **options):
    """Every candidate of a user as `recommend` lists them, where n plays no part in neighbors; else n."""
    is_of_n = '"2n"' in repr(model).replace("'", '"') or "Blend" in repr(model) or n is None
    return model.recommend([user], n=n if is_of_n else model.ratings.n_items, **options).to_pylist()


def added_up(e):
    shares = e.contributions.to_arrow().column("share").to_pylist()
    return sum(amount for _, amount in e.base) + sum(shares)


def check(e, row):
    """Compare an explanation with a row of `recommend`."""
    assert e.reason == ""
    assert e.source == row["source"]
    if row["score"] is None:
        assert e.score is None
        assert set(e.contributions.to_arrow().column("share").to_pylist()) == {None}
    else:
        scale = max(1.0, abs(row["score"]))
        assert e.score == pytest.approx(row["score"], abs=1e-9 * scale)
        assert added_up(e) == pytest.approx(e.score, abs=1e-9 * scale)
    check_order(e)
    json.dumps(e.to_dict(), allow_nan=False)
    assert str(e).startswith(e.sentence())
    assert e._repr_html_().startswith("<div><p>")


def check_order(e):
    shares = e.contributions.to_arrow().column("share").to_pylist()
    if None not in shares:
        assert [abs(s) for s in shares] == sorted((abs(s) for s in shares), reverse=True)


def check_user(model, user, n, rng, most):
    """Explain some of a user's list, something seen, and something that is no candidate."""
    rows = whole_list(model, user, n)
    for at in sorted({0, len(rows) - 1, *rng.integers(0, max(len(rows), 1), most).tolist()} if rows else []):
        e = model.explain(user, rows[at]["item_id"], n=n)
        assert (e.rank, e.seen, e.user_id) == (rows[at]["rank"], False, user)
        check(e, rows[at])
    own = list(model.ratings.profile(user))
    seen = own[int(rng.integers(len(own)))]
    e = model.explain(user, seen, n=n)
    assert (e.rank, e.seen) == (None, True)
    unhidden = {r["item_id"]: r for r in whole_list(model, user, n, exclude_seen=False)}
    if seen in unhidden:
        check(e, unhidden[seen])
    elif len(unhidden) < n:
        assert e.reason
    listed = {row["item_id"] for row in rows}
    others = [item for item in model.ratings.items if item not in listed and item not in own]
    if others and len(rows) < n:
        e = model.explain(user, others[int(rng.integers(len(others)))], n=n)
        assert (e.rank, e.score, e.base, len(e.contributions)) == (None, None, (), 0)
        assert e.reason.endswith(".")
        json.dumps(e.to_dict(), allow_nan=False)
        assert e.reason in str(e)


def quick_without_jit(name):
    """Mark what takes long where kernels are plain Python."""
    is_slow = name.startswith(("ItemKNN, raters", "ItemKNN, 2n", "Blend"))
    return pytest.param(name, marks=pytest.mark.jit) if is_slow else name


@pytest.mark.parametrize("name", [quick_without_jit(name) for name in MODELS])
def test_adds_up_to_what_recommend_says(ratings, name):
    rng = np.random.default_rng(5)
    model = MODELS[name]().fit(ratings)
    for user in rng.choice(list(ratings.users), 12, replace=False).tolist():
        check_user(model, user, 20, rng, 2)


REAL = {
    "movietweetings-100k": ("ratings.dat", "movies.dat"),
    "ml-100k": ("u.data", "u.item"),
    "ml-latest-small": ("ratings.csv", "movies.csv"),
}
SOME_REAL = [
    "movietweetings-100k",
    pytest.param("ml-100k", marks=pytest.mark.slow),
    pytest.param("ml-latest-small", marks=pytest.mark.slow),
]
ON_REAL = [
    "UserKNN, votes",
    "UserKNN, weighted, a distance",
    "UserKNN, sum",
    "UserKNN, mean, mean",
    "UserKNN, mean, zeros",
    "UserKNN, raters, zscore",
    "UserKNN, reverse, not symmetric",
    "UserKNN, all, mean",
    "UserKNN, everyone, all",
    "UserKNN, 2n, closest",
    "ItemKNN, weighted, negative too",
    "ItemKNN, half-life",
    "ItemKNN, mean, baseline",
    "ItemKNN, closest",
    "EASE",
    "RP3Beta",
    "Popularity, aged",
    "Bias",
    "best",
]


@pytest.fixture(scope="module", params=SOME_REAL)
def real(request, data):
    folder = data(request.param)
    ratings = cr.read_ratings(folder / REAL[request.param][0])
    return ratings, cr.read_catalog(folder / REAL[request.param][1], ids=ratings)


@pytest.mark.jit
@pytest.mark.filterwarnings("ignore::corated.errors.CoratedNotice")
@pytest.mark.parametrize("name", ON_REAL)
def test_adds_up_on_real_ratings(real, name):
    ratings, catalog = real
    if name == "EASE" and ratings.n_items > 2000:
        pytest.skip("EASE takes minutes on so many items")
    rng = np.random.default_rng(6)
    model = MODELS[name]().fit(ratings, catalog=catalog)
    for user in rng.choice(list(ratings.users), 24, replace=False).tolist():
        check_user(model, user, 20, rng, 1)


# -- shares, from the definitions -------------------------------------------------------------------


def contributions(e, column="neighbor"):
    return {row[column]: row for row in e.contributions}


def test_shares_of_weighted_votes_are_the_similarities_of_those_who_like_it(ratings):
    model = USERS(measure="cosine", k=12).fit(ratings)
    graph, least, found = cr.neighbors(ratings, measure="cosine", k=12), default_like(ratings), 0
    for user in list(ratings.users)[:25]:
        near = {row["neighbor"]: row for row in graph.of(user)}
        for item in ratings.items:
            likes = {v for v in near if ratings.profile(v).get(item, 0) >= least}
            rows = contributions(model.explain(user, item))
            assert {v: row["share"] for v, row in rows.items()} == {v: near[v]["value"] for v in likes}
            for v, row in rows.items():
                assert row["similarity"] == near[v]["value"]
                assert row["n_common"] == near[v]["n_common"]
                assert row["rating"] == ratings.profile(v)[item]
            found += len(likes)
    assert found > 500


def test_shares_of_a_mean_are_weighted_deviations(ratings):
    model = USERS(measure="pearson", min_common=2, k=12, rule="mean", center="mean").fit(ratings)
    graph, found = cr.neighbors(ratings, measure="pearson", k=12, min_common=2), 0
    profiles = {user: ratings.profile(user) for user in ratings.users}
    mean = {user: math.fsum(profile.values()) / len(profile) for user, profile in profiles.items()}
    for user in list(ratings.users)[:15]:
        near = {row["neighbor"]: row["value"] for row in graph.of(user)}
        for item in ratings.items:
            raters = {v: s for v, s in near.items() if item in profiles[v]}
            e, reach = model.explain(user, item), math.fsum(abs(s) for s in raters.values())
            if not reach:
                assert e.reason
                continue
            assert e.base == (("the user's mean", pytest.approx(mean[user])),)
            got = {v: row["share"] for v, row in contributions(e).items()}
            want = {v: s * (profiles[v][item] - mean[v]) / reach for v, s in raters.items()}
            assert got == pytest.approx(want, abs=1e-12)
            found += len(want)
    assert found > 500


def test_shares_of_items_are_those_of_the_users_own(named):
    model = ITEMS(measure="jaccard", k=8, rule="sum").fit(named)
    for user in list(named.users)[:10]:
        own = named.profile(user)
        for item in list(named.items)[::3]:
            e = model.explain(user, item)
            near = {row["neighbor"]: row["value"] for row in model.similar_items(item)}
            got = {i: (row["share"], row["rating"]) for i, row in contributions(e, "item_id").items()}
            assert got == {i: (near[i] * own[i], own[i]) for i in near if i in own}
            assert e.of == "items"


def test_closest_item_comes_from_the_liked_items_that_are_near_it_best_rated_first(ratings):
    model = ITEMS(measure="jaccard", k=4, rule="closest", like=5).fit(ratings)
    near = {item: [row["neighbor"] for row in model.similar_items(item)] for item in ratings.items}
    for user in list(ratings.users)[:20]:
        own = ratings.profile(user)
        liked = sorted((item for item in own if own[item] >= 5), key=lambda item: (-own[item], item))
        for row in model.recommend([user], n=40):
            e = model.explain(user, row["item_id"])
            got = [r["item_id"] for r in e.contributions]
            assert got == [item for item in liked if row["item_id"] in near[item]]
            assert len(got) == row["support"]


def test_closest_user_comes_first(ratings):
    model = USERS(measure="euclidean", k=12, rule="closest").fit(ratings)
    for user in list(ratings.users)[:20]:
        near = [row["neighbor"] for row in model.similar_users(user)]
        for row in model.recommend([user], n=5):
            e = model.explain(user, row["item_id"])
            got = [r["neighbor"] for r in e.contributions]
            assert got == [v for v in near if ratings.profile(v).get(row["item_id"], 0) >= 7]
            assert len(got) == row["support"]
            assert (e.score, e.reason, e.base) == (None, "", ())


def test_a_distance_is_shown_as_a_similarity(ratings):
    e = USERS(measure="euclidean", k=12).fit(ratings).explain(1, 3)
    assert len(e.contributions)
    for row in e.contributions:
        distance = pair(ratings, 1, row["neighbor"], measure="euclidean").value
        assert row["similarity"] == pytest.approx(1 / (1 + distance), abs=1e-15)


# -- somebody with a history ------------------------------------------------------------------------


FOLDED = [
    "UserKNN, weighted",
    "UserKNN, raters, mean",
    "UserKNN, 2n",
    "ItemKNN, sum",
    "EASE",
    "Fallback",
    "Bias",
]


@pytest.mark.parametrize("name", FOLDED)
def test_history_is_answered_as_recommend_does(named, name):
    model = MODELS[name]().fit(named)
    for user_id in (None, "aaa", "person-0007"):  # nobody, somebody before all others, one of the data
        history = dict(list(named.profile("person-0030").items())[:9])
        rows = model.recommend(history=history, user_id=user_id, n=8).to_pylist()
        assert rows
        for row in rows:
            e = model.explain(None, row["item_id"], history=history, user_id=user_id, n=8)
            assert (e.rank, e.user_id, e.seen) == (row["rank"], user_id, False)
            check(e, row)
            if user_id is not None and e.of == "users":
                assert user_id not in contributions(e)
        seen = next(iter(history))
        assert model.explain(None, seen, history=history, user_id=user_id).seen


def test_own_history_is_explained_as_the_user(named):
    model = USERS(measure="pearson", min_common=2, rule="mean", center="mean").fit(named)
    user = "person-0011"
    row = model.recommend([user], n=1).to_pylist()[0]
    known = model.explain(user, row["item_id"])
    told = model.explain(None, row["item_id"], history=named.profile(user), user_id=user)
    assert told.to_dict() == known.to_dict()


def test_latest_times_are_those_of_the_data_for_a_history(ratings):
    # A history is as new as can be, also where ratings are looked at as of an earlier time.
    model = ITEMS(measure="jaccard", k=10, at="2017-09-01").fit(ratings)
    assert len(model.recommend(history={1: 10, 2: 10}))


# -- evidence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "side"),
    [
        (USERS(measure="pearson", min_common=2, k=12), "users"),
        (USERS(measure="conditional", k=12), "users"),
        (USERS(measure="conditional", k=12, direction="reverse"), "users"),
        (USERS(measure="conditional", scope="raters", rule="mean"), "users"),
        (ITEMS(measure="cosine", k=12), "items"),
        (ITEMS(measure="conditional", k=12), "items"),
        (ITEMS(measure="conditional", k=12, rule="closest"), "items"),
        (cr.P3Alpha(k=10), "items"),
        (cr.RP3Beta(k=10), "items"),
        (cr.Fallback(models=[cr.EASE(reg=1e9, like=11), USERS(measure="jaccard")]), "users"),
    ],
)
@pytest.mark.filterwarnings("ignore:Nobody likes anything")
def test_evidence_has_the_similarity_and_the_ratings_in_common(named, catalog, model, side):
    model.fit(named, catalog=catalog)
    user = "person-0020"
    for row in model.recommend([user], n=4):
        e = model.explain(user, row["item_id"])
        assert len(e.contributions)
        subject = user if side == "users" else row["item_id"]
        for told in e.contributions:
            other = told["neighbor" if side == "users" else "item_id"]
            found = e.evidence(other)
            assert found.of == side
            assert {found.a, found.b} == {subject, other}
            assert found.value == pytest.approx(told["similarity"], abs=1e-12)
            assert found.n_common == told["n_common"]
            if side == "users":
                assert found.a == user or model.get_params().get("direction") == "reverse"
                mine, theirs = named.profile(found.a), named.profile(found.b)
                assert {r["item_id"]: (r["rating_a"], r["rating_b"], r["title"]) for r in found.common} == {
                    i: (mine[i], theirs[i], None if i == "thing-0003" else f"The {i}")
                    for i in mine.keys() & theirs.keys()
                }
            elif told["item_id"] != "thing-0003" and e.item_id != "thing-0003":
                assert {found.title_a, found.title_b} == {told["title"], e.title}


def test_evidence_of_a_history_reads_the_history(named):
    model = USERS(measure="cosine", k=12).fit(named)
    history = {"thing-0001": 10, "thing-0005": 3, "thing-0008": 9, "thing-0010": 9}
    for user_id in (None, "person-0007"):
        item = model.recommend(history=history, user_id=user_id, n=1).to_pylist()[0]["item_id"]
        e = model.explain(None, item, history=history, user_id=user_id)
        for row in e.contributions:
            found = e.evidence(row["neighbor"])
            assert found.a == user_id
            assert found.value == row["similarity"]
            assert {r["item_id"]: r["rating_a"] for r in found.common} == {
                i: history[i] for i in history if i in named.profile(row["neighbor"])
            }
            assert ("(no id)" in str(found)) == (user_id is None)


def test_evidence_is_of_contributions_only(named):
    model = USERS(measure="cosine", k=3).fit(named)
    item = model.recommend(["person-0001"], n=1).to_pylist()[0]["item_id"]
    e = model.explain("person-0001", item)
    stranger = next(id for id in named.users if id not in contributions(e))
    with pytest.raises(UnknownIdError, match="contributes nothing"):
        e.evidence(stranger)
    with pytest.raises(UnknownIdError, match="There is no user"):
        e.evidence("nobody")
    with pytest.raises(IdTypeError):
        e.evidence(3)
    with pytest.raises(ParameterError, match="anonymous"):
        model.explain("person-0001", item, anonymous=True).evidence(next(iter(contributions(e))))


@pytest.mark.parametrize("name", ["EASE", "Popularity", "Bias", "ALS"])
def test_models_that_compare_nothing_have_no_evidence(ratings, name):
    model = MODELS[name]().fit(ratings)
    with pytest.raises(ParameterError, match="compares no users or items"):
        model.explain(1, 3).evidence(2)


# -- nobody named -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in MODELS if n.startswith("UserKNN")] + list(OTHERS))
def test_anonymous_names_nobody(named, catalog, name):
    model = MODELS[name]().fit(named, catalog=catalog)
    people = [id for id in named.users if id != "person-0012"]
    rows = model.recommend(["person-0012"], n=4).to_pylist()
    for item in [row["item_id"] for row in rows] + ["thing-0000", "thing-0002"]:
        plain = model.explain("person-0012", item)
        e = model.explain("person-0012", item, anonymous=True, most=30)
        everything = "\n".join(
            [
                *(json.dumps(e.to_dict()), str(e), e._repr_html_(), repr(e.contributions), e.sentence()),
                *(e.contributions._repr_html_(), str(e.contributions.to_pylist()), str(vars(e)), e.reason),
            ]
        )
        assert not [id for id in people if id in everything]
        assert e.score == plain.score
        assert e.rank == plain.rank
        if e.of == "users":
            assert set(e.contributions.to_arrow().column("neighbor").to_pylist()) <= {None}
        for column in ("similarity", "n_common", "rating", "share"):
            one, other = (x.contributions.to_arrow().column(column) for x in (e, plain))
            assert one.equals(other)
        if e.of == "users" and len(e.contributions):
            assert "user like you" in str(e) or "users like you" in str(e)
            assert "a user like you" in e._repr_html_()


def test_items_are_no_people(named, catalog):
    model = ITEMS(k=12).fit(named, catalog=catalog)
    item = model.recommend(["person-0012"], n=1).to_pylist()[0]["item_id"]
    plain, e = (model.explain("person-0012", item, anonymous=hidden) for hidden in (False, True))
    assert e.contributions.to_pylist() == plain.contributions.to_pylist()
    assert "you like" in e.sentence()


# -- words ------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


EVIL = [
    "<script>alert(1)</script>",
    '" onmouseover="steal()',
    "</td><img src=x onerror=y>",
    "two\nlines\x1b[31m",
    "\u202etxt",
]


@pytest.mark.parametrize("kind", [USERS, ITEMS])
def test_hostile_titles_and_ids_are_inert(kind):
    ids = [f"<b>{at}</b>&amp;{evil}" for at, evil in enumerate(EVIL * 3)]
    rng = np.random.default_rng(3)
    rows = [(f"<i>{u}</i>\n{EVIL[u % 5]}", ids[i], int(rng.integers(1, 11))) for u in range(12)
            for i in rng.choice(15, 9, replace=False)]  # fmt: skip
    ratings = cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 10, 1))
    catalog = cr.read_catalog(
        pa.table({"item_id": ids, "title": [(EVIL * 3)[at] for at in range(15)]}), ids=ratings
    )
    model, found = kind(k=8).fit(ratings, catalog=catalog), 0
    for user in ratings.users:
        for row in model.recommend([user], n=3):
            e = model.explain(user, row["item_id"])
            html = Tags(e._repr_html_())
            assert html.tags <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect"}
            assert html.attributes <= {"width", "height", "fill", "aria-hidden"}
            assert all(line.isprintable() for line in str(e).split("\n"))
            assert e.sentence().isprintable()
            assert model.why_not(user, row["item_id"]).sentence.isprintable()
            found += "alert(1)" in "".join(html.text)
    assert found


@pytest.fixture(scope="module")
def small():
    """Ann is like Bob and Cat; they like d, Bob c, Cat f."""
    rows = [
        ("ann", "a", 9), ("ann", "b", 8),
        ("bob", "a", 9), ("bob", "b", 8), ("bob", "c", 10), ("bob", "d", 7),
        ("cat", "a", 9), ("cat", "b", 7), ("cat", "d", 9), ("cat", "f", 7),
        ("dan", "a", 2), ("dan", "g", 10),
    ]  # fmt: skip
    return cr.Ratings.from_arrays(*zip(*rows, strict=True), scale=(1, 10, 1))


NEAR = {"measure": "euclidean", "k": 2}
SENTENCES = [
    (USERS(**NEAR, rule="votes"), 'Item "d" is liked by 2 neighbors of user "ann".'),
    (
        USERS(**NEAR),
        'Item "d" is liked by 2 neighbors of user "ann", and their similarities add up to 1.5.',
    ),
    (
        USERS(**NEAR, rule="sum"),
        'Item "d" was rated by 2 neighbors of user "ann"; similarity times rating adds up to 11.5.',
    ),
    (
        USERS(**NEAR, rule="mean"),
        'User "ann" would rate item "d" 7.667: what 2 neighbors of user "ann" rated it, '
        "weighted by similarity.",
    ),
    (
        USERS(**NEAR, rule="mean", center="mean"),
        'User "ann" would rate item "d" 7.833: the user\'s mean is 8.5, and 2 neighbors of user "ann" '
        "who rated it lower that by 0.6667.",
    ),
    (
        USERS(**NEAR, rule="closest"),
        'Item "d" is liked by user "bob", who rated it 7: '
        'the closest of 2 neighbors of user "ann" who like it.',
    ),
    (
        USERS(measure="euclidean", k=1, rule="closest"),
        'Item "d" is liked by user "bob", who rated it 7, a neighbor of user "ann".',
    ),
    (
        ITEMS(measure="jaccard", k=2, rule="votes"),
        'Item "d" is near 2 items that user "ann" likes, such as item "a".',
    ),
    (
        ITEMS(measure="jaccard", k=2),
        'Item "d" is near 2 items that user "ann" likes, most of all item "b"; '
        "their similarities add up to 1.167.",
    ),
    (cr.Popularity(), 'Item "d" is popular: everyone\'s likes of it add up to 2, for whomever asks.'),
    (
        USERS(measure="euclidean", k=1, min_support=2, everyone=0.5),
        'Too few neighbors of user "ann" speak for item "d", and everyone\'s likes of it add 1.',
    ),
    (
        USERS(**NEAR, everyone=0.5),
        'Item "d" is liked by 2 neighbors of user "ann", and their similarities add up to 1.5; '
        "to that come everyone's likes 1.",
    ),
]


@pytest.mark.parametrize(("model", "sentence"), SENTENCES, ids=lambda given: repr(given)[:60])
def test_sentences(small, model, sentence):
    e = model.fit(small).explain("ann", "d")
    assert e.sentence() == f'{sentence} That makes it number {e.rank} in user "ann"\'s list.'


def test_sentence_of_somebody_without_an_id_and_of_you(small):
    model = USERS(measure="euclidean", k=2, rule="votes").fit(small)
    history = {"a": 9, "b": 8}
    assert "neighbor of this user" in model.explain(None, "d", history=history).sentence()
    you = model.explain("ann", "d", anonymous=True).sentence()
    assert you == 'Item "d" is liked by 2 users like you. That makes it number 1 in your list.'
    seen = model.explain("ann", "a", anonymous=True).sentence()
    assert seen.endswith("You have rated it already, so it is not recommended.")


def test_reason_where_there_is_nothing_to_explain(small):
    model = USERS(measure="euclidean", k=1, min_support=2).fit(small)
    e = model.explain("ann", "d")
    assert e.reason == "Only 1 of the user's neighbors likes it; at least 2 must."
    assert e.sentence() == f'Item "d" has no score for user "ann". {e.reason}'
    assert "=" not in str(e)
    assert model.explain("ann", "g").reason == "None of the user's neighbors like it; at least 2 must."


def test_text_shows_the_largest_shares_and_the_whole_sum(ratings):
    model = USERS(measure="cosine", k=30, rule="mean", center="mean").fit(ratings)
    row = max(model.recommend(n=5).to_pylist(), key=lambda row: row["support"])
    for most, shown in ((None, 5), (2, 2), (1000, row["support"])):
        e = model.explain(row["user_id"], row["item_id"], most=most)
        assert len(e.contributions) == row["support"] > 5
        lines = str(e).splitlines()
        head = next(at for at, line in enumerate(lines) if line.startswith("neighbor"))
        table = lines[head + 1 : lines.index("", head)]
        assert len([line for line in table if not line.startswith("…")]) == shown
        assert ("… and" in str(e)) == (shown < row["support"])
        assert lines[-1].endswith(f"= {e.score:.6g}")
        assert f"({row['support']} neighbors)" in lines[-1]
        assert e._repr_html_().count("<rect") == shown


def test_columns(named, catalog):
    user = "person-0012"
    own = ["similarity", "n_common", "rating", "share"]
    model = USERS(k=9).fit(named, catalog=catalog)
    assert model.explain(user, "thing-0001").contributions.column_names == ["neighbor", *own]
    for model in (ITEMS(k=9), cr.EASE(reg=9.0)):
        with_titles = model.fit(named, catalog=catalog).explain(user, "thing-0001")
        assert with_titles.contributions.column_names == ["item_id", "title", *own]
        assert with_titles.title == "The thing-0001"
        assert model.fit(named).explain(user, "thing-0001").contributions.column_names == ["item_id", *own]
    nothing = cr.EASE(reg=9.0).fit(named).explain(user, "thing-0001").contributions.to_arrow()
    assert (
        nothing.column("similarity").null_count == nothing.column("n_common").null_count == len(nothing) > 0
    )


# -- errors -----------------------------------------------------------------------------------------


def test_errors(ratings):
    model = USERS(k=5)
    with pytest.raises(NotFittedError):
        model.explain(1, 1)
    model.fit(ratings)
    for name in ("explain", "why_not", "what_if"):
        ask = getattr(model, name)
        with pytest.raises(UnknownIdError, match="There is no user 999"):
            ask(999, 1)
        with pytest.raises(UnknownIdError, match="There is no item 999"):
            ask(1, 999)
        with pytest.raises(IdTypeError):
            ask("1", 1)
        with pytest.raises(IdTypeError):
            ask(1, "1")
        with pytest.raises(IdTypeError):
            ask(None, "1", history={1: 5})
        with pytest.raises(UnknownIdError):
            ask(None, 1, history={999: 5})
        with pytest.raises(ParameterError, match="Neither a user nor a history"):
            ask(None, 1)
        with pytest.raises(ParameterError, match="A user and a history"):
            ask(1, 1, history={1: 5})
        with pytest.raises(ParameterError, match="whose history"):
            ask(1, 1, user_id=2)
        for n in (0, "2n", 1.5, True):
            with pytest.raises(ParameterError, match="n="):
                ask(1, 1, n=n)
        with pytest.raises(ParameterError, match="threads"):
            ask(1, 1, threads=0)
    with pytest.raises(ParameterError, match="most="):
        model.explain(1, 1, most=0)
    with pytest.raises(ParameterError, match="anonymous="):
        model.explain(1, 1, anonymous="yes")


def test_ids_come_back_as_plain_python(ratings):
    e = USERS(k=5).fit(ratings).explain(np.int64(3), np.int64(4))
    assert type(e.user_id) is type(e.item_id) is int
    told = USERS(k=5).fit(ratings).explain(None, 4, history={np.int64(1): np.float64(7)}, user_id=np.int64(3))
    assert type(told.user_id) is int
    json.dumps(told.to_dict(), allow_nan=False)
