"""Lists with some variety against a naive version of maximal marginal relevance."""

import random

import numpy as np
import pytest

import corated as cr
from corated.models.rerank import POOL

GENRES = ["war", "sea", "sky", "ice", "fog"]


def world(seed, users=12, items=40, many=180):
    """Ratings and genres: up to three for each item, and none for some."""
    rng = random.Random(seed)
    cells = rng.sample([(u, i) for u in range(users) for i in range(items)], many)
    ratings = cr.Ratings.from_arrays(
        [u for u, _ in cells], [i for _, i in cells], [rng.randint(1, 5) for _ in cells], scale=(1, 5, 1)
    )
    genres = {i: rng.sample(GENRES, rng.randint(0, 3)) for i in range(items)}
    return ratings, genres, catalog_of(genres, ratings)


def catalog_of(genres, ratings):
    columns = {
        "item_id": list(genres),
        "title": [f"item {i}" for i in genres],
        "genres": ["|".join(names) for names in genres.values()],
    }
    return cr.read_catalog(columns, ids=ratings)


def jaccard(left, right):
    both = len(set(left) & set(right))
    return both / len({*left, *right}) if both else 0.0


def gains(pool, chosen, genres, diversity):
    """What each item of the pool that is not chosen would be worth next."""
    worth = {}
    for place, item in enumerate(pool):
        if item not in chosen:
            alike = max((jaccard(genres[item], genres[other]) for other in chosen), default=0.0)
            worth[item] = (1 - diversity) * (1 - place / len(pool)) - diversity * alike
    return worth


MODELS = {
    "users": lambda: cr.UserKNN(measure="jaccard"),
    "items": lambda: cr.ItemKNN(measure="jaccard"),
    "popularity": cr.Popularity,
    "closest": lambda: cr.UserKNN(measure="euclidean", rule="closest"),
    "fallback": lambda: cr.Fallback(models=[cr.UserKNN(measure="jaccard", k=2), cr.Popularity()]),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("diversity", [0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_each_item_is_the_best_next_one(kind, diversity, n):
    ratings, genres, catalog = world(3)
    model = MODELS[kind]().fit(ratings, catalog=catalog)
    whole = model.recommend(n=POOL * n).to_pylist()
    found = model.recommend(n=n, diversity=diversity, threads=2).to_pylist()
    moved = False
    for user in range(12):
        of = {row["item_id"]: row for row in whole if row["user_id"] == user}
        pool, mine = list(of), [row for row in found if row["user_id"] == user]
        assert [row["rank"] for row in mine] == list(range(1, min(n, len(pool)) + 1))
        chosen: list[int] = []
        for row in mine:
            worth = gains(pool, chosen, genres, diversity)
            best = max(worth.values())
            assert worth[row["item_id"]] == pytest.approx(best, abs=1e-12)
            # Of several as good, the one that the model ranks first; sums of tenths may hide that one is.
            first = next(item for item in pool if worth.get(item, -9) >= best - 1e-12)
            assert row["item_id"] == first or worth[row["item_id"]] != worth[first]
            chosen.append(row["item_id"])
            assert row | {"rank": 0} == of[row["item_id"]] | {"rank": 0}  # score, support, source stay
        moved |= chosen != pool[: len(chosen)]
    assert moved == (n > 1)


@pytest.mark.parametrize("kind", MODELS)
def test_no_diversity_is_the_plain_list(kind):
    ratings, _, catalog = world(4)
    model = MODELS[kind]().fit(ratings, catalog=catalog)
    for n in (1, 4, 50):
        assert model.recommend(n=n, diversity=0).to_pylist() == model.recommend(n=n).to_pylist()
        assert model.recommend(n=n, diversity=0.0).to_pylist() == model.recommend(n=n).to_pylist()


@pytest.mark.parametrize("diversity", [0.3, 0.9, 1.0])
@pytest.mark.parametrize("kind", ["some", "none"])
def test_items_without_genres_are_like_no_other(kind, diversity):
    """Of a catalog without genres, or of none of the items: the plain list."""
    ratings, _, _ = world(5)
    columns = {"item_id": [0, 1] if kind == "some" else list(range(40))}
    columns["title"] = [str(id) for id in columns["item_id"]]
    model = cr.UserKNN(measure="jaccard").fit(ratings, catalog=cr.read_catalog(columns, ids=ratings))
    assert model.recommend(n=5, diversity=diversity).to_pylist() == model.recommend(n=5).to_pylist()


def test_all_diversity_starts_with_the_best_and_goes_furthest():
    ratings = cr.Ratings.from_arrays(
        [1] + [2] * 4 + [3] * 4 + [4] * 3 + [5] * 2, [9, *[0, 1, 2, 3], *[0, 1, 2, 3], *[0, 1, 2], *[0, 1]]
    )
    genres = {0: ["war", "sea"], 1: ["war", "sea"], 2: ["war", "sky"], 3: ["ice"], 9: []}
    model = cr.Popularity().fit(ratings, catalog=catalog_of(genres, ratings))

    def order(diversity):
        return [row["item_id"] for row in model.recommend([1], diversity=diversity)]

    assert order(0) == [0, 1, 2, 3]
    assert order(1) == [0, 3, 2, 1]  # like nothing before; a third; the same
    # After 0: 1 is worth .5·3/4 − .5·1, 2 is worth .5·2/4 − .5/3, 3 is worth .5/4.
    assert order(0.5)[:2] == [0, 3]
    assert order(0.1) == [0, 1, 2, 3]


def test_same_genres_keep_their_order():
    ratings, _, _ = world(6)
    model = cr.Popularity().fit(ratings, catalog=catalog_of({i: ["war"] for i in range(40)}, ratings))
    for diversity in (0.4, 1.0):
        assert model.recommend(n=6, diversity=diversity).to_pylist() == model.recommend(n=6).to_pylist()


def test_filters_come_first_and_blocks_change_nothing():
    ratings, genres, catalog = world(7)
    model = cr.UserKNN(measure="jaccard").fit(ratings, catalog=catalog)
    wanted = {"genres": ["war", "sea"], "exclude": [1, 2], "diversity": 0.6, "n": 4}
    rows = model.recommend(**wanted).to_pylist()
    assert all({"war", "sea"} & set(genres[row["item_id"]]) and row["item_id"] not in (1, 2) for row in rows)
    blocks = [row for part in model.recommend_blocks(block=5, **wanted) for row in part]
    assert blocks == rows
    for user in (3, 8):
        profile = ratings.profile(user)
        folded = model.recommend(history=profile, user_id=user, **wanted).to_pylist()
        assert folded == [row for row in rows if row["user_id"] == user]


def test_numbers_of_numpy_and_whole_numbers():
    ratings, _, catalog = world(8)
    model = cr.Popularity().fit(ratings, catalog=catalog)
    assert model.recommend(diversity=1).to_pylist() == model.recommend(diversity=np.float32(1)).to_pylist()
