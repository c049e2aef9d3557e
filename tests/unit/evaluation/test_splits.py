"""Splits: what goes where, what the future does in training, and what is refused."""

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given as given_examples
from hypothesis import strategies as st

import corated as cr
from corated import evaluation as ev
from corated.errors import DataError, ParameterError

DAY = 86_400


def rows_of(ratings):
    table = ratings.to_arrow()
    columns = ("user_id", "item_id", "rating", "timestamp")
    return {tuple(row[name] for name in columns if name in row) for row in table.to_pylist()}


def some(n_users=30, n_items=20, n=200, seed=0, times=True):
    rng = np.random.default_rng(seed)
    pairs = rng.choice(n_users * n_items, n, replace=False)
    when = rng.integers(0, 50, n) * DAY + 1_400_000_000 if times else None
    return cr.Ratings.from_arrays(
        pairs // n_items + 100, [f"i{p % n_items:02}" for p in pairs], rng.integers(1, 11, n), when,
        scale=(0, 10, 1),
    )  # fmt: skip


RATINGS = some()

SPLITS = {
    "by_time": ev.by_time,
    "by_time at": lambda r: ev.by_time(r, at="2014-06-10"),
    "leave_last": lambda r: ev.leave_last(r, 2),
    "leave_one_out": lambda r: ev.leave_one_out(r, seed=3),
    "at_random": lambda r: ev.at_random(r, seed=1),
    "at_random users": lambda r: ev.at_random(r, of="users"),
    "k_folds": lambda r: ev.k_folds(r)[0],
    "k_folds users": lambda r: ev.k_folds(r, of="users")[1],
}


@pytest.mark.parametrize("make", SPLITS.values(), ids=SPLITS)
def test_every_rating_is_on_one_side(make):
    split = make(RATINGS)
    train, test = rows_of(split.train), rows_of(split.test)
    assert train | test == rows_of(RATINGS)
    assert not train & test
    assert len(train) == split.train.n_ratings > 0 < split.test.n_ratings == len(test)


@pytest.mark.parametrize("make", SPLITS.values(), ids=SPLITS)
def test_ids_scale_and_times_stay(make):
    split = make(RATINGS)
    for side in (split.train, split.test):
        assert side.scale == RATINGS.scale == cr.Scale(0, 10, 1)
        assert (side.users.kind, side.items.kind) == ("integer", "text")
        assert side.times is not None
        assert side.user_counts.min() >= 1 <= side.item_counts.min()


@pytest.mark.parametrize("make", SPLITS.values(), ids=SPLITS)
def test_the_same_arguments_give_the_same_split_whatever_the_row_order(make):
    table = RATINGS.to_arrow()
    shuffled = cr.Ratings.from_table(
        table.take(np.random.default_rng(5).permutation(len(table))), scale=(0, 10, 1)
    )
    first, again = make(RATINGS), make(shuffled)
    assert rows_of(first.test) == rows_of(again.test)
    assert first.name == again.name


def test_seeds_differ():
    for make in (ev.at_random, ev.leave_one_out, lambda r, seed: ev.k_folds(r, seed=seed)[0]):
        assert rows_of(make(RATINGS, seed=0).test) != rows_of(make(RATINGS, seed=1).test)


def test_by_time_has_no_future_in_training():
    for quantile in (0.01, 0.5, 0.8, 0.95):
        split = ev.by_time(RATINGS, quantile=quantile)
        assert split.train.times.max() < split.test.times.min()
        assert split.train.n_ratings >= int(quantile * RATINGS.n_ratings)
        assert split.future_share == 0.0
        assert split.leaks == ""
    assert ev.by_time(RATINGS).name == "by_time(quantile=0.8)"


def test_by_time_keeps_equal_times_together_in_training():
    times = [1, 2, 2, 2, 3]
    ratings = cr.Ratings.from_arrays([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], [5, 5, 5, 5, 5], times)
    for quantile in (0.4, 0.6, 0.8, 0.99):
        assert ev.by_time(ratings, quantile=quantile).test.times.tolist() == [3_000_000]
    for quantile in (0.01, 0.2, 0.39):
        assert ev.by_time(ratings, quantile=quantile).train.n_ratings == 1


def test_by_time_takes_the_earliest_cut_that_is_enough():
    ratings = cr.Ratings.from_arrays([1] * 30, range(30), [5] * 30, range(1, 31))
    assert [ev.by_time(ratings, quantile=q).train.n_ratings for q in (0.1, 0.11, 0.5, 0.7, 0.9)] == [
        3, 3, 15, 21, 27,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "at",
    ["2014-06-10", "2014-06-10T02:00+02:00", datetime(2014, 6, 10, tzinfo=UTC), np.datetime64("2014-06-10")],
)
def test_by_time_at_a_time(at):
    cut = int(datetime(2014, 6, 10, tzinfo=UTC).timestamp()) * 10**6
    split = ev.by_time(RATINGS, at=at)
    assert split.train.times.max() <= cut < split.test.times.min()
    assert split.name == 'by_time(at="2014-06-10 00:00:00")'


def test_by_time_at_the_very_second_is_training():
    ratings = cr.Ratings.from_arrays([1, 1], [1, 2], [5, 5], [1_400_000_000, 1_400_000_001])
    assert ev.by_time(ratings, at="2014-05-13T16:53:20").train.items.id(0) == 1


def test_leave_last_takes_the_last():
    ratings = cr.Ratings.from_arrays(
        [1, 1, 1, 2, 2, 2, 3], ["a", "b", "c", "a", "b", "c", "a"], [1, 2, 3, 4, 5, 6, 7],
        [30, 20, 10, 10, 10, 5, 99],
    )  # fmt: skip
    rows = [(row["user_id"], row["item_id"]) for row in ev.leave_last(ratings).test.to_arrow().to_pylist()]
    assert rows == [(1, "a"), (2, "b")]  # equal times by item, and one rating is not left out
    split = ev.leave_last(ratings, 2)
    rows = [(row["user_id"], row["item_id"]) for row in split.test.to_arrow().to_pylist()]
    assert rows == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert split.new_users == 0


def test_leave_one_out_takes_one_of_each():
    split = ev.leave_one_out(RATINGS, seed=0)
    assert split.test.user_counts.tolist() == [1] * split.test.n_users
    assert split.test.n_users == (RATINGS.user_counts > 1).sum()
    assert split.new_users == 0
    # Any of a user's ratings can be drawn.
    first = [rows_of(ev.leave_one_out(RATINGS, seed=seed).test) for seed in range(60)]
    assert set.union(*first) == {row for row in rows_of(RATINGS) if row[0] in set(split.test.users)}


def test_at_random_sizes():
    assert ev.at_random(RATINGS, share=0.25).test.n_ratings == 50
    split = ev.at_random(RATINGS, share=0.1, of="users")
    assert split.test.n_users == split.new_users == 3
    assert split.test.n_users + split.train.n_users == RATINGS.n_users


@pytest.mark.parametrize("of", ["ratings", "users"])
def test_folds_test_every_rating_once(of):
    folds = ev.k_folds(RATINGS, k=7, seed=2, of=of)
    assert len(folds) == 7
    tests = [rows_of(split.test) for split in folds]
    assert sum(map(len, tests)) == RATINGS.n_ratings
    assert set.union(*tests) == rows_of(RATINGS)
    sizes = [
        len(test) if of == "ratings" else split.test.n_users for test, split in zip(tests, folds, strict=True)
    ]
    assert max(sizes) - min(sizes) <= 1
    assert [split.name for split in folds][6].endswith("fold 7 of 7")
    assert rows_of(folds[-1].test) == tests[6]
    assert [rows_of(split.test) for split in folds[1:3]] == tests[1:3]
    with pytest.raises(IndexError):
        folds[7]


def test_new_users_and_items_are_counted_and_stay():
    train = cr.Ratings.from_arrays([1, 2], ["a", "c"], [5, 3])
    test = cr.Ratings.from_arrays([1, 3, 3, 0], ["b", "c", "d", "a"], [4, 4, 5, 3])
    split = ev.given(train, test)
    assert split.user_codes.tolist() == [-1, 0, -1]  # 0, 1, 3
    assert split.item_codes.tolist() == [0, 2, 1, 3]  # a, b (new), c, d (new)
    assert (split.new_users, split.new_items) == (2, 2)
    assert "2 of 3 users and 2 of 4 items only in the test" in repr(split)
    assert rows_of(split.known(items=False).test) == {(1, "b", 4.0)}
    assert rows_of(split.known(users=False).test) == {(3, "c", 4.0), (0, "a", 3.0)}
    known = split.known(users=False).known(items=False, users=False)
    assert (known.left_out, known.new_items) == (2, 0)
    assert "2 left out of the test" in repr(known)
    with pytest.raises(DataError, match="Every test rating is of a user or an item"):
        split.known()


def test_leaks_tell_how_much_of_the_future_is_in_training():
    ratings = cr.Ratings.from_arrays([1, 1, 2, 2], [1, 2, 1, 2], [5] * 4, [10, 20, 30, 1_400_000_000])
    split = ev.leave_last(ratings)
    assert split.future_share == 0.5
    assert split.leaks.startswith(
        "1 of 2 test ratings are older than the latest rating in training (1970-01-01 00:00:30)"
    )
    assert ev.by_time(ratings).leaks == ""
    assert ev.at_random(RATINGS).future_share > 0.9
    assert "nobody can tell" in ev.at_random(some(times=False)).leaks
    assert ev.at_random(some(times=False)).future_share is None


def test_leaks_tell_of_pairs_on_both_sides():
    train = cr.Ratings.from_arrays([1, 1, 2], [1, 2, 1], [5, 4, 3], [1, 2, 3])
    test = cr.Ratings.from_arrays([1, 2, 3], [2, 2, 1], [5, 4, 3], [4, 5, 6])
    split = ev.given(train, test)
    assert split.overlap == 1
    assert split.leaks == "1 of the test ratings are of pairs that are in training too."


def test_given_puts_both_on_one_scale():
    def scales(train, test, **options):
        split = ev.given(
            cr.Ratings.from_arrays([1] * len(train), range(len(train)), train, **options),
            cr.Ratings.from_arrays([2] * len(test), range(len(test)), test),
        )
        assert split.train.values.tolist() == train
        assert split.test.values.tolist() == test
        return split.train.scale, split.test.scale

    assert scales([1, 5], [2, 4]) == (cr.Scale(1, 5), cr.Scale(1, 5))
    assert scales([2, 4], [1, 5]) == (cr.Scale(1, 5), cr.Scale(1, 5))
    assert scales([1, 3], [2, 5]) == (cr.Scale(1, 5), cr.Scale(1, 5))
    assert scales([1, 3], [2.5, 5]) == (cr.Scale(1, 5, 0.5), cr.Scale(1, 5, 0.5))
    assert scales([1, 3], [2, 5], scale=(0, 10, 1)) == (cr.Scale(0, 10), cr.Scale(0, 10))
    assert scales([1.23456, 3], [2, 5]) == (None, None)
    assert scales([1, 3], [2.34567, 5]) == (cr.Scale(1, 3), None)


def test_folds_from_files(tmp_path):
    for name, rows in (("u1.base", [(1, 1, 3), (2, 2, 5)]), ("u1.test", [(1, 2, 4)])):
        (tmp_path / name).write_text("".join(f"{u}\t{i}\t{r}\t88{i}000000\n" for u, i, r in rows))
    (split,) = ev.folds_from_files([(tmp_path / "u1.base", tmp_path / "u1.test")], scale=(1, 5, 1))
    assert split.name == "given(u1.base, u1.test)"
    assert (split.train.n_ratings, split.test.n_ratings) == (2, 1)
    assert split.train.scale == split.test.scale == cr.Scale(1, 5)


def surprise_recipe(n, k, seed):
    """The test rows of each fold, from the definition: pieces of shuffled row numbers."""
    order = np.arange(n)
    np.random.RandomState(seed).shuffle(order)
    starts = [sum(n // k + (g < n % k) for g in range(f)) for f in range(k + 1)]
    return [order[starts[f] : starts[f + 1]] for f in range(k)]


@pytest.mark.parametrize(("k", "seed", "n"), [(5, 0, 100), (3, 7, 101), (4, 2**32 - 1, 50)])
def test_surprise_folds_are_those_of_the_recipe(k, seed, n, tmp_path):
    rng = np.random.default_rng(n)
    pairs = rng.permutation(400)[:n]
    users, items, values = pairs // 20, pairs % 20, rng.integers(1, 6, n)
    text = "".join(f"{u}\t{i}\t{v}\t{9 * n - u}00\n" for u, i, v in zip(users, items, values, strict=True))
    (tmp_path / "u.data").write_text(text)
    made = {
        "arrays": ev.surprise_folds(users, items, values, k=k, seed=seed, scale=(1, 5, 1)),
        "file": ev.surprise_folds(tmp_path / "u.data", k=k, seed=seed, scale=(1, 5, 1)),
        "table": ev.surprise_folds({"user_id": users, "item_id": items, "rating": values}, k=k, seed=seed),
        "generators": ev.surprise_folds(*(iter(x.tolist()) for x in (users, items, values)), k=k, seed=seed),
    }
    for folds in made.values():
        assert len(folds) == k
        for split, rows in zip(folds, surprise_recipe(n, k, seed), strict=True):
            found = {
                (row["user_id"], row["item_id"], row["rating"]) for row in split.test.to_arrow().to_pylist()
            }
            assert found == set(
                zip(users[rows].tolist(), items[rows].tolist(), values[rows].tolist(), strict=True)
            )
            assert split.train.n_ratings == n - len(rows)
    assert made["file"][0].train.times is not None
    assert ev.surprise_folds(users, items, k=k)[0].train.scale.levels == 1


def test_surprise_folds_of_ml_100k(data):
    """The baseline's error on each fold, as published; sect. 2 of Surprise's table."""
    folds = ev.surprise_folds(data("ml-100k") / "u.data", scale=(1, 5, 1))
    errors = []
    for split in folds:
        test = split.test.to_arrow()
        predicted = cr.Bias(clip=True).fit(split.train).predict(test["user_id"], test["item_id"])
        errors.append(ev.rating_errors(predicted, split.test.values))
    assert [error.rmse for error in errors] == pytest.approx(
        [0.9447, 0.9401, 0.9383, 0.9417, 0.9551], abs=5e-4
    )
    assert np.mean([error.rmse for error in errors]) == pytest.approx(0.944, abs=5e-4)
    assert np.mean([error.mae for error in errors]) == pytest.approx(0.748, abs=5e-4)


def test_official_folds_of_ml_100k(data):
    folder = data("ml-100k")
    pairs = [(folder / f"u{f}.base", folder / f"u{f}.test") for f in range(1, 6)]
    splits = ev.folds_from_files(pairs)
    assert sum(split.test.n_ratings for split in splits) == 100_000
    assert all(split.overlap == 0 and split.train.scale == cr.Scale(1, 5) for split in splits)
    assert all("older than the latest" in split.leaks for split in splits)


def test_movietweetings_by_time(data):
    ratings = cr.read_ratings(data("movietweetings-100k") / "ratings.dat")
    split = ev.by_time(ratings)
    assert split.leaks == ""
    assert split.train.n_ratings == 80_000
    known = split.known()
    liked = ev.relevance_of(known, like=7)
    # 3,162 users with a later like of something known, as measured with NumPy alone.
    assert (liked.counts > 0).sum() == 3162
    # The twelve ratings of 0 are ratings.
    zeros = sum((side.values == 0).sum() for side in (split.train, split.test))
    assert zeros == (ratings.values == 0).sum() > 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ev.by_time(RATINGS, quantile=0), "quantile=0 cannot be used"),
        (lambda: ev.by_time(RATINGS, quantile=1.0), "quantile=1.0 cannot be used"),
        (lambda: ev.by_time(RATINGS, quantile=float("nan")), "quantile=nan cannot be used"),
        (lambda: ev.by_time(RATINGS, quantile=True), "quantile=True cannot be used"),
        (lambda: ev.by_time(RATINGS, quantile=0.5, at="2014-01-01"), "quantile and at were both given"),
        (lambda: ev.by_time(RATINGS, at="soon"), "at='soon' is no time"),
        (lambda: ev.by_time("ratings.dat"), "A str was given for the ratings"),
        (lambda: ev.leave_last(RATINGS, 0), "n=0 cannot be used"),
        (lambda: ev.leave_one_out(RATINGS, seed=-1), "seed=-1 cannot be used"),
        (lambda: ev.at_random(RATINGS, share=1), "share=1 cannot be used"),
        (lambda: ev.at_random(RATINGS, of="items"), "of='items' cannot be used"),
        (lambda: ev.k_folds(RATINGS, k=1), "k=1 cannot be used"),
        (lambda: ev.k_folds(RATINGS, seed=0.5), "seed=0.5 cannot be used"),
        (lambda: ev.surprise_folds([1, 2], [1, 2], k=2, seed=2**32), "seed=4294967296 cannot be used"),
        (
            lambda: ev.surprise_folds([1, 1], [1, 1], k=2, duplicates="max"),
            "would change which rows there are",
        ),
        (lambda: ev.surprise_folds([1, 1], [1, 2], k=2, on_bad="drop"), "would change which rows there are"),
    ],
)
def test_parameters_that_cannot_be_used(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ev.by_time(some(times=False)), "by_time goes by the times of ratings, and these have none"),
        (lambda: ev.leave_last(some(times=False)), "leave_last goes by the times"),
        (lambda: ev.by_time(RATINGS, at="1999-01-01"), "leaves nothing for training"),
        (lambda: ev.by_time(RATINGS, at="2030-01-01"), "leaves nothing for the test"),
        (
            lambda: ev.by_time(cr.Ratings.from_arrays([1, 2], [1, 2], [1, 2], [9, 9])),
            "leaves nothing for the test",
        ),
        (lambda: ev.leave_last(RATINGS, 1000), "No user has more than 1,000 ratings"),
        (lambda: ev.leave_one_out(cr.Ratings.from_arrays([1, 2], [1, 1], [1, 2])), "No user has two ratings"),
        (lambda: ev.at_random(RATINGS, share=0.0001), "leaves nothing for the test"),
        (lambda: ev.at_random(RATINGS, share=0.9999, of="users"), "leaves nothing for training"),
        (lambda: ev.k_folds(RATINGS, k=201), "There are 200 ratings for 201 folds"),
        (lambda: ev.k_folds(RATINGS, k=31, of="users"), "There are 30 users for 31 folds"),
        (lambda: ev.surprise_folds([1, 2], [1, 2], k=3), "There are 2 ratings for 3 folds"),
        (lambda: ev.surprise_folds([1, 1], [1, 1], k=2), "more than one rating|rated .* twice|repeated"),
        (
            lambda: ev.given(RATINGS, cr.Ratings.from_arrays(["1"], ["x"], [5], ids={"user": "text"})),
            "The user ids of training are integer, those of the test text",
        ),
        (
            lambda: ev.given(RATINGS, RATINGS.where(np.zeros(RATINGS.n_ratings, dtype=bool))),
            "test has no ratings",
        ),
    ],
)
def test_data_that_cannot_be_split(call, words):
    with pytest.raises(DataError, match=words) as caught:
        call()
    assert "Next step:" in str(caught.value)


def test_surprise_folds_of_a_binary_file_are_refused(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(RATINGS.to_arrow(), tmp_path / "r.parquet")
    with pytest.raises(ParameterError, match="is not text"):
        ev.surprise_folds(tmp_path / "r.parquet")


def test_surprise_folds_warn_once(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("reviewer,asin,stars\n1,5,3\n2,6,4\n")
    with pytest.warns(cr.CoratedNotice) as warned:
        ev.surprise_folds(path, k=2)
    assert len([one for one in warned if "recognized by name" in str(one.message)]) == 1


@st.composite
def timed(draw):
    n_users, n_items = draw(st.integers(1, 6)), draw(st.integers(3, 6))
    pairs = draw(st.lists(st.integers(0, n_users * n_items - 1), min_size=3, max_size=20, unique=True))
    times = draw(st.lists(st.integers(1, 9), min_size=len(pairs), max_size=len(pairs)))
    users = [pair // n_items for pair in pairs]
    return cr.Ratings.from_arrays(users, [p % n_items for p in pairs], [1 + t % 5 for t in times], times)


@given_examples(timed(), st.floats(0.01, 0.99))
def test_by_time_on_anything(ratings, quantile):
    try:
        split = ev.by_time(ratings, quantile=quantile)
    except DataError:
        # Only where every rating that would be the test has the time of the cut.
        times = np.sort(ratings.times)
        assert times[max(1, int(quantile * len(times) + 1e-9)) - 1] == times[-1]
        return
    assert split.train.times.max() < split.test.times.min()
    assert rows_of(split.train) | rows_of(split.test) == rows_of(ratings)


@given_examples(timed(), st.integers(1, 3))
def test_leave_last_on_anything(ratings, n):
    rows = {}
    for user, item, rating, time in rows_of(ratings):
        rows.setdefault(user, []).append((time, item, rating))
    expected = {
        (user, item, rating, time)
        for user, own in rows.items()
        if len(own) > n
        for time, item, rating in sorted(own)[-n:]
    }
    if expected:
        assert rows_of(ev.leave_last(ratings, n).test) == expected
    else:
        with pytest.raises(DataError):
            ev.leave_last(ratings, n)


def test_files_opened_by_the_caller_are_refused_for_rows_in_order():
    with pytest.raises(ParameterError):
        ev.surprise_folds(io.BytesIO(b"1\t2\t3\n2\t3\t4\n"), k=2)
