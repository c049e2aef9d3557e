"""The notebook's functions: what they return, and where they depart from the code they are named after."""

import inspect
import math
import random
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import corated as cr
from corated import notebook
from corated.errors import CoratedNotice, DataError, IdTypeError, MemoryLimitError, ParameterError
from corated.notebook import Notebook

pytestmark = pytest.mark.filterwarnings("error::corated.errors.CoratedNotice")

NAN = float("nan")


def movies(*ids):
    return {"movie_id": list(ids), "movie": [f"Film {id}" for id in ids]}


def make(profiles, catalog=None):
    """A notebook of {user: {movie: rating}}; every movie is in the catalog unless one is given."""
    rows = [(user, movie, rating) for user, seen in profiles.items() for movie, rating in seen.items()]
    reviews = dict(zip(("user_id", "movie_id", "rating"), zip(*rows, strict=True), strict=True))
    known = sorted({movie for _, movie, _ in rows})
    return Notebook({name: list(column) for name, column in reviews.items()}, catalog or movies(*known))


def distance(x, y):
    shared = x.keys() & y.keys()
    return math.sqrt(sum((x[m] - y[m]) ** 2 for m in shared)) if shared else NAN


def closest(profiles, user):
    """Everyone who shares a movie: nearer first, then more movies shared, then the smaller id."""
    others = []
    for other in profiles:
        shared = len(profiles[user].keys() & profiles[other].keys())
        if other != user and shared:
            others.append((distance(profiles[user], profiles[other]), -shared, other))
    return [other for _, _, other in sorted(others)]


def recommended(profiles, user, num_recs):
    """Walk the 2n closest; each names what it rated 7 or more, best first, that is neither seen nor named."""
    named = []
    for other in closest(profiles, user)[: 2 * num_recs]:
        for movie in sorted(profiles[other], key=lambda m: (-profiles[other][m], m)):
            if profiles[other][movie] >= 7 and movie not in profiles[user] and movie not in named:
                named.append(movie)
    return named[:num_recs]


@pytest.fixture(scope="module")
def world():
    """Sixty people with uneven ids and profiles, on integer ratings from 0 to 10."""
    draw = random.Random(5)
    ids = draw.sample(range(10, 1000), 60)
    return {
        user: {m: draw.randint(0, 10) for m in draw.sample(range(100, 140), draw.choice((1, 2, 3, 5, 12)))}
        for user in ids
    }


@pytest.fixture(scope="module")
def nb(world):
    return make(world)


# -- what goes in -----------------------------------------------------------------------------------------

REVIEWS = {
    "user_id": [7, 7, 3],
    "movie_id": ["0002", "0001", "0002"],
    "rating": [0, 8, 9],
    "timestamp": [1_365_029_107, 1_366_576_639, 1_364_690_142],
    "date": ["2013-04-03 22:45:07", "2013-04-21 20:37:19", "2013-03-31 00:35:42"],
    "month_1": [0, 0, 1],
}
MOVIES = {
    "movie_id": ["0001", "0002"],
    "movie": ["A: B (1999)", "C, D"],
    "genre": ["x|y", None],
    "date": [1999, 2001],
}


def check_content(made):
    assert made.create_user_movie_dict() == {3: ["0002"], 7: ["0001", "0002"]}
    assert made.get_user_row(7) == {"0001": 8.0, "0002": 0.0}
    assert made.movie_names(["0002", "0001"]) == ["C, D", "A: B (1999)"]


@pytest.mark.parametrize(
    "form",
    [
        lambda columns: columns,
        pd.DataFrame,
        lambda columns: pd.DataFrame(columns).set_index("movie_id"),
        lambda columns: pd.DataFrame(columns, index=[f"row {n}" for n in range(len(columns["movie_id"]))]),
        pl.DataFrame,
        pa.table,
    ],
    ids=[
        "dict",
        "pandas",
        "pandas with movie_id as index",
        "pandas with a nameless index",
        "polars",
        "arrow",
    ],
)
def test_tables(form):
    check_content(Notebook(form(REVIEWS), form(MOVIES)))


def test_pandas_with_both_ids_in_the_index():
    check_content(Notebook(pd.DataFrame(REVIEWS).set_index(["user_id", "movie_id"]), pd.DataFrame(MOVIES)))


def test_a_column_wins_over_an_index_of_the_same_name():
    reviews = pd.DataFrame(REVIEWS)
    reviews.index = pd.Index(["x", "y", "z"], name="movie_id")
    check_content(Notebook(reviews, MOVIES))


def test_input_is_not_changed():
    reviews, films = pd.DataFrame(REVIEWS).set_index("movie_id"), pd.DataFrame(MOVIES)
    before = reviews.copy(), films.copy()
    Notebook(reviews, films)
    pd.testing.assert_frame_equal(reviews, before[0])
    pd.testing.assert_frame_equal(films, before[1])


def test_files(tmp_path):
    (tmp_path / "ratings.dat").write_text(
        "7::0002::0::1365029107\n7::0001::8::1366576639\n3::0002::9::1364690142\n"
    )
    (tmp_path / "movies.dat").write_text("0001::A: B (1999)::x|y\n0002::C, D::\n", encoding="utf-8")
    check_content(Notebook(tmp_path / "ratings.dat", str(tmp_path / "movies.dat")))


def test_the_cleaned_csv_files(tmp_path):
    pd.DataFrame(REVIEWS).to_csv(tmp_path / "reviews_clean.csv")
    pd.DataFrame(MOVIES).to_csv(tmp_path / "movies_clean.csv")
    with pytest.warns(CoratedNotice, match="recognized by name"):
        made = Notebook(tmp_path / "reviews_clean.csv", tmp_path / "movies_clean.csv")
    check_content(made)


def test_ratings_and_catalog_are_taken_as_they_are():
    sample = cr.sample(users=20, items=10, ratings=60)
    made = Notebook(sample.ratings, sample.catalog)
    assert made.ratings is sample.ratings and made.catalog is sample.catalog


def test_movie_ids_of_two_types_are_refused():
    films = cr.read_catalog(movies(1, 2))
    with pytest.raises(DataError, match="integer"):
        Notebook({"user_id": [1], "movie_id": ["0001"], "rating": [5]}, films)


def test_pandas_is_not_needed():
    code = """
import sys

class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pandas":
            raise ModuleNotFoundError("No module named 'pandas'", name=name)

sys.meta_path.insert(0, NoPandas())
from corated.notebook import Notebook
reviews = {"user_id": [1, 1, 2], "movie_id": [1, 2, 1], "rating": [5, 8, 5]}
nb = Notebook(reviews, {"movie_id": [1], "movie": ["A"]})
nb.movies_to_analyze = nb.create_user_movie_dict()
print(nb.all_recommendations(), sum(batch.num_rows for batch in nb.df_dists()), nb.find_closest_neighbors(1))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("{1: [], 2: ['2']} 1 [2]\n", 0), done.stderr


# -- the matrix -------------------------------------------------------------------------------------------


def test_sparse_matrix_keeps_zeros_and_all_movies():
    made = Notebook(REVIEWS, {"movie_id": ["0000", "0001"], "movie": ["Unseen", "A"]})
    matrix, users, films = made.user_item_matrix()
    assert users == [3, 7] and films == ["0000", "0001", "0002"]  # "0002" is rated, though not in the catalog
    assert matrix.toarray().tolist() == [[0, 0, 9], [0, 8, 0]]
    assert matrix.nnz == 3 and matrix[[1], [2]] == 0  # the rating of 0 is stored


def test_dense_matrix_tells_zero_from_unrated():
    made = Notebook(REVIEWS, MOVIES)
    floats, users, films = made.user_item_matrix(dense="float32")
    assert floats.dtype == np.float32 and users == [3, 7] and films == ["0001", "0002"]
    np.testing.assert_array_equal(floats, [[np.nan, 9], [8, 0]])
    np.testing.assert_array_equal(floats, made.user_item_matrix(dense=True).matrix)
    small = made.user_item_matrix(dense="int8").matrix
    assert small.dtype == np.int8
    assert small.tolist() == [[-1, 9], [8, 0]]


def test_matrix_agrees_with_rows(nb, world):
    matrix, users, films = nb.user_item_matrix()
    for row, user in enumerate(users):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        assert (
            dict(zip((films[at] for at in matrix.indices[span]), matrix.data[span], strict=True))
            == world[user]
        )


def test_the_size_of_a_dense_matrix_is_told(nb):
    sparse = nb.user_item_matrix()
    assert sparse.dense_bytes() == 4 * 60 * len(sparse.movies) and sparse.dense_bytes("int8") == 60 * len(
        sparse.movies
    )
    assert f"{sparse.dense_bytes() / 1000:.1f} kB as float32" in repr(sparse)
    assert f"dense int8: {sparse.dense_bytes('int8') / 1000:.1f} kB" in repr(
        nb.user_item_matrix(dense="int8")
    )


def test_a_dense_matrix_that_does_not_fit_is_refused(nb, monkeypatch):
    needed = nb.user_item_matrix().dense_bytes("int8")
    monkeypatch.setattr(notebook, "available_memory", lambda: needed)
    nb.user_item_matrix(dense="int8")
    with pytest.raises(MemoryLimitError, match=r"60 users × \d+ movies takes \d\.\d kB as float32"):
        nb.user_item_matrix(dense="float32")
    monkeypatch.setattr(notebook, "available_memory", lambda: None)  # a platform that does not tell
    nb.user_item_matrix(dense="float32")


@pytest.mark.parametrize("ratings", [[0.5, 4.0], [-1, 3]])
def test_int8_is_refused_where_it_cannot_hold_the_ratings(ratings):
    made = make({1: {10: ratings[0], 11: ratings[1]}})
    with pytest.raises(ParameterError, match="int8"):
        made.user_item_matrix(dense="int8")
    assert made.user_item_matrix(dense="float32").matrix.tolist() == [ratings]


def test_other_kinds_of_matrix_are_refused(nb):
    with pytest.raises(ParameterError, match="float16"):
        nb.user_item_matrix(dense="float16")


# -- who saw what -----------------------------------------------------------------------------------------


def test_rows_and_common_movies(nb, world):
    ids = sorted(world)
    assert all(nb.get_user_row(user) == world[user] for user in ids)
    for one, other in pairwise(ids):
        assert nb.get_common_movies(one, other) == sorted(world[one].keys() & world[other].keys())


def test_watched(nb, world):
    assert all(nb.movies_watched(user) == sorted(world[user]) for user in world)
    seen = nb.create_user_movie_dict()
    assert list(seen) == sorted(world) and seen == {user: sorted(profile) for user, profile in world.items()}


def test_movies_to_analyze_are_those_above_the_bound(nb, world):
    seen = nb.create_user_movie_dict()
    assert set(nb.create_movies_to_analyze(seen)) == {user for user in world if len(world[user]) > 2}
    few = nb.create_movies_to_analyze(seen, lower_bound=5)
    assert few == {user: sorted(world[user]) for user in world if len(world[user]) > 5} and few


# -- how alike --------------------------------------------------------------------------------------------

NINE = [10, 7, 9, 6, 7, 9, 8, 6, 9], [8, 6, 7, 6, 7, 8, 8, 6, 8]


def test_the_pair_of_the_notebook():
    pair = make({user: dict(enumerate(given, 1)) for user, given in zip((35, 51), NINE, strict=True)})
    assert round(pair.compute_correlation(35, 51), 2) == 0.84
    assert pair.compute_euclidean_dist(35, 51) == math.sqrt(11)
    assert pair.compute_correlation(35, 35) == 1.0 and pair.compute_euclidean_dist(35, 35) == 0.0


def test_undefined_is_nan():
    made = make({1: {10: 8, 11: 8, 12: 8}, 2: {10: 9, 11: 7, 12: 7}, 3: {10: 5, 20: 6}, 4: {21: 6}})
    flat, one_shared, none_shared = (1, 2), (2, 3), (1, 4)
    for pair in (flat, one_shared, none_shared):
        assert math.isnan(made.compute_correlation(*pair))
        assert made.compute_correlation(*pair) != made.compute_correlation(*pair)  # why == finds no NaN
    assert (
        made.compute_euclidean_dist(*flat) == math.sqrt(3) and made.compute_euclidean_dist(*one_shared) == 4
    )
    assert math.isnan(made.compute_euclidean_dist(*none_shared))


def test_values_of_all_pairs(nb, world):
    for one in world:
        for other in world:
            shared = sorted(world[one].keys() & world[other].keys())
            x, y = ([world[user][movie] for movie in shared] for user in (one, other))
            np.testing.assert_equal(nb.compute_euclidean_dist(one, other), distance(world[one], world[other]))
            has_value = len(shared) > 1 and len(set(x)) > 1 and len(set(y)) > 1
            expected = np.corrcoef(x, y)[0, 1] if has_value else NAN
            np.testing.assert_allclose(nb.compute_correlation(one, other), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("at_once", [1, 500, 1 << 20])
def test_df_dists_streams_each_pair_once(nb, world, monkeypatch, at_once):
    monkeypatch.setattr(notebook, "_PAIRS_AT_ONCE", at_once)
    batches = list(nb.df_dists())
    assert (len(batches) == 1) == (at_once == 1 << 20)
    assert len(batches) == len(world) if at_once == 1 else len(batches) < len(world)
    rows = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    expected = [
        (one, other, distance(world[one], world[other]))
        for one in world
        for other in world
        if one < other and world[one].keys() & world[other].keys()
    ]
    assert sorted(rows) == sorted(expected) and len(rows) > 500
    assert [row[::2] for row in rows] == sorted(row[::2] for row in rows)  # by user1, then closest first


def test_df_dists_are_arrow_and_computed_on_demand(monkeypatch):
    made = make({"b": {10: 8}, "a": {10: 6}, "c": {11: 6}})
    frame = made.df_dists().read_pandas()
    assert frame.to_dict("list") == {"user1": ["a"], "user2": ["b"], "eucl_dist": [2.0]}
    assert pl.from_arrow(made.df_dists()).shape == (1, 3)
    monkeypatch.setattr(notebook, "neighbors", None)
    stream = made.df_dists()
    with pytest.raises(TypeError):  # only now anything is computed
        stream.read_all()


def test_closest_neighbors(nb, world):
    for user in world:
        assert nb.find_closest_neighbors(user) == closest(world, user)[:10]
        assert nb.find_closest_neighbors(user, k=3) == closest(world, user)[:3]
        assert nb.find_closest_neighbors(user, k=1000) == closest(world, user)


# -- recommendations --------------------------------------------------------------------------------------


def test_movies_liked_are_in_the_order_of_recommending():
    made = make({1: {10: 7, 11: 9, 12: 6, 13: 9, 14: 10}})
    assert made.movies_liked(1) == [14, 11, 13, 10]
    assert made.movies_liked(1, 6.5) == [14, 11, 13, 10] and made.movies_liked(1, 6) == [14, 11, 13, 10, 12]


def test_names_keep_the_order_asked_and_fall_back_to_the_id():
    films = {"movie_id": ["0001", "0002", "0003"], "movie": ["Same", "Same", None]}
    made = make({1: {"0001": 5, "0009": 5}}, films)
    assert made.movie_names(["0009", "0002", "0003", "0001", "0002"]) == [
        "0009",
        "Same",
        "0003",
        "Same",
        "Same",
    ]
    assert made.movie_names(movie for movie in ["0002"]) == ["Same"]
    assert made.movie_names([]) == []
    with pytest.raises(IdTypeError):
        made.movie_names("0002")  # one id, not a list of them
    assert make({1: {5: 5, 6: 5}}, movies(6)).movie_names([5, 6]) == ["5", "Film 6"]


@pytest.mark.parametrize("num_recs", [1, 4, 10])
def test_recommendations_follow_the_rule(nb, world, num_recs):
    expected = {user: [f"Film {movie}" for movie in recommended(world, user, num_recs)] for user in world}
    assert {user: nb.make_recommendations(user, num_recs) for user in world} == expected
    assert nb.all_recommendations(num_recs) == {
        user: expected[user] for user in world if len(world[user]) > 2
    }


def test_everyone_to_analyze_has_a_key():
    made = make({1: {10: 5, 11: 5, 12: 5}, 2: {20: 9}})
    assert made.all_recommendations() == {1: []}
    made.movies_to_analyze = {2: [20], 99: [], 1: [10]}
    assert made.all_recommendations() == {2: [], 99: [], 1: []}
    made.movies_to_analyze = {}
    assert made.all_recommendations() == {}


def test_unnamed_movies_are_recommended_by_their_id():
    made = make({1: {"010": 5, "011": 5, "012": 5}, 2: {"010": 5, "013": 9, "014": 8}}, movies("010", "014"))
    assert made.make_recommendations(1) == ["013", "Film 014"]
    assert made.all_recommendations() == {1: ["013", "Film 014"], 2: []}


# -- who is not there, and what is not allowed ------------------------------------------------------------


def test_an_unknown_user_has_seen_nothing(nb, world):
    user, nobody = min(world), 5
    assert nb.get_user_row(nobody) == {}
    for answer in (nb.movies_watched, nb.movies_liked, nb.find_closest_neighbors, nb.make_recommendations):
        assert answer(nobody) == []
    for pair in ((user, nobody), (nobody, user), (nobody, nobody)):
        assert nb.get_common_movies(*pair) == []
        assert math.isnan(nb.compute_correlation(*pair)) and math.isnan(nb.compute_euclidean_dist(*pair))


@pytest.mark.parametrize(
    "ask",
    [
        lambda nb, user: nb.get_user_row(str(user)),
        lambda nb, user: nb.movies_watched(str(user)),
        lambda nb, user: nb.compute_correlation(5, str(user)),
        lambda nb, user: nb.compute_euclidean_dist(str(user), user),
        lambda nb, user: nb.find_closest_neighbors(str(user)),
        lambda nb, user: nb.make_recommendations(str(user)),
    ],
)
def test_an_id_of_another_type_is_an_error_that_says_so(nb, world, ask):
    with pytest.raises(IdTypeError, match=f"Did you mean the integer {min(world)}"):
        ask(nb, min(world))


def test_ids_from_numpy_are_as_good(nb, world):
    user = np.int64(min(world))
    assert nb.make_recommendations(user) == nb.make_recommendations(int(user))
    assert nb.find_closest_neighbors(user) == nb.find_closest_neighbors(int(user))


@pytest.mark.parametrize("count", [0, -1, "ten"])
@pytest.mark.parametrize("user", [None, 5], ids=["known", "unknown"])
def test_counts_are_checked(nb, world, count, user):
    user = user or min(world)
    with pytest.raises(ParameterError, match="k="):
        nb.find_closest_neighbors(user, k=count)
    with pytest.raises(ParameterError, match="n="):
        nb.make_recommendations(user, num_recs=count)


# -- the departures, by their numbers in the definitions --------------------------------------------------


def test_departure_1_the_user_is_left_out_and_nobody_else():
    # Users 1, 2 and 3 are at distance 0 from one another, so who comes first is not always the user.
    made = make({user: {10: 8} for user in (1, 2, 3)})
    assert [made.find_closest_neighbors(user) for user in (1, 2, 3)] == [[2, 3], [1, 3], [1, 2]]


def test_departure_2_min_rating_is_obeyed_and_nothing_seen_comes_back():
    made = make({1: {10: 8, 11: 3, 12: 6}, 2: {10: 8, 11: 9, 12: 8, 13: 7, 14: 6}})
    assert made.movies_liked(2, min_rating=9) == [11]
    assert made.movies_liked(2, min_rating=6) == [11, 10, 12, 13, 14]
    assert made.make_recommendations(1) == ["Film 13"]  # 11 and 12 were seen, though not liked


def test_departure_3_a_movie_is_listed_once():
    made = make({1: {10: 8}, 2: {10: 8, 20: 9, 21: 7}, 3: {10: 8, 20: 9, 22: 7}})
    assert made.make_recommendations(1) == ["Film 20", "Film 21", "Film 22"]


def test_departure_4_ties_prefer_more_in_common_then_the_smaller_id():
    twin = {10: 8, 11: 6, 12: 9}
    made = make({5: twin, 2: {10: 8}, 3: twin, 4: twin, 9: {10: 8}, 8: {10: 8, 12: 9}})
    assert made.find_closest_neighbors(5) == [3, 4, 8, 2, 9]
    assert made.find_closest_neighbors(5, k=2) == [3, 4]


def test_departure_5_any_ids_and_no_padding():
    by_number = make({40: {10: 8}, -3: {10: 7, 20: 9}, 700: {30: 8}})
    assert by_number.find_closest_neighbors(40) == [-3] and by_number.find_closest_neighbors(700) == []
    by_name = make({"zoë": {"a": 8, "b": 7, "c": 8}, "Ann": {"a": 8, "d": 9}, "bo": {"e": 8}})
    assert by_name.find_closest_neighbors("zoë") == ["Ann"]
    assert by_name.all_recommendations() == {"zoë": ["Film d"]}


def test_departure_6_all_recommendations_obey_num_recs_and_serve_everyone():
    everyone = {user: {10: 8, 11: 7, 12: 6, 100 + user: 9, 200 + user: 8} for user in range(1, 26)}
    made = make(everyone)
    three = made.all_recommendations(num_recs=3)
    assert list(three) == list(everyone) and all(len(names) == 3 for names in three.values())
    assert all(len(names) == 10 for names in made.all_recommendations().values())
    assert three == {user: made.make_recommendations(user, num_recs=3) for user in everyone}


def test_departure_7_one_movie_at_distance_0_comes_first_and_the_alternatives_do_not_let_it():
    mine = dict.fromkeys(range(40), 3.0)
    made = make({1: mine, 2: {**mine, 0: 3.5}, 3: {0: 3.0, 50: 5.0}})
    assert made.compute_euclidean_dist(1, 2) == 0.5 and made.compute_euclidean_dist(1, 3) == 0.0
    assert made.find_closest_neighbors(1) == [3, 2]
    instead = [cr.UserKNN(), cr.UserKNN(measure="euclidean", min_common=3)]
    assert [model.fit(made.ratings).similar_users(1).to_pylist()[0]["neighbor"] for model in instead] == [
        2,
        2,
    ]


# -- names, and real ratings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("user_item_matrix", "dense=False"),
        ("get_user_row", "user_id"),
        ("get_common_movies", "user1, user2"),
        ("movies_watched", "user_id"),
        ("create_user_movie_dict", ""),
        ("create_movies_to_analyze", "movies_seen, lower_bound=2"),
        ("compute_correlation", "user1, user2"),
        ("compute_euclidean_dist", "user1, user2"),
        ("df_dists", ""),
        ("find_closest_neighbors", "user, k=10"),
        ("movies_liked", "user_id, min_rating=7"),
        ("movie_names", "movie_ids"),
        ("make_recommendations", "user, num_recs=10"),
        ("all_recommendations", "num_recs=10"),
    ],
)
def test_names_and_defaults_are_the_notebooks(nb, name, parameters):
    given = inspect.signature(getattr(nb, name)).parameters.values()
    shown = [p.name if p.default is p.empty else f"{p.name}={p.default}" for p in given]
    assert ", ".join(shown) == parameters


@pytest.mark.jit
def test_movietweetings(data):
    folder = data("movietweetings-100k")
    made = Notebook(folder / "ratings.dat", folder / "movies.dat")
    matrix = made.user_item_matrix().matrix
    assert matrix.nnz == 100_000 and (matrix.data == 0).sum() == 12
    seen = made.create_user_movie_dict()
    profiles = {user: made.get_user_row(user) for user in seen}
    everyone = made.all_recommendations()
    assert list(everyone) == [user for user in seen if len(seen[user]) > 2]
    for user in random.Random(1).sample(list(everyone), 25):
        assert made.find_closest_neighbors(user) == closest(profiles, user)[:10]
        expected = made.movie_names(recommended(profiles, user, 10))
        assert everyone[user] == made.make_recommendations(user) == expected
